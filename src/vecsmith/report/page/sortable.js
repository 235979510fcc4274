const ROWS_AT_ONCE = 400;

// A table that sorts by its headings and shows the first rows.
// spec: columns [name, value of a row, numeric, title], rows, drawRow, noun, last (a further heading without order)
class SortableTable {
  constructor(scroller, note, spec) {
    Object.assign(this, { note, spec, column: null, rising: true, chosen: spec.rows });
    this.heads = spec.columns.map(([name, , numeric, title], number) =>
      el("th", { scope: "col", class: numeric ? "number" : null, "aria-sort": "none" },
        el("button", { type: "button", title: clip(title ?? name, 300), click: () => this.sortBy(number) }, clip(name, 40))));
    this.body = el("tbody");
    scroller.append(el("table", {}, el("thead", {}, el("tr", {}, this.heads, spec.last ?? null)), this.body));
    this.draw();
  }

  // Shows only rows that the function accepts.
  choose(accepts) {
    this.chosen = this.spec.rows.filter(accepts);
    this.draw();
  }

  sortBy(number) {
    const [, , numeric] = this.spec.columns[number];
    // numbers start with the largest, names with the first of the alphabet
    this.rising = this.column === number ? !this.rising : !numeric;
    this.column = number;
    this.heads.forEach((cell, place) => {
      cell.setAttribute("aria-sort", place !== number ? "none" : this.rising ? "ascending" : "descending");
    });
    this.draw();
  }

  draw() {
    const rows = [...this.chosen];
    if (this.column !== null) {
      const [, of] = this.spec.columns[this.column];
      const sign = this.rising ? 1 : -1;
      // rows without a value stay at the end
      rows.sort((a, b) => {
        const [x, y] = [of(a), of(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
      });
    }
    this.body.replaceChildren(...rows.slice(0, ROWS_AT_ONCE).map(this.spec.drawRow));
    const left = rows.length - ROWS_AT_ONCE;
    this.note.textContent = `${plural(rows.length, this.spec.noun)} of ${ENGLISH.format(this.spec.rows.length)}.`
      + (left > 0 ? ` The first ${ROWS_AT_ONCE} are shown; filter for the others.` : "");
  }
}

function textCell(value, first, length = 80) {
  return el(first ? "th" : "td", { scope: first ? "row" : null, title: value.length > 24 ? clip(value, 600) : null },
    el("bdi", { class: "clipped" }, clip(value, length)));
}

// The words of a search box, which a text must all have.
function wordsOf(event) {
  return event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
}
