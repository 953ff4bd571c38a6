import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { openFile } from "../state/actions";
import { go } from "../state/route";
import * as store from "../state/store";
import { switchTheme, theme } from "../state/theme";
import { Question, TokenForm } from "./Dialogs";
import { Hero, MapList } from "./Home";
import { Icon } from "./Icon";
import { ImagePanel } from "./ImagePanel";
import { JobPanel } from "./JobPanel";
import { Notices } from "./Notices";
import { Stage } from "./Stage";

export function App() {
  const dropping = useDrop();
  useTitle();
  const image = store.image.value;
  return (
    <div class="app" data-page={image ? "map" : "home"}>
      <a class="skip" href="#panel" onClick={toPanel}>
        Skip to the controls
      </a>
      <Brand />
      <aside class="panel" id="panel" tabIndex={-1} aria-label={image ? "Controls" : "Your maps"}>
        {!image ? <MapList /> : store.job.value ? <JobPanel job={store.job.value} /> : <ImagePanel key={image.id} image={image} />}
      </aside>
      <main class="stage">{image ? <Stage key={image.id} image={image} /> : <Hero />}</main>
      <Notices />
      <Question />
      <TokenForm />
      <p class="unseen" role="status">
        {store.announcement.value}
      </p>
      {dropping && <div class="drop-veil">Drop to open the image</div>}
    </div>
  );
}

function Brand() {
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <header class="brand">
      <a class="brand-name" href="#" aria-label="roadlift, start page" onClick={() => go({ page: "home" })}>
        <img src="./icon.svg" alt="" width="28" height="28" />
        roadlift
      </a>
      <button class="quiet square" type="button" aria-label={`Use ${other} colours`} title={`Use ${other} colours`} onClick={switchTheme}>
        <Icon name={theme.value === "dark" ? "sun" : "moon"} />
      </button>
    </header>
  );
}

function toPanel(event: Event): void {
  event.preventDefault();
  document.getElementById("panel")?.focus();
}

/** Files can be dropped anywhere. */
function useDrop(): boolean {
  const dropping = useSignal(false);
  useEffect(() => {
    const stop = new AbortController();
    const on = (name: "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void) =>
      addEventListener(name, act, { signal: stop.signal });
    const withFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    on("dragover", (event) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      dropping.value = true;
    });
    on("dragleave", (event) => {
      if (!event.relatedTarget) dropping.value = false;
    });
    on("drop", (event) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      dropping.value = false;
      const files = event.dataTransfer?.files;
      if (files?.length === 1) void openFile(files[0]!);
      else store.notify("error", `${files?.length ?? 0} files were dropped. Drop one image at a time.`);
    });
    return () => stop.abort();
  }, []);
  return dropping.value;
}

function useTitle(): void {
  useSignalEffect(() => {
    const job = store.job.value;
    const parts = [store.image.value?.name, "roadlift"];
    if (job?.state === "running" && job.tiles_total) parts.unshift(`${Math.round((100 * job.tiles_done) / job.tiles_total)} %`);
    document.title = parts.filter(Boolean).join(" · ");
  });
}
