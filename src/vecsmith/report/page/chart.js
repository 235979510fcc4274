const SHAPE_PATHS = {
  circle: (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  square: (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`,
  diamond: (r) => `M0,${-1.3 * r}L${1.3 * r},0L0,${1.3 * r}L${-1.3 * r},0Z`,
  triangle: (r) => `M0,${-1.25 * r}L${1.2 * r},${0.9 * r}H${-1.2 * r}Z`,
  down: (r) => `M0,${1.25 * r}L${1.2 * r},${-0.9 * r}H${-1.2 * r}Z`,
  cross: (r) => `M${-r},${-r}L${r},${r}M${-r},${r}L${r},${-r}`,
};
const CHARACTER_WIDTH = 6.3;
const NEAR = 28;

function logScale(values, length, powers) {
  const [low, high] = [Math.log2(Math.min(...values)), Math.log2(Math.max(...values))];
  const margin = Math.max(0.08 * (high - low), 0.35);
  const [start, end] = [low - margin, high + margin];
  const place = (value) => ((Math.log2(value) - start) / (end - start)) * length;
  const room = Math.max(2, Math.floor(length / 62));
  let ticks = [];
  if (powers === 2) {
    const step = Math.max(1, Math.ceil((end - start) / room));
    for (let power = Math.ceil(start / step) * step; power <= end; power += step) ticks.push(2 ** power);
  } else {
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      ticks = [];
      for (let ten = Math.floor(start / Math.log2(10)) - 1; ten <= end / Math.log2(10); ten += 1) {
        ticks.push(...steps.map((step) => step * 10 ** ten));
      }
      ticks = ticks.filter((tick) => Math.log2(tick) >= start && Math.log2(tick) <= end);
      if (ticks.length <= room) break;
    }
  }
  return { place, ticks };
}

function linearScale(values, length, count) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = Math.max(0.06 * (high - low), 1e-3 * Math.abs(high), 1e-6);
  [low, high] = [low - margin, high + margin];
  const raw = (high - low) / count;
  const ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * ten).find((each) => each >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step); tick * step <= high; tick += 1) ticks.push(tick * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { place: (value) => length - ((value - low) / (high - low)) * length, ticks, step, digits };
}

// Points that no other point beats with as few bytes or as much speed.
function paretoPoints(dots, moreIsBetter) {
  const sorted = [...dots].sort((a, b) => (moreIsBetter ? b.x - a.x : a.x - b.x) || b.y - a.y);
  let best = -Infinity;
  return sorted.filter((dot) => dot.y > best && ((best = dot.y), true));
}

// spec: metric, series, x (of a point), xLabel, xFormat, powers, moreIsBetter, joined, height, small
function drawChart(host, spec) {
  const width = Math.max(host.clientWidth, 240);
  const narrow = width < 560;
  const edge = spec.small ? { top: 8, right: 10, bottom: 24, left: 46 }
    : { top: 14, right: narrow ? 12 : 24, bottom: 46, left: narrow ? 48 : 60 };
  const [w, h] = [width - edge.left - edge.right, spec.height - edge.top - edge.bottom];
  const dots = [];
  for (const series of spec.series) {
    series.dots = series.points.map((point) => ({
      point, series, x: spec.x(point), y: point.metric(spec.metric), error: point.error(spec.metric),
    })).filter((dot) => dot.x !== null && dot.x > 0 && dot.y !== null).sort((a, b) => a.x - b.x);
    dots.push(...series.dots);
  }
  if (!dots.length) {
    host.replaceChildren(el("p", { class: "empty" }, "No line has this figure. Choose another one, or show more families."));
    return;
  }
  const bars = !spec.small;
  const scaleX = logScale(dots.map((dot) => dot.x), w, spec.powers);
  const scaleY = linearScale(dots.flatMap((dot) => (bars && dot.error !== null
    ? [dot.y, dot.y - Math.min(dot.error, 0.2), dot.y + Math.min(dot.error, 0.2)] : [dot.y])), h, spec.small ? 4 : 7);
  for (const dot of dots) [dot.px, dot.py] = [scaleX.place(dot.x), scaleY.place(dot.y)];

  const plot = svg("g", { transform: `translate(${edge.left},${edge.top})` });
  drawAxes(plot, spec, scaleX, scaleY, w, h);
  drawReferences(plot, spec, dots, w);
  const best = paretoPoints(dots, spec.moreIsBetter);
  if (best.length > 1) {
    const steps = staircase(best);
    const [first, last] = [Math.min(...best.map((dot) => dot.px)), Math.max(...best.map((dot) => dot.px))];
    plot.prepend(svg("path", { class: "dominated", d: spec.moreIsBetter ? `${steps}V${h}H0V${Math.min(...best.map((dot) => dot.py))}H${first}Z`
      : `${steps}H${w}V${h}H${first}Z` }));
    plot.append(svg("path", { class: "pareto", d: spec.moreIsBetter ? steps : `${steps}M${last},${Math.min(...best.map((dot) => dot.py))}H${w}` }));
  }
  for (const series of spec.series) {
    if (!series.dots.length) continue;
    const group = svg("g", { class: "series", "data-family": series.family });
    group.style.color = series.color;
    const path = series.dots.map((dot, i) => `${i ? "L" : "M"}${dot.px.toFixed(1)},${dot.py.toFixed(1)}`).join("");
    if (spec.joined && series.dots.length > 1) group.append(svg("path", { class: "line", d: path, "stroke-dasharray": series.dash }));
    for (const dot of series.dots) {
      if (bars && dot.error !== null) group.append(errorBar(dot, scaleY, h));
      group.append(marker(dot, spec, best.includes(dot)));
    }
    plot.append(group);
  }
  if (!spec.small) drawLabels(plot, dots, best, w, h, narrow);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${spec.height}`, class: "plot", role: "group",
    "aria-label": `${spec.xLabel} against ${METRICS.get(spec.metric)}` }, plot);
  picture.addEventListener("pointermove", (event) => hover(event, picture, dots, edge, spec));
  picture.addEventListener("pointerdown", (event) => hover(event, picture, dots, edge, spec));
  picture.addEventListener("pointerleave", () => unhover(picture));
  picture.addEventListener("click", (event) => {
    const dot = nearest(event, picture, dots, edge);
    if (dot && !(event.pointerType === "touch" && dot !== picture.active)) copyCommands(dot.point.lines);
  });
  host.replaceChildren(picture);
}

function drawAxes(plot, spec, scaleX, scaleY, w, h) {
  for (const tick of scaleY.ticks) {
    const y = scaleY.place(tick);
    plot.append(svg("line", { class: "grid", x1: 0, x2: w, y1: y, y2: y }),
      svg("text", { class: "tick", x: -8, y: y + 3.5, "text-anchor": "end" }, spec.metric === "retention"
        ? percent(tick, Math.max(0, scaleY.digits - 2)) : tick.toFixed(Math.max(2, scaleY.digits))));
  }
  for (const tick of scaleX.ticks) {
    const x = scaleX.place(tick);
    plot.append(svg("line", { class: "grid", x1: x, x2: x, y1: 0, y2: h }),
      svg("text", { class: "tick", x, y: h + 16, "text-anchor": "middle" }, spec.xFormat(tick)));
  }
  if (spec.small) return;
  plot.append(
    svg("text", { class: "axis", x: w, y: h + 38, "text-anchor": "end" },
      spec.moreIsBetter ? `${spec.xLabel} →` : `← ${spec.xLabel}`),
    svg("text", { class: "axis", x: 6, y: 10 }, `↑ ${METRICS.get(spec.metric)}`));
}

function drawReferences(plot, spec, dots, w) {
  for (const dot of dots) {
    const { kind } = dot.point.first;
    if (kind !== "baseline" && kind !== "lexical") continue;
    plot.append(svg("line", { class: "reference", x1: 0, x2: w, y1: dot.py, y2: dot.py }));
  }
}

function staircase(best) {
  const byX = [...best].sort((a, b) => a.px - b.px);
  let path = `M${byX[0].px},${byX[0].py}`;
  for (let i = 1; i < byX.length; i += 1) {
    path += byX[i].py < byX[i - 1].py ? `H${byX[i].px}V${byX[i].py}` : `V${byX[i].py}H${byX[i].px}`;
  }
  return path;
}

function errorBar(dot, scaleY, h) {
  const [top, bottom] = [dot.y + dot.error, dot.y - dot.error].map((y) => Math.max(0, Math.min(h, scaleY.place(y))));
  return svg("path", { class: "error",
    d: `M${dot.px},${top}V${bottom}M${dot.px - 3},${top}h6M${dot.px - 3},${bottom}h6` });
}

function marker(dot, spec, isBest) {
  const size = spec.small ? 3.2 : isBest ? 5.5 : 4.2;
  const { first } = dot.point;
  const name = `${codecName(first)}, ${first.encoder}: ${spec.xFormat(dot.x)}, ${quality(spec.metric, dot.y)}`;
  dot.node = svg("path", {
    class: `marker ${dot.series.hollow ? "hollow" : ""} ${dot.series.shape === "cross" ? "cross" : ""}`,
    d: SHAPE_PATHS[dot.series.shape](size), transform: `translate(${dot.px},${dot.py})`,
    tabindex: spec.small ? null : "0", role: "button", "aria-label": `${clip(name, 200)}. Copy the command.`,
    keydown: (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        copyCommands(dot.point.lines);
      }
    },
    focus: () => {
      const box = dot.node.getBoundingClientRect();
      showTooltip(describe(dot.point), box.right, box.top);
    },
    blur: hideTooltip,
  });
  return dot.node;
}

// Names beside the best points, where there is room.
function drawLabels(plot, dots, best, w, h, narrow) {
  const taken = dots.map((dot) => [dot.px - 6, dot.py - 6, dot.px + 6, dot.py + 6]);
  const written = [];
  const references = dots.filter((dot) => ["baseline", "lexical"].includes(dot.point.first.kind));
  for (const dot of unique([...references, ...best])) {
    const text = clip(codecName(dot.point.first), narrow ? 16 : 26);
    // BM25 is measured beside every encoder, at one place
    const twin = written.some((other) => other.text === text && Math.hypot(other.dot.px - dot.px, other.dot.py - dot.py) < 4);
    if (twin) continue;
    const [width, height] = [text.length * CHARACTER_WIDTH, 13];
    const places = [[-9 - width, -8], [9, 16], [9, -8], [-9 - width, 16], [-width / 2, -14], [-width / 2, 22]];
    for (const [dx, dy] of places) {
      const [x, y] = [dot.px + dx, dot.py + dy];
      const box = [x, y - height + 2, x + width, y + 2];
      const free = x >= 2 && x + width <= w && y >= height && y <= h - 3
        && taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
      if (free) {
        taken.push(box);
        written.push({ text, dot });
        plot.append(svg("text", { class: "label", x, y, "data-family": dot.series.family }, text));
        break;
      }
    }
  }
}

function nearest(event, picture, dots, edge) {
  const box = picture.getBoundingClientRect();
  const scale = picture.viewBox.baseVal.width / box.width;
  const [x, y] = [(event.clientX - box.left) * scale - edge.left, (event.clientY - box.top) * scale - edge.top];
  let [best, least] = [null, NEAR * NEAR];
  for (const dot of dots) {
    const distance = (dot.px - x) ** 2 + (dot.py - y) ** 2;
    if (distance < least) [best, least] = [dot, distance];
  }
  return best;
}

function hover(event, picture, dots, edge, spec) {
  const dot = nearest(event, picture, dots, edge);
  if (event.type === "pointermove" && event.pointerType === "touch") return;
  picture.style.cursor = dot ? "copy" : "";
  if (dot !== picture.shown) {
    picture.shown?.node.classList.remove("active");
    dot?.node.classList.add("active");
    // the second tap on a point copies, because the first one only shows it
    setTimeout(() => { picture.active = dot; }, 400);
    picture.shown = dot;
    if (dot) byId("tooltip").replaceChildren(...describe(dot.point));
  }
  if (dot) placeTooltip(event.clientX, event.clientY);
  else hideTooltip();
}

function unhover(picture) {
  picture.shown?.node.classList.remove("active");
  picture.shown = null;
  hideTooltip();
}

// The whole line, for a tooltip.
function describe(point) {
  const { first, lines } = point;
  const of = (name) => point.value((line) => line[name] ?? null);
  const several = point.byTask.length > 1 ? `mean of ${plural(point.byTask.length, "task")}` : `${first.task} (${first.split})`;
  const parts = [["code", of("bytes_per_vector")], ["floats for rescoring", of("rescore_bytes_per_vector")],
    ["lexical index", of("lexical_bytes_per_vector")]].filter(([, size]) => size);
  const rows = [
    ["stored", bytes(point.value(SIZES.stored)) + (parts.length > 1 ? ` (${parts.map(([name, size]) => `${name} ${bytes(size)}`).join(", ")})` : "")],
    ["in memory", bytes(point.value(SIZES.memory))],
    ["amortized", bytes(of("amortised_bytes_per_vector"))],
    ["smaller than float32", first.kind === "lexical" ? "" : `${small(of("compression"), 1)}×`],
    ...[...METRICS].map(([metric, name]) => [name, withError(metric, point.metric(metric), point.error(metric))]),
    ["95% interval of the mean nDCG@10", quality("ndcg_at_10", point.interval("ndcg_error")) && `± ${quality("ndcg_at_10", point.interval("ndcg_error"))}`],
    ["p against float32", lines.length > 1 ? "" : pValue(first)],
    ["queries per second", short(of("queries_per_second"))],
    ["ms for one query", small(of("milliseconds_per_query"))],
    ["vectors encoded per second", short(of("encode_vectors_per_second"))],
    ["fit", first.fit_on === "nothing" ? "nothing" : `${first.fit_on}, ${small(of("fit_seconds"))} s`],
    ["seed", unique(lines.map((line) => line.seed)).join(", ")],
  ].filter(([, value]) => value);
  return [
    el("p", { class: "name", dir: "auto" }, clip(first.codec, 90)),
    el("p", { class: "where" }, el("bdi", {}, first.scoring), " · ", el("bdi", {}, clip(first.encoder, 60)), " · ",
      el("bdi", {}, clip(several, 60))),
    el("dl", {}, rows.flatMap(([name, value]) => [el("dt", {}, clip(name, 40)), el("dd", {}, clip(value, 90))])),
    el("p", { class: "hint" }, lines.some((line) => line.command) ? "Click to copy the command." : ""),
  ];
}
