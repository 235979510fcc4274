"use strict";

// Elements are made from text nodes and attributes only, never from markup, so that no text of a result is read as HTML.

const byId = (id) => document.getElementById(id);
const within = (id, selector) => byId(id).querySelector(selector);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// A row of buttons of which one is pressed.
function segments(label, options, current, choose) {
  const buttons = options.map(([value, text, title]) =>
    el("button", {
      type: "button",
      title,
      "aria-pressed": String(value === current),
      click: (event) => {
        for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
        choose(value);
      },
    }, text));
  return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

function dropdown(label, options, current, choose) {
  const select = el("select", { "aria-label": label, change: () => choose(options[select.selectedIndex][0]) },
    options.map(([value, text, title]) => el("option", { selected: value === current, title }, clip(text, 70))));
  return el("label", { class: "dropdown" }, el("span", {}, label), select);
}

function placeTooltip(x, y) {
  const box = byId("tooltip");
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = x + 16 + width < innerWidth ? x + 16 : x - 16 - width;
  box.style.left = `${Math.max(8, Math.min(right, innerWidth - width - 8))}px`;
  box.style.top = `${Math.max(8, Math.min(y - height / 2, innerHeight - height - 8))}px`;
}

function showTooltip(children, x, y) {
  byId("tooltip").replaceChildren(...children);
  placeTooltip(x, y);
}

function hideTooltip() {
  byId("tooltip").hidden = true;
}

let toastTimer = 0;

function toast(...children) {
  const box = byId("toast");
  box.replaceChildren(...children);
  box.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("shown"), 3500);
}

// Clipboard access is refused in some embedded views; a selected text area works there.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

async function copyCommands(lines) {
  const commands = [...new Set(lines.map((line) => line.command).filter(Boolean))];
  if (!commands.length) {
    toast("No command is recorded for this line.");
    return;
  }
  await copy(commands.join("\n"));
  toast(el("b", {}, commands.length > 1 ? `Copied ${commands.length} commands: ` : "Copied: "),
    el("code", {}, clip(commands.join(" … "), 160)));
}

// Removes a section that has no content.
function drop(id) {
  byId(id).remove();
  document.querySelector(`nav a[href="#${id}"]`).remove();
}

// Draws now and whenever the width changes.
function responsive(host, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (host.clientWidth && host.clientWidth !== width) {
      width = host.clientWidth;
      draw();
    }
  }).observe(host);
}
