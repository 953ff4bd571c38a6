import { useSignal } from "@preact/signals";
import { metres, probability } from "../format";
import { colourOf } from "../map/style";
import * as store from "../state/store";
import type { Edge } from "../types";
import { PickList } from "./PickList";

type Order = "doubtful" | "long" | "wide" | "bridged";

const ORDERS: Record<Order, { label: string; sort: (a: Edge, b: Edge) => number; keep?: (edge: Edge) => boolean }> = {
  doubtful: { label: "least sure first", sort: (a, b) => number(a, "probability", 2) - number(b, "probability", 2) },
  long: { label: "longest first", sort: (a, b) => number(b, "length_m", 0) - number(a, "length_m", 0) },
  wide: { label: "widest first", sort: (a, b) => number(b, "width_m", 0) - number(a, "width_m", 0) },
  bridged: {
    label: "bridged gaps only",
    sort: (a, b) => number(b, "bridge_cost_m", 0) - number(a, "bridge_cost_m", 0),
    keep: (edge) => edge.properties.bridged === true,
  },
};

/** Every road of the map as a list: what the map shows, for eyes and keyboards that prefer one. */
export function RoadsTab() {
  const order = useSignal<Order>("doubtful");
  const { sort, keep } = ORDERS[order.value];
  const all = store.roads.value?.edges.features ?? [];
  const edges = all.filter(keep ?? (() => true)).sort(sort);
  return (
    <>
      <div class="field inline">
        <label for="order">Show</label>
        <select id="order" value={order.value} onChange={(event) => (order.value = event.currentTarget.value as Order)}>
          {Object.entries(ORDERS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {edges.length === 0 && <p class="fine">{all.length ? "No gap was bridged on this map." : "No roads on this map."}</p>}
      <PickList
        label="Roads"
        items={edges}
        keyOf={(edge) => edge.properties.key}
        chosen={store.selectedKey.value}
        onPick={(edge) => {
          store.showRoads.value = true;
          store.selectedKey.value = edge.properties.key;
        }}
      >
        {(edge) => <Row edge={edge} />}
      </PickList>
    </>
  );
}

function Row({ edge }: { edge: Edge }) {
  const { length_m, width_m, bridged, edited } = edge.properties;
  const what = edited === "drawn" ? "Drawn" : bridged ? "Bridged" : "Road";
  return (
    <>
      <span class="swatch" data-bridged={bridged === true} style={{ backgroundColor: colourOf(edge) }} aria-hidden="true" />
      <span class="grow">
        {what}, {metres(length_m)}
        <span class="fine">{width_m ? ` ${metres(width_m, 1)} wide` : ""}</span>
      </span>
      <span class="number">{probability(edge.properties.probability)}</span>
    </>
  );
}

function number(edge: Edge, column: string, otherwise: number): number {
  const value = edge.properties[column];
  return typeof value === "number" ? value : otherwise;
}
