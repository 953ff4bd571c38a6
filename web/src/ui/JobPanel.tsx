import { duration, plural } from "../format";
import { cancel, extract, remove } from "../state/actions";
import { go } from "../state/route";
import * as store from "../state/store";
import type { Job } from "../types";
import { Icon } from "./Icon";
import { PanelHead } from "./ImagePanel";
import { Progress } from "./Progress";
import { Result } from "./Result";

export function JobPanel({ job }: { job: Job }) {
  return (
    <div class="section">
      <PanelHead image={job.image} gsd={job.gsd} />
      {job.state === "done" ? <Result job={job} /> : job.state === "queued" || job.state === "running" ? <Running job={job} /> : <Ended job={job} />}
    </div>
  );
}

function Running({ job }: { job: Job }) {
  const share = job.tiles_total ? job.tiles_done / job.tiles_total : null;
  return (
    <section class="running" aria-labelledby="running-title">
      <h2 id="running-title">{title(job)}</h2>
      <Progress label="Extraction" share={share} />
      <p class="fine spread">
        <span>{job.tiles_total ? `${job.tiles_done} of ${plural(job.tiles_total, "tile")}` : "\u00a0"}</span>
        <span>{remaining(job)}</span>
      </p>
      <p class="fine">
        With {job.model}. The probability of road appears on the map as it is found. You can leave this page; the work goes on.
      </p>
      <button type="button" onClick={() => void cancel()}>
        Cancel
      </button>
    </section>
  );
}

function title(job: Job): string {
  if (!store.connected.value) return "Waiting for roadlift…";
  if (job.state === "queued") return "Waiting for its turn…";
  if (!job.tiles_total) return "Reading the image…";
  return job.tiles_done >= job.tiles_total ? "Drawing the network…" : "Finding roads…";
}

function remaining(job: Job): string {
  const known = store.connected.value && job.remaining_s !== null && job.tiles_done < job.tiles_total;
  return known ? `about ${duration(job.remaining_s!)} left` : "\u00a0";
}

function Ended({ job }: { job: Job }) {
  const again = () => void extract(job.model, job.threshold, job.image.georeferenced ? null : job.gsd);
  return (
    <section class="ended">
      <h2>
        {job.state === "failed" && <Icon name="warning" />}
        {job.state === "failed" ? "This did not work" : "Cancelled"}
      </h2>
      <p>{job.state === "failed" ? (job.error?.message ?? "roadlift was stopped while it worked on this image.") : "Nothing was kept of this extraction."}</p>
      <div class="row">
        <button class="primary" type="button" onClick={again}>
          Try again
        </button>
        <button type="button" onClick={() => go({ page: "image", id: job.image.id })}>
          Change settings
        </button>
        <button class="quiet square" type="button" aria-label="Delete this map" title="Delete" onClick={() => void remove(job)}>
          <Icon name="trash" />
        </button>
      </div>
    </section>
  );
}
