// One camera: its picture, what is known of it, and the editor for its masks. Masks are drawn on redacted pictures.
import { byId, causeWord, context, dateTime, duration, every, make, showState, slateText, t } from "./page.js";
import { attempt, get, send } from "./api.js";
import { LivePlayer } from "./player.js";

const SVG = "http://www.w3.org/2000/svg";
const SNAP = 0.012; // how near a click must be to a corner or an edge, as a share of the picture
const id = context.camera.id;
const video = byId("video");
const canvas = byId("masks");

let saved = [];
let masks = [];
let chosen = null; // index of the mask being edited
let drawing = false;
let dragged = null;

function showHealth(health) {
  const now = health ?? { state: "stale", cause: "server-lost", since_s: Date.now() / 1000 };
  showState(byId("state"), now);
  byId("slate").hidden = now.state === "live" || now.state === "covered";
  byId("slate").firstChild.textContent = slateText(now);
}

async function showFacts() {
  const camera = await get(`cameras/${encodeURIComponent(id)}`);
  const health = camera.health;
  const rows = [
    ["camera.place", [camera.site_name, camera.place].filter(Boolean).join(", ")],
    ["camera.purpose", camera.purpose],
    ["camera.targets", camera.targets.map((kind) => t(`target.${kind}`)).join(", ")],
    ["camera.mode", t(`mode.${camera.mode}`)],
    ["camera.mount", t(`mount.${camera.mount}`)],
    ["camera.hindsight", t("camera.frames", { n: camera.hindsight })],
    ["camera.retention", camera.record ? duration(camera.retention_hours * 3600) : t("camera.not-recorded")],
    ["health.cause", health && causeWord(health.cause)],
    ["health.since", health && dateTime(health.since_s)],
    ["health.fps", health && health.fps.toFixed(1)],
    ["health.clock", health && health.clock_offset_s !== null ? duration(Math.abs(health.clock_offset_s)) : ""],
  ];
  byId("facts").replaceChildren(...rows.flatMap(([key, value]) => (value ? [make("dt", {}, t(key)), make("dd", {}, value)] : [])));
  if (health) showState(byId("state"), health);
}

// --- masks -----------------------------------------------------------------------------------------------------------

/** Lay the drawing over the picture itself, which may have bars beside it. */
function fit() {
  const stage = byId("stage").getBoundingClientRect();
  const ratio = video.videoWidth ? video.videoWidth / video.videoHeight : 16 / 9;
  const width = Math.min(stage.width, stage.height * ratio);
  const height = width / ratio;
  Object.assign(canvas.style, {
    width: `${width}px`, height: `${height}px`, left: `${(stage.width - width) / 2}px`, top: `${(stage.height - height) / 2}px`,
  });
  canvas.dataset.ratio = String(ratio);
}

function draw() {
  canvas.replaceChildren();
  masks.forEach((mask, index) => {
    const polygon = document.createElementNS(SVG, mask.points.length > 2 ? "polygon" : "polyline");
    polygon.setAttribute("points", mask.points.map((point) => point.join(",")).join(" "));
    polygon.classList.toggle("chosen", index === chosen);
    canvas.append(polygon);
    if (index !== chosen) return;
    mask.points.forEach(([x, y], corner) => {
      const circle = document.createElementNS(SVG, "ellipse");
      for (const [name, value] of Object.entries({ cx: x, cy: y, rx: 0.008, ry: 0.008 * Number(canvas.dataset.ratio ?? 1.78) })) circle.setAttribute(name, value);
      circle.classList.add("corner");
      circle.dataset.corner = String(corner);
      canvas.append(circle);
    });
  });
  canvas.classList.toggle("editing", chosen !== null);
  const changed = JSON.stringify(masks) !== JSON.stringify(saved);
  byId("mask-undo").disabled = !changed;
  byId("mask-save").disabled = !changed || masks.some((mask) => mask.points.length < 3);
}

/** The list beside the picture: every mask with its name, and the corners of the chosen one as numbers (for the keyboard). */
function list() {
  byId("mask-list").replaceChildren(...masks.map((mask, index) => {
    const name = make("input", { value: mask.name, maxLength: 64, "aria-label": t("mask.name"), disabled: !context.may.masks,
      oninput: (event) => { mask.name = event.target.value; draw(); } });
    const corners = make("div", { className: "corners", hidden: index !== chosen }, ...mask.points.map((point, corner) =>
      make("span", {}, ...[0, 1].map((axis) => make("input", { type: "number", min: 0, max: 1, step: 0.01, value: point[axis].toFixed(3),
        "aria-label": t(axis ? "mask.y" : "mask.x", { n: corner + 1 }),
        onchange: (event) => { point[axis] = bounded(Number(event.target.value)); draw(); } })))));
    return make("li", {}, name,
      context.may.masks ? make("button", { type: "button", onclick: () => choose(index === chosen ? null : index) }, t(index === chosen ? "mask.done" : "mask.edit")) : null,
      context.may.masks ? make("button", { type: "button", className: "danger", onclick: () => remove(index) }, t("mask.remove")) : null, corners);
  }));
  byId("mask-tools").hidden = !context.may.masks;
  byId("mask-help").textContent = context.may.masks ? t(drawing ? "mask.help-drawing" : "mask.help") : t("mask.help-reader");
}

const bounded = (value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));

function choose(index) {
  chosen = index;
  drawing = false;
  list();
  draw();
}

function remove(index) {
  masks.splice(index, 1);
  choose(null);
}

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [bounded((event.clientX - box.left) / box.width), bounded((event.clientY - box.top) / box.height)];
}

/** The edge of a polygon nearest to a point: the index before which a new corner goes, and the distance. */
function nearestEdge(points, [x, y]) {
  let best = { at: points.length, distance: Infinity };
  points.forEach(([ax, ay], index) => {
    const [bx, by] = points[(index + 1) % points.length];
    const length2 = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = length2 ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2)) : 0;
    const distance = Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
    if (distance < best.distance) best = { at: index + 1, distance };
  });
  return best;
}

canvas.addEventListener("pointerdown", (event) => {
  if (chosen === null) return;
  const points = masks[chosen].points;
  const corner = event.target.dataset?.corner;
  if (corner !== undefined) {
    if (drawing && corner === "0" && points.length > 2) return choose(chosen);
    dragged = Number(corner);
    canvas.setPointerCapture(event.pointerId);
    return;
  }
  const place = placeOf(event);
  if (drawing) points.push(place);
  else {
    const edge = nearestEdge(points, place);
    if (edge.distance > 2 * SNAP) return;
    points.splice(edge.at, 0, place);
    dragged = edge.at;
    canvas.setPointerCapture(event.pointerId);
  }
  list();
  draw();
});
canvas.addEventListener("pointermove", (event) => {
  if (dragged === null) return;
  masks[chosen].points[dragged] = placeOf(event);
  draw();
});
canvas.addEventListener("pointerup", () => {
  if (dragged !== null) list();
  dragged = null;
});
canvas.addEventListener("dblclick", (event) => {
  const corner = event.target.dataset?.corner;
  if (corner === undefined || drawing || masks[chosen].points.length <= 3) return;
  masks[chosen].points.splice(Number(corner), 1);
  list();
  draw();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen !== null) choose(null);
});

byId("mask-add").addEventListener("click", () => {
  masks.push({ name: t("mask.new", { n: masks.length + 1 }), points: [] });
  choose(masks.length - 1);
  drawing = true;
  list();
});
byId("mask-undo").addEventListener("click", () => {
  masks = structuredClone(saved);
  choose(null);
});
byId("mask-save").addEventListener("click", () => attempt(async () => {
  await send("PUT", `cameras/${encodeURIComponent(id)}/masks`, { masks });
  saved = structuredClone(masks);
  choose(null);
}, t("mask.saved")));

await attempt(async () => {
  saved = (await get(`cameras/${encodeURIComponent(id)}/masks`)).masks;
  masks = structuredClone(saved);
  choose(null);
});
video.addEventListener("loadedmetadata", fit);
new ResizeObserver(fit).observe(byId("stage"));
new LivePlayer(video, id, showHealth).start();
every(5, () => attempt(showFacts));
