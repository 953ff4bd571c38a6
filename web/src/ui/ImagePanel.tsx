import { useSignal } from "@preact/signals";
import { duration, imageFacts } from "../format";
import { extract } from "../state/actions";
import * as store from "../state/store";
import type { Image } from "../types";
import { Icon } from "./Icon";
import { Notes } from "./Notes";
import { ThresholdSlider } from "./ThresholdSlider";

/** What the image is, and what to do with it. */
export function ImagePanel({ image }: { image: Image }) {
  const models = store.settings.value?.models ?? [];
  const name = useSignal(models[0]?.name ?? "");
  const threshold = useSignal<number | null>(null);
  const gsd = useSignal("");
  const model = models.find((each) => each.name === name.value) ?? models[0];
  const submit = (event: Event) => {
    event.preventDefault();
    if (model) void extract(model.name, threshold.value, image.georeferenced ? null : Number(gsd.value) || null);
  };
  return (
    <form class="section" onSubmit={submit}>
      <PanelHead image={image} />
      {image.notes.length > 0 && <Notes notes={image.notes} />}
      <div class="field">
        <label for="model">Model</label>
        <select id="model" value={model?.name} onChange={(event) => (name.value = event.currentTarget.value)}>
          {models.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name}
            </option>
          ))}
        </select>
        <p class="fine">{model?.description}</p>
      </div>
      {!image.georeferenced && (
        <div class="field">
          <label for="gsd">Metres per pixel</label>
          <input
            id="gsd"
            type="number"
            inputMode="decimal"
            min="0.05"
            max="30"
            step="any"
            placeholder={`${model?.ground_resolution_m ?? 1}`}
            value={gsd.value}
            aria-describedby="gsd-help"
            onInput={(event) => (gsd.value = event.currentTarget.value)}
          />
          <p class="fine" id="gsd-help">
            The image does not tell. Roads are found best when this is right; left empty, 1 m is assumed.
          </p>
        </div>
      )}
      {model && <ThresholdSlider value={threshold.value ?? model.threshold} onInput={(value) => (threshold.value = value)} />}
      <div class="actions">
        <button class="primary wide" type="submit" disabled={store.busy.value !== null || !model}>
          {store.busy.value === "starting" ? "Starting…" : "Extract roads"}
        </button>
        <p class="fine">{image.estimate_s ? `Takes about ${duration(image.estimate_s)} on this machine.` : "\u00a0"}</p>
      </div>
    </form>
  );
}

export function PanelHead({ image, gsd = null }: { image: Image; gsd?: number | null }) {
  return (
    <div class="panel-head">
      <a class="back" href="#">
        <Icon name="back" />
        Your maps
      </a>
      <h1 class="ellipsis" title={image.name}>
        {image.name}
      </h1>
      <p class="fine">{imageFacts(image, gsd).join(" · ")}</p>
    </div>
  );
}
