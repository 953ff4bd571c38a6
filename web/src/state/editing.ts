/** Edits of the network: a list that is saved whole after every change, with undo and redo. */
import { batch } from "@preact/signals";
import type { Position } from "geojson";
import * as api from "../api";
import { editTitle } from "../format";
import type { Edge, Edit } from "../types";
import { working } from "./actions";
import * as store from "./store";

export function deleteRoad(edge: Edge): Promise<void> {
  const { edge: id, edit } = edge.properties;
  if (id === null) return removeEdit(edit ?? -1);
  return add({ action: "delete", edge: id });
}

export function acceptBridge(edge: Edge): Promise<void> {
  return add({ action: "accept", edge: edge.properties.edge! });
}

export function rejectBridge(edge: Edge): Promise<void> {
  return add({ action: "reject", edge: edge.properties.edge! });
}

export function drawRoad(coordinates: Position[]): Promise<void> {
  return add({ action: "draw", coordinates });
}

export function removeEdit(index: number): Promise<void> {
  return change(
    store.edits.peek().filter((_, place) => place !== index),
    "Edit taken back",
  );
}

export function undo(): Promise<void> {
  const past = store.past.peek();
  const previous = past.at(-1);
  if (!previous) return Promise.resolve();
  return save(previous, past.slice(0, -1), [...store.future.peek(), store.edits.peek()], "Undone");
}

export function redo(): Promise<void> {
  const future = store.future.peek();
  const next = future.at(-1);
  if (!next) return Promise.resolve();
  return save(next, [...store.past.peek(), store.edits.peek()], future.slice(0, -1), "Done again");
}

function add(edit: Edit): Promise<void> {
  const others = store.edits.peek().filter((other) => edit.action === "draw" || !("edge" in other) || other.edge !== edit.edge);
  return change([...others, edit], editTitle(edit));
}

function change(next: Edit[], words: string): Promise<void> {
  return save(next, [...store.past.peek(), store.edits.peek()], [], words);
}

/** Nothing of the page changes before the server has the edits. */
function save(next: Edit[], past: Edit[][], future: Edit[][], words: string): Promise<void> {
  const id = store.job.peek()?.id;
  if (!id) return Promise.resolve();
  return working("saving", async () => {
    await api.saveEdits(id, next);
    const [roads, job] = await Promise.all([api.roads(id), api.job(id)]);
    batch(() => {
      store.edits.value = next;
      store.past.value = past;
      store.future.value = future;
      store.roads.value = roads;
      store.job.value = job;
      if (!store.selected.peek()) store.selectedKey.value = null;
      store.announcement.value = words;
    });
  });
}
