// The first documents of a query, of several lines side by side.

const MOST_METHODS = 4;

function drawRetrieved() {
  drawMap();
  const host = within("queries", ".retrieved");
  const place = queries.selected;
  if (place === null) {
    host.replaceChildren();
    return;
  }
  const { content, methods } = queries;
  const gains = new Map(content.judgements[place]);
  const rankings = methods.map(rankingOf);
  const lists = rankings.map((ranking) => ranking.documents[place]);
  const lines = content.rankings.map((ranking) => DATA.lines[ranking.line]);
  const columns = rankings.map((ranking, column) => el("div", { class: "column" },
    columnHeading(ranking, column, place, lines),
    el("ol", {}, lists[column].map((document, rank) =>
      documentCard(document, rank, ranking.scores[place][rank], lists, column, gains))),
    lists[column].length ? null : el("p", { class: "empty" }, "Nothing was retrieved.")));
  const unused = methodOptions().filter(([line]) => !methods.includes(line));
  const add = unused.length && methods.length < MOST_METHODS
    ? dropdown("Beside", [[null, "add another line …"], ...unused], null, (line) => {
      if (line !== null) queries.methods.push(line);
      drawRetrieved();
    }) : null;
  host.replaceChildren(
    el("div", { class: "question" },
      el("p", { class: "text", dir: "auto" }, clip(content.texts[place], 500)),
      el("p", { class: "about" }, "query ", el("bdi", { title: clip(content.ids[place], 600) }, clip(content.ids[place], 40)),
        ` · ${plural(content.relevant[place], "relevant document")}`)),
    el("div", { class: "key" }, el("span", { class: "relevant" }, "relevant"),
      el("span", { class: "only" }, methods.length > 2 ? "in one list only" : "not in the other list"), add),
    el("div", { class: "columns" }, columns),
    ...missedDocuments(place, lists, gains));
}

function columnHeading(ranking, column, place, lines) {
  const line = DATA.lines[ranking.line];
  const ndcg = ranking.ndcg[place];
  return el("h3", {},
    el("span", { class: "name", dir: "auto", title: clip(lineLabel(line, lines), 600) }, clip(lineLabel(line, lines), 60)),
    el("span", { class: "detail" }, `${bytes(SIZES.stored(line))} · nDCG@10 ${ndcg === null ? "unknown" : ndcg.toFixed(3)}`),
    column < 2 ? null : el("button", { type: "button", class: "remove", "aria-label": "Remove this line", click: () => {
      queries.methods.splice(column, 1);
      drawRetrieved();
    } }, "×"));
}

function documentCard(number, rank, score, lists, column, gains) {
  const [id, text] = queries.content.documents[number];
  const gain = gains.get(number);
  const elsewhere = lists.filter((list, other) => other !== column && list.includes(number)).length;
  const rankBefore = lists[0].indexOf(number);
  let move = "";
  if (column && rankBefore >= 0 && rankBefore !== rank) {
    move = rankBefore > rank ? `▲ ${rankBefore - rank}` : `▼ ${rank - rankBefore}`;
  } else if (column && rankBefore < 0) move = "new";
  const card = el("li", {
    class: `document ${gain > 0 ? "relevant" : ""} ${elsewhere ? "" : "only"}`, "data-number": number,
    mouseenter: () => highlight(number), mouseleave: () => highlight(null),
    click: () => card.classList.toggle("open"),
  },
  el("span", { class: "rank" }, String(rank + 1)),
  el("div", { class: "body" },
    el("p", { class: "text", dir: "auto" }, text || clip(id, 200)),
    el("p", { class: "about" },
      gain > 0 ? el("b", { class: "gain" }, gain > 1 ? `relevant (${gain})` : "relevant") : gain === undefined ? null : "judged not relevant",
      move ? el("span", { class: "move" }, move) : null,
      el("span", {}, scoreText(score)),
      el("bdi", { class: "clipped", title: clip(id, 600) }, clip(id, 40)))));
  return card;
}

function scoreText(score) {
  if (score === null) return "";
  return Math.abs(score) >= 100 ? score.toFixed(0) : score.toPrecision(3);
}

function missedDocuments(place, lists, gains) {
  const found = new Set(lists.flat());
  const missed = [...gains].filter(([number, gain]) => gain > 0 && !found.has(number));
  const inLists = [...gains].filter(([number, gain]) => gain > 0 && found.has(number)).length;
  const count = queries.content.relevant[place] - inLists;
  if (count <= 0) return [];
  return [el("div", { class: "missed" },
    el("h3", {}, `Relevant, but in none of these lists: ${ENGLISH.format(count)}`),
    el("ul", {}, missed.map(([number]) => {
      const [id, text] = queries.content.documents[number];
      const item = el("li", { class: "document relevant", click: () => item.classList.toggle("open") }, el("div", { class: "body" },
        el("p", { class: "text", dir: "auto" }, text || clip(id, 200)),
        el("p", { class: "about" }, el("bdi", { class: "clipped", title: clip(id, 600) }, clip(id, 40)))));
      return item;
    })))];
}

function highlight(number) {
  for (const card of within("queries", ".retrieved").querySelectorAll("[data-number]")) {
    card.classList.toggle("same", number !== null && card.dataset.number === String(number));
  }
}
