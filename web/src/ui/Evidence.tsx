import { useEffect, useRef } from "preact/hooks";
import { metres, probability } from "../format";
import { colourOf, RAMP_GRADIENT, rampShare } from "../map/style";
import { acceptBridge, deleteRoad, rejectBridge } from "../state/editing";
import * as store from "../state/store";
import type { Edge } from "../types";
import { Icon } from "./Icon";

/** What speaks for a road, and what can be done about it. */
export function Evidence({ edge }: { edge: Edge }) {
  const card = useFocusWhile(edge.properties.key);
  const { properties } = edge;
  const saving = store.busy.value !== null;
  const key = (event: KeyboardEvent) => {
    if (event.key === "Delete" && !saving) void deleteRoad(edge);
  };
  return (
    <section class="evidence" aria-labelledby="evidence-title" tabIndex={-1} ref={card} onKeyDown={key}>
      <header class="evidence-head">
        <h2 id="evidence-title">{title(edge)}</h2>
        <button class="quiet square" type="button" aria-label="Close" title="Close (Escape)" onClick={() => (store.selectedKey.value = null)}>
          <Icon name="close" />
        </button>
      </header>
      {properties.edited !== "drawn" && <ProbabilityScale edge={edge} />}
      <dl class="facts">
        {facts(edge).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Actions edge={edge} disabled={saving} />
      <details>
        <summary>All attributes</summary>
        <dl class="facts all">
          {Object.entries(properties)
            .filter(([name]) => name !== "key")
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{words(value)}</dd>
              </div>
            ))}
        </dl>
      </details>
    </section>
  );
}

function Actions({ edge, disabled }: { edge: Edge; disabled: boolean }) {
  const { bridged, edited } = edge.properties;
  return (
    <div class="row">
      {bridged && edited !== "accepted" && (
        <>
          <button type="button" disabled={disabled} onClick={() => void acceptBridge(edge)}>
            <Icon name="accept" />
            Accept
          </button>
          <button type="button" disabled={disabled} onClick={() => void rejectBridge(edge)}>
            <Icon name="reject" />
            Reject
          </button>
        </>
      )}
      {!bridged && (
        <button class="danger" type="button" disabled={disabled} onClick={() => void deleteRoad(edge)}>
          <Icon name="trash" />
          Delete road
        </button>
      )}
      {bridged && edited === "accepted" && (
        <button type="button" disabled={disabled} onClick={() => void rejectBridge(edge)}>
          <Icon name="reject" />
          Reject after all
        </button>
      )}
    </div>
  );
}

/** Mean along the road as a mark on the ramp, from the least to the most. */
function ProbabilityScale({ edge }: { edge: Edge }) {
  const { probability: mean, probability_min: least } = edge.properties;
  const place = (value: number | null) => `${100 * rampShare(value ?? 0)}%`;
  return (
    <div class="scale">
      <p class="scale-value">
        <strong>{probability(mean)}</strong> mean probability
      </p>
      <div class="ramp" aria-hidden="true" style={{ backgroundImage: RAMP_GRADIENT }}>
        <div class="ramp-range" style={{ left: place(least), right: `calc(100% - ${place(mean)})` }} />
        <div class="ramp-mark" style={{ left: place(mean), backgroundColor: colourOf(edge) }} />
      </div>
    </div>
  );
}

function title({ properties }: Edge): string {
  if (properties.edited === "drawn") return "Road drawn by you";
  if (properties.bridged) return properties.edited === "accepted" ? "Bridged gap, accepted" : "Bridged gap";
  return `Road ${properties.key}`;
}

const CLASS_WORDS: Record<string, string> = {
  main: "main road",
  through: "through road",
  access: "access road",
  isolated: "isolated",
};

function facts({ properties }: Edge): [string, string][] {
  const { length_m, width_m, width_spread_m, probability_min, probability_p10, bridged, bridge_cost_m, border, class_hint } = properties;
  const rows: [string, string | null][] = [
    ["Length", metres(length_m)],
    ["Width", width_m ? metres(width_m, 1) : null],
    ["Width varies", width_spread_m ? `by ${metres(width_spread_m, 1)}` : null],
    ["Weakest tenth", probability_p10 === null || probability_p10 === undefined ? null : probability(probability_p10)],
    ["Weakest point", probability_min === null || probability_min === undefined ? null : probability(probability_min)],
    ["Not seen", bridged ? metres(bridge_cost_m) : null],
    ["Looks like", class_hint && class_hint !== "unknown" ? (CLASS_WORDS[class_hint] ?? class_hint) : null],
    ["Goes on", border ? "outside the image" : null],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

function words(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The card takes the focus for each road that is chosen and gives it back when it closes. */
function useFocusWhile(key: string) {
  const card = useRef<HTMLElement>(null);
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    opener.current = document.activeElement;
    return () => {
      if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus();
    };
  }, []);
  useEffect(() => card.current?.focus({ preventScroll: true }), [key]);
  return card;
}
