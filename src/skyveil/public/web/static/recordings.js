// Recordings of one camera: a day as a strip, playing from a moment on, exports and holds. All times are of the camera's zone.
import { byId, context, make, notify, t } from "./page.js";
import { attempt, get, send } from "./api.js";
import { Playback, recordedFrom } from "./playback.js";
import { zoneOf } from "./zone.js";

const SVG = "http://www.w3.org/2000/svg";
const HOURS = ["00", "06", "12", "18"];
const REASONS = ["accident", "crime", "complaint", "authority", "insurance", "technical"];
const base = `cameras/${encodeURIComponent(context.camera.id)}`;
const video = byId("video");

let day = null; // { name, start_s, end_s, segments, gaps, holds }
let session = null;

const { dateTime, dayOf, inputOf, secondsOf, timeOfDay } = zoneOf(context.camera.timezone);

async function loadDay(name) {
  const { start_s, end_s } = dayOf(name);
  const found = await get(`${base}/recordings`, { from: start_s, to: end_s });
  day = { name, start_s, end_s, segments: found.segments, gaps: found.gaps, holds: found.holds };
  drawStrip();
}

function bar(className, from_s, to_s, text) {
  const rect = document.createElementNS(SVG, "rect");
  const x = Math.max(0, from_s - day.start_s);
  const attributes = { x, y: className === "held" ? 0 : 8, height: className === "held" ? 6 : 32, width: Math.max(30, Math.min(day.end_s, to_s) - day.start_s - x), class: className };
  for (const [key, value] of Object.entries(attributes)) rect.setAttribute(key, value);
  if (text) {
    const title = document.createElementNS(SVG, "title");
    title.textContent = text;
    rect.append(title);
  }
  return rect;
}

/** Segments that follow each other at once are drawn as one. */
function runs(segments) {
  const joined = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    if (last && segment.start_s - last.end_s < 1) last.end_s = segment.end_s;
    else joined.push({ start_s: segment.start_s, end_s: segment.end_s });
  }
  return joined;
}

function drawStrip() {
  const strip = byId("strip");
  const length_s = day.end_s - day.start_s;
  strip.setAttribute("viewBox", `0 0 ${length_s} 40`);
  byId("hours").replaceChildren(...[...HOURS.map((hour) => [Number(hour), secondsOf(`${day.name}T${hour}:00`)]), [24, day.end_s]].map(([text, at_s]) => {
    const mark = make("span", {}, String(text));
    mark.style.left = `${(100 * (at_s - day.start_s)) / length_s}%`;
    return mark;
  }));
  strip.replaceChildren(
    ...day.gaps.map((gap) => bar("gap", gap.start_s, gap.end_s, `${t(`cause.${gap.cause}`)} ${timeOfDay(gap.start_s)}`)),
    ...runs(day.segments).map((run) => bar("segment", run.start_s, run.end_s, `${timeOfDay(run.start_s)} – ${timeOfDay(run.end_s)}`)),
    ...day.holds.map((hold) => bar("held", hold.start_s, hold.end_s, t("hold.title"))),
  );
  if (session) showNow(session.now_s ?? session.from_s);
}

function showNow(seconds) {
  const strip = byId("strip");
  strip.querySelector(".now")?.remove();
  if (!day || seconds < day.start_s || seconds > day.end_s) return;
  const line = document.createElementNS(SVG, "line");
  const x = seconds - day.start_s;
  for (const [key, value] of Object.entries({ x1: x, x2: x, y1: 0, y2: 40, class: "now" })) line.setAttribute(key, value);
  strip.append(line);
  byId("clock").textContent = dateTime(seconds);
}

function playFrom(seconds) {
  if (!day || !recordedFrom(day.segments, seconds)) {
    notify(t("rec.nothing"), true);
    return;
  }
  session?.close();
  session = new Playback(video, day.segments, seconds, showNow, timeOfDay);
  byId("time").value = inputOf(session.from_s).slice(11);
  for (const form of [byId("export"), byId("hold")]) {
    setTime(form.elements.from, session.from_s);
    setTime(form.elements.to, session.from_s + 60);
  }
  showNow(session.from_s);
}

byId("strip").addEventListener("click", (event) => {
  const box = byId("strip").getBoundingClientRect();
  playFrom(day.start_s + ((event.clientX - box.left) / box.width) * (day.end_s - day.start_s));
});
byId("strip").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 60, ArrowLeft: -60, PageUp: 3600, PageDown: -3600 }[event.key];
  if (step && day) {
    event.preventDefault();
    playFrom((session?.now_s ?? session?.from_s ?? day.start_s) + step);
  }
});
byId("play").addEventListener("click", () => {
  if (day) playFrom(secondsOf(`${day.name}T${byId("time").value || "00:00"}`));
});
byId("day").addEventListener("change", (event) => attempt(() => loadDay(event.target.value)));

function setTime(input, seconds) {
  input.value = inputOf(seconds);
  input.dataset.at = Math.floor(seconds);
  input.dataset.told = input.value;
}

/** The moment that an input says: as it was set, which an hour that is twice in a day does not tell, or as it was typed. */
const timeIn = (input, notBefore) => (input.value === input.dataset.told ? Number(input.dataset.at) : secondsOf(input.value, notBefore));

function span(form) {
  const from_s = timeIn(form.elements.from);
  return { from_s, to_s: timeIn(form.elements.to, from_s) };
}

byId("export").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.disabled = true;
  byId("export-status").textContent = t("rec.export-busy");
  const worked = await attempt(async () => {
    const made = await send("POST", `${base}/exports`, { ...span(form), reason: form.elements.reason.value });
    const link = make("a", { href: made.url, download: made.name }, made.name);
    byId("export-status").replaceChildren(link, " · ", make("a", { href: made.statement, download: "" }, t("rec.statement")));
    link.click();
  });
  if (!worked) byId("export-status").textContent = "";
  button.disabled = false;
});

async function showHolds() {
  const holds = await get(`${base}/holds`);
  byId("holds").replaceChildren(...holds.map((hold) => make("li", {},
    make("span", { className: "badge", dataset: { state: hold.state === "active" ? "ok" : "starting" } }, t(`hold.state.${hold.state}`)),
    make("span", { className: "grow" }, `${dateTime(hold.from_s)} – ${dateTime(hold.to_s)} · ${t(`hold.reason.${hold.reason}`)} · ${t("hold.until", { time: dateTime(hold.expires_s) })}`),
    context.may.holds && hold.state === "requested" ? make("button", { type: "button", onclick: () => decide(hold, "approve") }, t("hold.approve")) : null,
    context.may.holds && ["requested", "active"].includes(hold.state) ? make("button", { type: "button", onclick: () => decide(hold, "release") }, t("hold.release")) : null)));
}

const decide = (hold, what) => attempt(async () => {
  await send("POST", `${base}/holds/${encodeURIComponent(hold.id)}/${what}`);
  await showHolds();
});

byId("hold").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  await attempt(async () => {
    await send("POST", `${base}/holds`, { ...span(form), reason: form.elements.reason.value, days: Number(form.elements.days.value) });
    await showHolds();
  }, t("hold.asked"));
});

byId("export").closest("section").hidden = !context.may.exports;
byId("hold").hidden = !context.may.asks;
byId("hold-reason").append(...REASONS.map((reason) => make("option", { value: reason }, t(`hold.reason.${reason}`))));
await attempt(async () => {
  const { days } = await get(`${base}/recordings`);
  byId("day").replaceChildren(...[...days].reverse().map((name) => make("option", { value: name }, name)));
  byId("slate").hidden = days.length > 0;
  byId("slate").firstChild.textContent = t("rec.nothing");
  // A link may ask for a time, in unix seconds: play from there, or say that nothing is there.
  const at = Number(new URLSearchParams(location.search).get("at"));
  const wanted = at ? inputOf(at).slice(0, 10) : days.at(-1);
  if (days.includes(wanted)) {
    byId("day").value = wanted;
    await loadDay(wanted);
    if (at) playFrom(at);
  } else if (at) notify(t("rec.nothing"), true);
  await showHolds();
});
