import { RAMP_GRADIENT, RAMP_START } from "../map/style";
import * as store from "../state/store";

export function Legend() {
  const drawn = store.edits.value.some((edit) => edit.action === "draw");
  return (
    <div class="legend" role="group" aria-label="Legend">
      <p class="legend-title">Probability of road</p>
      <p class="key">
        ≤ {RAMP_START}
        <span class="legend-ramp" style={{ backgroundImage: RAMP_GRADIENT }} aria-hidden="true" />1
      </p>
      <p class="key">
        <span class="swatch" data-bridged="true" aria-hidden="true" /> bridged gap
        {drawn && (
          <>
            <span class="swatch" data-drawn="true" aria-hidden="true" /> drawn
          </>
        )}
      </p>
    </div>
  );
}
