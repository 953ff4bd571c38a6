import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { MapMouseEvent } from "maplibre-gl";
import { DrawTool } from "../map/draw";
import { MapView } from "../map/view";
import { drawRoad, undo, redo } from "../state/editing";
import * as store from "../state/store";
import type { Image } from "../types";
import { Compare } from "./Compare";
import { DrawBar } from "./DrawBar";
import { Evidence } from "./Evidence";
import { Icon, type IconName } from "./Icon";
import { Legend } from "./Legend";

const BUSY_WORDS = {
  starting: "Starting…",
  vectorizing: "Drawing the network anew…",
  saving: "Saving…",
  downloading: "Preparing the download…",
};

/** The map with everything that lies on it. */
export function Stage({ image }: { image: Image }) {
  const container = useRef<HTMLDivElement>(null);
  const view = useSignal<MapView | null>(null);
  const tool = useSignal<DrawTool | null>(null);

  useEffect(() => {
    const map = new MapView(container.current!, image);
    let removed = false;
    let stops: (() => void)[] = [];
    void map.ready().then(() => {
      if (removed) return;
      map.drawLayers(store.job.peek());
      view.value = map;
      stops = [...connect(map), handleClicks(map), handleDrawing(map, (next) => (tool.value = next))];
    });
    return () => {
      removed = true;
      stops.forEach((stop) => stop());
      view.value = null;
      map.remove();
    };
  }, []);
  useShortcuts();

  const hasRoads = store.roads.value !== null;
  return (
    <div class="map-frame" data-drawing={store.drawing.value}>
      <div class="map" ref={container} />
      {store.busy.value && (
        <p class="at-work" role="status">
          {BUSY_WORDS[store.busy.value]}
        </p>
      )}
      <div class="crosshair" aria-hidden="true" />
      {store.comparing.value && view.value && <Compare view={view.value} />}
      <div class="map-tools" role="toolbar" aria-label="Layers">
        <Toggle label="Roads" signal={store.showRoads} disabled={!hasRoads} />
        <Toggle label="Probability" signal={store.showProbability} disabled={store.probabilityVersion.value === null} />
        <Toggle label="Issues" signal={store.showIssues} disabled={!store.issues.value?.features.length} />
        <Toggle label="Compare" signal={store.comparing} disabled={!hasRoads} />
      </div>
      <div class="map-zoom">
        <ZoomButton icon="plus" label="Zoom in" act={() => view.value?.map.zoomIn()} />
        <ZoomButton icon="minus" label="Zoom out" act={() => view.value?.map.zoomOut()} />
        <ZoomButton icon="fit" label="Show the whole image" act={() => view.value?.fit()} />
      </div>
      {(hasRoads || store.probabilityVersion.value !== null) && <Legend />}
      {store.selected.value && !store.drawing.value && <Evidence edge={store.selected.value} />}
      {store.drawing.value && <DrawBar tool={tool.value} />}
    </div>
  );
}

function Toggle({ label, signal, disabled }: { label: string; signal: { value: boolean }; disabled: boolean }) {
  return (
    <button type="button" aria-pressed={signal.value && !disabled} disabled={disabled} onClick={() => (signal.value = !signal.value)}>
      {label}
    </button>
  );
}

function ZoomButton({ icon, label, act }: { icon: IconName; label: string; act: () => void }) {
  return (
    <button class="square" type="button" aria-label={label} title={label} onClick={act}>
      <Icon name={icon} />
    </button>
  );
}

/** Keep the map as the state says. */
function connect(view: MapView): (() => void)[] {
  return [
    effect(() => view.drawLayers(store.job.value)),
    effect(() => view.setRoads(store.roads.value)),
    effect(() => view.setIssues(store.issues.value)),
    effect(() => {
      const version = store.probabilityVersion.value;
      const job = store.job.peek();
      if (job && version !== null) view.setProbability(job, version);
      else view.clearProbability();
      view.showProbability(store.showProbability.value);
    }),
    effect(() => view.showRoads(store.showRoads.value)),
    effect(() => view.showIssues(store.showIssues.value)),
    effect(() => view.select(store.selectedKey.value)),
    effect(() => {
      const edge = store.selected.value;
      const shown = store.selectedIssue.peek()?.properties.edge ?? null;
      if (edge && shown !== null && edge.properties.edge === shown) return; // it is seen with its issue
      if (edge && !inSight(view, edge.geometry.coordinates)) view.flyTo(edge.geometry.coordinates, evidenceCovers(view));
    }),
    effect(() => {
      const issue = store.selectedIssue.value;
      view.selectIssue(store.issueKey.value);
      if (!issue) return;
      const { geometry } = issue;
      view.flyTo(geometry.type === "Point" ? [geometry.coordinates] : geometry.coordinates, store.selected.peek() ? evidenceCovers(view) : 0);
    }),
  ];
}

/** Pixels at the right of the map that the evidence takes; on a phone it lies below the map. */
function evidenceCovers(view: MapView): number {
  return view.map.getContainer().clientWidth > 760 ? 330 : 0;
}

/** Large enough on the screen, and all on it. */
function inSight(view: MapView, coordinates: [number, number][] | number[][]): boolean {
  const { clientWidth, clientHeight } = view.map.getContainer();
  const pixels = coordinates.map((position) => view.map.project(position as [number, number]));
  const xs = pixels.map(({ x }) => x);
  const ys = pixels.map(({ y }) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return left > 0 && top > 0 && right < clientWidth && bottom < clientHeight && Math.max(right - left, bottom - top) > 32;
}

function handleClicks(view: MapView): () => void {
  const click = (event: MapMouseEvent) => {
    if (store.drawing.peek()) return;
    const issue = store.showIssues.peek() ? view.at(event.point, "issue") : null;
    const edge = view.at(event.point, "edge");
    store.selectedKey.value = edge;
    if (issue && !edge) {
      store.issueKey.value = issue;
      store.tab.value = "issues";
    }
  };
  const hover = (event: MapMouseEvent) => {
    view.map.getCanvas().classList.toggle("pointing", !store.drawing.peek() && view.at(event.point, "edge") !== null);
  };
  view.map.on("click", click);
  view.map.on("mousemove", hover);
  return () => {
    view.map.off("click", click);
    view.map.off("mousemove", hover);
  };
}

function handleDrawing(view: MapView, set: (tool: DrawTool | null) => void): () => void {
  let tool: DrawTool | null = null;
  const end = () => {
    tool?.remove();
    tool = null;
    set(null);
  };
  const stop = effect(() => {
    if (!store.drawing.value) return end();
    store.draftPoints.value = 0;
    tool = new DrawTool(view, store.roads.peek, {
      changed: (points) => (store.draftPoints.value = points),
      finished: (coordinates) => {
        store.drawing.value = false;
        void drawRoad(coordinates);
      },
    });
    set(tool);
    view.map.getCanvas().focus();
  });
  return () => {
    stop();
    end();
  };
}

/** Escape closes what is on top; Delete and Ctrl+Z are in the parts they belong to. */
function useShortcuts(): void {
  useEffect(() => {
    const stop = new AbortController();
    const key = (event: KeyboardEvent) => {
      if (store.question.peek() || event.defaultPrevented) return;
      if (event.key === "Escape") close();
      else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !isTyping(event)) {
        event.preventDefault();
        void (event.shiftKey ? redo() : undo());
      }
    };
    addEventListener("keydown", key, { signal: stop.signal });
    return () => stop.abort();
  }, []);
}

function close(): void {
  if (store.drawing.peek()) store.drawing.value = false;
  else if (store.selectedKey.peek()) store.selectedKey.value = null;
  else if (store.comparing.peek()) store.comparing.value = false;
}

function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLInputElement && event.target.type !== "range";
}
