"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const [rows, cols] = data.shape;
  const bounds = L.latLngBounds([0, 0], [rows, cols]);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const PAGE = 100;
  const KIND_COLOURS = { doubtful: "#ff9d57", bridged: "#6cb6f5", removed: "#ff8fa8", filled: "#ffffff" };
  const NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

  // Pixels of the map's grid are its coordinates: x to the right, y down.
  const crs = L.extend({}, L.CRS.Simple, {
    transformation: new L.Transformation(1, 0, 1, 0),
    distance: (a, b) => Math.hypot(a.lng - b.lng, a.lat - b.lat) * (data.metres || 1),
  });
  const map = L.map("map", {
    crs, zoomControl: false, attributionControl: false, zoomSnap: 0.25, maxZoom: 4, minZoom: -8,
    maxBounds: bounds.pad(0.6), maxBoundsViscosity: 0.8, wheelPxPerZoomLevel: 100,
    zoomAnimation: !still, fadeAnimation: !still, inertia: !still,
  });
  const whole = () => map.fitBounds(bounds, { animate: !still });
  map.fitBounds(bounds, { animate: false });
  map.setMinZoom(map.getZoom() - 1);
  addControls();

  const panes = ["image", "probability", "network", "issues", "chosen"];
  panes.forEach((name, place) => { map.createPane(name).style.zIndex = 300 + 20 * place; });
  const layers = { network: network(), issues: allIssues() };
  for (const name of ["image", "probability"]) if (data[name]) layers[name] = tiles(data[name], name);
  const chosen = L.layerGroup().addTo(map);

  for (const box of document.querySelectorAll("[data-layer]")) {
    const show = () => { box.checked ? layers[box.dataset.layer].addTo(map) : layers[box.dataset.layer].remove(); };
    box.addEventListener("change", show);
    show();
  }

  function addControls() {
    const zoom = L.control.zoom({ position: "topright" }).addTo(map);
    const home = L.DomUtil.create("a", "", zoom.getContainer());
    home.href = "#";
    home.title = "Whole map";
    home.setAttribute("role", "button");
    home.setAttribute("aria-label", "Whole map");
    home.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5"/></svg>';
    L.DomEvent.on(home, "click", (event) => { L.DomEvent.stop(event); whole(); });
    if (data.metres) L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(at("map"));
  }

  function tiles(pyramid, pane) {
    const layer = new L.TileLayer("", {
      pane, tileSize: 512, bounds, maxNativeZoom: -pyramid.finest, minNativeZoom: -pyramid.coarsest,
      minZoom: -20, maxZoom: 10, noWrap: true, className: "tile", keepBuffer: 1,
    });
    layer.getTileUrl = (place) => {
      const tile = pyramid.tiles[`${-place.z}/${place.y}/${place.x}`];
      return tile ? `data:image/webp;base64,${tile}` : NOTHING;
    };
    return layer;
  }

  function points(flat) {
    const found = [];
    for (let i = 0; i < flat.length; i += 2) found.push([flat[i + 1] / 10, flat[i] / 10]);
    return found;
  }

  // Roads are as wide as on the ground, but wide enough to be seen.
  function network() {
    const { edges } = data;
    const renderer = L.canvas({ pane: "network", padding: 0.4, tolerance: 5 });
    const lines = edges.lines.map(points);
    const width = (metres, zoom) => Math.min(26, Math.max(1.8, ((metres || 5) / (data.metres || 1)) * 2 ** zoom * 0.7));
    const casings = new Map();
    lines.forEach((line, i) => {
      const metres = Math.round((edges.width_m[i] || 5) / 2) * 2;
      if (!casings.has(metres)) casings.set(metres, []);
      casings.get(metres).push(line);
    });
    const under = [...casings].map(([metres, those]) => {
      const casing = L.polyline(those, { renderer, color: "#10141a", opacity: 0.55, interactive: false });
      casing.metres = metres;
      return casing;
    });
    const roads = lines.map((line, i) => {
      const share = edges.probability[i] === null ? 0.5 : Math.min(1, Math.max(0, (edges.probability[i] - 0.5) / 0.5));
      const road = L.polyline(line, {
        renderer, color: data.palette[Math.round(share * (data.palette.length - 1))], dashArray: edges.bridged[i] ? "7 6" : null,
      });
      road.metres = edges.width_m[i];
      road.on("click", (event) => showEdge(i, event.latlng));
      return road;
    });
    const group = L.layerGroup([...under, ...roads]);
    const resize = () => {
      const zoom = map.getZoom();
      for (const casing of under) casing.setStyle({ weight: width(casing.metres, zoom) + 2 });
      for (const road of roads) road.setStyle({ weight: width(road.metres, zoom) });
    };
    map.on("zoomend", resize);
    resize();
    return group;
  }

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  const metres = (value) => (value === null ? "unknown" : value < 1000 ? `${value.toFixed(value < 10 ? 1 : 0)} m` : `${(value / 1000).toFixed(2)} km`);
  const percent = (value) => (value === null ? "unknown" : `${Math.round(100 * value)} %`);

  function showEdge(i, place) {
    const { edges } = data;
    const content = element("div");
    content.append(element("h3", `Road ${edges.id[i]}`));
    const list = element("dl", undefined, "rows");
    const facts = [
      ["length", metres(edges.length_m[i])], ["width", metres(edges.width_m[i])], ["probability", percent(edges.probability[i])],
      ["lowest on the way", percent(edges.probability_min[i])], ["across a gap", edges.bridged[i] ? "yes" : "no"], ["class", edges.class_hint[i]],
    ];
    for (const [name, value] of facts) {
      const row = element("div");
      row.append(element("dt", name), element("dd", value));
      list.append(row);
    }
    content.append(list);
    L.popup({ minWidth: 200 }).setLatLng(place).setContent(content).openOn(map);
  }

  function allIssues() {
    const renderer = L.canvas({ pane: "issues", padding: 0.4 });
    return L.layerGroup(data.issues.lines.flatMap((line, i) => {
      const color = KIND_COLOURS[data.issues.kind[i]] || "#ffffff";
      const whereTo = points(line);
      return [
        L.polyline(whereTo, { renderer, color: "#10141a", weight: 6, interactive: false }),
        L.polyline(whereTo, { renderer, color, weight: 3 }).on("click", () => choose(i, true)),
      ];
    }));
  }

  // The list of issues
  let kind = "";
  let shown = PAGE;
  const buttons = new Map();

  function matching() {
    return data.issues.kind.map((each, i) => i).filter((i) => !kind || data.issues.kind[i] === kind);
  }

  function fill() {
    const list = at("list");
    const rest = matching();
    buttons.clear();
    list.replaceChildren(...rest.slice(0, shown).map(issueItem));
    if (!rest.length) list.append(element("li", "Nothing to look at.", "empty"));
    at("more").hidden = rest.length <= shown;
    at("more").textContent = `Show more (${rest.length - shown} left)`;
  }

  function issueItem(i) {
    const { issues } = data;
    const item = element("li");
    const button = element("button", undefined, Object.hasOwn(KIND_COLOURS, issues.kind[i]) ? issues.kind[i] : "filled");
    button.type = "button";
    button.append(element("i"), element("b", issues.kind[i]), element("span", metres(issues.length_m[i])), element("em", why(i)));
    button.addEventListener("click", () => choose(i, false));
    buttons.set(i, button);
    item.append(button);
    return item;
  }

  // What speaks for a look, and the road that hangs on it where that is more than the place itself.
  function why(i) {
    const { reason, length_m: own, at_stake_m: all } = data.issues;
    return all[i] - own[i] < 1 ? reason[i] : `${reason[i]}; ${metres(all[i])} of road hang on it`;
  }

  function choose(i, fromMap) {
    const line = points(data.issues.lines[i]);
    const around = L.latLngBounds(line);
    const color = KIND_COLOURS[data.issues.kind[i]] || "#ffffff";
    chosen.clearLayers();
    L.polyline(line, { pane: "chosen", color: "#10141a", weight: 9, interactive: false }).addTo(chosen);
    L.polyline(line, { pane: "chosen", color, weight: 5, interactive: false }).addTo(chosen);
    L.circleMarker(around.getCenter(), { pane: "chosen", radius: 26, color: "#10141a", weight: 5, fill: false, interactive: false }).addTo(chosen);
    L.circleMarker(around.getCenter(), { pane: "chosen", radius: 26, color, weight: 2.5, fill: false, interactive: false }).addTo(chosen);
    for (const [other, button] of buttons) button.setAttribute("aria-current", String(other === i));
    at("status").textContent = `${data.issues.kind[i]}: ${why(i)}, ${metres(data.issues.length_m[i])}, shown on the map`;
    if (fromMap) {
      buttons.get(i)?.scrollIntoView({ block: "nearest" });
      return;
    }
    // At most two pixels of the screen for a metre of the ground: more shows nothing more.
    const closest = Math.min(2, map.getBoundsZoom(around.pad(1)), 1 + Math.log2(data.metres || 1));
    if (still) map.setView(around.getCenter(), closest, { animate: false });
    else map.flyTo(around.getCenter(), closest, { duration: 0.9 });
    const box = at("map").getBoundingClientRect();
    if (box.bottom < 160 || box.top > innerHeight - 160) at("map").scrollIntoView({ block: "center" });
  }

  at("more").addEventListener("click", () => {
    const first = shown;
    shown += PAGE;
    fill();
    buttons.get(matching()[first])?.focus();
  });

  at("list").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...buttons.values()];
    all[Math.min(all.length - 1, Math.max(0, all.indexOf(document.activeElement) + step))]?.focus();
  });

  function addKinds() {
    const counts = new Map();
    for (const each of data.issues.kind) counts.set(each, (counts.get(each) || 0) + 1);
    for (const [name, count] of [["", data.issues.kind.length], ...counts]) {
      const button = element("button", `${name || "all"} ${count}`);
      button.type = "button";
      button.setAttribute("aria-pressed", String(name === kind));
      button.addEventListener("click", () => {
        kind = name;
        shown = PAGE;
        for (const other of at("kinds").children) other.setAttribute("aria-pressed", String(other === button));
        fill();
      });
      at("kinds").append(button);
    }
  }
  addKinds();
  fill();

  // Swipe: what was found is shown to the right of the divider only.
  const THUMB = 44;
  function swipe() {
    const size = map.getSize();
    const on = at("compare")?.checked;
    at("swipe").hidden = at("divider").hidden = !on;
    const x = THUMB / 2 + (size.x - THUMB) * (at("swipe").value / 100);
    at("divider").style.left = `${x}px`;
    const from = map.containerPointToLayerPoint([x, 0]);
    const to = map.containerPointToLayerPoint(size);
    const clip = on ? `rect(${from.y}px, ${to.x}px, ${to.y}px, ${from.x}px)` : "";
    for (const name of ["probability", "network", "issues"]) map.getPane(name).style.clip = clip;
  }
  at("compare")?.addEventListener("change", swipe);
  at("swipe").addEventListener("input", swipe);
  map.on("move zoomend resize", swipe);
  swipe();

  at("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.style.colorScheme ? root.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.style.colorScheme = dark ? "light" : "dark";
  });
})();
