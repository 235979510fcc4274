// Documents and queries of a task in two dimensions, linked with the query and the lines that are chosen above.

const map = { content: null, number: -1, points: null };

function makeMap() {
  if (!DATA.maps.length || !DATA.tasks.length) drop("map");
}

async function drawMap() {
  const { task, split } = DATA.tasks[queries.task];
  const number = DATA.maps.findIndex((each) => each.task === task && each.split === split);
  if (!byId("map")) return;
  byId("map").hidden = number < 0;
  if (number < 0) return;
  if (number !== map.number) {
    const content = await decode(`map-${number}`);
    Object.assign(map, { content, number, rows: new Map(content.ids.map((id, row) => [id, row])) });
    const places = content.places.concat(content.query_places);
    const view = new MapView(places);
    // documents come first, and queries after them
    map.points = new PointMap(within("map", ".canvas"), view, "Map of the documents", {
      places, dots: content.ids.length, group: (row) => content.clusters[row] % COLORS,
      colors: () => Array.from({ length: COLORS }, (_, each) => color(`--color-${each}`)),
      labels: content.labels.map(([words, x, y]) => [words, [x, y]]),
      height: () => (innerWidth < 600 ? 380 : 600),
      under: (pen, points) => {
        paintQueries(pen, points, false);
        paintRetrieved(pen, points);
      },
      over: (pen, points) => paintQueries(pen, points, true),
      describe: describePlace,
      choose: (chosen) => {
        const place = placeOfQuery(chosen - content.ids.length);
        if (place !== undefined && place < queries.content.texts.length) selectQuery(place);
      },
    });
    within("map", ".switches").replaceChildren(view.buttons());
    within("map", ".note").textContent = `${content.method === "umap" ? "A UMAP layout" : "The first two principal components"} of the float `
      + `vectors of ${clip(content.encoder, 80)}: ${plural(content.ids.length, "document")} of ${ENGLISH.format(content.corpus_size)}. `
      + "Colors are clusters of k-means, and their words tell a cluster from the others (c-TF-IDF). Distances in two dimensions are rough. "
      + "Drag to move, and click a query to open it above.";
  }
  drawKey();
  map.points.paint();
}

const placeOfQuery = (number) => queries.places.get(map.content.query_ids[number]);

const methodNames = () => queries.methods.slice(0, 2).map((line) => clip(codecName(DATA.lines[line]), 40));

function drawKey() {
  const names = methodNames();
  within("map", ".key").replaceChildren(
    el("span", { class: "ring" }, "first ten of ", el("bdi", {}, names[0])),
    el("span", { class: "ring second" }, "first ten of ", el("bdi", {}, names[1])),
    el("span", { class: "ring filled" }, "relevant"), el("span", { class: "ring diamond" }, "query"));
}

// Rings around the first ten documents of the two lines; relevant ones are filled.
function paintRetrieved(pen, points) {
  if (queries.selected === null) return;
  const rowOf = (document) => map.rows.get(queries.content.documents[document][0]);
  for (const [document, gain] of queries.content.judgements[queries.selected]) {
    const row = rowOf(document);
    if (gain > 0 && row !== undefined) points.disc(pen, row, 4.5, color("--good"));
  }
  queries.methods.slice(0, 2).forEach((line, number) => {
    for (const document of rankingOf(line).documents[queries.selected]) {
      const row = rowOf(document);
      if (row !== undefined) points.ring(pen, row, number ? 9 : 6, color(number ? "--color-1" : "--accent"));
    }
  });
}

function paintQueries(pen, points, selected) {
  pen.fillStyle = color(selected ? "--ink" : "--paper");
  pen.strokeStyle = color(selected ? "--paper" : "--quiet");
  pen.lineWidth = selected ? 2 : 1;
  map.content.query_ids.forEach((_, number) => {
    if ((placeOfQuery(number) === queries.selected) !== selected) return;
    const [x, y] = points.screen(map.content.ids.length + number);
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

function describePlace(number) {
  const documents = map.content.ids.length;
  if (number < documents) {
    return [el("p", { class: "name", dir: "auto" }, map.content.titles[number] || "(no text)"),
      el("p", { class: "where" }, el("bdi", {}, clip(map.content.ids[number], 60)))];
  }
  const place = placeOfQuery(number - documents);
  return [el("p", { class: "where" }, "query"), el("p", { class: "name", dir: "auto" },
    clip(queries.content.texts[place] ?? map.content.query_ids[number - documents], 200))];
}
