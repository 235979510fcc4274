// Kernel matrices as heat maps side by side, with the same colors.

// Eight colors of viridis, from low to high.
const VIRIDIS = ["440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725"].map((hex) =>
  [0, 2, 4].map((start) => Number.parseInt(hex.slice(start, start + 2), 16)));

function drawKernels(host, { title, labels, triangles, low, high }) {
  const n = labels.length;
  const read = (rows, i, j) => (i >= j ? rows[i][j] : rows[j][i]) / 1000;
  const canvases = triangles.map(([name, rows]) => {
    const canvas = el("canvas", { width: n, height: n, role: "img", "aria-label": `Kernel: ${clip(name, 80)}` });
    const picture = new ImageData(n, n);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) picture.data.set([...viridis((read(rows, i, j) - low) / Math.max(high - low, 1e-9)), 255], 4 * (i * n + j));
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const [across, down] = [el("span", { class: "across", hidden: true }), el("span", { class: "down", hidden: true })];
    return { name, rows, canvas, across, down, frame: el("div", { class: "kernel" }, canvas, across, down) };
  });
  const leave = () => {
    for (const { across, down } of canvases) across.hidden = down.hidden = true;
    hideTooltip();
  };
  for (const { canvas } of canvases) {
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      const [j, i] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((share) => Math.floor(n * share));
      if (i < 0 || j < 0 || i >= n || j >= n) return;
      for (const { across, down } of canvases) {
        across.hidden = down.hidden = false;
        across.style.top = `${(100 * (i + 0.5)) / n}%`;
        down.style.left = `${(100 * (j + 0.5)) / n}%`;
      }
      showTooltip([el("p", { class: "name", dir: "auto" }, clip(labels[i], 120)), el("p", { class: "name", dir: "auto" }, clip(labels[j], 120)),
        el("dl", {}, canvases.flatMap(({ name, rows }) => [el("dt", {}, clip(name, 60)), el("dd", {}, read(rows, i, j).toFixed(3))]))],
      event.clientX, event.clientY);
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", leave);
  }
  const scale = el("span", { class: "gradient" });
  scale.style.background = `linear-gradient(to right, ${VIRIDIS.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
  host.append(el("div", { class: "finding" },
    el("p", { class: "about", dir: "auto" }, clip(title, 600)),
    el("div", { class: "key" }, el("span", {}, signed(low)), scale, el("span", {}, signed(high))),
    el("div", { class: "pair" }, canvases.map(({ name, frame }) => el("figure", {}, el("figcaption", {}, el("b", { dir: "auto" }, clip(name, 80))), frame)))));
}

function signed(value) {
  return value.toFixed(2).replace("-", "−");
}

function viridis(share) {
  const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const from = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[from].map((channel, number) => channel + (place - from) * (VIRIDIS[from + 1][number] - channel));
}
