import { useRef } from "preact/hooks";
import { bytes, kilometres, plural, size, STATE_WORDS, timeToLive, when } from "../format";
import { cancelUpload, openDemo, openFile, remove, removeImage } from "../state/actions";
import * as store from "../state/store";
import type { Image, Job } from "../types";
import { Icon } from "./Icon";
import { Progress } from "./Progress";

/** The empty state: open an image, or the demo scene. */
export function Hero() {
  return (
    <div class="hero">
      <div class="hero-card">
        <h1>Imagery in, road map out.</h1>
        <p class="lead">Open an aerial or satellite image. roadlift finds its roads and draws them as a network that you can check, correct and download.</p>
        {store.upload.value ? <Sending {...store.upload.value} /> : <Chooser />}
        <p class="fine">Everything stays on the machine that runs roadlift; nothing is sent elsewhere.</p>
      </div>
    </div>
  );
}

function Chooser() {
  const input = useRef<HTMLInputElement>(null);
  const limit = store.settings.value?.max_upload_bytes;
  const choose = () => {
    const file = input.current?.files?.[0];
    if (file) void openFile(file);
    if (input.current) input.current.value = "";
  };
  return (
    <div class="drop">
      <Icon name="image" />
      <p>
        <strong>Drop an image here</strong>
        <span class="fine">GeoTIFF, PNG or JPEG{limit ? `, up to ${bytes(limit)}` : ""}</span>
      </p>
      <div class="row">
        <button class="primary" type="button" onClick={() => input.current?.click()}>
          Choose an image
        </button>
        <button type="button" onClick={() => void openDemo()}>
          Try the demo scene
        </button>
      </div>
      <input ref={input} class="unseen" type="file" tabIndex={-1} aria-label="Image file" accept=".tif,.tiff,.png,.jpg,.jpeg,image/*" onChange={choose} />
    </div>
  );
}

function Sending({ name, share }: { name: string; share: number }) {
  const words = share >= 1 ? "Looking at it…" : share ? `${Math.round(share * 100)} %` : "";
  return (
    <div class="drop">
      <Icon name="upload" />
      <p>
        <strong class="ellipsis">Opening {name}</strong>
        <span class="fine">{words || "One moment…"}</span>
      </p>
      <Progress label={`Opening ${name}`} share={share} />
      <button type="button" onClick={cancelUpload}>
        Cancel
      </button>
    </div>
  );
}

/** Everything that was opened or extracted here and is still kept. */
export function MapList() {
  const kept = store.kept.value;
  const seconds = store.settings.value?.time_to_live_s;
  return (
    <section class="section">
      <h2>Your maps</h2>
      {kept?.length === 0 && <Steps />}
      {kept && kept.length > 0 && (
        <ul class="cards">
          {kept.map((each) => ("job" in each ? <MapCard key={each.job.id} job={each.job} /> : <ImageCard key={each.image.id} image={each.image} />))}
        </ul>
      )}
      {kept && kept.length > 0 && seconds ? <p class="fine">Kept for {timeToLive(seconds)} after the last use. Download what you need.</p> : null}
    </section>
  );
}

/** An image that was opened and never extracted. */
function ImageCard({ image }: { image: Image }) {
  return (
    <li class="card">
      <a class="card-link" href={`#/image/${image.id}`}>
        <strong class="ellipsis">{image.name}</strong>
        <span class="fine">{when(image.created)}</span>
        <span class="fine">{size(image)}</span>
      </a>
      <span class="chip">Not extracted</span>
      <button class="quiet square" type="button" aria-label={`Delete ${image.name}`} title="Delete" onClick={() => void removeImage(image)}>
        <Icon name="trash" />
      </button>
    </li>
  );
}

function MapCard({ job }: { job: Job }) {
  return (
    <li class="card">
      <a class="card-link" href={`#/job/${job.id}`}>
        <strong class="ellipsis">{job.image.name}</strong>
        <span class="fine">{when(job.created)}</span>
        <span class="fine">{job.summary ? `${kilometres(job.summary.length_km)}, ${plural(job.summary.edges, "road")}` : job.model}</span>
      </a>
      <span class="chip" data-state={job.state}>
        {STATE_WORDS[job.state]}
      </span>
      <button class="quiet square" type="button" aria-label={`Delete ${job.image.name}`} title="Delete" onClick={() => void remove(job)}>
        <Icon name="trash" />
      </button>
    </li>
  );
}

function Steps() {
  return (
    <>
      <p>Nothing here yet. This is how it goes:</p>
      <ol class="steps">
        <li>
          <strong>Open an image</strong> with a ground resolution of about 0.3 to 2 metres per pixel.
        </li>
        <li>
          <strong>Extract.</strong> The probability of road fills in tile by tile, then the network is drawn.
        </li>
        <li>
          <strong>Check and correct.</strong> Click a road to see its evidence, delete, draw, decide about gaps.
        </li>
        <li>
          <strong>Download</strong> for QGIS, JOSM, OSMnx or the web.
        </li>
      </ol>
    </>
  );
}
