/** How roads look: colours, widths to scale, layers. */
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import type { Edge, Image, Job } from "../types";

/** From purple, weak, to pale yellow, sure, as in the pictures and QGIS styles; colour-blind readers tell them apart. */
export const RAMP: readonly (readonly [probability: number, colour: string])[] = [
  [0.5, "#7b3fa0"],
  [0.65, "#c83e73"],
  [0.8, "#f2764b"],
  [0.9, "#fdc328"],
  [1.0, "#fcffa4"],
];
export const RAMP_START = RAMP[0]![0];
export const BRIDGED = "#4fb3f0";
export const DRAWN = "#ffffff";
const CASING = "#12161b";
const ISSUE_COLOURS: Record<string, string> = { removed: "#ff6b5e", bridged: BRIDGED, doubtful: "#ffb02e" };
const EQUATOR_M = 40_075_016.686;
const USUAL_WIDTH_M = 6;
const LEAST_PIXELS = 1.6;

/** Screen pixels of one metre on the ground at zoom 0, at the image's middle. */
export function pixelsPerMetre(image: Image, gsd: number | null): number {
  const [west, south, east, north] = image.bounds;
  const latitude = ((south + north) / 2) * (Math.PI / 180);
  if (image.georeferenced) return 512 / (EQUATOR_M * Math.cos(latitude));
  const boxPixels = (512 * (east - west)) / 360;
  return boxPixels / (image.width * (gsd ?? image.ground_resolution_m ?? 1));
}

/** The zoom beyond which tiles of an image show nothing new. */
export function deepestZoom(image: Image): number {
  const [west, , east] = image.bounds;
  return Math.min(24, Math.max(0, Math.ceil(Math.log2((image.width * 360) / (256 * (east - west))))));
}

/** A line as wide as the road and `extra` pixels more: doubles with every zoom level, but stays visible from afar. */
function width(pixels: number, extra: number): ExpressionSpecification {
  const metres: ExpressionSpecification = ["coalesce", ["get", "width_m"], USUAL_WIDTH_M];
  const stops = Array.from({ length: 27 }, (_, zoom) => [
    zoom,
    ["+", extra, ["max", LEAST_PIXELS, ["*", metres, pixels * 2 ** zoom]]],
  ]).flat();
  return ["interpolate", ["exponential", 2], ["zoom"], ...stops] as unknown as ExpressionSpecification;
}

function colour(): ExpressionSpecification {
  const probability: ExpressionSpecification = ["coalesce", ["get", "probability"], 0];
  const ramp = ["interpolate", ["linear"], probability, ...RAMP.flat()] as unknown as ExpressionSpecification;
  return ["case", ["==", ["get", "edited"], "drawn"], DRAWN, ramp];
}

const isBridged: ExpressionSpecification = ["==", ["get", "bridged"], true];
const notBridged: ExpressionSpecification = ["!=", ["get", "bridged"], true];
const none: ExpressionSpecification = ["==", ["get", "key"], ""];

export function only(key: string | null): ExpressionSpecification {
  return key === null ? none : ["==", ["get", "key"], key];
}

/** The layers of the network, lowest first. Sources: edges, nodes, issues, draft. */
export function roadLayers(image: Image, job: Job | null): LayerSpecification[] {
  const pixels = pixelsPerMetre(image, job?.gsd ?? null);
  const detail = Math.log2(0.45 / pixels);
  const round = { "line-cap": "round", "line-join": "round" } as const;
  const issueColour = [
    "match",
    ["get", "kind"],
    ...Object.entries(ISSUE_COLOURS).flat(),
    "#d7dde3",
  ] as unknown as ExpressionSpecification;
  return [
    {
      id: "edge-selected",
      type: "line",
      source: "edges",
      filter: none,
      layout: round,
      paint: { "line-color": "#ffffff", "line-width": width(pixels, 10) },
    },
    {
      id: "edge-selected-rim",
      type: "line",
      source: "edges",
      filter: none,
      layout: round,
      paint: { "line-color": "#0b63ce", "line-width": width(pixels, 6) },
    },
    {
      id: "edge-casing",
      type: "line",
      source: "edges",
      layout: round,
      paint: { "line-color": CASING, "line-opacity": 0.8, "line-width": width(pixels, 2.4) },
    },
    {
      id: "edge",
      type: "line",
      source: "edges",
      filter: notBridged,
      layout: round,
      paint: { "line-color": colour(), "line-width": width(pixels, 0) },
    },
    {
      id: "edge-bridged",
      type: "line",
      source: "edges",
      filter: isBridged,
      paint: {
        "line-color": ["case", ["==", ["get", "edited"], "accepted"], colour(), BRIDGED],
        "line-width": width(pixels, 0),
        "line-dasharray": [1.4, 0.8],
      },
    },
    {
      id: "node",
      type: "circle",
      source: "nodes",
      minzoom: Math.max(0, Math.min(23, detail)),
      filter: ["in", ["get", "node_kind"], ["literal", ["junction", "end"]]],
      paint: {
        "circle-color": ["match", ["get", "node_kind"], "end", CASING, "#ffffff"],
        "circle-radius": 3,
        "circle-stroke-color": ["match", ["get", "node_kind"], "end", "#ffffff", CASING],
        "circle-stroke-width": 1.4,
      },
    },
    {
      id: "issue-halo",
      type: "line",
      source: "issues",
      filter: none,
      layout: round,
      paint: { "line-color": "#ffffff", "line-width": 9, "line-opacity": 0.9 },
    },
    {
      id: "issue",
      type: "line",
      source: "issues",
      layout: round,
      paint: { "line-color": issueColour, "line-width": 3.5, "line-dasharray": [0.2, 1.9] },
    },
    {
      id: "draft",
      type: "line",
      source: "draft",
      filter: ["==", ["geometry-type"], "LineString"],
      layout: round,
      paint: { "line-color": "#ffffff", "line-width": 3, "line-dasharray": [1.6, 1.4] },
    },
    {
      id: "draft-point",
      type: "circle",
      source: "draft",
      filter: ["==", ["geometry-type"], "Point"],
      paint: {
        "circle-color": "#ffffff",
        "circle-radius": 4.5,
        "circle-stroke-color": "#0b63ce",
        "circle-stroke-width": 2.5,
      },
    },
  ];
}

/** The colour of a road in lists: as on the map. */
export function colourOf({ properties }: Edge): string {
  if (properties.edited === "drawn") return DRAWN;
  if (properties.bridged && properties.edited !== "accepted") return BRIDGED;
  return rampColour(properties.probability ?? 0);
}

/** The ramp for style sheets, as far as it reaches. */
export const RAMP_GRADIENT = `linear-gradient(to right, ${RAMP.map(([stop, colour]) => `${colour} ${rampShare(stop) * 100}%`).join(", ")})`;

/** Where on the ramp a probability lies, 0..1. */
export function rampShare(probability: number): number {
  return Math.min(1, Math.max(0, (probability - RAMP_START) / (1 - RAMP_START)));
}

/** CSS mixes the two neighbours in the ramp just as the map does. */
function rampColour(probability: number): string {
  const upper = RAMP.findIndex(([stop]) => stop >= probability);
  if (upper <= 0) return (upper === 0 ? RAMP[0]! : RAMP.at(-1)!)[1];
  const [[low, from], [high, to]] = [RAMP[upper - 1]!, RAMP[upper]!];
  return `color-mix(in srgb, ${to} ${(100 * (probability - low)) / (high - low)}%, ${from})`;
}
