// Shapes over a picture that are drawn with the pointer, or moved with the keyboard: polygons and lines, in shares of it.
import { make, t } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR_PX = 14; // how near a click must be to an edge to give it a corner
const CORNER_PX = 7;
const STEP = 0.005;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const bounded = (value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));

function svgOf(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Lay elements over the picture itself, which may have bars beside it; `then` is called whenever its box changes. */
export function layOver(stage, video, layers, then) {
  const fit = () => {
    const box = stage.getBoundingClientRect();
    const ratio = video.videoWidth ? video.videoWidth / video.videoHeight : 16 / 9;
    const width = Math.min(box.width, box.height * ratio);
    const height = width / ratio;
    for (const layer of layers) {
      Object.assign(layer.style, {
        width: `${width}px`, height: `${height}px`, left: `${(box.width - width) / 2}px`, top: `${(box.height - height) / 2}px`,
      });
    }
    then(width, height);
  };
  video.addEventListener("loadedmetadata", fit);
  new ResizeObserver(fit).observe(stage);
}

/**
 * Items over a picture. An item has a label and parts, each `{ points, closed, most, arrow, bare, numbered }` with points in shares:
 * the points of a bare part are not joined, and have numbers. The chosen item shows its corners. `moved` is called while points move, `changed` when they did, `ended` when a part is complete.
 */
export class Shapes {
  items = [];
  chosen = null;
  drawing = null; // the part of the chosen item that the next click goes to
  marks = []; // what else is drawn: { points, className }
  #svg;
  #size = [1, 1];
  #dragged = null;
  #on;

  constructor(svg, { moved = () => {}, changed = () => {}, ended = () => {} } = {}) {
    this.#svg = svg;
    this.#on = { moved, changed, ended };
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => this.#up());
    // The pointer was captured, so the event itself does not say which corner it was.
    svg.addEventListener("dblclick", (event) => this.#remove(this.#cornerOf(document.elementFromPoint(event.clientX, event.clientY))));
    svg.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The picture has this size on the screen, in pixels. */
  resize(width, height) {
    this.#size = [width, height];
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.draw();
  }

  choose(index, drawing = null) {
    this.chosen = index;
    this.drawing = drawing;
    this.#dragged = null;
    this.draw();
  }

  draw() {
    const focused = this.#cornerOf(document.activeElement);
    const shapes = this.items.flatMap((item, index) => item.parts.filter((part) => !part.bare).map((part) => this.#outline(item, part, index)));
    const labels = this.items.filter((item) => item.label && item.parts[0].points.length).map((item) => this.#label(item));
    const marks = this.marks.map((mark) => svgOf("polyline", { points: this.#text(mark.points), class: mark.className }));
    const parts = this.items[this.chosen]?.parts ?? [];
    const corners = parts.flatMap((part, number) => part.points.map((point, corner) => this.#corner(point, number, corner)));
    const numbers = parts.filter((part) => part.bare || part.numbered).flatMap((part) => part.points.map(([x, y], index) =>
      svgOf("text", { x: x * this.#size[0] + 10, y: y * this.#size[1] - 8, class: "label" }, String(index + 1))));
    this.#svg.replaceChildren(...shapes, ...labels, ...marks, ...corners, ...numbers);
    this.#svg.classList.toggle("editing", this.chosen !== null);
    if (focused) this.#svg.querySelector(`[data-part="${focused.part}"][data-corner="${focused.corner}"]`)?.focus();
  }

  #text(points) {
    return points.map(([x, y]) => `${x * this.#size[0]},${y * this.#size[1]}`).join(" ");
  }

  #outline(item, part, index) {
    const closed = part.closed && part.points.length > 2;
    const shape = svgOf(closed ? "polygon" : "polyline", { points: this.#text(part.points), class: `shape ${part.arrow ? "way" : ""}` });
    shape.classList.toggle("chosen", index === this.chosen);
    shape.classList.toggle("wrong", Boolean(item.wrong));
    return shape;
  }

  #label(item) {
    const middle = (axis) => item.parts[0].points.reduce((sum, point) => sum + point[axis], 0) / item.parts[0].points.length;
    return svgOf("text", { x: middle(0) * this.#size[0], y: middle(1) * this.#size[1], class: "label" }, item.label);
  }

  #corner([x, y], part, corner) {
    const place = { x: Math.round(x * 100), y: Math.round(y * 100) };
    return svgOf("circle", {
      cx: x * this.#size[0], cy: y * this.#size[1], r: CORNER_PX, class: "corner", tabindex: 0, role: "button",
      "aria-label": t("shape.corner", { n: corner + 1, ...place }), "data-part": part, "data-corner": corner,
    });
  }

  #cornerOf(element) {
    const found = this.#svg.contains(element) ? element.dataset : {};
    return found.corner === undefined ? null : { part: Number(found.part), corner: Number(found.corner) };
  }

  #placeOf(event) {
    const box = this.#svg.getBoundingClientRect();
    return [bounded((event.clientX - box.left) / box.width), bounded((event.clientY - box.top) / box.height)];
  }

  #down(event) {
    if (this.chosen === null) return;
    const { parts } = this.items[this.chosen];
    const hit = this.#cornerOf(event.target);
    if (hit && this.drawing === hit.part && hit.corner === 0 && parts[hit.part].closed && parts[hit.part].points.length > 2) {
      this.#end();
      return;
    }
    // While a part is drawn, a corner of another one may lie where the next click belongs.
    if (hit && (this.drawing === null || this.drawing === hit.part)) this.#drag(hit, event);
    else if (this.drawing !== null) this.#add(parts[this.drawing], this.#placeOf(event));
    else this.#split(parts, event);
  }

  #add(part, place) {
    part.points.push(place);
    this.draw();
    this.#on.changed();
    if (part.points.length >= part.most) this.#end();
  }

  #end() {
    this.drawing = null;
    this.draw();
    this.#on.ended();
  }

  #drag(hit, event) {
    this.#dragged = hit;
    this.#svg.setPointerCapture(event.pointerId);
    this.#svg.querySelector(`[data-part="${hit.part}"][data-corner="${hit.corner}"]`)?.focus({ preventScroll: true });
    event.preventDefault();
  }

  /** Give the edge that was hit a corner, which the pointer holds. */
  #split(parts, event) {
    const place = this.#placeOf(event);
    const edges = parts.flatMap((part, number) => (part.closed ? this.#edges(part.points, number, place) : []));
    const nearest = edges.sort((a, b) => a.distance - b.distance)[0];
    if (!nearest || nearest.distance > NEAR_PX || parts[nearest.part].points.length >= parts[nearest.part].most) return;
    parts[nearest.part].points.splice(nearest.corner, 0, place);
    this.draw();
    this.#drag(nearest, event);
  }

  #edges(points, part, place) {
    const [px, py] = [place[0] * this.#size[0], place[1] * this.#size[1]];
    const pixels = points.map(([x, y]) => [x * this.#size[0], y * this.#size[1]]);
    return pixels.map(([ax, ay], index) => {
      const [bx, by] = pixels[(index + 1) % pixels.length];
      const length2 = (bx - ax) ** 2 + (by - ay) ** 2;
      const along = length2 ? Math.min(1, Math.max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length2)) : 0;
      return { part, corner: index + 1, distance: Math.hypot(px - ax - along * (bx - ax), py - ay - along * (by - ay)) };
    });
  }

  #move(event) {
    if (this.#dragged === null) return;
    const { part, corner } = this.#dragged;
    this.items[this.chosen].parts[part].points[corner] = this.#placeOf(event);
    this.draw();
    this.#on.moved();
  }

  #up() {
    if (this.#dragged === null) return;
    this.#dragged = null;
    this.#on.changed();
  }

  #remove(hit) {
    const part = hit && this.items[this.chosen].parts[hit.part];
    if (!part?.closed || this.drawing !== null || part.points.length <= 3) return;
    part.points.splice(hit.corner, 1);
    this.draw();
    this.#on.changed();
  }

  #key(event) {
    const hit = this.#cornerOf(event.target);
    if (!hit) return;
    const step = KEYS[event.key];
    if (step) {
      const points = this.items[this.chosen].parts[hit.part].points;
      const far = event.shiftKey ? 5 * STEP : STEP;
      points[hit.corner] = points[hit.corner].map((value, axis) => bounded(value + step[axis] * far));
      this.draw();
      this.#on.changed();
    } else if (event.key === "Delete" || event.key === "Backspace") this.#remove(hit);
    else return;
    event.preventDefault();
  }
}

/** Inputs for the corners of a part as numbers: the same by keyboard and for screen readers. */
export function cornerInputs(part, changed) {
  return part.points.map((point, corner) => make("span", {}, ...[0, 1].map((axis) => make("input", {
    type: "number", min: 0, max: 1, step: 0.001, value: point[axis].toFixed(3),
    "aria-label": t(axis ? "mask.y" : "mask.x", { n: corner + 1 }),
    onchange: (event) => {
      point[axis] = bounded(Number(event.target.value));
      changed();
    },
  }))));
}
