// Points in two dimensions on a canvas. Dots are painted once for each zoom and place; what is above them, at every change.

const NEAREST = 14;
const MOST_ZOOM = 40;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// What several maps of the same axes have in common.
class MapView {
  constructor(places) {
    this.maps = [];
    const [x, y] = [0, 1].map((axis) => places.map((place) => place[axis]));
    const range = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    [this.x0, this.x1, this.y0, this.y1] = [...range(x), ...range(y)];
    this.showAll();
  }

  showAll() {
    Object.assign(this, { zoom: 1, x: (this.x0 + this.x1) / 2, y: (this.y0 + this.y1) / 2 });
  }

  zoomBy(factor) {
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    if (this.zoom === 1) this.showAll();
    this.paint();
  }

  paint() {
    for (const map of this.maps) map.schedule();
  }

  buttons() {
    return el("div", { class: "segments", role: "group", "aria-label": "Zoom" },
      el("button", { type: "button", "aria-label": "Zoom in", click: () => this.zoomBy(1.6) }, "+"),
      el("button", { type: "button", "aria-label": "Zoom out", click: () => this.zoomBy(1 / 1.6) }, "−"),
      el("button", { type: "button", click: () => this.zoomBy(0) }, "all"));
  }
}

// spec: places, dots (how many of them have a dot), group (of a dot), colors (of the groups), labels [words, place],
// height, under and over (paint below and above the labels), hover and choose (get the number of a place)
class PointMap {
  constructor(host, view, name, spec) {
    Object.assign(this, { host, view, spec, hovered: -1, base: el("canvas"), painted: "", waiting: false });
    this.canvas = el("canvas", { role: "img", "aria-label": name });
    host.replaceChildren(this.canvas);
    view.maps.push(this);
    this.canvas.addEventListener("pointermove", (event) => (event.buttons && event.pointerType === "mouse" ? this.drag(event) : this.point(event)));
    this.canvas.addEventListener("pointerdown", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", (event) => this.hover(-1, event));
    this.canvas.addEventListener("click", () => this.hovered >= 0 && spec.choose(this.hovered));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      view.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    }, { passive: false });
    responsive(host, () => this.paint());
    new MutationObserver(() => this.paint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  measure() {
    this.width = Math.max(this.host.clientWidth, 200);
    this.height = this.spec.height();
    const { x0, x1, y0, y1, zoom } = this.view;
    this.scale = Math.min((this.width - 70) / Math.max(x1 - x0, 1), (this.height - 60) / Math.max(y1 - y0, 1)) * zoom;
    this.radius = Math.min(5, (this.spec.dots > 10000 ? 1.2 : this.spec.dots > 2000 ? 1.7 : 2.4) * Math.sqrt(zoom));
  }

  // Place on the canvas, in pixels of the page.
  screen(number) {
    const [x, y] = this.spec.places[number];
    return [this.width / 2 + (x - this.view.x) * this.scale, this.height / 2 - (y - this.view.y) * this.scale];
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    if (!this.canvas.isConnected) return;
    this.measure();
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    const colors = this.spec.colors();
    const state = JSON.stringify([width, height, this.view.zoom, this.view.x, this.view.y, colors, this.spec.version?.()]);
    if (state !== this.painted) {
      this.paintDots(width, height, ratio, colors);
      this.painted = state;
    }
    Object.assign(this.canvas, { width, height });
    this.canvas.style.height = `${this.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.drawImage(this.base, 0, 0);
    pen.scale(ratio, ratio);
    this.spec.under(pen, this);
    pen.textAlign = "center";
    pen.lineJoin = "round";
    const written = [];
    for (const [words, place] of this.spec.labels) this.writeLabel(pen, words, place, written);
    this.spec.over(pen, this);
    if (this.hovered >= 0) this.ring(pen, this.hovered, this.radius + 3, color("--ink"));
  }

  // A dot of each color is drawn once and copied, which is much faster than a circle for each point.
  paintDots(width, height, ratio, colors) {
    Object.assign(this.base, { width, height });
    const pen = this.base.getContext("2d");
    const size = Math.ceil(2 * this.radius * ratio) + 2;
    const stamps = colors.map((fill) => {
      const stamp = el("canvas", { width: size, height: size });
      const ink = stamp.getContext("2d");
      ink.fillStyle = fill;
      ink.arc(size / 2, size / 2, this.radius * ratio, 0, 7);
      ink.fill();
      return stamp;
    });
    const groups = Array.from({ length: this.spec.dots }, (_, number) => this.spec.group(number));
    for (let number = 0; number < this.spec.dots; number += 1) {
      if (groups[number] === null) continue;
      const [x, y] = this.screen(number);
      pen.globalAlpha = this.spec.alpha ?? 0.45;
      pen.drawImage(stamps[groups[number]], x * ratio - size / 2, y * ratio - size / 2);
    }
  }

  dot(pen, number, size) {
    const [x, y] = this.screen(number);
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
  }

  ring(pen, number, size, stroke) {
    pen.strokeStyle = stroke;
    pen.lineWidth = 2;
    this.dot(pen, number, size);
    pen.stroke();
  }

  disc(pen, number, size, fill) {
    pen.fillStyle = fill;
    this.dot(pen, number, size);
    pen.fill();
  }

  line(pen, from, to, stroke) {
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(...this.screen(from));
    pen.lineTo(...this.screen(to));
    pen.stroke();
  }

  writeLabel(pen, words, [placeX, placeY], written) {
    const text = clip(this.width < 600 ? words.split(", ").slice(0, 2).join(", ") : words, 44);
    if (!text) return;
    const x = this.width / 2 + (placeX - this.view.x) * this.scale;
    const y = this.height / 2 - (placeY - this.view.y) * this.scale;
    pen.font = "600 12px system-ui, sans-serif";
    const half = pen.measureText(text).width / 2;
    if (x < -half || x > this.width + half || y < 0 || y > this.height) return;
    const left = Math.max(half + 4, Math.min(x, this.width - half - 4));
    if (written.some(([otherX, otherY, otherHalf]) => Math.abs(otherX - left) < otherHalf + half + 6 && Math.abs(otherY - y) < 15)) return;
    written.push([left, y, half]);
    pen.lineWidth = 4;
    pen.strokeStyle = color("--paper");
    pen.strokeText(text, left, y);
    pen.fillStyle = color("--ink");
    pen.fillText(text, left, y);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [-1, NEAREST * NEAREST];
    for (let number = 0; number < this.spec.places.length; number += 1) {
      if (number < this.spec.dots && this.spec.group(number) === null) continue;
      const [left, top] = this.screen(number);
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance <= least) [best, least] = [number, distance];
    }
    this.hover(best, event);
  }

  hover(number, event) {
    if (number < 0) hideTooltip();
    else showTooltip(this.spec.describe(number), event.clientX, event.clientY);
    if (number === this.hovered) return;
    for (const map of this.spec.linked ? this.view.maps : [this]) {
      map.hovered = number;
      map.schedule();
    }
  }

  drag(event) {
    this.view.x -= event.movementX / this.scale;
    this.view.y += event.movementY / this.scale;
    hideTooltip();
    this.view.paint();
  }
}
