// Findings of studies: their tables and examples, and what all sections of findings share.

const NUMBER = /^[+\-−<]?\d[\d,]*(\.\d+)?/;

// Opens all findings of a kind, and draws those of each run below its name.
async function drawFindings(id, kind, draw) {
  const numbers = DATA.findings.map((about, number) => [about, number]).filter(([about]) => about.kind === kind);
  if (!numbers.length) {
    drop(id);
    return;
  }
  for (const [about, number] of numbers) {
    const { contents } = await decode(`findings-${number}`);
    const host = el("div", { class: "findings" });
    if (DATA.runs.length > 1) host.append(el("p", { class: "where", dir: "auto" }, clip(DATA.runs[about.run].name, 120)));
    within(id, ".contents").append(host);
    for (const content of contents) draw(host, content);
  }
}

function nameOf(finding) {
  const words = finding.name.replaceAll("-", " ");
  return clip(words.charAt(0).toUpperCase() + words.slice(1), 80);
}

function numberIn(text) {
  const found = text.match(NUMBER);
  return found ? Number.parseFloat(found[0].replaceAll(",", "").replace("−", "-").replace("<", "")) : null;
}

function drawTable(host, { title, columns, rows }, heading, filtered = rows.length > 12) {
  const note = el("p", { class: "note" });
  const scroller = el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": clip(heading || title, 100) });
  const isNumber = columns.map((_, column) => {
    const cells = rows.map((row) => row[column]).filter(Boolean);
    return cells.length > 0 && cells.every((cell) => NUMBER.test(cell));
  });
  const filter = filtered ? el("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${clip(heading, 80)}` }) : null;
  host.append(el("div", { class: "finding" },
    el("div", { class: "heading" }, heading ? el("h3", { dir: "auto" }, heading) : null, filter),
    title ? el("p", { class: "about", dir: "auto" }, clip(title, 600)) : null, scroller, note));
  const table = new SortableTable(scroller, note, {
    columns: columns.map((name, column) => [name, (row) => (isNumber[column] ? numberIn(row[column]) : row[column] || null), isNumber[column]]),
    rows,
    noun: "row",
    drawRow: (row) => el("tr", {}, row.map((text, column) => {
      const cell = isNumber[column] ? el("td", { class: "number" }, clip(text, 80)) : textCell(text, !column, 300);
      cell.dataset.name = clip(columns[column], 40);
      cell.classList.toggle("blank", !text);
      return cell;
    })),
  });
  note.hidden = !filter && rows.length <= ROWS_AT_ONCE;
  filter?.addEventListener("input", (event) => {
    const words = wordsOf(event);
    table.choose((row) => {
      const text = row.join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  });
}

// Examples, one at a time.
function drawExamples(host, { title, tables }) {
  const place = el("div");
  const show = (number) => {
    place.replaceChildren();
    drawTable(place, { ...tables[number], title: "" }, clip(tables[number].title, 400), false);
  };
  host.append(el("div", { class: "finding" },
    el("p", { class: "about", dir: "auto" }, clip(title, 600)),
    el("div", { class: "switches" }, dropdown("Example", tables.map((table, number) => [number, table.title]), 0, show)), place));
  if (tables.length) show(0);
}
