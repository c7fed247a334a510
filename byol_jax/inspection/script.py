"""What the map does; no text of the page is ever read as HTML or as code."""

JAVASCRIPT = r"""
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("map");
const card = document.getElementById("card");
const context = canvas.getContext("2d");
const base = document.createElement("canvas");
const count = data.x.length;
const margin = 14, cell = 44, reach = 24;
const images = new Array(count);
let width = 0, height = 0, scale = 1, radius = 3;
let shown = -1, pinned = false, chosen = -1;
let asPictures = !data.classes.length;

const source = (at) => "data:image/webp;base64," + data.thumbnails[at];
// Wide pages stretch the map: distances far apart mean nothing anyway.
const range = (values) => {
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return (x) => high > low ? (x - low) / (high - low) : 0.5;
};
const shareX = range(data.x), shareY = range(data.y);
const across = (share, room) => margin + share * (room - 2 * margin);
const placeX = (at) => across(shareX(data.x[at]), width);
const placeY = (at) => across(1 - shareY(data.y[at]), height);
const colour = (at) => data.colours.length
  ? data.colours[data.labels[at]] : "#4e79a7";
const isFaint = (at) => chosen >= 0 && data.labels[at] !== chosen;

function thumbnail(at) {
  const image = document.createElement("img");
  image.alt = "";
  image.onload = () => {
    if (Math.max(image.naturalWidth, image.naturalHeight) < 48)
      image.className = "small";
  };
  image.src = source(at);
  return image;
}

function paintPoints(target) {
  const passes = chosen >= 0 ? [true, false] : [false];
  for (const faint of passes) {
    target.globalAlpha = faint ? 0.13 : 0.85;
    for (let at = 0; at < count; at++) {
      if (isFaint(at) !== faint) continue;
      target.fillStyle = colour(at);
      target.beginPath();
      target.arc(placeX(at), placeY(at), radius, 0, 7);
      target.fill();
    }
  }
  target.globalAlpha = 1;
}

function paintPictures(target) {
  // One picture a cell, or they would hide each other.
  const taken = new Set();
  for (let at = 0; at < count; at++) {
    if (isFaint(at)) continue;
    const column = Math.floor(placeX(at) / cell);
    const row = Math.floor(placeY(at) / cell);
    const key = column * 10000 + row;
    if (taken.has(key)) continue;
    taken.add(key);
    const image = images[at] || (images[at] = thumbnail(at));
    if (!image.complete) {
      image.addEventListener("load", repaintSoon, {once: true});
      continue;
    }
    const most = Math.max(image.naturalWidth, image.naturalHeight);
    const w = (cell - 4) * image.naturalWidth / most;
    const h = (cell - 4) * image.naturalHeight / most;
    const x = Math.min((column + 0.5) * cell - w / 2, width - w);
    const y = Math.min((row + 0.5) * cell - h / 2, height - h);
    target.drawImage(image, x, y, w, h);
    if (data.colours.length) {
      target.strokeStyle = colour(at);
      target.lineWidth = 2;
      target.strokeRect(x, y, w, h);
    }
  }
}

let waiting = false;
function repaintSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; repaint(); });
}

function repaint() {
  const target = base.getContext("2d");
  target.setTransform(scale, 0, 0, scale, 0, 0);
  target.clearRect(0, 0, width, height);
  if (asPictures) paintPictures(target); else paintPoints(target);
  overlay();
}

function overlay() {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(base, 0, 0);
  if (shown < 0) return;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const ink = getComputedStyle(canvas).color;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.globalAlpha = 0.45;
  for (const other of data.near[shown]) {
    context.beginPath();
    context.moveTo(placeX(shown), placeY(shown));
    context.lineTo(placeX(other), placeY(other));
    context.stroke();
  }
  context.globalAlpha = 1;
  context.fillStyle = colour(shown);
  context.lineWidth = 2;
  context.beginPath();
  context.arc(placeX(shown), placeY(shown), radius + 3, 0, 7);
  context.fill();
  context.stroke();
}

function line(text, className) {
  const made = document.createElement("div");
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(at) {
  if (at === shown) return;
  shown = at;
  card.hidden = at < 0;
  if (at >= 0) {
    const near = document.createElement("div");
    near.className = "near";
    data.near[at].forEach((other) => near.append(thumbnail(other)));
    const parts = [thumbnail(at), line(data.names[at])];
    if (data.classes.length) parts.push(line(data.classes[data.labels[at]]));
    parts.push(line("most similar (cosine " + data.cosine[at] + "):", "soft"));
    card.replaceChildren(...parts, near);
    const x = placeX(at), y = placeY(at), gap = 16;
    const right = x + gap + card.offsetWidth <= width;
    const left = right ? x + gap : Math.max(0, x - gap - card.offsetWidth);
    const top = Math.max(0, Math.min(y - card.offsetHeight / 2,
                                     height - card.offsetHeight));
    card.style.transform = `translate(${left}px, ${top}px)`;
  }
  overlay();
}

function nearest(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  let best = -1, least = reach * reach;
  for (let at = 0; at < count; at++) {
    const distance = (placeX(at) - x) ** 2 + (placeY(at) - y) ** 2;
    if (distance < least && !isFaint(at)) { best = at; least = distance; }
  }
  return best;
}

canvas.addEventListener("pointermove", (event) => {
  if (!pinned && event.pointerType === "mouse") show(nearest(event));
});
canvas.addEventListener("pointerleave", (event) => {
  if (!pinned && event.pointerType === "mouse") show(-1);
});
canvas.addEventListener("click", (event) => {
  const at = nearest(event);
  pinned = at >= 0 && !(pinned && at === shown);
  show(at);
});
canvas.addEventListener("blur", () => { pinned = false; show(-1); });

const STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
               ArrowDown: [0, 1]};
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { pinned = false; show(-1); return; }
  const way = STEPS[event.key];
  if (!way) return;
  event.preventDefault();
  pinned = true;
  if (shown < 0) { show(0); return; }
  let best = shown, least = Infinity;
  for (let at = 0; at < count; at++) {
    const dx = placeX(at) - placeX(shown), dy = placeY(at) - placeY(shown);
    const ahead = dx * way[0] + dy * way[1];
    const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
    if (ahead <= 0 || aside > 2 * ahead || isFaint(at)) continue;
    if (ahead + aside < least) { best = at; least = ahead + aside; }
  }
  show(best);
});

function press(button, isOn) {
  button.setAttribute("aria-pressed", String(isOn));
}
const classButtons = document.querySelectorAll("button[data-class]");
classButtons.forEach((button) => button.addEventListener("click", () => {
  const mine = Number(button.dataset.class);
  chosen = chosen === mine ? -1 : mine;
  classButtons.forEach((x) => press(x, Number(x.dataset.class) === chosen));
  repaint();
}));
const pictureButton = document.getElementById("pictures");
pictureButton.addEventListener("click", () => {
  asPictures = !asPictures;
  press(pictureButton, asPictures);
  repaint();
});

function resize() {
  const box = canvas.getBoundingClientRect();
  width = box.width; height = box.height;
  scale = window.devicePixelRatio || 1;
  // So that the points cover about a tenth of the map.
  radius = Math.sqrt(0.1 * width * height / (Math.PI * count));
  radius = Math.max(1.5, Math.min(6, radius));
  for (const x of [canvas, base]) {
    x.width = Math.round(width * scale);
    x.height = Math.round(height * scale);
  }
  shown = -1; pinned = false; card.hidden = true;
  repaint();
}
// At once: to print, browsers may take a picture before any size is observed.
resize();
new ResizeObserver(resize).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
document.querySelectorAll(".rows img").forEach((image) => {
  if (Math.max(image.naturalWidth, image.naturalHeight) < 48)
    image.className = "small";
});
})();
"""
