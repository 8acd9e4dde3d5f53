// The alarm desk: what is open now, with a sound until somebody takes it on, and what was.
import { byId, context, duration, every, fill, make, renew, t, timeCell } from "./page.js";
import { attempt, get, send } from "./api.js";
import { levelChip, rankOf, replayOf } from "./levels.js";

const RING_EVERY_S = 2;
let sound = null;
let open = [];

// --- the sound --------------------------------------------------------------------------------------------------------

/** Browsers give sound only after a click, so the desk says aloud that it is silent until then. */
byId("sound").addEventListener("click", () => {
  if (sound) {
    sound.close();
    sound = null;
  } else {
    sound = new AudioContext();
  }
  byId("sound").setAttribute("aria-pressed", String(sound !== null));
  byId("sound").textContent = t(sound ? "alarm.sound-off" : "alarm.sound-on");
  showSilence();
});

function showSilence() {
  byId("silent").hidden = sound !== null || !open.some(rings);
}

const taken = (alarm) => alarm.acknowledged_s !== null;
const rings = (alarm) => !taken(alarm) && rankOf(alarm.level) >= 2;

function ring() {
  const loudest = open.filter(rings).sort((a, b) => rankOf(b.level) - rankOf(a.level))[0];
  document.title = loudest ? `● ${loudest.name} · Skyveil` : `${t("nav.alarms")} · Skyveil`;
  if (!sound || !loudest) return;
  const beeps = rankOf(loudest.level) >= 3 ? 3 : 1;
  for (let beep = 0; beep < beeps; beep += 1) {
    const tone = sound.createOscillator();
    const gain = sound.createGain();
    const at = sound.currentTime + beep * 0.25;
    tone.frequency.value = rankOf(loudest.level) >= 3 ? 880 : 587;
    gain.gain.setValueAtTime(0.2, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.2);
    tone.connect(gain).connect(sound.destination);
    tone.start(at);
    tone.stop(at + 0.22);
  }
}

// --- what is open -----------------------------------------------------------------------------------------------------

function alarmRow(alarm) {
  const head = make("div", { className: "place-head" },
    alarm.drill ? make("strong", { className: "drill" }, t("alarm.is-drill")) : null,
    make("strong", {}, alarm.name), levelChip(alarm.level),
    make("span", { className: "soft", "aria-live": "off" }, t("alarm.for", { time: duration(Math.max(0, Date.now() / 1000 - alarm.since_s)) })),
    make("span", { className: "grow" }),
    ...(alarm.place ? ways(alarm) : []), takeOn(alarm));
  return make("li", { dataset: { key: alarm.id, level: alarm.level, state: taken(alarm) ? "taken" : "raised" } }, head, ...alarm.reasons.map((reason) => make("p", {}, reason)));
}

/** To the camera now, and to the replay from when the alarm began. */
function ways(alarm) {
  const camera = `/cameras/${encodeURIComponent(alarm.camera)}`;
  return [make("a", { className: "button", href: camera }, t("alarm.look")),
    make("a", { className: "button", href: replayOf(alarm.camera, alarm.place, alarm.id, alarm.since_s) }, t("alarm.replay"))];
}

function takeOn(alarm) {
  if (taken(alarm)) return make("span", { className: "soft" }, t("alarm.taken-by", { name: alarm.acknowledged_by }));
  if (!context.may.acknowledge) return null;
  return make("button", { type: "button", className: "primary acknowledge", onclick: () => attempt(async () => {
    await send("POST", `alarms/${encodeURIComponent(alarm.id)}/acknowledge`);
    await showOpen();
  }, t("alarm.taken")) }, t("alarm.take-on"));
}

async function showOpen() {
  open = await get("alarms");
  renew(byId("open"), open.map(alarmRow));
  byId("quiet").hidden = open.length > 0;
  showSilence();
}

// --- what was ---------------------------------------------------------------------------------------------------------

async function showLog() {
  const log = await get("alarms/log", { from: Math.floor(Date.now() / 1000 - 86400) });
  fill(byId("log"), log.map((one) => make("tr", { dataset: { key: one.id } },
    timeCell(one.at_s), make("td", {}, one.name), make("td", {}, levelChip(one.level)),
    make("td", {}, (one.drill ? `${t("alarm.is-drill")} ` : "") + t(`alarm.event-${one.event}`)), make("td", {}, one.actor), make("td", { className: "why" }, one.words),
    make("td", {}, one.place ? make("a", { href: replayOf(one.camera, one.place, one.alarm, one.at_s) }, t("alarm.replay")) : null))));
}

// --- drills -----------------------------------------------------------------------------------------------------------

async function offerDrills() {
  byId("drill").hidden = !context.may.acknowledge;
  if (!context.may.acknowledge) return;
  const cameras = await get("cameras");
  const found = await Promise.all(cameras.map(async (camera) => (await get(`cameras/${encodeURIComponent(camera.id)}/places`)).map((place) => [camera, place])));
  const zones = found.flat().filter(([, place]) => !place.line);
  byId("drill-place").replaceChildren(...zones.map(([camera, place]) => make("option", { value: JSON.stringify([camera.id, place.id]) }, `${camera.name}: ${place.name}`)));
  byId("drill").hidden = zones.length === 0;
}

byId("drill-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const [camera, place] = JSON.parse(byId("drill-place").value).map(encodeURIComponent);
  attempt(async () => {
    await send("POST", `cameras/${camera}/places/${place}/drill`);
    await showOpen();
  }, t("alarm.drill-started"));
});

attempt(offerDrills);
// An alarm must be heard from a page in the background, too.
every(1, () => attempt(showOpen), { always: true });
every(RING_EVERY_S, async () => ring(), { always: true });
every(5, () => attempt(showLog));
