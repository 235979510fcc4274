// Plots of studies: lines or points in panels, with one legend.

const FAR = 8;

// Plots of one group are shown one at a time.
function drawPlots(host, group) {
  const { plots } = group;
  const hidden = new Set();
  const about = el("p", { class: "about", dir: "auto" });
  const [legend, panels] = [el("div", { class: "legend" }), el("div")];
  let draw = () => {};
  const show = (number) => {
    const plot = plots[number];
    const names = unique(plot.panels.flatMap(([, lines]) => lines.map(([name]) => name)));
    const tint = (name) => (names.length > 1 ? `var(--color-${names.indexOf(name) % COLORS})` : "var(--accent)");
    about.textContent = clip(plot.title, 600);
    legend.replaceChildren(...(names.length < 2 ? [] : names.map((name) => {
      const button = el("button", { type: "button", class: "item", "aria-pressed": String(!hidden.has(name)), title: `Show or hide ${clip(name, 300)}`,
        click: () => {
          if (!hidden.delete(name)) hidden.add(name);
          button.setAttribute("aria-pressed", String(!hidden.has(name)));
          draw();
        },
        mouseenter: () => muteLines(panels, name), mouseleave: () => muteLines(panels, null),
      }, lineSample(plot.joined), el("bdi", {}, clip(name, 40)));
      button.style.color = tint(name);
      return button;
    })));
    panels.className = plot.panels.length > 1 ? "multiples" : "";
    const charts = plot.panels.map(([name, lines]) => [el("div", { class: "chart" }), name, lines]);
    panels.replaceChildren(...charts.map(([chart, name]) =>
      el("figure", {}, name ? el("figcaption", {}, el("b", { dir: "auto" }, clip(name, 80))) : null, chart)));
    draw = () => {
      const every = plot.panels.flatMap(([, lines]) => lines.filter(([name]) => !hidden.has(name)).flatMap(([, points]) => points));
      for (const [chart, , lines] of charts) {
        const shown = lines.filter(([name]) => !hidden.has(name)).map(([name, points]) => ({ name, points, tint: tint(name) }));
        if (!every.length) chart.replaceChildren(el("p", { class: "empty" }, "No line is shown."));
        else if (plot.x_names.length) drawDots(chart, plot, shown, every);
        else drawLines(chart, plot, shown, every, plot.panels.length > 1);
      }
    };
    draw();
  };
  host.append(el("div", { class: "finding" },
    el("div", { class: "heading" }, el("h3", { dir: "auto" }, nameOf(group)),
      plots.length > 1 ? dropdown("Measure", plots.map((plot, number) => [number, plot.y_label]), 0, show) : null),
    about, legend, panels));
  show(0);
  responsive(panels, () => draw());
}

function lineSample(joined) {
  return svg("svg", { class: "sample", width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" },
    joined ? svg("line", { class: "line", x1: 1, x2: 25, y1: 6, y2: 6 }) : null, svg("path", { class: "marker", d: SHAPE_PATHS.circle(3.5), transform: "translate(13,6)" }));
}

function muteLines(panels, name) {
  for (const node of panels.querySelectorAll("[data-line]")) node.classList.toggle("muted", name !== null && node.dataset.line !== name);
}

// At most four significant digits.
function figure(value) {
  return Number.isInteger(value) ? ENGLISH.format(value) : String(Number(value.toPrecision(4)));
}

// Lines or points of a panel. Panels of lines share their axes, so that they can be compared.
function drawLines(host, plot, lines, every, small) {
  const own = lines.flatMap(({ points }) => points);
  if (!own.length) {
    host.replaceChildren();
    return;
  }
  const width = Math.max(host.clientWidth, 220);
  const height = small ? 230 : innerWidth < 600 ? 300 : 380;
  const edge = { top: 20, right: 14, bottom: 42, left: 52 };
  const [w, h] = [width - edge.left - edge.right, height - edge.top - edge.bottom];
  const measured = plot.joined ? every : own;
  const xs = measured.map(([x]) => x);
  const isFar = plot.joined && Math.min(...xs) > 0 && Math.max(...xs) >= FAR * Math.min(...xs);
  const scaleX = isFar ? logScale(xs, w, 2) : horizontal(linearScale(xs, w, Math.max(3, Math.floor(w / 80))), w);
  const scaleY = linearScale(measured.map(([, y]) => y), h, small ? 6 : 8);
  const marks = [];
  const content = svg("g", { transform: `translate(${edge.left},${edge.top})` });
  for (const tick of scaleY.ticks) {
    const y = scaleY.place(tick);
    content.append(svg("line", { class: "grid", x1: 0, x2: w, y1: y, y2: y }),
      svg("text", { class: "tick", x: -8, y: y + 3.5, "text-anchor": "end" }, tick.toFixed(scaleY.digits)));
  }
  for (const tick of scaleX.ticks) {
    const x = scaleX.place(tick);
    content.append(svg("text", { class: "tick", x, y: h + 16, "text-anchor": "middle" }, figure(tick)));
  }
  content.append(svg("text", { class: "axis", x: w, y: h + 34, "text-anchor": "end" }, clip(plot.x_label, 60)),
    svg("text", { class: "axis", x: -edge.left + 6, y: -7 }, clip(plot.y_label, 60)));
  for (const { name, points, tint } of lines) {
    const sorted = plot.joined ? [...points].sort((a, b) => a[0] - b[0]) : points;
    const places = sorted.map(([x, y]) => [scaleX.place(x), scaleY.place(y)]);
    const group = svg("g", { class: "series", "data-line": name });
    group.style.color = tint;
    if (plot.joined && places.length > 1) {
      group.append(svg("path", { class: "line", d: places.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("") }));
    }
    places.forEach(([x, y], i) => {
      const node = svg("path", { class: "marker", d: SHAPE_PATHS.circle(small ? 3.2 : 4.2), transform: `translate(${x.toFixed(1)},${y.toFixed(1)})` });
      group.append(node);
      marks.push({ x: x + edge.left, y: y + edge.top, node, name, point: sorted[i] });
    });
    content.append(group);
  }
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "group",
    "aria-label": clip(`${plot.y_label} against ${plot.x_label}`, 200) }, content);
  host.replaceChildren(picture);
  hoverMarks(picture, marks, ({ name, point: [x, y] }) => [
    el("p", { class: "name", dir: "auto" }, clip(name, 120)),
    el("dl", {}, [[plot.x_label, x], [plot.y_label, y]].flatMap(([label, value]) =>
      [el("dt", {}, clip(label, 60)), el("dd", {}, figure(value))])),
  ]);
}

function horizontal(scale, length) {
  return { ...scale, place: (value) => length - scale.place(value) };
}

// A row for each category, with a dot for each line.
function drawDots(host, plot, lines, every) {
  const width = Math.max(host.clientWidth, 220);
  const longest = 18 + CHARACTER_WIDTH * Math.max(...plot.x_names.map((name) => name.length));
  // long names stand above their rows
  const above = longest > 0.4 * width;
  const [left, row, middle] = above ? [8, 44, 32] : [longest, 34, 17];
  const [right, bottom] = [lines.length > 1 ? 16 : 56, 40];
  const [w, h] = [width - left - right, row * plot.x_names.length];
  const scale = horizontal(linearScale(every.map(([, y]) => y), w, Math.max(3, Math.floor(w / 50))), w);
  const content = svg("g", { transform: `translate(${left},4)` });
  for (const tick of scale.ticks) {
    const x = scale.place(tick);
    content.append(svg("line", { class: "grid", x1: x, x2: x, y1: 0, y2: h }),
      svg("text", { class: "tick", x, y: h + 16, "text-anchor": "middle" }, tick.toFixed(scale.digits)));
  }
  plot.x_names.forEach((name, number) => {
    const y = row * number + middle;
    content.append(svg("line", { class: "grid", x1: 0, x2: w, y1: y, y2: y }), svg("text", { class: "tick row", x: above ? 0 : -10,
      y: above ? y - 15 : y + 4, "text-anchor": above ? "start" : "end" }, clip(name, Math.max(4, Math.floor(w / CHARACTER_WIDTH)))));
  });
  const marks = [];
  lines.forEach(({ name, points, tint }, number) => {
    const group = svg("g", { class: "series", "data-line": name });
    group.style.color = tint;
    // lines of equal values do not hide each other
    const offset = (number - (lines.length - 1) / 2) * Math.min(3, 16 / lines.length);
    for (const [x, y] of points) {
      const [px, py] = [scale.place(y), row * x + middle + offset];
      const node = svg("path", { class: "marker", d: SHAPE_PATHS.circle(4.5), transform: `translate(${px.toFixed(1)},${py.toFixed(1)})` });
      group.append(node);
      if (lines.length === 1) group.append(svg("text", { class: "tick", x: px + 10, y: py + 4 }, figure(y)));
      marks.push({ x: px + left, y: py + 4, node, name, category: plot.x_names[x], value: y });
    }
    content.append(group);
  });
  content.append(svg("text", { class: "axis", x: w, y: h + 34, "text-anchor": "end" }, clip(plot.y_label, 60)));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${h + bottom + 4}`, class: "plot", role: "group", "aria-label": clip(plot.y_label, 200) }, content);
  host.replaceChildren(picture);
  hoverMarks(picture, marks, ({ name, category, value }) => [
    el("p", { class: "name", dir: "auto" }, clip(name || category, 200)),
    name ? el("p", { class: "where", dir: "auto" }, clip(category, 200)) : null,
    el("p", {}, `${figure(value)} `, el("span", { class: "where" }, clip(plot.y_label, 80)))].filter(Boolean));
}

// Shows the nearest mark.
function hoverMarks(picture, marks, describe) {
  let shown = null;
  const leave = () => {
    shown?.node.classList.remove("active");
    shown = null;
    hideTooltip();
  };
  const move = (event) => {
    const box = picture.getBoundingClientRect();
    const scale = picture.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let [best, least] = [null, NEAR * NEAR];
    for (const mark of marks) {
      const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (distance < least) [best, least] = [mark, distance];
    }
    if (!best) {
      leave();
      return;
    }
    if (best !== shown) {
      shown?.node.classList.remove("active");
      best.node.classList.add("active");
      shown = best;
    }
    showTooltip(describe(best), event.clientX, event.clientY);
  };
  picture.addEventListener("pointermove", move);
  picture.addEventListener("pointerdown", move);
  picture.addEventListener("pointerleave", leave);
}
