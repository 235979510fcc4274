const ROWS_AT_ONCE = 400;

const P_VALUE = ["p", (line) => (pValue(line) ? line.p_value : null), (value, line) => pValue(line), "Paired t-test against float32 over queries"];
const HEADINGS = [
  ["codec", (line) => line.codec, String],
  ["scoring", (line) => line.scoring, String],
  ...(TASKS.length > 1 ? [["task", (line) => line.task, String]] : []),
  ...(ENCODERS.length > 1 ? [["encoder", (line) => line.encoder, String]] : []),
  ...(DATA.runs.length > 1 ? [["run", (line) => DATA.runs[line.run].name, String]] : []),
  ["bytes", SIZES.stored, bytes, "Bytes stored per vector, with floats for rescoring and the lexical index"],
  ["ratio", (line) => (line.kind === "lexical" ? null : line.compression), (value) => (value === null ? "" : `${small(value, 1)}×`), "Compression ratio to float32"],
  ...[...METRICS].flatMap(([metric, name]) => {
    const column = [metric === "retention" ? "retention" : name, (line) => valueOf(line, metric), (value) => quality(metric, value), name, metric];
    return metric === "retention" ? [column, P_VALUE] : [column];
  }),
  ["memory", SIZES.memory, bytes, "Bytes in memory per vector during a search"],
  ["amortized", (line) => line.amortised_bytes_per_vector, bytes, "Stored bytes with the vector's share of the codec's own bytes"],
  ["q/s", (line) => line.queries_per_second, short, "Queries per second, all in one batch"],
  ["ms/q", (line) => line.milliseconds_per_query, (value) => small(value), "Median milliseconds of a query that is searched alone"],
  ["enc/s", SPEEDS.encode[1], short, "Vectors encoded per second"],
  ["fit s", (line) => line.fit_seconds, (value) => small(value), "Seconds to fit the codec"],
  ...(HAS_SEEDS ? [["seed", (line) => line.seed, String]] : []),
  ["fit on", (line) => line.fit_on, String, "Training set of the codec"],
].filter(([, of]) => DATA.lines.some((line) => of(line) !== null));

const [LOWEST, HIGHEST] = [Math.min, Math.max].map((most) => most(...DATA.lines.map((line) => line.retention ?? 1)));
const sorting = { column: null, rising: true, words: [] };

function makeTable() {
  const filter = el("input", { type: "search", placeholder: "Filter, such as trellis scifact", "aria-label": "Filter the results",
    input: (event) => {
      sorting.words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      drawRows();
    } });
  within("table", ".switches").append(filter);
  const head = el("tr", {}, HEADINGS.map(([name, of, , title], column) => {
    const numeric = DATA.lines.some((line) => typeof of(line) === "number");
    return el("th", { scope: "col", class: numeric ? "number" : null, "aria-sort": "none" },
      el("button", { type: "button", title: title ?? name, click: () => sortBy(column, numeric) }, clip(name, 40)));
  }), el("th", { scope: "col" }, el("span", { class: "offscreen" }, "command")));
  within("table", ".scroller").append(el("table", {}, el("thead", {}, head), el("tbody")));
  drawRows();
}

function sortBy(column, numeric) {
  // numbers start with the largest, names with the first of the alphabet
  const rising = sorting.column === column ? !sorting.rising : !numeric;
  Object.assign(sorting, { column, rising });
  [...within("table", "thead tr").children].forEach((cell, number) => {
    cell.setAttribute("aria-sort", number !== column ? "none" : rising ? "ascending" : "descending");
  });
  drawRows();
}

function sortedLines() {
  const lines = DATA.lines.filter((line) => {
    const text = [line.codec, line.scoring, line.task, line.encoder, line.split, line.fit_on, DATA.runs[line.run].name]
      .join(" ").toLowerCase();
    return sorting.words.every((word) => text.includes(word));
  });
  if (sorting.column === null) return lines;
  const [, of] = HEADINGS[sorting.column];
  const sign = sorting.rising ? 1 : -1;
  // lines without a value stay at the end
  return lines.sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
  });
}

function drawRows() {
  const lines = sortedLines();
  within("table", "tbody").replaceChildren(...lines.slice(0, ROWS_AT_ONCE).map(tableRow));
  const left = lines.length - ROWS_AT_ONCE;
  within("table", ".note").textContent = `${plural(lines.length, "line")} of ${ENGLISH.format(DATA.lines.length)}.`
    + (left > 0 ? ` The first ${ROWS_AT_ONCE} are shown; filter for the others.` : "");
}

function tableRow(line) {
  const cells = HEADINGS.map(([, of, format, , metric], column) => {
    const value = of(line);
    const text = value === null ? "" : format(value, line);
    if (typeof value === "string") {
      return el(column ? "td" : "th", { scope: column ? null : "row", title: text.length > 24 ? clip(text, 600) : null },
        el("bdi", { class: "clipped" }, clip(text, 80)));
    }
    const cell = el("td", { class: "number" }, text);
    if (metric === "retention" && value !== null) {
      cell.classList.add("bar");
      cell.style.setProperty("--share", `${(100 * (value - LOWEST)) / Math.max(HIGHEST - LOWEST, 1e-9)}%`);
    }
    return cell;
  });
  const button = line.command ? el("button", { type: "button", class: "copy", title: "Copy the command that measures this line",
    click: () => copyCommands([line]) }, "copy") : null;
  return el("tr", { class: line.kind === "baseline" ? "baseline" : null }, cells, el("td", {}, button));
}
