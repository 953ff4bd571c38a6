import type { ComponentChild } from "preact";
import { duration, formatWords, IN_DEGREES, kilometres, plural, probability, whole } from "../format";
import { download, remove, vectorize } from "../state/actions";
import * as store from "../state/store";
import type { Tab } from "../state/store";
import type { Job, Summary } from "../types";
import { EditsTab } from "./EditsTab";
import { Icon } from "./Icon";
import { IssuesTab } from "./IssuesTab";
import { Notes } from "./Notes";
import { RoadsTab } from "./RoadsTab";
import { ThresholdSlider } from "./ThresholdSlider";

const TABS: [Tab, string, () => number | null][] = [
  ["summary", "Summary", () => null],
  ["roads", "Roads", () => store.roads.value?.edges.features.length ?? null],
  ["issues", "Issues", () => store.issues.value?.features.length ?? null],
  ["edits", "Edits", () => store.edits.value.length || null],
];

export function Result({ job }: { job: Job }) {
  const tab = store.tab.value;
  return (
    <>
      <div class="tabs" role="tablist" aria-label="Result" onKeyDown={moveTab}>
        {TABS.map(([name, label, count]) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={tab === name}
            aria-controls="tab-panel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => (store.tab.value = name)}
          >
            {label}
            <span class="count">{count() === null ? "" : whole(count()!)}</span>
          </button>
        ))}
      </div>
      <div class="tab-panel" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "summary" && <SummaryTab job={job} />}
        {tab === "roads" && <RoadsTab />}
        {tab === "issues" && <IssuesTab />}
        {tab === "edits" && <EditsTab />}
      </div>
    </>
  );
}

function moveTab(event: KeyboardEvent): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const names = TABS.map(([name]) => name);
  const next = names[(names.indexOf(store.tab.value) + step + names.length) % names.length]!;
  store.tab.value = next;
  document.getElementById(`tab-${next}`)?.focus();
}

function SummaryTab({ job }: { job: Job }) {
  const { summary } = job;
  return (
    <>
      {summary && <Figures summary={summary} />}
      {summary && (
        <p class="fine">
          Found in {duration(summary.seconds)} with {job.model}.
        </p>
      )}
      {summary && summary.notes.length > 0 && <Notes notes={summary.notes} />}
      <div class="group">
        <ThresholdSlider key={job.id} value={job.threshold} waiting={store.busy.value !== null} onRest={vectorize} />
        <p class="fine">Move it and the network is drawn anew.</p>
      </div>
      {summary && summary.edges > 0 && <WidthBars lengths={summary.length_km_by_width} />}
      <Downloads job={job} />
      <button class="quiet danger" type="button" onClick={() => void remove(job)}>
        <Icon name="trash" />
        Delete this map
      </button>
    </>
  );
}

function Figures({ summary }: { summary: Summary }) {
  return (
    <>
      <dl class="figures">
        <Figure name="of road" value={kilometres(summary.length_km)} large />
        <Figure name={summary.edges === 1 ? "road" : "roads"} value={whole(summary.edges)} />
        <Figure name={summary.junctions === 1 ? "junction" : "junctions"} value={whole(summary.junctions)} />
        <Figure name={summary.components === 1 ? "connected part" : "connected parts"} value={whole(summary.components)} />
        <Figure name="mean probability" value={probability(summary.mean_probability)} />
      </dl>
      {summary.edges === 0 && <p>No roads were found. A lower threshold may find some; the image may also show none, or be coarser than about 2 m per pixel.</p>}
    </>
  );
}

function Figure({ name, value, large = false }: { name: string; value: ComponentChild; large?: boolean }) {
  return (
    <div class={large ? "figure large" : "figure"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function WidthBars({ lengths }: { lengths: Record<string, number> }) {
  const entries = Object.entries(lengths);
  const longest = Math.max(...entries.map(([, km]) => km), 1e-9);
  return (
    <section class="group">
      <h2 class="minor">Length by width</h2>
      <table class="bars">
        <tbody>
          {entries.map(([name, km]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <div class="bar" aria-hidden="true">
                  <div style={{ transform: `scaleX(${km / longest})` }} />
                </div>
              </td>
              <td class="number">{kilometres(km)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Downloads({ job }: { job: Job }) {
  const formats = store.settings.value?.formats ?? [];
  const waiting = store.busy.value !== null;
  const get = (format: string) => void download(`jobs/${job.id}/download/${format}`, `roads.${format}`);
  const [first, ...others] = formats;
  return (
    <section class="group">
      <h2 class="minor">Download</h2>
      {first && (
        <button class="primary wide" type="button" disabled={waiting} onClick={() => get(first)}>
          <Icon name="download" />
          {formatWords(first)[0]}
        </button>
      )}
      <div class="formats">
        {others.map((format) => {
          const impossible = !job.image.georeferenced && IN_DEGREES.includes(format);
          const [name, use] = formatWords(format);
          return (
            <button key={format} type="button" disabled={waiting || impossible} onClick={() => get(format)}>
              <strong>{name}</strong>
              <span class="fine">{impossible ? "needs a CRS" : use}</span>
            </button>
          );
        })}
        <button type="button" disabled={waiting} onClick={() => void download(`jobs/${job.id}/report`, "report.html")}>
          <strong>Report</strong>
          <span class="fine">one HTML page</span>
        </button>
      </div>
      <p class="fine">{store.edits.value.length ? `With your ${plural(store.edits.value.length, "edit")}.` : "\u00a0"}</p>
    </section>
  );
}
