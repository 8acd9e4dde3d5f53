// One camera: its picture, what is known of it, and the editor for its masks. Masks are drawn on redacted pictures.
import { byId, causeWord, context, dateTime, duration, every, make, notify, showState, slateText, t } from "./page.js";
import { ApiError, attempt, get, send } from "./api.js";
import { Shapes, cornerInputs, layOver } from "./shapes.js";
import { LivePlayer } from "./player.js";

const id = context.camera.id;
const video = byId("video");

const masksPath = `cameras/${encodeURIComponent(id)}/masks`;
let version = "";
let saved = [];
let masks = [];

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
  if (byId("trust")) byId("trust").hidden = health?.cause !== "moved";
}

byId("trust-view")?.addEventListener("click", () => attempt(async () => {
  if (!confirm(t("view.trust-sure"))) return;
  await send("POST", `cameras/${encodeURIComponent(id)}/view/trusted`);
  byId("trust").hidden = true;
  notify(t("view.trusted"));
}));

// --- masks -----------------------------------------------------------------------------------------------------------

const shapes = new Shapes(byId("masks"), { moved: showTools, changed: list, ended: () => choose(shapes.chosen) });

function showTools() {
  if (!context.may.masks) return;
  const changed = JSON.stringify(masks) !== JSON.stringify(saved);
  byId("mask-undo").disabled = !changed;
  byId("mask-save").disabled = !changed || masks.some((mask) => mask.points.length < 3);
}

/** The masks in the picture, and the list beside it: each with its name, and the corners of the chosen one as numbers. */
function list() {
  shapes.items = masks.map((mask) => ({ parts: [{ points: mask.points, closed: true, most: 64 }] }));
  shapes.draw();
  byId("mask-list").replaceChildren(...masks.map((mask, index) => {
    const chosen = index === shapes.chosen;
    const name = make("input", { value: mask.name, maxLength: 64, "aria-label": t("mask.name"), disabled: !context.may.masks,
      oninput: (event) => { mask.name = event.target.value; showTools(); } });
    const corners = make("div", { className: "corners", hidden: !chosen }, ...cornerInputs({ points: mask.points }, list));
    return make("li", {}, name,
      context.may.masks ? make("button", { type: "button", onclick: () => choose(chosen ? null : index) }, t(chosen ? "mask.done" : "mask.edit")) : null,
      context.may.masks ? make("button", { type: "button", className: "danger", onclick: () => remove(index) }, t("mask.remove")) : null, corners);
  }));
  byId("mask-help").textContent = context.may.masks ? t(shapes.drawing !== null ? "mask.help-drawing" : "mask.help") : t("mask.help-reader");
  showTools();
}

function take(told) {
  version = told.version;
  saved = told.masks;
  masks = structuredClone(saved);
  choose(null);
}

function choose(index, part = null) {
  shapes.choose(index, part);
  list();
}

function remove(index) {
  masks.splice(index, 1);
  choose(null);
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shapes.chosen !== null) choose(null);
});
byId("mask-add")?.addEventListener("click", () => {
  masks.push({ name: t("mask.new", { n: masks.length + 1 }), points: [] });
  choose(masks.length - 1, 0);
});
byId("mask-undo")?.addEventListener("click", () => {
  masks = structuredClone(saved);
  choose(null);
});
byId("mask-save")?.addEventListener("click", () => attempt(async () => {
  try {
    take(await send("PUT", masksPath, { version, masks }));
  } catch (error) {
    // What was drawn stays in the picture, to be looked at.
    if (error.status === 409 && (await get(masksPath)).version !== version) throw new ApiError(409, t("mask.stale"));
    throw error;
  }
}, t("mask.saved")));

if (context.may["read-masks"]) await attempt(async () => take(await get(masksPath)));
layOver(byId("stage"), video, [byId("masks")], (width, height) => shapes.resize(width, height));
new LivePlayer(video, id, showHealth).start();
every(5, () => attempt(showFacts));
