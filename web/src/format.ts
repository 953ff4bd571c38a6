/** Numbers and times as words. */
import type { Edit, Image, Issue, Job } from "./types";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const DASH = "–";

export function whole(value: number): string {
  return WHOLE.format(value);
}

export function kilometres(value: number): string {
  return `${value < 100 ? value.toFixed(value < 10 ? 2 : 1) : WHOLE.format(value)}\u00a0km`;
}

export function metres(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  return value >= 10_000 ? kilometres(value / 1000) : `${value.toFixed(digits)}\u00a0m`;
}

export function probability(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? DASH : value.toFixed(2);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

export function duration(seconds: number): string {
  if (seconds < 1.5) return "1 second";
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}

export function bytes(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} GB` : `${Math.round(count / 1e6)} MB`;
}

export function timeToLive(seconds: number): string {
  return seconds >= 2 * 86_400 ? plural(Math.round(seconds / 86_400), "day") : plural(Math.max(1, Math.round(seconds / 3600)), "hour");
}

export function when(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export function size({ width, height }: Image): string {
  return `${whole(width)} × ${whole(height)} px`;
}

/** `gsd` is the ground resolution that a person gave for an image that tells none. */
export function imageFacts(image: Image, gsd: number | null): string[] {
  const resolution = image.ground_resolution_m ?? gsd;
  return [
    size(image),
    resolution ? `${resolution < 1 ? resolution.toFixed(2) : resolution.toFixed(1)} m per pixel` : "no ground resolution",
    image.crs ?? "no CRS: shown in pixel space",
  ];
}

export const STATE_WORDS: Record<Job["state"], string> = {
  queued: "Waiting",
  running: "Extracting",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

const FORMATS: Record<string, [name: string, use: string]> = {
  gpkg: ["GeoPackage", "QGIS, ArcGIS"],
  geojson: ["GeoJSON", "web maps"],
  fgb: ["FlatGeobuf", "large maps"],
  parquet: ["GeoParquet", "data analysis"],
  graphml: ["GraphML", "OSMnx, routing"],
  osm: ["OSM XML", "JOSM, iD"],
};

export function formatWords(format: string): [name: string, use: string] {
  return FORMATS[format] ?? [format, ""];
}

/** Formats whose coordinates are degrees: not for images without CRS. */
export const IN_DEGREES: readonly string[] = ["geojson", "osm"];

export const ISSUE_WORDS: Record<string, string> = {
  bridged: "Bridged gap",
  doubtful: "Doubtful road",
  removed: "Removed",
  filled: "Filled hole",
};

export function issueTitle(issue: Issue): string {
  const { kind, length_m } = issue.properties;
  const name = ISSUE_WORDS[kind] ?? kind;
  return length_m ? `${name}, ${metres(length_m)}` : name;
}

/** The road that hangs on an issue, where that is more than the place itself. */
export function atStake({ properties: { at_stake_m, length_m } }: Issue): string | null {
  return at_stake_m !== null && at_stake_m - (length_m ?? 0) >= 1 ? `${metres(at_stake_m)} of road hang on it` : null;
}

export function editTitle(edit: Edit): string {
  switch (edit.action) {
    case "draw":
      return `Drew a road with ${plural(edit.coordinates.length, "point")}`;
    case "delete":
      return `Deleted road ${edit.edge}`;
    case "accept":
      return `Accepted bridge ${edit.edge}`;
    case "reject":
      return `Rejected bridge ${edit.edge}`;
  }
}
