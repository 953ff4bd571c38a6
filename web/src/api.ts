/** The calls of the REST API. Every failure is an ApiError whose message can be shown as it is. */
import type { Feature, FeatureCollection } from "geojson";
import type { Edge, Edges, Edit, Image, Issues, Job, JobEvent, JobRequest, Nodes, Roads, Settings } from "./types";

const TOKEN = "roadlift-token";
const API = new URL("api/", document.baseURI).href;

/** `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

export function authorisation(): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

export function setToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(TOKEN);
}

/** The template of the tiles of an image or a job, absolute as MapLibre wants it. */
export function tiles(path: string, version?: number): string {
  return `${API}${path}/{z}/{x}/{y}.png${version === undefined ? "" : `?v=${version}`}`;
}

export const settings = () => json<Settings>("settings");
export const health = () => json<{ status: string }>("health");
export const image = (id: string) => json<Image>(`images/${id}`);
export const images = () => json<{ images: Image[] }>("images").then((answer) => answer.images);
export const deleteImage = (id: string) => request(`images/${id}`, { method: "DELETE" });
export const demo = (signal: AbortSignal) => json<Image>("images/demo", { method: "POST", signal });
export const jobs = () => json<{ jobs: Job[] }>("jobs").then((answer) => answer.jobs);
export const job = (id: string) => json<Job>(`jobs/${id}`);
export const createJob = (request: JobRequest) => json<Job>("jobs", sending("POST", request));
export const cancelJob = (id: string) => json<Job>(`jobs/${id}/cancel`, { method: "POST" });
export const deleteJob = (id: string) => request(`jobs/${id}`, { method: "DELETE" });
export const edits = (id: string) => json<{ edits: Edit[] }>(`jobs/${id}/edits`).then((answer) => answer.edits.map(named));
export const saveEdits = (id: string, list: Edit[]) => request(`jobs/${id}/edits`, sending("PUT", { edits: list }));

export function vectorize(id: string, threshold: number, dropEdits: boolean): Promise<Job> {
  return json<Job>(`jobs/${id}/vectorize`, sending("POST", { threshold, drop_edits: dropEdits }));
}

/** The network, edges and nodes apart, each with a property `key` that stays through edits. */
export async function roads(id: string): Promise<Roads> {
  const { features } = await json<FeatureCollection>(`jobs/${id}/roads.geojson`);
  const of = (kind: string) => features.filter((feature) => feature.properties?.["kind"] === kind);
  return {
    edges: { type: "FeatureCollection", features: keyed(of("edge"), roadName) as Edge[] } satisfies Edges,
    nodes: { type: "FeatureCollection", features: keyed(of("node")) as Nodes["features"] },
  };
}

export async function issues(id: string): Promise<Issues> {
  const { features } = await json<FeatureCollection>(`jobs/${id}/issues.geojson`);
  return { type: "FeatureCollection", features: keyed(features) as Issues["features"] };
}

/** A road is known by its id before any edit, a drawn one by its place among the edits. */
function roadName({ properties }: Feature): string {
  return properties?.["edge"] === null ? `drawn ${properties["edit"]}` : String(properties?.["edge"]);
}

/** Give every feature a key; what has the same name (the parts of a road that a drawn one cut) is counted. */
function keyed(features: Feature[], nameOf = (feature: Feature) => String(feature.id)): Feature[] {
  const counts = new Map<string, number>();
  return features.map((feature) => {
    const name = nameOf(feature);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return { ...feature, properties: { ...feature.properties, key: count ? `${name}, part ${count + 1}` : name } };
  });
}

/** Fetch a file of a result and hand it to the browser's downloads. */
export async function download(path: string, fallbackName: string): Promise<string> {
  const response = await request(path);
  const name = filename(response.headers.get("content-disposition")) ?? fallbackName;
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return name;
}

function filename(disposition: string | null): string | null {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition ?? "")?.[1];
  if (encoded) return decodeURIComponent(encoded);
  return /filename="?([^";]+)"?/i.exec(disposition ?? "")?.[1] ?? null;
}

/** Send a file; `progress` hears the share that has left, 0..1. */
export function upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<Image> {
  const form = new FormData();
  form.append("file", file);
  return new Promise((resolve, reject) => {
    // XMLHttpRequest, because fetch does not tell how much of a body was sent.
    const call = new XMLHttpRequest();
    call.open("POST", `${API}images`);
    call.responseType = "text";
    for (const [name, value] of Object.entries({ "X-Roadlift": "1", ...authorisation() })) {
      call.setRequestHeader(name, value);
    }
    call.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    call.onerror = () => reject(unreachable());
    call.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    call.onload = () =>
      call.status < 300 ? resolve(JSON.parse(call.responseText) as Image) : reject(failure(call.status, call.responseText));
    signal.addEventListener("abort", () => call.abort());
    call.send(form);
  });
}

/** Follow a job until it ends or the connection does. */
export async function* events(id: string, signal: AbortSignal): AsyncGenerator<JobEvent> {
  const response = await request(`jobs/${id}/events`, { signal });
  if (!response.body) return;
  for await (const block of blocks(response.body)) {
    const lines = block.split(/\r?\n/);
    const field = (name: string) =>
      lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
    const name = field("event")[0];
    if (name === "job") yield { event: name, job: JSON.parse(field("data").join("\n")) as Job };
    if (name === "probability") {
      yield { event: name, version: (JSON.parse(field("data").join("\n")) as { version: number }).version };
    }
  }
}

async function* blocks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      rest = parts.pop() ?? "";
      yield* parts;
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Ids of roads are names: text. */
function named(edit: Edit): Edit {
  return edit.action === "draw" ? edit : { ...edit, edge: String(edit.edge) };
}

function sending(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await (await request(path, init)).json()) as T;
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, ...authorisation(), "X-Roadlift": "1" };
  let response: Response;
  try {
    response = await fetch(API + path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!response.ok) throw failure(response.status, await response.text());
  return response;
}

function unreachable(): ApiError {
  return new ApiError(0, "unreachable", "roadlift does not answer. Is “roadlift serve” still running?");
}

function failure(status: number, body: string): ApiError {
  try {
    const { code, message } = (JSON.parse(body) as { error: { code: string; message: string } }).error;
    return new ApiError(status, code, message);
  } catch {
    return new ApiError(status, "unexpected", `roadlift answered with an error it did not explain (${status}). Try again.`);
  }
}
