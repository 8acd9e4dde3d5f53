// Zones and lines of a camera, drawn on its redacted picture. What they are on the floor is computed by the server.
import { byId, context, dateTime, make, notify, showState, slateText, t } from "./page.js";
import { attempt, get, send } from "./api.js";
import { Shapes, cornerInputs, layOver } from "./shapes.js";
import { LivePlayer } from "./player.js";

const USES = ["walkway", "stairs", "queue", "standing"];
const LIMITS = ["yellow", "orange", "red", "critical", "rise_s", "fall_s"];
const JUDGE_AFTER_MS = 400;
const path = `cameras/${encodeURIComponent(context.camera.id)}/drawing`;

let drawing = { version: "", places: [], defaults: {} };
let places = []; // as the API has them, and `known`: saved before
let judged = [];
let edits = 0;
let judgedEdits = 0; // the edit that `judged` is of

const shapes = new Shapes(byId("shapes"), { changed: drawn, ended: () => choose(shapes.chosen) });

const isWhole = (place) => place.points.length >= (place.line ? 2 : 3) && (!place.way || place.way.length === 2);
const toSend = () => places.map(({ known, ...place }) => place);
const isChanged = () => JSON.stringify(toSend()) !== JSON.stringify(drawing.places);

function partsOf(place) {
  const outline = { points: place.points, closed: !place.line, most: place.line ? 2 : 32 };
  return place.way ? [outline, { points: place.way, closed: false, most: 2, arrow: true }] : [outline];
}

/** Show everything again, in the picture and beside it. Who types or moves on with Tab keeps their place: see `refresh`. */
function show() {
  const focused = byId("places").contains(document.activeElement) ? document.activeElement.id : "";
  byId("places").replaceChildren(...places.map(row));
  if (focused) byId(focused)?.focus();
  refresh();
}

/** Show what is said of the places, and where they are; fields stay as they are. */
function refresh() {
  shapes.items = places.map((place, index) => ({ label: place.name, parts: partsOf(place), wrong: judged[index]?.refused }));
  shapes.marks = [
    ...judged.filter((one) => one?.forward).map((one) => arrow(...one.forward)),
    ...places.filter((place) => place.way?.length === 2).map((place) => arrow(...place.way)),
  ];
  shapes.draw();
  places.forEach((place, index) => {
    byId(`name-${index}`).textContent = place.name || "–";
    byId(`said-${index}`).replaceChildren(saidOf(place, judged[index]));
  });
  showTools();
}

function showTools() {
  const settled = judgedEdits === edits && judged.length === places.length && judged.every((one) => one && !one.refused);
  byId("undo").disabled = !isChanged();
  byId("save").disabled = !isChanged() || !settled || !places.every((place) => isWhole(place) && place.name.trim());
  const place = places[shapes.chosen];
  byId("help").textContent = !place ? t("draw.help")
    : shapes.drawing === 1 ? t("draw.help-way")
      : shapes.drawing === 0 ? t(place.line ? "draw.help-line" : "draw.help-zone") : t("draw.help-edit");
}

/** A short arrow from one point to another, in shares. */
function arrow(from, to) {
  const back = [from[0] - to[0], from[1] - to[1]];
  const wing = (turn) => [to[0] + 0.3 * (back[0] - turn * back[1]), to[1] + 0.3 * (back[1] + turn * back[0])];
  return { points: [from, to, wing(0.6), to, wing(-0.6)], className: "arrow" };
}

// --- the list --------------------------------------------------------------------------------------------------------

const number = (value, digits) => value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** How large a place is, who is told of it, and what is wrong with it. */
function saidOf(place, said) {
  if (!isWhole(place) || !said) return make("p", { className: "soft" }, t("draw.unfinished"));
  const size = said.area_m2 !== null ? t("draw.area", { n: number(said.area_m2, 1) }) : said.length_m !== null ? t("draw.length", { n: number(said.length_m, 1) }) : "";
  if (said.refused) {
    const why = said.code === "other" ? said.words : t(`draw.code-${said.code}`);
    return make("p", { className: "error" }, [size, why].filter(Boolean).join(" · "));
  }
  const told = t(said.public ? "draw.told-public" : said.staff ? "draw.told-staff" : "draw.told-room");
  const why = said.code ? t(`draw.code-${said.code}`) : "";
  return make("p", { className: "soft" }, [size, told, why].filter(Boolean).join(" · "));
}

function row(place, index) {
  const chosen = index === shapes.chosen;
  const toggle = make("button", { type: "button", id: `edit-${index}`, "aria-expanded": String(chosen), onclick: () => choose(chosen ? null : index) }, t(chosen ? "mask.done" : "mask.edit"));
  const remove = make("button", { type: "button", className: "danger", "aria-label": t("draw.remove", { name: place.name }), onclick: () => removeAt(index) }, t("mask.remove"));
  const head = make("div", { className: "place-head" }, make("b", { id: `name-${index}` }),
    make("span", { className: "soft" }, t(place.line ? "draw.line" : `use.${place.use}`)), make("span", { className: "grow" }), toggle, remove);
  return make("li", { className: "block" }, head, make("div", { id: `said-${index}` }), chosen ? form(place) : null);
}

const cornersOf = (place) => partsOf(place).flatMap((part) => cornerInputs(part, changed));

function form(place) {
  const edit = (key) => (event) => {
    place[key] = event.target.value;
    changed();
  };
  const name = make("label", {}, t("draw.name"), make("input", { id: "name", value: place.name, maxLength: 200, required: true, onchange: edit("name") }));
  const short = make("label", {}, t("draw.id"), make("input", { id: "id", value: place.id, maxLength: 63, pattern: "[a-z0-9][a-z0-9\\-]*", disabled: place.known, onchange: edit("id") }));
  const corners = make("details", {}, make("summary", {}, t("draw.corners")), make("div", { className: "corners", id: "corners" }, ...cornersOf(place)));
  if (place.line) {
    const turn = make("button", { type: "button", id: "turn", onclick: () => { place.points.reverse(); drawn(); } }, t("draw.turn"));
    return make("div", { className: "form" }, name, short, make("p", { className: "soft" }, t("draw.forward")), turn, corners);
  }
  const use = make("select", { id: "use", onchange: (event) => { place.use = event.target.value; changed(); show(); } }, ...USES.map((one) => make("option", { value: one, selected: one === place.use }, t(`use.${one}`))));
  return make("div", { className: "form" }, name, short, make("label", {}, t("draw.use"), use), way(place), limits(place), corners);
}

function way(place) {
  const button = place.way
    ? make("button", { type: "button", id: "way", onclick: () => { place.way = null; changed(); show(); } }, t("draw.no-way"))
    : make("button", { type: "button", id: "way", onclick: () => { place.way = []; choose(shapes.chosen, 1); } }, t("draw.add-way"));
  return make("div", {}, button);
}

/** Thresholds of its own, or those of its use. */
function limits(place) {
  const own = make("input", { type: "checkbox", id: "own", checked: place.thresholds !== null, onchange: (event) => {
    place.thresholds = event.target.checked ? { ...drawing.defaults[place.use] } : null;
    changed();
    show();
  } });
  const shown = place.thresholds ?? drawing.defaults[place.use] ?? {};
  const inputs = LIMITS.map((key) => make("label", {}, t(`draw.limit-${key}`), make("input", {
    type: "number", id: `limit-${key}`, min: 0, step: key.endsWith("_s") ? 1 : 0.1, value: shown[key] ?? "", disabled: place.thresholds === null,
    onchange: (event) => {
      place.thresholds[key] = Number(event.target.value);
      changed();
    },
  })));
  return make("fieldset", {}, make("legend", {}, t("draw.limits")), make("label", {}, own, t("draw.own-limits")), make("div", { className: "limits" }, ...inputs));
}

// --- changes ---------------------------------------------------------------------------------------------------------

function choose(index, part = null) {
  if (shapes.drawing !== null && places[shapes.chosen]) dropUnfinished(places[shapes.chosen]);
  shapes.choose(index, part);
  show();
}

/** A way of one point is none. */
function dropUnfinished(place) {
  if (place.way && place.way.length < 2) place.way = null;
}

function removeAt(index) {
  places.splice(index, 1);
  judged.splice(index, 1);
  shapes.choose(null);
  changed();
  show();
}

function add(line) {
  const word = line ? "line" : "zone";
  let count = 1;
  while (places.some((place) => place.id === `${word}-${count}`)) count += 1;
  places.push({ id: `${word}-${count}`, name: t(line ? "draw.new-line" : "draw.new-zone", { n: count }), line, points: [], use: "walkway", way: null, thresholds: null, known: false });
  choose(places.length - 1, 0);
  byId("stage").scrollIntoView({ block: "nearest" });
}

let timer = null;
function changed() {
  edits += 1;
  refresh();
  clearTimeout(timer);
  timer = setTimeout(judge, JUDGE_AFTER_MS);
}

/** Corners were moved in the picture. */
function drawn() {
  byId("corners")?.replaceChildren(...cornersOf(places[shapes.chosen]));
  changed();
}

/** Ask the server what the places are now; places that are not whole wait. */
async function judge() {
  const asked = places.filter(isWhole);
  const bodies = asked.map(({ known, ...place }) => place);
  const turn = edits;
  await attempt(async () => {
    const told = asked.length ? await send("POST", `${path}/judged`, { places: bodies }) : [];
    if (turn !== edits) return; // it was changed meanwhile, and is asked again
    judged = places.map((place) => told[asked.indexOf(place)] ?? null);
    judgedEdits = turn;
    refresh();
  });
}

function take(told) {
  drawing = told;
  places = told.places.map((place) => ({ ...structuredClone(place), known: true }));
  judged = told.judged;
  judgedEdits = edits;
  byId("version").textContent = told.by ? t("draw.version", { version: told.version, by: told.by, time: dateTime(told.at_s) }) : t("draw.version-file", { version: told.version });
  byId("uncalibrated").hidden = told.calibrated;
  choose(null);
}

byId("add-zone").addEventListener("click", () => add(false));
byId("add-line").addEventListener("click", () => add(true));
byId("undo").addEventListener("click", () => take(drawing));
byId("save").addEventListener("click", () => attempt(async () => {
  take(await send("PUT", path, { version: drawing.version, places: toSend() }));
  notify(t("draw.saved"));
}));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shapes.chosen !== null) choose(null);
});
window.addEventListener("beforeunload", (event) => {
  if (isChanged()) event.preventDefault();
});

layOver(byId("stage"), byId("video"), [byId("shapes")], (width, height) => shapes.resize(width, height));
await attempt(async () => take(await get(path)));
new LivePlayer(byId("video"), context.camera.id, (health) => {
  const now = health ?? { state: "stale", cause: "server-lost", since_s: Date.now() / 1000 };
  showState(byId("state"), now);
  byId("slate").hidden = now.state === "live" || now.state === "covered";
  byId("slate").firstChild.textContent = slateText(now);
}).start();
