import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";
import { sourcesHash } from "./sources.ts";

const STATIC = "../src/roadlift/server/static";
const SHIPPED = ["maplibre-gl", "preact", "@preact/signals", "@preact/signals-core"];

/** Writes beside the page which sources made it, and the licences of what is in it. */
function provenance(): Plugin {
  return {
    name: "provenance",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${sourcesHash(".")}\n` });
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: SHIPPED.map(licence).join("\n\n") });
    },
  };
}

function licence(name: string): string {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const file = name === "maplibre-gl" ? "LICENSE.txt" : "LICENSE";
  const text = readFileSync(`node_modules/${name}/${file}`, "utf8").trim();
  return `${name} ${version} (${license})\n${"=".repeat(72)}\n${text}\n`;
}

export default defineConfig({
  base: "./",
  plugins: [provenance()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      output: {
        // The map library changes seldom: a file of its own.
        codeSplitting: { groups: [{ name: "maplibre", test: /node_modules[\\/](?!preact|@preact)/ }] },
      },
    },
  },
  server: { proxy: { "/api": process.env["ROADLIFT_API"] ?? "http://127.0.0.1:8000" } },
});
