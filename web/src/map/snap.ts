/** Where a drawn point goes: onto the node or road that lies within reach, else where it was set. */
import type { Position } from "geojson";
import type { Roads } from "../types";

export interface Pixel {
  x: number;
  y: number;
}

export interface View {
  project: (position: Position) => Pixel;
  unproject: (pixel: Pixel) => Position;
}

const REACH_PX = 14;

/** Snap a point of the screen to the network; nodes go before roads. */
export function snap(pixel: Pixel, roads: Roads | null, view: View): Position {
  const corner = view.unproject({ x: pixel.x - REACH_PX, y: pixel.y + REACH_PX });
  const opposite = view.unproject({ x: pixel.x + REACH_PX, y: pixel.y - REACH_PX });
  const inReach = (from: Position, to: Position) =>
    Math.max(from[0]!, to[0]!) >= corner[0]! &&
    Math.min(from[0]!, to[0]!) <= opposite[0]! &&
    Math.max(from[1]!, to[1]!) >= corner[1]! &&
    Math.min(from[1]!, to[1]!) <= opposite[1]!;

  const nodes = (roads?.nodes.features ?? []).map((node) => node.geometry.coordinates).filter((node) => inReach(node, node));
  const node = nearest(pixel, nodes.map(view.project));
  if (node) return nodes[node.index]!;

  const segments = (roads?.edges.features ?? []).flatMap((edge) => pairs(edge.geometry.coordinates)).filter(([a, b]) => inReach(a, b));
  const feet = segments.map(([a, b]) => foot(pixel, view.project(a), view.project(b)));
  const best = nearest(pixel, feet);
  return view.unproject(best ? feet[best.index]! : pixel);
}

function nearest(pixel: Pixel, candidates: Pixel[]): { index: number } | null {
  const distances = candidates.map((candidate) => Math.hypot(candidate.x - pixel.x, candidate.y - pixel.y));
  const index = distances.indexOf(Math.min(...distances));
  return index >= 0 && distances[index]! <= REACH_PX ? { index } : null;
}

function pairs(line: Position[]): [Position, Position][] {
  return line.slice(1).map((to, index) => [line[index]!, to]);
}

/** The point of segment ab that is nearest to p. */
function foot(p: Pixel, a: Pixel, b: Pixel): Pixel {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const square = dx * dx + dy * dy;
  const share = square ? Math.min(1, Math.max(0, ((p.x - a.x) * dx + (p.y - a.y) * dy) / square)) : 0;
  return { x: a.x + share * dx, y: a.y + share * dy };
}
