/** The map of one image: its pixels, the probability above them, the network above both. */
import { Map as MapLibre, ScaleControl, setWorkerUrl, type GeoJSONSource, type PointLike } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import type { Feature, FeatureCollection, Position } from "geojson";
import { authorisation, tiles } from "../api";
import type { Bounds, Image, Issues, Job, Roads } from "../types";
import { deepestZoom, only, roadLayers } from "./style";

setWorkerUrl(workerUrl);

const TOUCH_PX = 7;
/** Room for the buttons above the image. */
const PADDING = { top: 72, right: 24, bottom: 56, left: 24 };
const AROUND_PX = 90;
const EMPTY: FeatureCollection = { type: "FeatureCollection", features: [] };
const ROADS = ["edge-casing", "edge", "edge-bridged", "node"];
const ISSUES = ["issue", "issue-halo"];

export class MapView {
  readonly map: MapLibre;
  #probability: string | null = null;
  #probabilityVisible = false;
  #loading = false;
  #next: [job: Job, version: number] | null = null;
  #removed = false;
  #gsd: number | null | undefined;

  constructor(
    container: HTMLElement,
    readonly image: Image,
    interactive = true,
  ) {
    this.map = new MapLibre({
      container,
      style: {
        version: 8,
        sources: { image: rasterOf(image, tiles(`images/${image.id}/tiles`)) },
        layers: [{ id: "image", type: "raster", source: "image", paint: { "raster-fade-duration": 0 } }],
      },
      bounds: image.bounds,
      fitBoundsOptions: { padding: PADDING },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      maxZoom: 24,
      renderWorldCopies: false,
      interactive,
      transformRequest: (url) => ({ url, headers: authorisation() }),
    });
    this.map.touchZoomRotate?.disableRotation();
    this.map.keyboard?.disableRotation();
    if (interactive && image.georeferenced) this.map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-right");
    this.map.on("dataloading", () => container.setAttribute("aria-busy", "true"));
    this.map.on("idle", () => container.setAttribute("aria-busy", "false"));
    // A tile that is missing leaves a gap that can be seen; nothing more can be said about it.
    this.map.on("error", () => undefined);
  }

  /** Resolves when sources and layers can be added. */
  ready(): Promise<void> {
    return new Promise((resolve) => void this.map.once("style.load", () => resolve()));
  }

  /** Draw the network's layers; again when the scale of pixel space turns out to be another. */
  drawLayers(job: Job | null): void {
    const gsd = job?.gsd ?? null;
    if (this.#gsd === gsd) return;
    for (const id of ["edges", "nodes", "issues", "draft"]) {
      if (!this.map.getSource(id)) this.map.addSource(id, { type: "geojson", data: EMPTY, promoteId: "key", tolerance: 0.2 });
    }
    for (const layer of roadLayers(this.image, job)) {
      if (this.map.getLayer(layer.id)) this.map.removeLayer(layer.id);
      this.map.addLayer(layer);
    }
    this.#gsd = gsd;
  }

  setRoads(roads: Roads | null): void {
    this.#source("edges").setData(roads?.edges ?? EMPTY);
    this.#source("nodes").setData(roads?.nodes ?? EMPTY);
  }

  setIssues(issues: Issues | null): void {
    this.#source("issues").setData(issues ?? EMPTY);
  }

  setDraft(features: Feature[]): void {
    this.#source("draft").setData({ type: "FeatureCollection", features });
  }

  /** Show the probability of a job at a version; the one before stays until the new one is drawn. */
  setProbability(job: Job, version: number): void {
    const id = `probability-${job.id}-${version}`;
    if (this.#loading) this.#next = [job, version];
    else if (this.#probability !== id) void this.#replaceProbability(id, tiles(`jobs/${job.id}/probability`, version));
  }

  clearProbability(): void {
    this.#next = null;
    if (this.#probability) this.#removeRaster(this.#probability);
    this.#probability = null;
  }

  showProbability(visible: boolean): void {
    this.#probabilityVisible = visible;
    this.#show(
      this.map.getLayersOrder().filter((id) => id.startsWith("probability-")),
      visible,
    );
  }

  async #replaceProbability(id: string, url: string): Promise<void> {
    const before = this.#probability;
    this.#probability = id;
    this.#loading = true;
    this.map.addSource(id, rasterOf(this.image, url));
    const visibility = this.#probabilityVisible ? "visible" : "none";
    const paint = { "raster-opacity": 0.85, "raster-fade-duration": 0 };
    this.map.addLayer({ id, type: "raster", source: id, paint, layout: { visibility } }, "edge-selected");
    await this.#drawn(id);
    this.#loading = false;
    if (this.#removed) return;
    if (before) this.#removeRaster(before);
    const next = this.#next;
    this.#next = null;
    if (next) this.setProbability(...next);
  }

  showRoads(visible: boolean): void {
    this.#show(ROADS, visible);
  }

  showIssues(visible: boolean): void {
    this.#show(ISSUES, visible);
  }

  select(key: string | null): void {
    this.map.setFilter("edge-selected", only(key));
    this.map.setFilter("edge-selected-rim", only(key));
  }

  selectIssue(key: string | null): void {
    this.map.setFilter("issue-halo", only(key));
  }

  /** Key of the edge or issue under a point of the screen. */
  at(point: { x: number; y: number }, what: "edge" | "issue"): string | null {
    const box: [PointLike, PointLike] = [
      [point.x - TOUCH_PX, point.y - TOUCH_PX],
      [point.x + TOUCH_PX, point.y + TOUCH_PX],
    ];
    const layers = what === "edge" ? ["edge", "edge-bridged"] : ["issue"];
    const exact = this.map.queryRenderedFeatures([point.x, point.y], { layers });
    const found = exact[0] ?? this.map.queryRenderedFeatures(box, { layers })[0];
    return (found?.properties["key"] as string | undefined) ?? null;
  }

  fit(): void {
    this.map.fitBounds(this.image.bounds, { padding: PADDING });
  }

  /** Move so that a feature lies in the middle of what no panel covers, with what is around it. */
  flyTo(coordinates: Position[], coveredRight = 0): void {
    this.map.fitBounds(boundsOf(coordinates), {
      padding: { top: AROUND_PX, left: AROUND_PX, right: AROUND_PX + coveredRight, bottom: AROUND_PX },
      maxZoom: Math.max(this.map.getZoom(), deepestZoom(this.image)),
      duration: 700,
    });
  }

  /** Follow another map, for the comparison. */
  follow(other: MapView): () => void {
    const move = () =>
      this.map.jumpTo({ center: other.map.getCenter(), zoom: other.map.getZoom() });
    other.map.on("move", move);
    move();
    return () => void other.map.off("move", move);
  }

  remove(): void {
    this.#removed = true;
    this.map.remove();
  }

  #source(id: string): GeoJSONSource {
    return this.map.getSource(id) as GeoJSONSource;
  }

  #show(layers: string[], visible: boolean): void {
    for (const layer of layers) this.map.setLayoutProperty(layer, "visibility", visible ? "visible" : "none");
  }

  /** Resolves when a source has drawn what is in sight, or is hidden. */
  #drawn(source: string): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.map.getSource(source) && !this.map.isSourceLoaded(source)) return;
        this.map.off("render", check);
        this.map.off("remove", check);
        resolve();
      };
      this.map.on("render", check);
      this.map.on("remove", () => resolve());
    });
  }

  #removeRaster(id: string): void {
    if (this.map.getLayer(id)) this.map.removeLayer(id);
    if (this.map.getSource(id)) this.map.removeSource(id);
  }
}

function rasterOf(image: Image, url: string) {
  return { type: "raster" as const, tiles: [url], tileSize: 256, bounds: image.bounds, maxzoom: deepestZoom(image) };
}

export function boundsOf(coordinates: Position[]): Bounds {
  const xs = coordinates.map((position) => position[0]!);
  const ys = coordinates.map((position) => position[1]!);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
