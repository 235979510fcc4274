// Documents in the true space and in the space of translated vectors: two maps that share one selection.

class LinkedMaps {
  constructor(host, maps) {
    const { neighbors } = maps;
    const translated = neighbors[1].map((list) => new Set(list));
    Object.assign(this, {
      maps,
      k: neighbors[0][0]?.length ?? 0,
      // the number of neighbors that each document keeps
      kept: neighbors[0].map((list, number) => list.filter((each) => translated[number].has(each)).length),
      coloring: "kept", only: null, selected: -1,
      view: new MapView(maps.places.flat()),
      bars: el("div", { class: "bars" }),
      lists: el("div", { class: "retrieved" }),
    });
    const places = maps.spaces.map(() => el("div", { class: "canvas" }));
    host.append(el("div", { class: "finding" },
      el("p", { class: "about", dir: "auto" }, clip(maps.title, 600)), this.switches(), this.bars,
      el("div", { class: "pair" }, places.map((place, space) =>
        el("figure", {}, el("figcaption", {}, el("b", { dir: "auto" }, clip(maps.spaces[space], 80))), place))),
      el("div", { class: "key" }, el("span", { class: "edge kept" }, "near in both spaces"), el("span", { class: "edge lost" }, "near in this space only")),
      this.lists, el("p", { class: "note" }, this.note())));
    places.forEach((place, space) => this.addMap(place, space));
    this.drawBars();
    // a document that keeps some of its neighbors, and loses some
    const sorted = this.kept.map((count, number) => [count, number]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (sorted.length > 1) this.select(sorted[Math.floor(sorted.length / 2)][1]);
  }

  switches() {
    const coloring = segments("Color", [["kept", "neighbors kept"], ["cluster", "clusters"]], this.coloring, (chosen) => {
      this.coloring = chosen;
      this.view.paint();
    });
    const find = el("input", { type: "search", placeholder: "Find a document", "aria-label": "Find a document", input: (event) => {
      const words = wordsOf(event);
      const found = words.length ? this.maps.labels.findIndex((label) => words.every((word) => label.toLowerCase().includes(word))) : -1;
      if (found >= 0) this.select(found);
    } });
    return el("div", { class: "switches" }, coloring, this.view.buttons(), find);
  }

  note() {
    const { labels, method } = this.maps;
    return `${plural(labels.length, "document")}, ${method === "umap" ? "a UMAP layout of the vectors of both spaces"
      : "on the first two principal components of the true vectors"}; both maps have the same axes. A document keeps a neighbor that is among its `
      + `${this.k} nearest documents in both spaces, by the full vectors. Words tell a cluster of k-means from the others (c-TF-IDF). `
      + "Click a document to see its neighbors, and a bar to see only documents that keep as many.";
  }

  addMap(place, space) {
    const { labels, medoids, places, spaces, words } = this.maps;
    new PointMap(place, this.view, `Map of the documents: ${clip(spaces[space], 80)}`, {
      places: places[space], dots: labels.length, linked: true, alpha: 0.75,
      group: (number) => this.groupOf(number),
      version: () => [this.coloring, this.only],
      colors: () => (this.coloring === "kept" ? keptColors(this.k) : Array.from({ length: COLORS }, (_, each) => color(`--color-${each}`))),
      labels: medoids.map((medoid, cluster) => [words[cluster], places[space][medoid]]),
      height: () => (innerWidth < 600 ? 330 : 480),
      under: (pen, points) => this.paintNeighbors(pen, points, space),
      over: () => {},
      describe: (number) => [el("p", { class: "name", dir: "auto" }, clip(labels[number], 200)),
        el("p", { class: "where" }, `${this.kept[number]} of ${this.k} neighbors kept`)],
      choose: (number) => this.select(number),
    });
  }

  // Number of a document's color, or null for a document that is not shown.
  groupOf(number) {
    if (this.only !== null && this.kept[number] !== this.only) return null;
    return this.coloring === "kept" ? this.kept[number] : this.maps.clusters[number] % COLORS;
  }

  select(number) {
    this.selected = number;
    this.drawLists();
    this.view.paint();
  }

  paintNeighbors(pen, points, space) {
    if (this.selected < 0) return;
    const other = new Set(this.maps.neighbors[1 - space][this.selected]);
    for (const isKept of [false, true]) {
      const ink = color(isKept ? "--accent" : "--color-1");
      for (const number of this.maps.neighbors[space][this.selected].filter((each) => other.has(each) === isKept)) {
        points.line(pen, this.selected, number, ink);
        points.disc(pen, number, 4, ink);
      }
    }
    points.disc(pen, this.selected, 6, color("--ink"));
    points.ring(pen, this.selected, 7, color("--paper"));
  }

  // How many documents keep 0, 1, 2, … neighbors; a click shows only these.
  drawBars() {
    const { k, kept } = this;
    const counts = Array.from({ length: k + 1 }, (_, count) => kept.filter((each) => each === count).length);
    const most = Math.max(...counts, 1);
    const mean = kept.reduce((sum, count) => sum + count, 0) / Math.max(kept.length, 1);
    const bars = counts.map((count, number) => el("button", { type: "button", class: "bar-of", "aria-pressed": "false",
      title: `${plural(count, "document")} with ${number} of ${k} neighbors kept`,
      click: () => {
        this.only = this.only === number ? null : number;
        bars.forEach((bar, place) => bar.setAttribute("aria-pressed", String(place === this.only)));
        this.view.paint();
      } }, el("span", { class: "fill" }), String(number)));
    counts.forEach((count, number) => { bars[number].firstChild.style.height = `${Math.max(2, Math.round((44 * count) / most))}px`; });
    const tint = () => keptColors(k).forEach((fill, number) => { bars[number].firstChild.style.background = fill; });
    tint();
    new MutationObserver(tint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.bars.replaceChildren(el("div", { class: "row" }, bars),
      el("p", {}, el("b", {}, `${mean.toFixed(1)} of ${k}`), ` neighbors kept, mean of ${plural(kept.length, "document")}`));
  }

  drawLists() {
    const { labels, neighbors, spaces } = this.maps;
    const columns = spaces.map((space, place) => {
      const other = neighbors[1 - place][this.selected];
      return el("div", { class: "column" },
        el("h3", {}, el("span", { class: "name", dir: "auto" }, clip(space, 80)), el("span", { class: "detail" }, `${this.k} nearest documents`)),
        el("ol", {}, neighbors[place][this.selected].map((document, rank) => {
          const elsewhere = other.indexOf(document);
          return el("li", { class: `document ${elsewhere < 0 ? "lost" : "kept"}`, click: () => this.select(document) },
            el("span", { class: "rank" }, String(rank + 1)),
            el("div", { class: "body" }, el("p", { class: "text", dir: "auto" }, clip(labels[document], 200)),
              el("p", { class: "about" }, elsewhere >= 0 ? `rank ${elsewhere + 1} of ${clip(spaces[1 - place], 40)}` : place ? "new" : "lost")));
        })));
    });
    this.lists.replaceChildren(el("div", { class: "question" }, el("p", { class: "text", dir: "auto" }, clip(labels[this.selected], 300)),
      el("p", { class: "about" }, `${this.kept[this.selected]} of ${this.k} neighbors kept`)), el("div", { class: "columns" }, columns));
  }
}

// Colors from all neighbors lost to all kept.
function keptColors(k) {
  const [lost, kept] = ["--color-1", "--accent"].map((name) => color(name).match(/[\da-f]{2}/gi).map((part) => Number.parseInt(part, 16)));
  return Array.from({ length: k + 1 }, (_, count) => {
    const share = k ? count / k : 1;
    return `rgb(${lost.map((from, channel) => Math.round(from + share * (kept[channel] - from))).join(" ")})`;
  });
}
