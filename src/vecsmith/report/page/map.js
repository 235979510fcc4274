// Documents and queries of a task in two dimensions, linked with the query and the lines that are chosen above.

const view = { content: null, number: -1, bounds: [0, 1, 0, 1], zoom: 1, x: 0, y: 0, hovered: -1 };

function makeMap() {
  if (!DATA.maps.length || !DATA.tasks.length) {
    byId("map").remove();
    document.querySelector('nav a[href="#map"]').remove();
    return;
  }
  const zoom = (factor) => () => {
    view.zoom = Math.max(1, Math.min(40, view.zoom * factor));
    if (view.zoom === 1) showAll();
    paintMap();
  };
  within("map", ".switches").append(el("div", { class: "segments", role: "group", "aria-label": "Zoom" },
    el("button", { type: "button", "aria-label": "Zoom in", click: zoom(1.6) }, "+"),
    el("button", { type: "button", "aria-label": "Zoom out", click: zoom(1 / 1.6) }, "−"),
    el("button", { type: "button", click: zoom(0) }, "all")));
  const canvas = el("canvas", { role: "img", "aria-label": "Map of the documents" });
  within("map", ".canvas").append(canvas);
  canvas.addEventListener("pointermove", (event) => (event.buttons && event.pointerType === "mouse" ? drag(event) : point(event)));
  canvas.addEventListener("pointerdown", (event) => point(event));
  canvas.addEventListener("pointerleave", () => {
    view.hovered = -1;
    hideTooltip();
    paintMap();
  });
  canvas.addEventListener("click", () => {
    const place = view.hovered < 0 ? undefined : placeOfQuery(view.hovered - view.content.ids.length);
    if (place !== undefined && place < queries.content.texts.length) selectQuery(place);
  });
  responsive(within("map", ".canvas"), paintMap);
  new MutationObserver(paintMap).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

async function drawMap() {
  const { task, split } = DATA.tasks[queries.task];
  const number = DATA.maps.findIndex((each) => each.task === task && each.split === split);
  if (number < 0 || !byId("map")) {
    if (byId("map")) byId("map").hidden = true;
    return;
  }
  byId("map").hidden = false;
  if (number !== view.number) {
    const opened = await decode(`map-${number}`);
    Object.assign(view, { content: opened, number, hovered: -1, bounds: boundsOf(opened.places.concat(opened.query_places)) });
    showAll();
    view.rows = new Map(view.content.ids.map((id, row) => [id, row]));
    const { content } = view;
    within("map", ".note").textContent = `${content.method === "umap" ? "A UMAP layout" : "The first two principal components"} of the float `
      + `vectors of ${clip(content.encoder, 80)}: ${plural(content.ids.length, "document")} of ${ENGLISH.format(content.corpus_size)}. `
      + "Colors are clusters of k-means, and their words tell a cluster from the others (c-TF-IDF). Distances in two dimensions are rough. "
      + "Drag to move, and click a query to open it above.";
  }
  paintMap();
}

const placeOfQuery = (number) => queries.places.get(view.content.query_ids[number]);

function geometry() {
  const canvas = within("map", "canvas");
  const [width, height] = [Math.max(within("map", ".canvas").clientWidth, 200), innerWidth < 600 ? 380 : 600];
  const [left, right, low, high] = view.bounds;
  const scale = Math.min((width - 70) / Math.max(right - left, 1), (height - 60) / Math.max(high - low, 1)) * view.zoom;
  return { canvas, width, height, scale, to: ([x, y]) => [width / 2 + (x - view.x) * scale, height / 2 - (y - view.y) * scale] };
}

function boundsOf(places) {
  const [x, y] = [places.map((place) => place[0]), places.map((place) => place[1])];
  return [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
}

function showAll() {
  const [left, right, low, high] = view.bounds;
  Object.assign(view, { zoom: 1, x: (left + right) / 2, y: (low + high) / 2 });
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function paintMap() {
  if (!view.content || !byId("map")) return;
  const { canvas, width, height, to } = geometry();
  const ratio = devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const { content } = view;
  const radius = Math.min(5, (content.ids.length > 2000 ? 1.7 : 2.4) * Math.sqrt(view.zoom));
  const dot = (place, size) => {
    const [x, y] = to(place);
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
  };
  pen.globalAlpha = 0.45;
  const colors = Array.from({ length: COLORS }, (_, number) => color(`--color-${number}`));
  content.places.forEach((place, row) => {
    pen.fillStyle = colors[content.clusters[row] % COLORS];
    dot(place, radius);
    pen.fill();
  });
  pen.globalAlpha = 1;
  paintQueries(pen, to, false);
  paintRetrieved(pen, dot);
  pen.textAlign = "center";
  pen.lineJoin = "round";
  const written = [];
  for (const [words, x, y] of content.labels) writeLabel(pen, words, to([x, y]), written, width);
  paintQueries(pen, to, true);
  if (view.hovered >= 0) {
    pen.strokeStyle = color("--ink");
    pen.lineWidth = 2;
    dot(placeAt(view.hovered), radius + 3);
    pen.stroke();
  }
}

// Rings around the first ten documents of the two lines; relevant ones are filled.
function paintRetrieved(pen, dot) {
  const names = methodNames();
  within("map", ".key").replaceChildren(
    el("span", { class: "ring" }, "first ten of ", el("bdi", {}, names[0])),
    el("span", { class: "ring second" }, "first ten of ", el("bdi", {}, names[1])),
    el("span", { class: "ring filled" }, "relevant"), el("span", { class: "ring diamond" }, "query"));
  if (queries.selected === null) return;
  const gains = new Map(queries.content.judgements[queries.selected]);
  const circle = (document, size, stroke, fill) => {
    const row = view.rows.get(queries.content.documents[document][0]);
    if (row === undefined) return;
    pen.lineWidth = 2;
    pen.strokeStyle = stroke;
    pen.fillStyle = fill;
    dot(view.content.places[row], size);
    if (fill) pen.fill();
    else pen.stroke();
  };
  for (const [document, gain] of gains) if (gain > 0) circle(document, 4.5, "", color("--good"));
  queries.methods.slice(0, 2).forEach((line, number) => {
    for (const document of rankingOf(line).documents[queries.selected]) {
      circle(document, number ? 9 : 6, color(number ? "--color-1" : "--accent"), "");
    }
  });
}

const methodNames = () => queries.methods.slice(0, 2).map((line) => clip(codecName(DATA.lines[line]), 40));

function writeLabel(pen, words, [x, y], written, width) {
  const text = clip(width < 600 ? words.split(", ").slice(0, 2).join(", ") : words, 44);
  pen.font = "600 12px system-ui, sans-serif";
  const half = pen.measureText(text).width / 2;
  if (x < -half || x > width + half) return;
  const left = Math.max(half + 4, Math.min(x, width - half - 4));
  if (written.some(([otherX, otherY, otherHalf]) => Math.abs(otherX - left) < otherHalf + half + 6 && Math.abs(otherY - y) < 15)) return;
  written.push([left, y, half]);
  pen.lineWidth = 4;
  pen.strokeStyle = color("--paper");
  pen.strokeText(text, left, y);
  pen.fillStyle = color("--ink");
  pen.fillText(text, left, y);
}

function paintQueries(pen, to, selected) {
  pen.fillStyle = color(selected ? "--ink" : "--paper");
  pen.strokeStyle = color(selected ? "--paper" : "--quiet");
  pen.lineWidth = selected ? 2 : 1;
  view.content.query_places.forEach((place, number) => {
    if ((placeOfQuery(number) === queries.selected) !== selected) return;
    const [x, y] = to(place);
    const size = selected ? 8 : 2.4;
    pen.beginPath();
    pen.moveTo(x, y - size);
    pen.lineTo(x + size, y);
    pen.lineTo(x, y + size);
    pen.lineTo(x - size, y);
    pen.closePath();
    pen.fill();
    pen.stroke();
  });
}

// Documents come first, and queries after them.
function placeAt(number) {
  const documents = view.content.places.length;
  return number < documents ? view.content.places[number] : view.content.query_places[number - documents];
}

function point(event) {
  if (!view.content) return;
  const { canvas, to } = geometry();
  const box = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [best, least] = [-1, 14 * 14];
  const all = view.content.places.length + view.content.query_places.length;
  for (let number = 0; number < all; number += 1) {
    const [left, top] = to(placeAt(number));
    const distance = (left - x) ** 2 + (top - y) ** 2;
    if (distance <= least) [best, least] = [number, distance];
  }
  if (best !== view.hovered) {
    view.hovered = best;
    paintMap();
  }
  const documents = view.content.ids.length;
  if (best < 0) hideTooltip();
  else if (best < documents) {
    showTooltip([el("p", { class: "name", dir: "auto" }, view.content.titles[best] || "(no text)"),
      el("p", { class: "where" }, el("bdi", {}, clip(view.content.ids[best], 60)))], event.clientX, event.clientY);
  } else {
    const place = placeOfQuery(best - documents);
    showTooltip([el("p", { class: "where" }, "query"), el("p", { class: "name", dir: "auto" },
      clip(queries.content.texts[place] ?? view.content.query_ids[best - documents], 200))], event.clientX, event.clientY);
  }
}

function drag(event) {
  const { scale } = geometry();
  view.x -= event.movementX / scale;
  view.y += event.movementY / scale;
  hideTooltip();
  paintMap();
}
