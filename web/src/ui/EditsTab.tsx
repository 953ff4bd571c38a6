import { editTitle } from "../format";
import { redo, removeEdit, undo } from "../state/editing";
import * as store from "../state/store";
import { Icon } from "./Icon";

export function EditsTab() {
  const edits = store.edits.value;
  const saving = store.busy.value === "saving";
  return (
    <>
      <div class="row">
        <button type="button" aria-pressed={store.drawing.value} onClick={() => (store.drawing.value = !store.drawing.value)}>
          <Icon name="draw" />
          Draw a road
        </button>
        <button class="square" type="button" aria-label="Undo" title="Undo (Ctrl+Z)" disabled={saving || !store.past.value.length} onClick={() => void undo()}>
          <Icon name="undo" />
        </button>
        <button class="square" type="button" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" disabled={saving || !store.future.value.length} onClick={() => void redo()}>
          <Icon name="redo" />
        </button>
      </div>
      <p class="fine">To delete a road or to decide about a bridged gap, click it on the map or choose it under Roads.</p>
      <ol class="edits" aria-label="Edits">
        {edits.map((edit, index) => (
          <li key={`${index}-${edit.action}`}>
            <span class="grow">{editTitle(edit)}</span>
            <button class="quiet square" type="button" aria-label={`Take back: ${editTitle(edit)}`} title="Take back" disabled={saving} onClick={() => void removeEdit(index)}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ol>
      <p class="fine">{edits.length ? "Saved, and part of every download." : "No edits yet."}</p>
    </>
  );
}
