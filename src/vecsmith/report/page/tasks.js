// A small chart for each task, with the same codecs in the same colors.

function drawTasks() {
  const metric = state.metric === "retention" || DATA.lines.every((line) => line.retention === null) ? state.metric : "retention";
  const host = within("tasks", ".multiples");
  host.replaceChildren();
  const charts = [];
  for (const task of TASKS) {
    const points = visible(pointsOn(task, state.encoder));
    if (!points.length) continue;
    const baseline = points.find((point) => point.first.kind === "baseline");
    const chart = el("div", { class: "chart" });
    const facts = [baseline && `float32 ${quality("ndcg_at_10", baseline.metric("ndcg_at_10"))}`,
      plural(points[0].first.n_queries, "query")].filter(Boolean).join(" · ");
    host.append(el("figure", {},
      el("figcaption", {},
        el("button", { type: "button", title: clip(task, 300), click: () => {
          change({ task });
          byId("frontier").scrollIntoView();
        } }, el("bdi", {}, clip(task, 40))), el("span", {}, facts)), chart));
    charts.push([chart, points]);
  }
  for (const [chart, points] of charts) {
    drawChart(chart, {
      metric, series: seriesOf(points), x: (point) => point.value(SIZES[state.size]), xLabel: SIZE_NAMES[state.size],
      xFormat: short, powers: 2, moreIsBetter: false, joined: true, height: 170, small: true,
    });
  }
  within("tasks", ".note").textContent =
    `${METRICS.get(metric)} against ${SIZE_NAMES[state.size].toLowerCase()}. Click the name of a task to see it above.`;
}
