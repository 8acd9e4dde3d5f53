// Replay of an alarm: the redacted recording of its camera, and in step with it the numbers of its place.
import { byId, causeWord, context, dateTime, duration, make, t, timeOfDay } from "./page.js";
import { attempt, get } from "./api.js";
import { audience, DENSITIES, figureText } from "./figures.js";
import { levelChip, levelOfDensity, lineColourOf } from "./levels.js";
import { Playback, recordedFrom } from "./playback.js";
import { chart } from "./series.js";

const BEFORE_S = 60;
const NEAR_S = 5;
const MARGIN_S = 600;
const LONGEST_S = 6 * 3600;
const AGAIN_S = 30;
const HEIGHT_PX = 150;
const query = new URLSearchParams(location.search);
const base = `cameras/${encodeURIComponent(context.camera.id)}`;
const at = Number(query.get("at")) || Date.now() / 1000 - MARGIN_S;
let segments = [];
let playback = null;
let cursors = [];
let told = [];
let limits = [];
let place = null;
let lines = [];
let shown = at - BEFORE_S;
let trouble = "";

/** What happened to the alarm, oldest first, and the time to show: some minutes before and after it. */
async function findSpan() {
  const alarm = query.get("alarm");
  const events = alarm && context.may.alarms ? (await get("alarms/log", { alarm, limit: 1000 })).reverse() : [];
  const times = [at, ...events.map((one) => one.at_s)];
  const from = Math.max(Math.min(...times), at - LONGEST_S / 2) - MARGIN_S;
  const to = Math.min(Math.max(...times) + MARGIN_S, from + LONGEST_S, Date.now() / 1000);
  return [events.filter((one) => one.at_s >= from && one.at_s <= to), { from: Math.floor(from), to: Math.ceil(to) }];
}

// --- the recording ----------------------------------------------------------------------------------------------------

async function findRecording(span) {
  if (!context.may.playback) return t("replay.no-playback");
  const [camera, found] = await Promise.all([get(base), get(`${base}/recordings`, span)]);
  segments = found.segments;
  if (recordedFrom(segments, at - BEFORE_S)) return "";
  const past = Date.now() / 1000 - span.to > camera.retention_hours * 3600;
  if (past) return t("replay.past", { time: duration(camera.retention_hours * 3600) });
  const gap = found.gaps.find((one) => one.start_s <= at && one.end_s > at - BEFORE_S);
  return gap ? t("replay.gap", { cause: causeWord(gap.cause) }) : t("rec.nothing");
}

/** Show a time: in the picture, where one is recorded within so many seconds after it, and on every chart. */
function show(seconds, near = NEAR_S) {
  playback?.close();
  playback = null;
  const next = segments.find((segment) => segment.end_s > seconds);
  if (next && next.start_s <= seconds + near) playback = new Playback(byId("video"), segments, seconds, showNow);
  else byId("video").removeAttribute("src");
  byId("slate").hidden = playback !== null;
  byId("slate").firstElementChild.textContent = trouble || t("rec.nothing");
  showNow(playback?.from_s ?? seconds);
}

function showNow(seconds) {
  shown = seconds;
  byId("clock").textContent = dateTime(seconds);
  for (const move of cursors) move(seconds);
  showFigures(seconds);
}

// --- its numbers ------------------------------------------------------------------------------------------------------

async function seriesOf(place, measures, span, exact) {
  const path = `${base}/places/${encodeURIComponent(place.id)}/numbers${exact ? "/exact" : ""}`;
  const found = await get(path, { ...span, period: "minute", measure: measures });
  return found.series.map((series) => ({ ...series, period_s: found.period_s, place }))
    .sort((one, other) => measures.indexOf(one.measure) - measures.indexOf(other.measure));
}

async function findNumbers(place, lines, span, exact) {
  const own = place.line ? ["flow_forward", "flow_backward"] : [...DENSITIES, "count", "pressure_ratio", "pressure"];
  const [here, ...flows] = await Promise.all([seriesOf(place, own, span, exact), ...lines.map((line) => seriesOf(line, ["flow_forward", "flow_backward"], span, exact))]);
  const leading = DENSITIES.map((name) => here.find((one) => one.measure === name)).find(Boolean);
  const one = (name) => here.filter((series) => series.measure === name);
  return [leading ? [leading] : [], one("count"), one("pressure_ratio"), one("pressure"), place.line ? here : [], ...flows].filter((group) => group.length);
}

const isDensity = (series) => DENSITIES.includes(series.measure);
/** Where levels begin: four for a density, one for a sign of unrest, which makes yellow orange. */
function limitsOf(series) {
  if (isDensity(series)) return { limits };
  const from = series.measure === "pressure_ratio" ? series.place.pressure_from : null;
  return from === null ? {} : { limits: [from], levels: ["orange"] };
}

const named = (series) => (series.place.line ? `${series.place.name}: ` : "") + t(`measure.${series.measure}`);

function showCharts(groups, span, events) {
  const marks = events.map((one) => ({ at: one.at_s, colour: lineColourOf(one.level) }));
  cursors = [];
  byId("charts").replaceChildren(...groups.map(() => make("div", { className: "chart short" })));
  groups.forEach((group, index) => {
    const box = byId("charts").children[index];
    const names = group.map((series, at) => make("span", { className: at ? "second" : "first" }, named(series)));
    const plot = make("div");
    box.append(make("div", { className: "names" }, ...names), plot);
    cursors.push(chart(plot, group, { name: group.map(named).join(", "), unit: t(`unit.${group[0].unit}`), ...limitsOf(group[0]), height: HEIGHT_PX, span, marks, steps: true, onpick: (seconds) => show(seconds) }));
  });
}

/** The numbers of the minute that a time lies in; what was not measured is said to be not known. */
function showFigures(seconds) {
  const rows = told.map((series) => {
    const index = series.start_s.findLastIndex((start) => start <= seconds && seconds < start + series.period_s);
    const figure = { unit: series.unit, told: series.told[index] ?? "unknown", value: series.value[index] ?? null, sigma: series.sigma[index] ?? null, quality: series.quality[index] ?? "unknown" };
    return [series, figure];
  });
  const density = rows.find(([series]) => isDensity(series))?.[1];
  const level = density && limits.length ? (density.value === null ? "unknown" : levelOfDensity(density.value, limits)) : null;
  byId("figures").replaceChildren(
    ...(level ? [make("dt", {}, t("replay.level")), make("dd", {}, levelChip(level))] : []),
    ...rows.flatMap(([series, figure]) => [make("dt", {}, named(series)), make("dd", { dataset: { quality: figure.quality } }, figureText(series.measure, figure))]));
}

function showEvents(events) {
  byId("events").replaceChildren(...events.map((one) => make("li", {},
    make("button", { type: "button", className: "quiet", onclick: () => show(one.at_s) }, timeOfDay(one.at_s)), levelChip(one.level),
    make("span", {}, (one.drill ? `${t("alarm.is-drill")} ` : "") + t(`alarm.event-${one.event}`), one.actor ? ` · ${one.actor}` : ""),
    make("span", { className: "soft" }, one.words))));
  byId("no-events").hidden = events.length > 0;
}

// --- together ---------------------------------------------------------------------------------------------------------

async function readNumbers(events, span) {
  showEvents(events);
  if (!place) {
    byId("whose").textContent = t(context.may.numbers ? "replay.no-place" : "replay.no-numbers");
    return;
  }
  const [exact, sentence] = audience(span);
  byId("whose").textContent = sentence;
  const groups = await findNumbers(place, lines, span, exact);
  told = groups.flat();
  showCharts(groups, span, events);
  byId("no-numbers").hidden = told.length > 0;
}

await attempt(async () => {
  const [[events, span], places] = await Promise.all([findSpan(), context.may.numbers ? get(`${base}/places`) : []]);
  place = places.find((one) => one.id === query.get("place")) ?? null;
  lines = places.filter((one) => one.line && one.id !== place?.id);
  limits = place?.thresholds ?? [];
  byId("title").textContent = t("replay.of", { name: place?.name ?? context.camera.name });
  byId("recordings").hidden = !context.may.playback;
  byId("recordings").href = `/cameras/${encodeURIComponent(context.camera.id)}/recordings?at=${Math.floor(shown)}`;
  trouble = await findRecording(span);
  await readNumbers(events, span);
  show(shown, MARGIN_S);
});

// An alarm that goes on has new numbers every minute.
setInterval(() => attempt(async () => {
  const [events, span] = await findSpan();
  if (document.hidden || span.to < Date.now() / 1000 - AGAIN_S) return;
  await readNumbers(events, span);
  showNow(shown);
}), AGAIN_S * 1000);
