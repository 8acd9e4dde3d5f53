// Calibrating a camera on its redacted picture. The server fits; here is only what was clicked, and what it answered.
import { byId, context, dateTime, every, make, notify, showState, slateText, t } from "./page.js";
import { ApiError, attempt, get, send } from "./api.js";
import { Shapes, layOver } from "./shapes.js";
import { LivePlayer } from "./player.js";

const FIT_AFTER_MS = 400;
const MOST = 200;
const path = `cameras/${encodeURIComponent(context.camera.id)}/calibration`;
const video = byId("video");

const bare = () => ({ points: [], closed: false, most: MOST, bare: true });
const given = { // what was clicked and typed, by way
  points: { part: bare(), metres: [] },
  rectangle: { part: { points: [], closed: true, most: 4, numbered: true }, width: null, depth: null },
  camera: { height: null, tilt: null, view: null, roll: 0 },
  people: { parts: [], view: null },
  rulers: { view: null },
};
const more = { head_height: null, camera_height: null, fx: null, fy: null, cx: null, cy: null, k1: null, k2: null, p1: null, p2: null, k3: null };
const plan = { scale: { points: [], closed: false, most: 2 }, part: bare() };
let saved = { version: "", fitted: null, places: [] };
let fitted = null; // of what is given now
let edits = 0;
let fitting = null;
let shown = null;
let rulers = { state: "none", pairs: 0, enough: 0, view: null, number: 0, fitted: null }; // what the camera says of people

const shapes = new Shapes(byId("shapes"), { changed, ended });
const planShapes = new Shapes(byId("plan-shapes"), { changed: planChanged, ended: planEnded });
const way = () => document.querySelector("input[name=way]:checked").value;
const number = (value, digits) => value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });

// --- what is given ---------------------------------------------------------------------------------------------------

/** A labelled number; `target[key]` is null while it is empty. */
function field(target, key, label, { step = 0.01, id = `field-${key}` } = {}) {
  const value = target[key];
  const input = make("input", { type: "number", id, step, value: value === null || value === undefined ? "" : value, onchange: (event) => {
    target[key] = event.target.value === "" ? null : Number(event.target.value);
    changed();
  } });
  return make("label", {}, label, input);
}

function draw(part) {
  shapes.choose(0, part);
  help();
  byId("stage").scrollIntoView({ block: "nearest" });
}

function showForm() {
  const form = {
    points: () => [
      make("button", { type: "button", id: "add", onclick: () => draw(0) }, t("cal.add-points")),
      make("div", { id: "rows" }, ...given.points.part.points.map(pointRow)),
    ],
    rectangle: () => [
      make("button", { type: "button", id: "add", onclick: () => draw(0) }, t("cal.add-rectangle")),
      field(given.rectangle, "width", t("cal.width")), field(given.rectangle, "depth", t("cal.depth")),
    ],
    camera: () => [
      field(given.camera, "height", t("cal.height")), field(given.camera, "tilt", t("cal.tilt"), { step: 0.1 }),
      field(given.camera, "view", t("cal.view"), { step: 0.1 }), field(given.camera, "roll", t("cal.roll"), { step: 0.1 }),
    ],
    people: () => [
      make("p", { className: "soft" }, t("cal.people-note")),
      make("button", { type: "button", id: "add", onclick: addPerson }, t("cal.add-person")),
      make("p", { id: "people-count" }, t("cal.people-count", { n: given.people.parts.filter((part) => part.points.length === 2).length })),
      make("button", { type: "button", id: "remove-person", disabled: given.people.parts.length === 0, onclick: () => { given.people.parts.pop(); restart(); } }, t("cal.remove-person")),
      field(given.people, "view", t("cal.view"), { step: 0.1 }),
    ],
    rulers: () => [
      make("p", { className: "soft" }, t("cal.rulers-note")),
      field(given.rulers, "view", t("cal.view"), { step: 0.1 }),
      make("p", { id: "rulers-state", role: "status" }),
      make("progress", { id: "rulers-progress", "aria-label": t("cal.way-rulers") }),
      make("div", { className: "tools" },
        make("button", { type: "button", id: "rulers-begin", onclick: beginRulers }, t("cal.rulers-begin")),
        make("button", { type: "button", id: "rulers-drop", onclick: dropRulers }, t("cal.rulers-drop"))),
    ],
  }[way()]();
  byId("form").replaceChildren(...form);
  byId("plan-box").hidden = way() !== "points";
}

function pointRow(_, index) {
  const metres = (given.points.metres[index] ??= { x: null, y: null });
  const remove = make("button", { type: "button", className: "danger", "aria-label": t("cal.remove-point", { n: index + 1 }), onclick: () => {
    given.points.part.points.splice(index, 1);
    given.points.metres.splice(index, 1);
    plan.part.points.splice(index, 1);
    restart();
  } }, "×");
  return make("div", { className: "point-row" }, make("b", {}, String(index + 1)),
    field(metres, "x", t("cal.x"), { id: `x-${index}` }), field(metres, "y", t("cal.y"), { id: `y-${index}` }), remove);
}

function addPerson() {
  given.people.parts.push({ points: [], closed: false, most: 2 });
  restart();
  draw(given.people.parts.length - 1);
}

const partsOf = () => ({
  points: () => [given.points.part], rectangle: () => [given.rectangle.part], camera: () => [], people: () => given.people.parts, rulers: () => [],
}[way()]());

/** Begin anew with what is given now: another way, or something was taken away. */
function restart() {
  shapes.items = [{ parts: partsOf() }];
  shapes.choose(partsOf().length ? 0 : null);
  showForm();
  show(null, "cal.result");
  changed();
  if (way() === "rulers") showRulers();
}

function ended() {
  if (way() === "people" && shapes.drawing === null && given.people.parts.at(-1)?.points.length === 2) addPerson();
  help();
}

function help() {
  const drawing = shapes.drawing !== null;
  byId("help").textContent = t(drawing ? `cal.help-${way()}` : ["camera", "rulers"].includes(way()) ? `cal.help-${way()}` : "cal.help-edit");
}

// --- the plan --------------------------------------------------------------------------------------------------------

byId("plan-file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (!file) return;
  URL.revokeObjectURL(byId("plan").src);
  byId("plan").src = URL.createObjectURL(file); // stays in this browser
  byId("plan-stage").hidden = false;
  byId("plan-scale").disabled = byId("plan-points").disabled = false;
});
new ResizeObserver(() => {
  const { width, height } = byId("plan").getBoundingClientRect();
  Object.assign(byId("plan-shapes").style, { width: `${width}px`, height: `${height}px`, left: 0, top: 0 });
  planShapes.items = [{ parts: [plan.part, plan.scale] }];
  planShapes.resize(width, height);
}).observe(byId("plan"));
byId("plan-points").addEventListener("click", () => planShapes.choose(0, 0));
byId("plan-scale").addEventListener("click", () => {
  plan.scale.points.length = 0;
  planShapes.choose(0, 1);
});
byId("plan-length").addEventListener("change", planChanged);

function planEnded() {
  planShapes.choose(0);
  planChanged();
}

/** Give the points the metres that the plan says; y points up on it, as north does. */
function planChanged() {
  const { naturalWidth: width, naturalHeight: height } = byId("plan");
  const inPixels = ([x, y]) => [x * width, -y * height];
  const length = Number(byId("plan-length").value);
  if (plan.scale.points.length < 2 || !plan.part.points.length || !(length > 0)) return;
  const [from, to] = plan.scale.points.map(inPixels);
  const metres = length / Math.hypot(to[0] - from[0], to[1] - from[1]);
  const [zero, ...rest] = plan.part.points.map(inPixels);
  given.points.metres = [[0, 0], ...rest.map((point) => [point[0] - zero[0], point[1] - zero[1]])]
    .map(([x, y]) => ({ x: Math.round(x * metres * 1000) / 1000, y: Math.round(y * metres * 1000) / 1000 }));
  showForm();
  changed();
}

// --- fitting ---------------------------------------------------------------------------------------------------------

/** What the server is asked with; null while something is missing. */
function body() {
  const size = [video.videoWidth, video.videoHeight];
  if (!size[0]) return null;
  const pixels = (points) => points.map(([x, y]) => [x * size[0], y * size[1]]);
  const whole = (...values) => values.every((value) => value !== null && value !== undefined);
  const { metres } = given.points;
  const people = given.people.parts.filter((part) => part.points.length === 2).map((part) => pixels(part.points).flat());
  const asked = {
    points: () => {
      const found = pixels(given.points.part.points).map((pixel, index) => [...pixel, metres[index]?.x ?? null, metres[index]?.y ?? null]);
      return found.length >= 4 && whole(...found.flat()) ? { points: found } : null;
    },
    rectangle: () => (given.rectangle.part.points.length === 4 && whole(given.rectangle.width, given.rectangle.depth)
      ? { rectangle: { corners: pixels(given.rectangle.part.points), width: given.rectangle.width, depth: given.rectangle.depth } } : null),
    camera: () => (whole(given.camera.height, given.camera.tilt, given.camera.view) ? { camera: { ...given.camera, roll: given.camera.roll ?? 0 } } : null),
    people: () => (people.length && whole(given.people.view) ? { people, view: given.people.view } : null),
    rulers: () => null,
  }[way()]();
  if (asked === null) return null;
  if (whole(more.fx, more.fy, more.cx, more.cy)) {
    const coefficients = [more.k1, more.k2, more.p1, more.p2, more.k3].map((value) => value ?? 0);
    asked.lens = { focal: [more.fx, more.fy], centre: [more.cx, more.cy], coefficients };
  }
  if (more.head_height !== null) asked.head_height = more.head_height;
  if (more.camera_height !== null && way() === "points") asked.camera_height = more.camera_height;
  return { size, ...asked };
}

let timer = null;
function changed() {
  edits += 1;
  fitted = null;
  fitting = null;
  byId("save").disabled = true;
  if (way() === "points" && byId("rows")?.children.length !== given.points.part.points.length) showForm();
  if (byId("people-count")) byId("people-count").textContent = t("cal.people-count", { n: given.people.parts.filter((part) => part.points.length === 2).length });
  help();
  clearTimeout(timer);
  timer = setTimeout(fit, FIT_AFTER_MS);
}

async function fit() {
  if (way() === "rulers") {
    showRulers();
    return;
  }
  const turn = edits;
  const asked = body();
  let refused = "";
  let answer = null;
  await attempt(async () => {
    try {
      const told = asked && (await send("POST", `${path}/fitted`, asked));
      answer = told?.fitted ?? null;
      refused = told?.refused ?? "";
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 422)) throw error;
      refused = error.message;
    }
  });
  if (turn !== edits) return;
  fitted = answer;
  fitting = asked;
  byId("refused").textContent = refused;
  byId("refused").hidden = !refused;
  show(refused ? null : fitted ?? saved.fitted, fitted ? "cal.result" : "cal.in-use");
  byId("save").disabled = fitted === null || fitted.judged.some((one) => one.refused);
}

// --- people as rulers, before the camera --------------------------------------------------------------------------------

async function askRulers() {
  const told = await get(`${path}/people`);
  if (told.fitted && told.number === rulers.number) told.fitted = rulers.fitted ?? told.fitted; // the one that is shown
  rulers = told;
  if (way() === "rulers") showRulers();
}

/** How far the camera is, and over the picture what it found. */
function showRulers() {
  byId("rulers-state").textContent = t(`cal.rulers-${rulers.state}`, { n: rulers.pairs, enough: rulers.enough });
  byId("rulers-progress").hidden = rulers.state !== "collecting";
  byId("rulers-progress").max = rulers.enough;
  byId("rulers-progress").value = Math.min(rulers.pairs, rulers.enough);
  byId("rulers-begin").disabled = given.rulers.view === null || rulers.state === "collecting";
  byId("rulers-drop").disabled = rulers.state === "none";
  fitted = rulers.fitted;
  byId("refused").hidden = true;
  const wanted = fitted ?? saved.fitted;
  if (wanted !== shown) show(wanted, fitted ? "cal.result" : "cal.in-use");
  byId("save").disabled = fitted === null || fitted.judged.some((one) => one.refused);
}

const beginRulers = () => attempt(async () => {
  const { view } = given.rulers;
  await send("POST", `${path}/people`, more.head_height === null ? { view } : { view, head_height: more.head_height });
  await askRulers();
});

const dropRulers = () => attempt(async () => {
  await send("DELETE", `${path}/people`);
  await askRulers();
});

/** The grid, the horizon and figures over the picture, and what the calibration says of itself. */
function show(one, title) {
  shown = one;
  byId("result-title").textContent = t(title);
  byId("result-title").hidden = byId("check").hidden = one === null;
  shapes.marks = one === null ? [] : [
    ...one.grid.map((part) => ({ points: part.points, className: part.fine ? "grid" : "grid coarse" })),
    ...(one.horizon ? [{ points: one.horizon, className: "horizon" }] : []),
    ...one.figures.flatMap(([x1, y1, x2, y2]) => [
      { points: [[x1, y1], [x2, y2]], className: "figure" }, { points: [[x2, y2], [x2, y2]], className: "figure head" }]),
  ];
  shapes.draw();
  byId("facts").replaceChildren(...(one === null ? [] : facts(one)));
}

function facts(one) {
  const metres = (value) => (value === null ? t("cal.nothing") : t("draw.length", { n: number(value, 2) }));
  const rows = [
    ["cal.rms", one.rms_px === null ? t("cal.nothing") : t("cal.px", { n: number(one.rms_px, 1) }) + (one.rms_m === null ? "" : ` (${metres(one.rms_m)})`)],
    ["cal.left-out", metres(one.left_out_m)],
    ["cal.area-error", `± ${number(100 * one.area_sigma, 0)} %`],
    ["cal.camera-height", t("draw.length", { n: number(one.height_m, 2) })],
    ["cal.limit", t("cal.per-px", { n: number(one.limit_m_per_px, 2) })],
  ];
  const places = one.judged.map((judged, index) => [saved.places[index]?.name ?? judged.id, sizeOf(judged)]);
  return [...rows.map(([key, text]) => [t(key), text]), ...places].flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
}

function sizeOf(judged) {
  const size = judged.area_m2 !== null ? t("draw.area", { n: number(judged.area_m2, 1) }) : judged.length_m !== null ? t("draw.length", { n: number(judged.length_m, 1) }) : "";
  const why = judged.code === "other" ? judged.words : judged.code ? t(`draw.code-${judged.code}`) : "";
  return [size, why].filter(Boolean).join(" · ");
}

// --- saving ----------------------------------------------------------------------------------------------------------

function take(told) {
  saved = told;
  byId("version").textContent = !told.version ? t("cal.none")
    : told.by ? t("cal.version", { version: told.version, by: told.by, time: dateTime(told.at_s) }) : t("draw.version-file", { version: told.version });
}

byId("save").addEventListener("click", () => attempt(async () => {
  const { version } = saved;
  const byPeople = way() === "rulers";
  take(byPeople ? await send("PUT", `${path}/people`, { version, number: rulers.number }) : await send("PUT", path, { version, given: fitting }));
  if (byPeople) await askRulers();
  byId("save").disabled = true;
  show(saved.fitted, "cal.in-use");
  notify(t("cal.saved"));
}));
byId("clear").addEventListener("click", () => {
  given.points.part.points.length = given.points.metres.length = plan.part.points.length = 0;
  given.rectangle.part.points.length = given.people.parts.length = 0;
  planShapes.draw();
  restart();
});
byId("ways").addEventListener("change", restart);
byId("hold").addEventListener("change", (event) => player.hold(event.target.checked));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || shapes.drawing === null) return;
  if (way() === "people" && given.people.parts.at(-1)?.points.length < 2) given.people.parts.pop();
  restart();
});

byId("more").replaceChildren(...Object.keys(more).map((key) => field(more, key, t(`cal.more-${key}`), { step: "any" })));
layOver(byId("stage"), video, [byId("shapes")], (width, height) => shapes.resize(width, height));
await attempt(async () => {
  take(await get(path));
  await askRulers();
});
if (rulers.state !== "none") {
  document.querySelector("input[name=way][value=rulers]").checked = true;
  given.rulers.view = rulers.view;
}
restart();
every(2, () => (way() === "rulers" ? attempt(askRulers) : null));
video.addEventListener("loadedmetadata", changed);
const player = new LivePlayer(video, context.camera.id, (health) => {
  const now = health ?? { state: "stale", cause: "server-lost", since_s: Date.now() / 1000 };
  showState(byId("state"), now);
  byId("slate").hidden = now.state === "live" || now.state === "covered";
  byId("slate").firstChild.textContent = slateText(now);
});
player.start();
