const DATA = JSON.parse(byId("data").textContent);
const COLORS = 12;
const SHAPES = ["circle", "square", "diamond", "triangle", "down"];
const unique = (values) => [...new Set(values)];

const TASKS = unique(DATA.lines.map((line) => line.task));
const ENCODERS = unique(DATA.lines.map((line) => line.encoder));
const FAMILIES = unique(DATA.lines.map((line) => line.family).filter((family) => family !== "float32"));
const HAS_SEEDS = new Set(DATA.lines.map((line) => line.seed)).size > 1;

const METRICS = new Map([
  ["ndcg_at_10", "nDCG@10"],
  ["retention", "Retention of nDCG@10"],
  ["recall_at_100", "R@100"],
  ...unique(DATA.lines.flatMap((line) => Object.keys(line.metrics))).map((name) => [name, clip(name, 40)]),
  ["neighbors_kept_at_10", "Kept@10"],
  ["score_correlation", "Score correlation"],
].filter(([metric]) => DATA.lines.some((line) => valueOf(line, metric) !== null)));

// What the controls at the top choose; a null task is the mean over tasks, and a null encoder stands for all.
const state = { task: null, encoder: null, metric: "ndcg_at_10", size: "stored", speed: "queries",
  hidden: new Set(), hiddenStages: new Set() };
const listeners = [];

function change(values) {
  Object.assign(state, values);
  for (const listener of listeners) listener();
}

function valueOf(line, metric) {
  return (Object.hasOwn(line, metric) ? line[metric] : line.metrics[metric]) ?? null;
}

const SIZES = {
  stored: (line) => line.bytes_per_vector + line.rescore_bytes_per_vector + line.lexical_bytes_per_vector,
  memory: (line) => (line.memory_bytes_per_vector ? line.memory_bytes_per_vector + line.lexical_bytes_per_vector
    : line.kind === "lexical" ? line.lexical_bytes_per_vector : null),
};

const SPEEDS = {
  queries: ["Queries per second", (line) => line.queries_per_second, short],
  latency: ["Milliseconds for a single query", (line) => line.milliseconds_per_query, small],
  encode: ["Vectors encoded per second", (line) => (line.kind === "lexical" ? null : line.encode_vectors_per_second), short],
};

function mean(values) {
  return values.some((value) => value === null) || !values.length
    ? null
    : values.reduce((sum, value) => sum + value, 0) / values.length;
}

// A point stands for the lines of one codec and scoring: its tasks and its seeds.
class Point {
  constructor(lines) {
    this.lines = lines;
    [this.first] = lines;
    this.byTask = [...Map.groupBy(lines, (line) => line.task).values()];
  }

  value(of) {
    return mean(this.byTask.map((lines) => mean(lines.map(of))));
  }

  metric(name) {
    return this.value((line) => valueOf(line, name));
  }

  // Of the difference to float32, paired over queries.
  error(metric) {
    return this.interval({ ndcg_at_10: "difference_error", retention: "retention_error" }[metric]);
  }

  // The interval of a mean over tasks, whose queries are independent; seeds share their queries.
  interval(field) {
    if (!field) return null;
    const errors = this.byTask.map((lines) => mean(lines.map((line) => line[field] ?? null)));
    if (errors.some((error) => error === null)) return null;
    return Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0)) / errors.length;
  }
}

function groupKey(line) {
  return JSON.stringify([line.run, line.encoder, line.codec, line.scoring, line.fit_on, line.baseline]);
}

function pointsOn(task, encoder) {
  const chosen = DATA.lines.filter(
    (line) => (task === null || line.task === task) && (encoder === null || line.encoder === encoder));
  const points = [...Map.groupBy(chosen, groupKey).values()].map((lines) => new Point(lines));
  return task === null ? points.filter((point) => point.byTask.length === TASKS.length) : points;
}

function visible(points) {
  return points.filter(({ first }) => !state.hidden.has(first.family) && !(first.stage && state.hiddenStages.has(first.stage)));
}

function colorOf(family) {
  return family === "float32" ? "var(--ink)" : `var(--color-${FAMILIES.indexOf(family) % COLORS})`;
}

// A family by its only codec, if it has no other one.
function familyName(family) {
  const codecs = unique(DATA.lines.filter((line) => line.family === family).map((line) => line.codec));
  return codecs.length === 1 && family !== "BM25" ? codecs[0] : family;
}

// Lines of the charts: one for each family of codecs, encoder, scoring and run.
function seriesOf(points) {
  const key = ({ first }) => JSON.stringify([first.family, first.encoder, first.scoring, first.run, first.fit_on]);
  return [...Map.groupBy(points, key).values()].map((members) => {
    const { first } = members[0];
    return {
      color: colorOf(first.family),
      dash: { symmetric: "2 4", rescored: "7 4", "two-stage": "10 3 2 3" }[firstScoring(first)] ?? null,
      shape: first.kind === "lexical" ? "cross" : SHAPES[ENCODERS.indexOf(first.encoder) % SHAPES.length],
      hollow: Boolean(first.stage),
      family: first.family,
      points: members,
    };
  });
}

// What tells a line from the others among which it is chosen.
function lineLabel(line, among) {
  const differs = (field) => new Set(among.map((other) => other[field])).size > 1;
  const parts = [codecName(line)];
  if (differs("encoder")) parts.push(line.encoder);
  if (differs("run")) parts.push(DATA.runs[line.run].name);
  if (differs("seed")) parts.push(`seed ${line.seed}`);
  if (differs("fit_on") && line.fit_on !== "nothing" && HAS_PROTOCOLS) parts.push(`fit on ${line.fit_on}`);
  return parts.join(" · ");
}

const HAS_PROTOCOLS = new Set(DATA.lines.map((line) => line.fit_on).filter((name) => name !== "nothing")).size > 1;
const canAverage = TASKS.length > 1 && pointsOn(null, null).length > 0;
if (!canAverage) state.task = TASKS[0] ?? null;
