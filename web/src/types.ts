/** What the API says, see the OpenAPI document at api/docs. */
import type { FeatureCollection, LineString, Point, Position } from "geojson";

export interface Model {
  name: string;
  description: string;
  threshold: number;
  ground_resolution_m: number;
}

export interface Settings {
  version: string;
  needs_token: boolean;
  max_upload_bytes: number;
  formats: string[];
  models: Model[];
  time_to_live_s: number | null;
}

export type Bounds = [west: number, south: number, east: number, north: number];

export interface Image {
  id: string;
  name: string;
  /** Seconds since 1970. */
  created: number;
  width: number;
  height: number;
  bands: number;
  dtype: string;
  crs: string | null;
  ground_resolution_m: number | null;
  bounds: Bounds;
  georeferenced: boolean;
  estimate_s: number | null;
  notes: string[];
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Summary {
  length_km: number;
  edges: number;
  junctions: number;
  components: number;
  mean_probability: number | null;
  issues: number;
  length_km_by_width: Record<string, number>;
  seconds: number;
  notes: string[];
}

export interface Job {
  id: string;
  image: Image;
  state: JobState;
  /** Seconds since 1970. */
  created: number;
  model: string;
  threshold: number;
  gsd: number | null;
  tiles_done: number;
  tiles_total: number;
  remaining_s: number | null;
  error: { code: string; message: string } | null;
  summary: Summary | null;
}

export interface JobRequest {
  image: string;
  model: string;
  threshold: number | null;
  gsd: number | null;
}

export type Edit =
  | { action: "delete" | "accept" | "reject"; edge: string }
  | { action: "draw"; coordinates: Position[] };

/** A road between two nodes; `edge` is the road's id before any edit, `edit` the place of a drawn one in the list. */
export interface EdgeProperties {
  kind: "edge";
  key: string;
  edge: string | null;
  edit: number | null;
  edited: "drawn" | "accepted" | null;
  length_m: number | null;
  width_m: number | null;
  width_spread_m: number | null;
  probability: number | null;
  probability_min: number | null;
  probability_p10: number | null;
  border: boolean | null;
  bridged: boolean | null;
  bridge_cost_m: number | null;
  class_hint: string | null;
  [column: string]: unknown;
}

export interface NodeProperties {
  kind: "node";
  key: string;
  node_kind: string | null;
  [column: string]: unknown;
}

export interface IssueProperties {
  key: string;
  kind: string;
  reason: string;
  at_stake_m: number | null;
  words: string;
  length_m: number | null;
  edge: string | null;
}

export type Edges = FeatureCollection<LineString, EdgeProperties>;
export type Nodes = FeatureCollection<Point, NodeProperties>;
export type Issues = FeatureCollection<LineString | Point, IssueProperties>;
export type Edge = Edges["features"][number];
export type Issue = Issues["features"][number];

export interface Roads {
  edges: Edges;
  nodes: Nodes;
}

export type JobEvent = { event: "job"; job: Job } | { event: "probability"; version: number };

export function isFinal(state: JobState): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}
