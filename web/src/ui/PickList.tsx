import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

interface Props<Item> {
  label: string;
  items: Item[];
  keyOf: (item: Item) => string;
  chosen: string | null;
  onPick: (item: Item) => void;
  children: (item: Item) => ComponentChildren;
}

const PAGE = 60;

/** A long list as one stop of the tab order: arrow keys move in it, Enter or a click picks. */
export function PickList<Item>({ label, items, keyOf, chosen, onPick, children }: Props<Item>) {
  const list = useRef<HTMLUListElement>(null);
  const shown = useSignal(PAGE);
  const focused = useSignal<string | null>(null);
  const visible = items.slice(0, shown.value);
  const keys = visible.map(keyOf);
  const stop = [focused.value, chosen].find((key) => key !== null && keys.includes(key)) ?? keys[0];

  const move = (event: KeyboardEvent) => {
    const place = keys.indexOf(stop ?? "");
    const last = keys.length - 1;
    const next = { ArrowDown: Math.min(place + 1, last), ArrowUp: Math.max(place - 1, 0), Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    focused.value = keys[next] ?? null;
    list.current?.querySelectorAll<HTMLButtonElement>("button")[next]?.focus();
  };

  return (
    <>
      <ul class="picks" ref={list} aria-label={label} onKeyDown={move}>
        {visible.map((item) => {
          const key = keyOf(item);
          return (
            <li key={key}>
              <button
                type="button"
                aria-pressed={key === chosen}
                tabIndex={key === stop ? 0 : -1}
                onClick={() => {
                  focused.value = key;
                  onPick(item);
                }}
              >
                {children(item)}
              </button>
            </li>
          );
        })}
      </ul>
      {items.length > visible.length && (
        <button class="wide" type="button" onClick={() => (shown.value += PAGE)}>
          Show {Math.min(PAGE, items.length - visible.length)} more of {items.length}
        </button>
      )}
    </>
  );
}
