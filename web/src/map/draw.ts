/** Drawing a road: click or press space to set points, Enter or double click to finish, Escape to give up. */
import type { MapMouseEvent } from "maplibre-gl";
import type { Feature, Position } from "geojson";
import type { Roads } from "../types";
import { snap, type Pixel, type View } from "./snap";
import type { MapView } from "./view";

/** The second click of a double click is no point of its own. */
const LEAST_STEP_PX = 4;

export interface Drawn {
  changed: (points: number) => void;
  finished: (coordinates: Position[]) => void;
}

export class DrawTool {
  #points: Position[] = [];
  #pointer: Position | null = null;
  readonly #stop = new AbortController();

  constructor(
    readonly view: MapView,
    readonly roads: () => Roads | null,
    readonly drawn: Drawn,
  ) {
    const { map } = view;
    map.doubleClickZoom.disable();
    map.getCanvas().classList.add("drawing");
    map.on("click", this.#click);
    map.on("dblclick", this.#finishByClick);
    map.on("mousemove", this.#move);
    map.getCanvas().addEventListener("keydown", this.#key, { signal: this.#stop.signal, capture: true });
  }

  finish(): void {
    if (this.#points.length > 1) this.drawn.finished(this.#points);
  }

  takeBack(): void {
    this.#points = this.#points.slice(0, -1);
    this.#draw();
  }

  remove(): void {
    const { map } = this.view;
    this.#stop.abort();
    map.off("click", this.#click);
    map.off("dblclick", this.#finishByClick);
    map.off("mousemove", this.#move);
    map.doubleClickZoom.enable();
    map.getCanvas().classList.remove("drawing");
    this.view.setDraft([]);
  }

  #click = (event: MapMouseEvent) => this.#add(event.point);

  #finishByClick = (event: MapMouseEvent) => {
    event.preventDefault();
    this.finish();
  };

  #move = (event: MapMouseEvent) => {
    this.#pointer = this.#snapped(event.point);
    this.#draw();
  };

  #key = (event: KeyboardEvent) => {
    const { clientWidth, clientHeight } = this.view.map.getCanvas();
    if (event.key === " ") this.#add({ x: clientWidth / 2, y: clientHeight / 2 });
    else if (event.key === "Enter") this.finish();
    else if (event.key === "Backspace") this.takeBack();
    else return;
    this.#pointer = null;
    event.preventDefault();
    event.stopPropagation();
  };

  #add(pixel: Pixel): void {
    const position = this.#snapped(pixel);
    const last = this.#points.at(-1);
    if (last && this.#pixelsBetween(last, position) < LEAST_STEP_PX) return;
    this.#points = [...this.#points, position];
    this.#draw();
  }

  #pixelsBetween(from: Position, to: Position): number {
    const [a, b] = [from, to].map((position) => this.view.map.project(position as [number, number]));
    return a!.dist(b!);
  }

  #snapped(pixel: Pixel): Position {
    const { map } = this.view;
    const view: View = {
      project: (position) => map.project(position as [number, number]),
      unproject: ({ x, y }) => map.unproject([x, y]).toArray(),
    };
    return snap(pixel, this.roads(), view);
  }

  #draw(): void {
    const line = this.#pointer && this.#points.length ? [...this.#points, this.#pointer] : this.#points;
    const features: Feature[] = this.#points.map((coordinates) => ({
      type: "Feature",
      properties: {},
      geometry: { type: "Point", coordinates },
    }));
    if (line.length > 1) features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } });
    this.view.setDraft(features);
    this.drawn.changed(this.#points.length);
  }
}
