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

function makeTable() {
  const columns = HEADINGS.map(([name, of, , title]) => [name, of, DATA.lines.some((line) => typeof of(line) === "number"), title]);
  const table = new SortableTable(within("table", ".scroller"), within("table", ".note"), {
    columns, rows: DATA.lines, drawRow: tableRow, noun: "line", last: el("th", { scope: "col" }, el("span", { class: "offscreen" }, "command")),
  });
  within("table", ".switches").append(el("input", { type: "search", placeholder: "Filter, such as trellis scifact", "aria-label": "Filter the results",
    input: (event) => {
      const words = wordsOf(event);
      table.choose((line) => {
        const text = [line.codec, line.scoring, line.task, line.encoder, line.split, line.fit_on, DATA.runs[line.run].name]
          .join(" ").toLowerCase();
        return words.every((word) => text.includes(word));
      });
    } }));
}

function tableRow(line) {
  const cells = HEADINGS.map(([, of, format, , metric], column) => {
    const value = of(line);
    const text = value === null ? "" : format(value, line);
    if (typeof value === "string") return textCell(text, !column);
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
