/** What a person can do, from opening an image to a finished network. Editing is in `editing.ts`. */
import { batch, effect } from "@preact/signals";
import * as api from "../api";
import { bytes, kilometres, plural } from "../format";
import { isFinal, type Image, type Issue, type Job } from "../types";
import { go, route, type Route } from "./route";
import * as store from "./store";

const RETRY_MS = 1500;
const LIST_MS = 3000;

let opened = new AbortController();

/** Load the settings, then follow the address. */
export async function start(): Promise<void> {
  await attempt(async () => {
    store.settings.value = await reached(api.settings);
    if (store.settings.value.needs_token && !("Authorization" in api.authorisation())) store.tokenNeeded.value = true;
  });
  effect(() => void open(route.value));
}

export function giveToken(token: string): void {
  api.setToken(token);
  store.tokenRefused.value = false;
  store.tokenNeeded.value = false;
  void open(route.peek());
}

async function open(to: Route): Promise<void> {
  opened.abort();
  opened = new AbortController();
  const { signal } = opened;
  if (store.tokenNeeded.peek()) return;
  await attempt(async () => {
    if (to.page === "home") {
      clear();
      await keepListing(signal);
    } else if (to.page === "image") {
      if (store.image.peek()?.id !== to.id || store.job.peek()) {
        clear();
        show(await reached(() => api.image(to.id), signal), null);
      }
    } else {
      if (store.job.peek()?.id !== to.id) clear();
      const job = await reached(() => api.job(to.id), signal);
      show(job.image, job);
      await follow(job, signal);
    }
  });
}

function clear(): void {
  batch(() => {
    store.image.value = store.job.value = store.roads.value = store.issues.value = null;
    store.selectedKey.value = store.issueKey.value = store.probabilityVersion.value = null;
    store.comparing.value = store.drawing.value = store.showProbability.value = store.showIssues.value = false;
    store.showRoads.value = true;
    store.edits.value = store.past.value = store.future.value = [];
    store.tab.value = "summary";
  });
}

function show(image: Image, job: Job | null): void {
  batch(() => {
    store.image.value = image;
    store.job.value = job;
    store.showProbability.value = job !== null && !isFinal(job.state);
    if (job?.tiles_done) store.probabilityVersion.value ??= job.tiles_done;
  });
}

async function keepListing(signal: AbortSignal): Promise<void> {
  do {
    const [jobs, images] = await reached(() => Promise.all([api.jobs(), api.images()]), signal);
    batch(() => {
      store.jobs.value = jobs;
      store.images.value = images;
    });
    await pause(LIST_MS);
  } while (!signal.aborted && store.jobs.value?.some((job) => !isFinal(job.state)));
}

/** Send an image and open it. */
export async function openFile(file: File): Promise<void> {
  const limit = store.settings.peek()?.max_upload_bytes;
  if (limit && file.size > limit) {
    const text = `${file.name} has ${bytes(file.size)}; up to ${bytes(limit)} can be opened here. Use “roadlift extract” on the command line for larger images.`;
    store.notify("error", text);
    return;
  }
  await opening(file.name, (signal) =>
    api.upload(file, (share) => (store.upload.value = { name: file.name, share }), signal),
  );
}

export async function openDemo(): Promise<void> {
  await opening("the demo scene", api.demo);
}

let sending: AbortController | null = null;

export function cancelUpload(): void {
  sending?.abort();
}

async function opening(name: string, get: (signal: AbortSignal) => Promise<Image>): Promise<void> {
  sending = new AbortController();
  store.upload.value = { name, share: 0 };
  await attempt(async () => {
    const image = await get(sending!.signal);
    clear();
    show(image, null);
    go({ page: "image", id: image.id });
    store.announcement.value = `${image.name} is open`;
  });
  store.upload.value = null;
}

export async function extract(model: string, threshold: number | null, gsd: number | null): Promise<void> {
  const image = store.image.peek();
  if (!image) return;
  await working("starting", async () => {
    const job = await api.createJob({ image: image.id, model, threshold, gsd });
    batch(() => {
      clear();
      show(image, job);
    });
    go({ page: "job", id: job.id });
  });
}

export async function cancel(): Promise<void> {
  const job = store.job.peek();
  if (job) await attempt(async () => void (store.job.value = await api.cancelJob(job.id)));
}

export async function remove(job: Job): Promise<void> {
  const yes = await store.ask("Delete this map?", `${job.image.name}: the roads found and your edits go away for good.`, "Delete");
  if (!yes) return;
  await attempt(async () => {
    await api.deleteJob(job.id);
    store.jobs.value = store.jobs.peek()?.filter((other) => other.id !== job.id) ?? null;
    if (store.job.peek()?.id === job.id) go({ page: "home" });
  });
}

export async function removeImage(image: Image): Promise<void> {
  const yes = await store.ask("Delete this image?", `${image.name}: to extract its roads, it would have to be opened again.`, "Delete");
  if (!yes) return;
  await attempt(async () => {
    await api.deleteImage(image.id);
    store.images.value = store.images.peek()?.filter((other) => other.id !== image.id) ?? null;
  });
}

/** Draw the network anew from the stored probabilities; resolves to the threshold that holds afterwards. */
export async function vectorize(threshold: number): Promise<number> {
  const job = store.job.peek()!;
  const count = store.edits.peek().length;
  const text = `A new threshold makes a new network; your ${plural(count, "edit")} belong to the present one and would be lost.`;
  if (count && !(await store.ask("Drop your edits?", text, "Drop and continue"))) return job.threshold;
  await working("vectorizing", async () => {
    const next = await api.vectorize(job.id, threshold, count > 0);
    store.selectedKey.value = store.issueKey.value = null;
    store.job.value = next;
    await loadResult(next);
    store.announcement.value = `${resultWords(next)} at threshold ${threshold.toFixed(2)}`;
  });
  return store.job.peek()?.threshold ?? job.threshold;
}

export async function download(path: string, name: string): Promise<void> {
  await working("downloading", async () => {
    store.notify("done", `Saved ${await api.download(path, name)}`);
  });
}

/** Show an issue, and the evidence of the road that it is about. */
export function pickIssue(issue: Issue): void {
  const { key, edge } = issue.properties;
  const road = store.roads.peek()?.edges.features.find(({ properties }) => edge !== null && properties.edge === edge);
  batch(() => {
    store.showIssues.value = true;
    store.issueKey.value = key;
    if (road) store.showRoads.value = true;
    store.selectedKey.value = road?.properties.key ?? null;
  });
}

/** Follow a job to its end, through restarts of the server. */
async function follow(job: Job, signal: AbortSignal): Promise<void> {
  let current = job;
  while (!isFinal(current.state) && !signal.aborted) {
    try {
      for await (const event of api.events(current.id, signal)) {
        if (signal.aborted) return;
        if (event.event === "job") store.job.value = current = event.job;
        else store.probabilityVersion.value = event.version;
      }
    } catch (error) {
      if (!(error instanceof api.ApiError && error.unreachable)) throw error;
    }
    if (isFinal(current.state) || signal.aborted) break;
    await pause(RETRY_MS / 3);
    store.job.value = current = await reached(() => api.job(job.id), signal);
  }
  if (signal.aborted) return;
  if (current.state === "done") await loadResult(current);
  if (job.state !== current.state) conclude(current);
}

async function loadResult(job: Job): Promise<void> {
  const [roads, issues, edits] = await Promise.all([api.roads(job.id), api.issues(job.id), api.edits(job.id)]);
  if (store.job.peek()?.id !== job.id) return;
  batch(() => {
    store.roads.value = roads;
    store.issues.value = issues;
    store.edits.value = edits;
    store.past.value = store.future.value = [];
    store.probabilityVersion.value ??= 0;
  });
}

function conclude(job: Job): void {
  store.showProbability.value = false;
  store.announcement.value = job.state === "done" ? resultWords(job) : `The extraction ${job.state === "failed" ? "failed" : "was cancelled"}`;
}

function resultWords(job: Job): string {
  return job.summary ? `${kilometres(job.summary.length_km)} of road found in ${plural(job.summary.edges, "piece")}` : "Done";
}

/** Repeat a call until the server is there again, or nobody waits for the answer any more. */
async function reached<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    try {
      const answer = await call();
      store.connected.value = true;
      signal?.throwIfAborted();
      return answer;
    } catch (error) {
      if (!(error instanceof api.ApiError && error.unreachable)) throw error;
      store.connected.value = false;
      await pause(RETRY_MS);
      signal?.throwIfAborted();
    }
  }
}

/** Do something, saying what is going on; one thing at a time. */
export async function working(what: NonNullable<typeof store.busy.value>, act: () => Promise<void>): Promise<void> {
  if (store.busy.peek()) return;
  store.busy.value = what;
  await attempt(act);
  store.busy.value = null;
}

async function attempt(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (!(error instanceof api.ApiError)) throw error;
    if (error.status === 401) {
      store.tokenRefused.value = "Authorization" in api.authorisation();
      api.forgetToken();
      store.tokenNeeded.value = true;
      return;
    }
    store.notify("error", error.message);
    if (error.status === 404 && route.peek().page !== "home") go({ page: "home" });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
