// Which queries a line loses, against another line.

const LIST_ROWS = 300;
const ORDERS = {
  loss: ["Largest loss", (a, b) => a.difference - b.difference],
  gain: ["Largest gain", (a, b) => b.difference - a.difference],
  worst: ["Lowest nDCG@10", (a, b) => a.second - b.second],
  id: ["Query id", (a, b) => a.id.localeCompare(b.id, "en", { numeric: true })],
};
const queries = { task: 0, content: null, methods: [], order: "loss", words: [], selected: null, rows: [] };
const decoded = new Map();

async function decode(id) {
  if (!decoded.has(id)) {
    const packed = Uint8Array.from(atob(byId(id).textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    decoded.set(id, await new Response(stream).json());
  }
  return decoded.get(id);
}

const rankingOf = (line) => queries.content.rankings.find((ranking) => ranking.line === line);

async function openQueries(number) {
  queries.content = await decode(`rankings-${number}`);
  queries.places = new Map(queries.content.ids.map((id, place) => [id, place]));
  queries.task = number;
  queries.selected = null;
  const lines = queries.content.rankings.map((ranking) => ranking.line);
  const baseline = lines.find((line) => DATA.lines[line].kind === "baseline") ?? lines[0];
  // the smallest codec has the most to show
  const others = lines.filter((line) => line !== baseline);
  others.sort((a, b) => SIZES.stored(DATA.lines[a]) - SIZES.stored(DATA.lines[b]));
  const codec = others.find((line) => DATA.lines[line].kind === "codec") ?? others[0] ?? baseline;
  queries.methods = [baseline, codec];
  drawMethods();
  compareMethods();
}

function methodOptions() {
  const lines = queries.content.rankings.map((ranking) => DATA.lines[ranking.line]);
  return queries.content.rankings.map((ranking) => [ranking.line, lineLabel(DATA.lines[ranking.line], lines)]);
}

function drawMethods() {
  const switches = [];
  if (DATA.tasks.length > 1) {
    switches.push(dropdown("Task", DATA.tasks.map(({ task, split }, number) => [number, `${task} (${split})`]), queries.task, openQueries));
  }
  const choose = (place) => (line) => {
    queries.methods[place] = line;
    compareMethods();
  };
  switches.push(
    dropdown("Codec", methodOptions(), queries.methods[1], choose(1)),
    dropdown("against", methodOptions(), queries.methods[0], choose(0)));
  within("queries", ".switches").replaceChildren(...switches);
  within("queries", ".finder").replaceChildren(
    dropdown("Order", Object.entries(ORDERS).map(([name, [label]]) => [name, label]), queries.order, (order) => {
      queries.order = order;
      drawList();
    }),
    el("input", { type: "search", placeholder: "Search the queries", "aria-label": "Search the queries", value: queries.words.join(" "),
      input: (event) => {
        queries.words = wordsOf(event);
        drawList();
      } }));
}

function compareMethods() {
  const [a, b] = queries.methods.map(rankingOf);
  queries.rows = queries.content.ids.map((id, place) => {
    const [first, second] = [a.ndcg[place], b.ndcg[place]];
    return first === null || second === null ? null
      : { place, id, text: queries.content.texts[place] ?? null, first, second, difference: second - first };
  }).filter(Boolean);
  drawVerdict();
  responsiveDifferences();
  const before = queries.rows.find((row) => row.place === queries.selected && row.text !== null);
  const shown = before ?? [...queries.rows].filter((row) => row.text !== null).sort(ORDERS.loss[1])[0];
  queries.selected = shown?.place ?? null;
  drawList();
  drawRetrieved();
}

function drawVerdict() {
  const count = (test) => queries.rows.filter((row) => test(row.difference)).length;
  const [loses, wins] = [count((difference) => difference < -1e-9), count((difference) => difference > 1e-9)];
  const total = queries.rows.reduce((sum, row) => sum + row.difference, 0) / Math.max(queries.rows.length, 1);
  const names = queries.methods.map((line) => el("b", {}, el("bdi", {}, clip(codecName(DATA.lines[line]), 60))));
  within("queries", ".verdict").replaceChildren(
    names[1], " has a lower nDCG@10 than ", names[0], " on ", el("b", { class: "loss" }, ENGLISH.format(loses)),
    ", a higher one on ", el("b", { class: "gain" }, ENGLISH.format(wins)), " and the same on ",
    ENGLISH.format(queries.rows.length - loses - wins), ` of ${plural(queries.rows.length, "query")}. Mean difference: `,
    el("b", {}, `${total < 0 ? "−" : "+"}${Math.abs(total).toFixed(4)}`), ".");
  const { queries: all, with_texts: kept } = DATA.tasks[queries.task];
  within("queries", ".note").textContent = "Documents are cut after 500 characters. "
    + (kept < all ? `Texts and documents are kept for ${ENGLISH.format(kept)} of ${plural(all, "query")}: those whose nDCG@10 `
      + "differs most between the lines. The differences count all queries." : "");
}

// All differences, sorted, as two areas.
function responsiveDifferences() {
  const host = within("queries", ".differences");
  const sorted = [...queries.rows].sort(ORDERS.loss[1]);
  const [width, height] = [Math.max(host.clientWidth, 200), 90];
  const largest = Math.max(0.05, ...sorted.map((row) => Math.abs(row.difference)));
  const middle = height / 2;
  const x = (i) => (i / Math.max(sorted.length, 1)) * width;
  const y = (difference) => middle - (difference / largest) * (middle - 4);
  const area = (sign) => `M0,${middle}${sorted.map((row, i) =>
    `V${y(sign * row.difference > 0 ? row.difference : 0).toFixed(1)}H${x(i + 1).toFixed(1)}`).join("")}V${middle}Z`;
  const cursor = svg("line", { class: "cursor", y1: 0, y2: height, x1: -1, x2: -1 });
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img",
    "aria-label": "Differences of nDCG@10 of all queries, sorted" },
  svg("path", { class: "loss", d: area(-1) }), svg("path", { class: "gain", d: area(1) }),
  svg("line", { class: "zero", x1: 0, x2: width, y1: middle, y2: middle }),
  svg("text", { class: "tick", x: 4, y: 12 }, `+${largest.toFixed(2)} nDCG@10`),
  svg("text", { class: "tick", x: width - 4, y: height - 4, "text-anchor": "end" }, `−${largest.toFixed(2)} nDCG@10`), cursor);
  const rowAt = (event) => {
    const box = picture.getBoundingClientRect();
    return sorted[Math.max(0, Math.min(sorted.length - 1, Math.floor(((event.clientX - box.left) / box.width) * sorted.length)))];
  };
  picture.addEventListener("pointermove", (event) => {
    const row = rowAt(event);
    if (!row) return;
    const place = x(sorted.indexOf(row) + 0.5);
    cursor.classList.add("shown");
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    showTooltip([el("p", { class: "name", dir: "auto" }, clip(row.text ?? row.id, 200)),
      el("p", {}, `${row.first.toFixed(3)} → ${row.second.toFixed(3)}`)], event.clientX, event.clientY);
  });
  picture.addEventListener("pointerleave", hideTooltip);
  picture.addEventListener("click", (event) => {
    const row = rowAt(event);
    if (row && row.text !== null) selectQuery(row.place);
  });
  host.replaceChildren(picture);
}

function drawList() {
  const rows = queries.rows.filter((row) => {
    const text = `${row.id} ${row.text ?? ""}`.toLowerCase();
    return queries.words.every((word) => text.includes(word));
  }).sort(ORDERS[queries.order][1]);
  const shown = rows.filter((row) => row.text !== null).slice(0, LIST_ROWS);
  within("queries", ".list").replaceChildren(...shown.map((row) => {
    const mark = el("span", { class: `change ${row.difference < -1e-9 ? "loss" : row.difference > 1e-9 ? "gain" : ""}` },
      Math.abs(row.difference) < 5e-4 ? "=" : `${row.difference < 0 ? "−" : "+"}${Math.abs(row.difference).toFixed(2)}`);
    return el("button", { type: "button", class: "query", "aria-pressed": String(row.place === queries.selected), "data-place": row.place,
      click: () => selectQuery(row.place) }, mark, el("span", { class: "text", dir: "auto" }, clip(row.text || row.id, 220)));
  }), ...(shown.length ? [] : [el("p", { class: "empty" }, "No query matches.")]));
}

function selectQuery(place) {
  queries.selected = place;
  for (const item of within("queries", ".list").children) {
    item.setAttribute("aria-pressed", String(item.dataset.place === String(place)));
  }
  drawRetrieved();
  // on a phone the documents are below the list
  if (innerWidth < 900) within("queries", ".retrieved").scrollIntoView({ behavior: "smooth" });
}

function makeQueries() {
  if (!DATA.tasks.length) {
    if (DATA.findings.length) drop("queries");
    else byId("queries").replaceChildren(el("h2", {}, "Every query"), el("p", { class: "note" },
      "These results have no rankings of queries. Run vecsmith compare with --out to keep them."));
    return;
  }
  openQueries(0);
  responsive(within("queries", ".differences"), () => queries.content && responsiveDifferences());
  listeners.push(() => {
    const number = DATA.tasks.findIndex(({ task }) => task === state.task);
    if (number >= 0 && number !== queries.task) openQueries(number);
  });
}
