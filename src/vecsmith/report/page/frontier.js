const SIZE_NAMES = { stored: "Bytes stored per vector", memory: "Bytes in memory per vector" };

function currentPoints() {
  return pointsOn(state.task, state.encoder);
}

function drawFrontier() {
  const points = visible(currentPoints());
  drawChart(within("frontier", ".chart"), {
    metric: state.metric,
    series: seriesOf(points),
    x: (point) => point.value(SIZES[state.size]),
    xLabel: SIZE_NAMES[state.size],
    xFormat: (size) => (size < 1 ? `${size} B` : bytes(size)),
    powers: 2,
    moreIsBetter: false,
    joined: true,
    height: innerWidth < 600 ? 380 : 480,
  });
  const unknown = points.filter((point) => point.value(SIZES[state.size]) === null).length;
  within("frontier", ".note").replaceChildren(
    "A line in the shaded area is beaten by a line that is no larger. Dotted: the quality of float32 and of BM25. ",
    points.some((point) => point.error(state.metric) !== null)
      ? "Bars are 95% confidence intervals of the difference to float32, paired over queries. " : "",
    state.size === "stored" ? "Stored bytes include floats for rescoring and the lexical index. "
      : "Memory is what a search reads, without floats that reorder its first documents. ",
    unknown ? `${plural(unknown, "line")} of unknown size ${unknown === 1 ? "is" : "are"} left out. ` : "",
    "Hover over a point for the whole line; click it to copy the command that measures it again.");
}

function drawSpeed() {
  const [label, of, format] = SPEEDS[state.speed];
  drawChart(within("speed", ".chart"), {
    metric: state.metric,
    series: seriesOf(visible(currentPoints())),
    x: (point) => point.value(of),
    xLabel: label,
    xFormat: format,
    powers: 10,
    moreIsBetter: state.speed !== "latency",
    // speeds of a family follow no order of its sizes
    joined: false,
    height: innerWidth < 600 ? 340 : 400,
  });
  const machines = DATA.circumstances.map(({ machine, versions }) =>
    clip([machine, versions.threads && `threads: ${versions.threads}`].filter(Boolean).join("; "), 300)).filter(Boolean);
  within("speed", ".note").replaceChildren(
    "Speeds are of this run and depend on the machine and on the size of the corpus; compare lines of one run only. ",
    machines.length ? `Measured on ${unique(machines).join(" and on ")}.` : "");
}

function drawLegend() {
  const points = currentPoints();
  const families = unique(["float32", ...FAMILIES]).filter((family) => points.some((point) => point.first.family === family));
  const stages = unique(points.map((point) => point.first.stage).filter(Boolean));
  const encoders = unique(points.map((point) => point.first.encoder));
  const scorings = unique(points.map((point) => firstScoring(point.first))).filter((scoring) => DASH_NAMES[scoring]);
  within("frontier", ".legend").replaceChildren(
    ...families.map((family) => legendButton(familyName(family), state.hidden, family, colorOf(family),
      family === "BM25" ? "cross" : "circle", false)),
    ...stages.map((stage) => legendButton(`+ ${stage}`, state.hiddenStages, stage, "var(--quiet)", "circle", true)),
    ...(encoders.length > 1 ? encoders.map((encoder) => el("span", { class: "item" },
      svg("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("path", { class: "marker",
        d: SHAPE_PATHS[SHAPES[ENCODERS.indexOf(encoder) % SHAPES.length]](4), transform: "translate(6,6)" })),
      el("bdi", { title: clip(encoder, 300) }, clip(encoder, 40)))) : []),
    ...(scorings.length > 1 ? [el("span", { class: "item" },
      scorings.map((scoring) => `${scoring}: ${DASH_NAMES[scoring]}`).join(", "))] : []));
}

const DASH_NAMES = { asymmetric: "solid", symmetric: "dotted", rescored: "dashed", "two-stage": "dash-dotted" };

function legendButton(name, hidden, value, color, shape, hollow) {
  const sample = svg("svg", { class: "sample", width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" },
    svg("line", { class: "line", x1: 1, x2: 25, y1: 6, y2: 6 }),
    svg("path", { class: `marker ${hollow ? "hollow" : ""} ${shape}`, d: SHAPE_PATHS[shape](4), transform: "translate(13,6)" }));
  const family = hidden === state.hidden ? value : null;
  const button = el("button", {
    type: "button", class: "item", title: `Show or hide ${clip(name, 300)}`, "aria-pressed": String(!hidden.has(value)),
    click: () => {
      if (!hidden.delete(value)) hidden.add(value);
      change({});
    },
    mouseenter: () => mute(family), mouseleave: () => mute(null), focus: () => mute(family), blur: () => mute(null),
  }, sample, el("bdi", {}, clip(name, 40)));
  button.style.color = color;
  return button;
}

// Fades all families but one.
function mute(family) {
  for (const node of document.querySelectorAll(".plot [data-family]")) {
    node.classList.toggle("muted", family !== null && node.dataset.family !== family);
  }
}

const SHARES = [0.99, 0.95, 0.9];

function drawTiles() {
  const points = currentPoints();
  const tiles = [];
  const tile = (value, name, detail, lines) => el("button", { type: "button", class: "tile", click: () => copyCommands(lines),
    title: "Copy the command" }, el("span", { class: "value" }, value), el("span", { class: "name", dir: "auto" }, clip(name, 48)),
  el("span", { class: "detail" }, detail));
  // retention is relative to a codec's own encoder, so that codecs of a weak encoder must not win
  const [baseline] = points.filter((point) => point.first.kind === "baseline")
    .sort((a, b) => b.metric("ndcg_at_10") - a.metric("ndcg_at_10"));
  if (baseline) {
    const of = ENCODERS.length > 1 ? ` of ${clip(baseline.first.encoder, 40)}` : "";
    tiles.push(tile(quality("ndcg_at_10", baseline.metric("ndcg_at_10")), `float32${of}`,
      `nDCG@10 with ${bytes(baseline.value(SIZES.stored))}`, baseline.lines));
  }
  const codecs = points.filter((point) => point.first.kind === "codec" && point.metric("retention") !== null
    && (!baseline || point.first.encoder === baseline.first.encoder))
    .sort((a, b) => a.value(SIZES.stored) - b.value(SIZES.stored) || b.metric("retention") - a.metric("retention"));
  let before = null;
  for (const share of SHARES) {
    const point = codecs.find((each) => each.metric("retention") >= share);
    if (!point || point === before) continue;
    before = point;
    const smaller = small(point.value((line) => line.compression), 1).replace(/\.0$/, "");
    tiles.push(tile(bytes(point.value(SIZES.stored)), codecName(point.first),
      `keeps ${withError("retention", point.metric("retention"), point.error("retention"))} · ${smaller}× smaller`, point.lines));
  }
  const lexical = points.filter((point) => point.first.kind === "lexical");
  if (lexical.length) {
    tiles.push(tile(quality("ndcg_at_10", lexical[0].metric("ndcg_at_10")), "BM25",
      `nDCG@10 with ${bytes(lexical[0].value(SIZES.stored))}`, lexical[0].lines));
  }
  byId("tiles").replaceChildren(...tiles);
}
