import type { DrawTool } from "../map/draw";
import * as store from "../state/store";

export function DrawBar({ tool }: { tool: DrawTool | null }) {
  const points = store.draftPoints.value;
  return (
    <div class="draw-bar" role="group" aria-label="Drawing a road">
      <p>
        {points === 0 ? "Click where the road begins." : points === 1 ? "Click along the road." : "Double-click or press Enter to finish."}
        <span class="fine block keys">On the keyboard: arrows move the map, Space sets a point at the cross, Backspace takes one back.</span>
      </p>
      <div class="row">
        <button class="primary" type="button" disabled={points < 2} onClick={() => tool?.finish()}>
          Finish
        </button>
        <button type="button" disabled={points === 0} onClick={() => tool?.takeBack()}>
          Take back
        </button>
        <button type="button" onClick={() => (store.drawing.value = false)}>
          Cancel
        </button>
      </div>
    </div>
  );
}
