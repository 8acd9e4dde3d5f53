// The report of a shift: how full places were, who took on which alarm. Printed as it stands.
import { byId, context, dateTime, duration, fill, localTime, make, secondsOf, t, timeCell } from "./page.js";
import { attempt, get } from "./api.js";
import { audience } from "./figures.js";
import { levelChip, levelOfDensity, replayOf } from "./levels.js";

const SHIFT_S = 8 * 3600;
const LOG_MOST = 1000;

const now = Math.ceil(Date.now() / 60000) * 60;
byId("from").value = localTime(now - SHIFT_S).slice(0, 16);
byId("to").value = localTime(now).slice(0, 16);

const MINUTE_S = 60;
const HOUR_S = 3600;

/** All zones and lines that the reader may see, named with their cameras: two may have a zone of one name. */
async function findPlaces() {
  const cameras = await get("cameras");
  const found = await Promise.all(cameras.map(async (camera) => (await get(`cameras/${encodeURIComponent(camera.id)}/places`)).map((place) => ({ ...place, name: `${camera.name}: ${place.name}`, camera: camera.id }))));
  return found.flat();
}

/** A measure minute by minute, or in another period: exact for the control room, else as staff are told it; null when there is none. */
async function seriesOf(place, measure, span, period = "minute") {
  const path = `cameras/${encodeURIComponent(place.camera)}/places/${encodeURIComponent(place.id)}/numbers`;
  const told = await get(span.exact ? `${path}/exact` : path, { measure, period, from: span.from, to: span.to });
  return told.series.length ? { ...told.series[0], period_s: told.period_s } : null;
}

/** How much of a span nothing is known of: not measured, or not stored; what staff are not told is known. */
function unknownOf(series, span) {
  const known = (series?.told ?? []).filter((told) => told !== "unknown").length * (series?.period_s ?? 0);
  return Math.max(0, span.to - span.from - known);
}

const time = (seconds) => (seconds >= MINUTE_S / 2 ? duration(seconds) : "–");

async function zoneRow(zone, span) {
  const series = await seriesOf(zone, "voronoi_density", span) ?? await seriesOf(zone, "density", span);
  if (!series) return [zone.name, t("crowd.unknown"), "", "", "", "", time(span.to - span.from)];
  const limits = zone.thresholds;
  const minutes = { orange: 0, red: 0, critical: 0 };
  let highest = null;
  series.value.forEach((value, index) => {
    if (value === null) return;
    if (highest === null || value > series.value[highest]) highest = index;
    const level = levelOfDensity(value, limits);
    if (level in minutes) minutes[level] += 1;
  });
  const none = t(series.told.includes("fewer") ? "crowd.fewer" : "crowd.unknown");
  return [zone.name, highest === null ? none : `${series.value[highest].toFixed(2)} ${t(`unit.${series.unit}`)}`,
    highest === null ? "" : timeCell(series.start_s[highest]), time(minutes.orange * MINUTE_S), time(minutes.red * MINUTE_S), time(minutes.critical * MINUTE_S), time(unknownOf(series, span))];
}

/** Passages of a line. For staff by the hour where the span has whole ones: less is lost than in minutes with fewer than five. */
async function lineRow(line, span) {
  const whole = span.from % HOUR_S === 0 && span.to % HOUR_S === 0;
  const both = await Promise.all(["crossed_forward", "crossed_backward"].map((measure) => seriesOf(line, measure, span, whole && !span.exact ? "hour" : "minute")));
  return [line.name, ...both.map(total), time(Math.max(...both.map((series) => unknownOf(series, span))))];
}

function total(series) {
  const known = (series?.value ?? []).filter((value) => value !== null);
  const untold = (series?.told ?? []).some((told) => told === "fewer" || told === "withheld");
  if (!known.length && !untold) return t("crowd.unknown");
  const value = Math.round(known.reduce((sum, one) => sum + one, 0));
  return untold ? t("crowd.at-least", { value, unit: t(`unit.${series.unit}`) }) : String(value);
}

/** What happened to alarms, newest first; the server tells so many at once. */
async function findLog(from) {
  const found = [];
  for (let more = null; !more || more.length === LOG_MOST; found.push(...more)) {
    more = await get("alarms/log", { from, limit: LOG_MOST, before: more?.at(-1).id });
  }
  return found;
}

const show = (table, rows) => fill(byId(table), rows.map((row) => make("tr", {}, ...row.map((cell) => (cell?.tagName === "TD" ? cell : make("td", {}, cell))))));

async function showReport() {
  const span = { from: Math.floor(secondsOf(byId("from").value)), to: Math.floor(secondsOf(byId("to").value)) };
  [span.exact, byId("whose").textContent] = audience(span);
  const [places, events] = await Promise.all([findPlaces(), findLog(span.from)]);
  const log = events.filter((one) => one.at_s < span.to).reverse();
  byId("about").textContent = t("report.about", { from: dateTime(span.from), to: dateTime(span.to), name: context.user.name, made: dateTime(Date.now() / 1000) });
  show("zones", await Promise.all(places.filter((place) => !place.line).map((zone) => zoneRow(zone, span))));
  show("lines", await Promise.all(places.filter((place) => place.line).map((line) => lineRow(line, span))));
  show("log", log.map((one) => [timeCell(one.at_s), one.name, levelChip(one.level), (one.drill ? `${t("alarm.is-drill")} ` : "") + t(`alarm.event-${one.event}`), one.actor, make("td", { className: "why" }, one.words),
    one.place ? make("a", { className: "on-screen", href: replayOf(one.camera, one.place, one.alarm, one.at_s) }, t("alarm.replay")) : ""]));
}

byId("span").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(showReport);
});
byId("print").addEventListener("click", () => window.print());
attempt(showReport);
