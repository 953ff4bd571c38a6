/** Everything the page knows, as signals. Components read them; `actions.ts` and `editing.ts` write them. */
import { computed, signal } from "@preact/signals";
import type { Edit, Image, Issue, Issues, Job, Roads, Settings } from "../types";

export type Tab = "summary" | "roads" | "issues" | "edits";
export interface Upload {
  name: string;
  share: number;
}
export interface Notice {
  id: number;
  kind: "error" | "done";
  text: string;
}
export type Kept = { job: Job } | { image: Image };
export interface Question {
  title: string;
  text: string;
  confirm: string;
  danger: boolean;
  answer: (yes: boolean) => void;
}

export const settings = signal<Settings | null>(null);
export const jobs = signal<Job[] | null>(null);
export const images = signal<Image[] | null>(null);
export const image = signal<Image | null>(null);
export const job = signal<Job | null>(null);
export const upload = signal<Upload | null>(null);
export const roads = signal<Roads | null>(null);
export const issues = signal<Issues | null>(null);
export const probabilityVersion = signal<number | null>(null);

export const tab = signal<Tab>("summary");
export const selectedKey = signal<string | null>(null);
export const issueKey = signal<string | null>(null);
export const showRoads = signal(true);
export const showProbability = signal(false);
export const showIssues = signal(false);
export const comparing = signal(false);
export const drawing = signal(false);
export const draftPoints = signal(0);
export const busy = signal<"starting" | "vectorizing" | "saving" | "downloading" | null>(null);

export const edits = signal<Edit[]>([]);
export const past = signal<Edit[][]>([]);
export const future = signal<Edit[][]>([]);

export const connected = signal(true);
export const tokenNeeded = signal(false);
export const tokenRefused = signal(false);
export const notices = signal<Notice[]>([]);
export const announcement = signal("");
export const question = signal<Question | null>(null);

export const selected = computed(
  () => roads.value?.edges.features.find((edge) => edge.properties.key === selectedKey.value) ?? null,
);
export const selectedIssue = computed<Issue | null>(
  () => issues.value?.features.find((issue) => issue.properties.key === issueKey.value) ?? null,
);
/** What is kept here, newest first: maps, and images that were opened and never extracted; null while it is not known. */
export const kept = computed<Kept[] | null>(() => {
  if (!jobs.value || !images.value) return null;
  const extracted = new Set(jobs.value.map((job) => job.image.id));
  const waiting = images.value.filter((image) => !extracted.has(image.id));
  return [...jobs.value.map((job): Kept => ({ job })), ...waiting.map((image): Kept => ({ image }))].sort((a, b) => since(b) - since(a));
});

function since(kept: Kept): number {
  return "job" in kept ? kept.job.created : kept.image.created;
}

let lastNotice = 0;

/** Show a message; errors stay until they are closed, others leave by themselves. */
export function notify(kind: Notice["kind"], text: string): void {
  const notice = { id: ++lastNotice, kind, text };
  notices.value = [...notices.value.filter((other) => other.text !== text), notice].slice(-3);
  if (kind === "done") setTimeout(() => dismiss(notice.id), 6000);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Ask before something that cannot be undone. */
export function ask(title: string, text: string, confirm: string, danger = true): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = { title, text, confirm, danger, answer: resolve };
  });
}
