function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function makeControls() {
  const controls = byId("controls");
  if (TASKS.length > 1) {
    const options = TASKS.map((task) => [task, task]);
    if (canAverage) options.unshift([null, `Mean of ${TASKS.length} tasks`]);
    const draw = () => dropdown("Task", options, state.task, (task) => change({ task }));
    let select = draw();
    controls.append(select);
    listeners.push(() => {
      const fresh = draw();
      select.replaceWith(fresh);
      select = fresh;
    });
  }
  if (ENCODERS.length > 1) {
    controls.append(dropdown("Encoder", [[null, "all"], ...ENCODERS.map((encoder) => [encoder, encoder])], state.encoder,
      (encoder) => change({ encoder })));
  }
  if (METRICS.size) controls.append(dropdown("Metric", [...METRICS], state.metric, (metric) => change({ metric })));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  controls.append(el("button", { type: "button", id: "theme", title: "Light or dark", "aria-label": "Light or dark",
    click: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark") }, "◐"));
}

function drawHeader() {
  document.querySelector("h1").textContent = clip(DATA.title, 300);
  const names = (values) => (values.length < 4 ? values.map((value) => clip(value, 60)).join(", ") : String(values.length));
  byId("scope").replaceChildren(el("bdi", {}, [
    DATA.lines.length ? plural(DATA.lines.length, "line") : "",
    TASKS.length < 4 ? names(TASKS) : plural(TASKS.length, "task"),
    ENCODERS.length < 4 ? names(ENCODERS) : plural(ENCODERS.length, "encoder"),
    DATA.runs.length > 1 ? plural(DATA.runs.length, "run") : "",
  ].filter(Boolean).join(" · ")));
}

function drawCharts() {
  drawTiles();
  drawLegend();
  drawFrontier();
  drawSpeed();
  if (TASKS.length > 1) drawTasks();
}

// Charts, tables and rankings of results; a study may have none.
function drawResults() {
  if (!DATA.lines.length) {
    for (const id of ["frontier", "speed", "tasks", "table", "queries", "map"]) drop(id);
    return;
  }
  within("frontier", ".switches").append(segments("Size", [["stored", "stored", "Bytes on disk"], ["memory", "in memory", "Bytes in memory during a search"]],
    state.size, (size) => change({ size })));
  const speeds = Object.entries(SPEEDS).filter(([, [, of]]) => DATA.lines.some((line) => of(line) !== null));
  within("speed", ".switches").append(segments("Speed", speeds.map(([name]) =>
    [name, { queries: "batch of queries", latency: "single query", encode: "encoding" }[name]]), state.speed, (speed) => change({ speed })));
  if (TASKS.length < 2) drop("tasks");
  listeners.push(drawCharts);
  responsive(within("frontier", ".chart"), drawCharts);
  makeTable();
  makeMap();
  makeQueries();
}

async function drawStudies() {
  await drawFindings("plots", "plots", drawPlots);
  await drawFindings("spaces", "maps", (host, maps) => new LinkedMaps(host, maps));
  await drawFindings("kernels", "kernels", drawKernels);
  await drawFindings("examples", "examples", drawExamples);
  await drawFindings("findings", "tables", (host, table) => drawTable(host, table, nameOf(table)));
  document.documentElement.dataset.ready = "";
}

function start() {
  makeControls();
  drawHeader();
  drawResults();
  drawSources();
  drawStudies();
  addEventListener("scroll", hideTooltip, { passive: true });
  addEventListener("keydown", (event) => event.key === "Escape" && hideTooltip());
}

start();
