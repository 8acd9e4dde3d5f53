// The report of a shift: how full places were, who took on which alarm. Printed as it stands.
import { byId, context, dateTime, duration, fill, localTime, make, secondsOf, t, timeCell } from "./page.js";
import { attempt, get } from "./api.js";
import { levelChip, levelOfDensity, replayOf } from "./levels.js";

const SHIFT_S = 8 * 3600;

const now = Math.ceil(Date.now() / 60000) * 60;
byId("from").value = localTime(now - SHIFT_S).slice(0, 16);
byId("to").value = localTime(now).slice(0, 16);

const MINUTE_S = 60;

/** All zones and lines that the reader may see, named with their cameras: two may have a zone of one name. */
async function findPlaces() {
  const cameras = await get("cameras");
  const found = await Promise.all(cameras.map(async (camera) => (await get(`cameras/${encodeURIComponent(camera.id)}/places`)).map((place) => ({ ...place, name: `${camera.name}: ${place.name}`, camera: camera.id }))));
  return found.flat();
}

/** A measure minute by minute: exact for the control room, else as staff are told it; null when there is none. */
async function seriesOf(place, measure, span) {
  const path = `cameras/${encodeURIComponent(place.camera)}/places/${encodeURIComponent(place.id)}/numbers`;
  const query = { measure, period: "minute", from: span.from, to: span.to };
  const told = await get(context.may.exact ? `${path}/exact` : path, query);
  return told.series[0] ?? null;
}

async function zoneRow(zone, span) {
  const series = await seriesOf(zone, "voronoi_density", span) ?? await seriesOf(zone, "density", span);
  if (!series) return [zone.name, t("crowd.unknown"), "", "", "", "", ""];
  const limits = zone.thresholds;
  const minutes = { orange: 0, red: 0, critical: 0 };
  let highest = null;
  series.value.forEach((value, index) => {
    if (value === null) return;
    if (highest === null || value > series.value[highest]) highest = index;
    const level = levelOfDensity(value, limits);
    if (level in minutes) minutes[level] += 1;
  });
  const missing = Math.round((span.to - span.from) / MINUTE_S) - series.value.filter((value) => value !== null).length;
  const time = (count) => (count ? duration(count * MINUTE_S) : "–");
  return [zone.name, highest === null ? t("crowd.unknown") : `${series.value[highest].toFixed(2)} ${t(`unit.${series.unit}`)}`,
    highest === null ? "" : timeCell(series.start_s[highest]), time(minutes.orange), time(minutes.red), time(minutes.critical), time(missing)];
}

async function lineRow(line, span) {
  const totals = await Promise.all(["crossed_forward", "crossed_backward"].map(async (measure) => {
    const series = await seriesOf(line, measure, span);
    const known = (series?.value ?? []).filter((value) => value !== null);
    return known.length ? String(Math.round(known.reduce((sum, value) => sum + value, 0))) : t("crowd.unknown");
  }));
  return [line.name, ...totals];
}

const show = (table, rows) => fill(byId(table), rows.map((row) => make("tr", {}, ...row.map((cell) => (cell?.tagName === "TD" ? cell : make("td", {}, cell))))));

async function showReport() {
  const span = { from: Math.floor(secondsOf(byId("from").value)), to: Math.floor(secondsOf(byId("to").value)) };
  const [places, events] = await Promise.all([findPlaces(), get("alarms/log", { from: span.from, limit: 1000 })]);
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
