// Documents in the true space and in the space of translated vectors: two maps that share one selection.

const COLORINGS = [["kept", "neighbors kept"], ["cluster", "clusters"]];

function drawSpaces(host, maps) {
  const { labels, neighbors, clusters } = maps;
  const k = neighbors[0][0]?.length ?? 0;
  const sets = neighbors[1].map((list) => new Set(list));
  const kept = neighbors[0].map((list, number) => list.filter((each) => sets[number].has(each)).length);
  const state = { coloring: "kept", only: null, selected: -1 };
  const view = new MapView(maps.places.flat());
  const places = maps.spaces.map(() => el("div", { class: "canvas" }));
  const [bars, lists] = [el("div", { class: "bars" }), el("div", { class: "retrieved" })];
  const find = el("input", { type: "search", placeholder: "Find a document", "aria-label": "Find a document", input: (event) => {
    const words = wordsOf(event);
    const found = words.length ? labels.findIndex((label) => words.every((word) => label.toLowerCase().includes(word))) : -1;
    if (found >= 0) select(found);
  } });
  host.append(el("div", { class: "finding" },
    el("p", { class: "about", dir: "auto" }, clip(maps.title, 600)),
    el("div", { class: "switches" }, segments("Color", COLORINGS, state.coloring, (coloring) => {
      state.coloring = coloring;
      view.paint();
    }), view.buttons(), find),
    bars,
    el("div", { class: "pair" }, places.map((place, space) => el("figure", {}, el("figcaption", {}, el("b", { dir: "auto" }, clip(maps.spaces[space], 80))), place))),
    el("div", { class: "key" },
      el("span", { class: "edge kept" }, `near in both spaces`),
      el("span", { class: "edge lost" }, "near in one space only")),
    lists,
    el("p", { class: "note" }, `${plural(labels.length, "document")}, ${maps.method === "umap" ? "a UMAP layout of the vectors of both spaces"
      : "on the first two principal components of the true vectors"}; both maps have the same axes. A document keeps a neighbor that is among its `
      + `${k} nearest in both spaces, by the full vectors. Words tell a cluster of k-means from the others (c-TF-IDF). Click a document to see its neighbors.`)));

  const select = (number) => {
    state.selected = number;
    drawNeighbors(lists, maps, number, kept[number], select);
    view.paint();
  };
  const paintNeighbors = (space) => (pen, points) => {
    if (state.selected < 0) return;
    const other = new Set(neighbors[1 - space][state.selected]);
    for (const shared of [false, true]) {
      for (const number of neighbors[space][state.selected].filter((each) => other.has(each) === shared)) {
        const ink = color(shared ? "--accent" : "--color-1");
        points.line(pen, state.selected, number, ink);
        points.disc(pen, number, 4, ink);
      }
    }
    points.disc(pen, state.selected, 6, color("--ink"));
    points.ring(pen, state.selected, 7, color("--paper"));
  };
  maps.spaces.forEach((space, number) => new PointMap(places[number], view, `Map of the documents: ${clip(space, 80)}`, {
    places: maps.places[number], dots: labels.length, linked: true, alpha: 0.75,
    group: (row) => (state.only !== null && kept[row] !== state.only ? null : state.coloring === "kept" ? kept[row] : clusters[row] % COLORS),
    version: () => [state.coloring, state.only],
    colors: () => (state.coloring === "kept" ? keptColors(k) : Array.from({ length: COLORS }, (_, each) => color(`--color-${each}`))),
    labels: maps.medoids.map((medoid, cluster) => [maps.words[cluster], maps.places[number][medoid]]),
    height: () => (innerWidth < 600 ? 330 : 480),
    under: paintNeighbors(number),
    over: () => {},
    describe: (row) => [el("p", { class: "name", dir: "auto" }, clip(labels[row], 200)),
      el("p", { class: "where" }, `${kept[row]} of ${k} neighbors kept`)],
    choose: select,
  }));
  drawBars(bars, kept, k, state, view);
  // a document that keeps some of its neighbors, and loses some
  const sorted = kept.map((count, number) => [count, number]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (sorted.length > 1) select(sorted[Math.floor(sorted.length / 2)][1]);
}

// From lost to kept, over the color of the paper's ink, so that both ends stand out in both themes.
function keptColors(k) {
  const [lost, kept] = ["--color-1", "--accent"].map((name) => color(name).match(/[\da-f]{2}/gi).map((part) => Number.parseInt(part, 16)));
  return Array.from({ length: k + 1 }, (_, count) => {
    const share = k ? count / k : 1;
    return `rgb(${lost.map((from, channel) => Math.round(from + share * (kept[channel] - from))).join(" ")})`;
  });
}

// How many documents keep 0, 1, 2, … neighbors; a click shows only these.
function drawBars(host, kept, k, state, view) {
  const counts = Array.from({ length: k + 1 }, (_, count) => kept.filter((each) => each === count).length);
  const most = Math.max(...counts, 1);
  const mean = kept.reduce((sum, count) => sum + count, 0) / Math.max(kept.length, 1);
  const bars = counts.map((count, number) => {
    const bar = el("button", { type: "button", class: "bar-of", "aria-pressed": "false",
      title: `${plural(count, "document")} with ${number} of ${k} neighbors kept`,
      click: () => {
        state.only = state.only === number ? null : number;
        bars.forEach((each, place) => each.setAttribute("aria-pressed", String(place === state.only)));
        view.paint();
      } }, el("span", { class: "fill" }), String(number));
    bar.firstChild.style.height = `${Math.max(2, Math.round((44 * count) / most))}px`;
    return bar;
  });
  const tint = () => keptColors(k).forEach((fill, number) => { bars[number].firstChild.style.background = fill; });
  tint();
  new MutationObserver(tint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  host.replaceChildren(el("p", {}, el("b", {}, `${mean.toFixed(1)} of ${k}`), ` neighbors kept, mean of ${plural(kept.length, "document")}`),
    el("div", { class: "row" }, bars));
}

function drawNeighbors(host, { labels, neighbors, spaces }, number, kept, select) {
  const k = neighbors[0][number].length;
  const columns = spaces.map((space, place) => {
    const other = neighbors[1 - place][number];
    return el("div", { class: "column" },
      el("h3", {}, el("span", { class: "name", dir: "auto" }, clip(space, 80)), el("span", { class: "detail" }, `${k} nearest documents`)),
      el("ol", {}, neighbors[place][number].map((document, rank) => {
        const elsewhere = other.indexOf(document);
        return el("li", { class: `document ${elsewhere < 0 ? "lost" : "kept"}`, click: () => select(document) },
          el("span", { class: "rank" }, String(rank + 1)),
          el("div", { class: "body" }, el("p", { class: "text", dir: "auto" }, clip(labels[document], 200)),
            el("p", { class: "about" }, elsewhere >= 0 ? `rank ${elsewhere + 1} of ${clip(spaces[1 - place], 40)}` : place ? "new" : "lost")));
      })));
  });
  host.replaceChildren(el("div", { class: "question" }, el("p", { class: "text", dir: "auto" }, clip(labels[number], 300)),
    el("p", { class: "about" }, `${kept} of ${k} neighbors kept`)), el("div", { class: "columns" }, columns));
}
