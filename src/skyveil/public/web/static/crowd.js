// How full places are: the density now on the plan and over the redacted picture, and how it was.
import { byId, context, duration, every, make, renew, slateText, t, timeOfDay } from "./page.js";
import { ApiError, attempt, get } from "./api.js";
import { looksBack, offerShown, onDay, readDay, showsTime, timeColour, timeLegend } from "./day.js";
import { drawOver, drawPlan } from "./field.js";
import { densityColour, legend, levelChip, rankOf } from "./levels.js";
import { DENSITIES, figureText } from "./figures.js";
import { LivePlayer } from "./player.js";
import { chart, strip } from "./series.js";

const SVG = "http://www.w3.org/2000/svg";
const PLACES_EVERY_S = 30;
const AGAIN_S = 30;
let places = [];
let chosen = null;
let player = null;
let maps = [];
const refused = new Map(); // camera -> when its exact numbers were refused, unix seconds

/** Whether a camera's exact numbers are shown: to who may, unless they are refused, which is asked again now and then. */
const exactOf = (camera) => context.may.exact && !refused.has(camera);
const looksBackAt = (camera) => exactOf(camera) && looksBack();
const keyOf = (place) => `${place.camera}/${place.id}`;
const cameraPath = (camera) => `cameras/${encodeURIComponent(camera)}`;
const numbersPath = (place) => `${cameraPath(place.camera)}/places/${encodeURIComponent(place.id)}/numbers${exactOf(place.camera) ? "/exact" : ""}`;
const zoneOf = (camera, id) => places.find((place) => place.camera === camera && place.id === id);
const headline = (place) => DENSITIES.find((name) => name in place.figures) ?? Object.keys(place.figures)[0] ?? "count";

/** What may be refused without being an error: numbers of this kind are not for this reader, or there are none. */
async function unlessRefused(asked, otherwise) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && [403, 404, 503].includes(error.status)) return otherwise;
    throw error;
  }
}

/** The places of every camera that the reader may see. */
async function findPlaces() {
  const cameras = await get("cameras");
  const found = await Promise.all(cameras.map(async (camera) => (await unlessRefused(get(`${cameraPath(camera.id)}/places`), []))
    .map((place) => ({ ...place, camera: camera.id, cameraName: camera.name, figures: {} }))));
  places = found.flat();
}

/** Their newest numbers: exact ones for the control room, else the last minute as staff are told it. */
async function readNewest() {
  await Promise.all([...new Set(places.map((place) => place.camera))].map(async (camera) => {
    const here = places.filter((place) => place.camera === camera);
    const asks = context.may.exact && !(Date.now() / 1000 - refused.get(camera) < AGAIN_S);
    const now = asks ? await unlessRefused(get(`${cameraPath(camera)}/numbers`), null) : null;
    if (now === null) {
      if (asks) refused.set(camera, Date.now() / 1000);
      await Promise.all(here.map(readLastMinute));
      return;
    }
    refused.delete(camera);
    for (const place of here) {
      const told = now.find((one) => one.place === place.id);
      place.figures = Object.fromEntries((told?.figures ?? []).map((figure) => [figure.measure, figure]));
      place.at = told?.end_s ?? null;
      place.level = told?.level ?? null;
      place.reasons = told?.reasons ?? [];
      place.service = told?.service ?? null;
    }
  }));
}

async function readLastMinute(place) {
  const now = Math.floor(Date.now() / 1000);
  const told = await unlessRefused(get(numbersPath(place), { period: "minute", from: now - 600, to: now }), { series: [] });
  place.figures = Object.fromEntries(told.series.map((one) => {
    const last = one.start_s.length - 1;
    return [one.measure, { measure: one.measure, unit: one.unit, told: one.told[last], value: one.value[last], sigma: one.sigma[last], quality: one.quality[last] }];
  }));
  place.level = place.service = null;
  place.reasons = [];
  place.at = Math.max(0, ...told.series.map((one) => one.start_s.at(-1) + told.period_s));
}

function placeRow(place) {
  const measures = Object.entries(place.figures).map(([measure, figure]) => [t(`measure.${measure}`), figureText(measure, figure), figure.quality]);
  const facts = measures.flatMap(([name, text, quality]) => [make("dt", {}, name), make("dd", { dataset: { quality } }, text)]);
  const worse = (place.figures.voronoi_density ?? place.figures.density)?.quality === "at-least" && place.service !== "F";
  const pick = make("button", { type: "button", className: "quiet", "aria-pressed": String(keyOf(place) === chosen), onclick: () => choose(keyOf(place)) }, place.name);
  return make("li", { dataset: { key: keyOf(place), level: place.level ?? "unknown" } },
    make("div", { className: "place-head" }, pick, place.level ? levelChip(place.level) : null,
      place.service ? make("span", { className: "soft" }, t(worse ? "crowd.service-or-worse" : "crowd.service", { letter: place.service })) : null),
    ...(place.reasons ?? []).map((reason) => make("p", { className: "soft" }, reason)),
    make("dl", { className: "facts" }, ...facts));
}

function showPlaces() {
  const sorted = [...places].sort((a, b) => rankOf(b.level ?? "green") - rankOf(a.level ?? "green") || a.name.localeCompare(b.name));
  renew(byId("places"), sorted.map(placeRow));
  byId("empty").hidden = places.length > 0;
  byId("crowd").hidden = byId("history").hidden = places.length === 0;
}

function showCameras() {
  const cameras = new Map(places.map((place) => [place.camera, place.cameraName]));
  const select = byId("camera");
  const before = select.value;
  renew(select, [...cameras].map(([id, name]) => make("option", { value: id, dataset: { key: id } }, name)));
  if (select.value !== before) look();
}

function look() {
  player?.stop();
  player = null;
  if (!byId("camera").value) return;
  player = new LivePlayer(byId("video"), byId("camera").value, (health) => {
    const covered = !health || !["live", "covered"].includes(health.state);
    byId("slate").hidden = !covered;
    byId("slate").firstElementChild.textContent = health ? slateText(health) : t("error.network");
  });
  player.start();
  outlines();
}

function outlines() {
  const here = places.filter((place) => place.camera === byId("camera").value && place.points);
  byId("outlines").replaceChildren(...here.map((place) => {
    const shape = document.createElementNS(SVG, place.line ? "polyline" : "polygon");
    shape.setAttribute("points", place.points.map((point) => point.join(",")).join(" "));
    shape.classList.add("outline");
    shape.dataset.level = place.level ?? "unknown";
    return shape;
  }));
}

/** The picture keeps its shape inside the stage: what lies over it must have the same box. */
function fit() {
  const video = byId("video");
  const stage = byId("stage").getBoundingClientRect();
  const ratio = video.videoWidth ? video.videoWidth / video.videoHeight : 16 / 9;
  const width = Math.min(stage.width, stage.height * ratio);
  for (const over of [byId("warped"), byId("outlines")]) {
    over.style.width = `${width}px`;
    over.style.height = `${width / ratio}px`;
    over.style.left = `${(stage.width - width) / 2}px`;
    over.style.top = `${(stage.height - width / ratio) / 2}px`;
  }
  drawField();
}

function drawField() {
  const camera = byId("camera").value;
  const zone = places.find((place) => place.camera === camera && !place.line);
  const paint = (map, value) => {
    if (showsTime()) return timeColour(value);
    const [red, green, blue, opacity] = densityColour(value, map.thresholds ?? zoneOf(camera, map.place)?.thresholds ?? []);
    return `rgb(${red} ${green} ${blue} / ${opacity / 255})`;
  };
  offerShown(zone?.thresholds ?? []);
  byId("scale").replaceChildren(...(zone ? (showsTime() ? timeLegend() : legend(zone.thresholds)) : []));
  byId("scale").setAttribute("aria-label", t(showsTime() ? "day.scale" : "crowd.scale"));
  byId("look-back").hidden = !exactOf(camera);
  byId("no-field").hidden = maps.length > 0 || looksBackAt(camera);
  byId("floor").hidden = maps.length === 0;
  drawOver(byId("warped"), byId("overlay").checked ? maps : [], paint);
  if (maps.length) drawPlan(byId("floor"), maps, paint);
}

async function showField() {
  const camera = byId("camera").value;
  if (looksBackAt(camera)) return;
  const now = exactOf(camera) ? await unlessRefused(get(`${cameraPath(camera)}/density`), []) : [];
  if (looksBackAt(camera) || camera !== byId("camera").value) return; // chosen while the answer was on its way
  maps = now;
  drawField();
}

async function showDay() {
  const camera = byId("camera").value;
  if (!camera || !looksBackAt(camera)) return;
  maps = await readDay(cameraPath(camera), (id) => zoneOf(camera, id)?.name ?? id);
  drawField();
}

// --- how it was -------------------------------------------------------------------------------------------------------

/** The measures that a place has now, or had where it has none; the one that was chosen stays. */
function offerMeasures(place) {
  const select = byId("measure");
  const before = select.value;
  const known = [...new Set([...Object.keys(place.figures), headline(place)])];
  select.replaceChildren(...known.map((name) => make("option", { value: name }, t(`measure.${name}`))));
  select.value = known.includes(before) ? before : headline(place);
}

function choose(key) {
  chosen = key;
  const place = places.find((one) => keyOf(one) === key);
  offerMeasures(place);
  if (byId("camera").value !== place.camera) {
    byId("camera").value = place.camera;
    look();
  }
  showPlaces();
  attempt(showHistory);
}

const seriesOf = async (place, measure, query) => {
  const told = await get(numbersPath(place), { ...query, measure });
  return { period_s: told.period_s, ...(told.series[0] ?? { measure, unit: "", start_s: [], value: [], sigma: [], told: [], quality: [] }) };
};

async function showHistory() {
  const place = places.find((one) => keyOf(one) === chosen);
  if (!place) return;
  const measure = byId("measure").value;
  const until = Math.floor(Date.now() / 1000);
  const query = { period: "minute", from: until - Number(byId("span").value), to: until };
  byId("history-title").textContent = `${place.name}: ${t(`measure.${measure}`)}`;
  byId("csv").href = `/api/v1/${cameraPath(place.camera)}/places/${encodeURIComponent(place.id)}/numbers.csv?${new URLSearchParams({ ...query, measure })}`;
  const series = await seriesOf(place, measure, query);
  const limits = DENSITIES.includes(measure) ? place.thresholds : [];
  chart(byId("chart"), [series], { title: t(`measure.${measure}`), unit: series.unit ? t(`unit.${series.unit}`) : "", limits });
  await showStrips(query);
}

/** One row for each zone, coloured by its density over time. */
async function showStrips(query) {
  const zones = places.filter((place) => !place.line);
  const rows = await Promise.all(zones.map(async (zone) => {
    const series = await seriesOf(zone, headline(zone), query);
    const canvas = make("canvas", { className: "zone-strip", role: "img", "aria-label": t("crowd.strip-of", { name: zone.name }) });
    strip(canvas, series, { from: query.from, to: query.to, limits: zone.thresholds });
    return [make("span", {}, zone.name), canvas];
  }));
  const hours = make("span", { className: "strip-hours" }, make("span", {}, timeOfDay(query.from)), make("span", {}, timeOfDay(query.to)));
  byId("strips").replaceChildren(...rows.flat(), make("span", {}), hours);
}

const showMaps = () => attempt(looksBackAt(byId("camera").value) ? showDay : showField);
byId("camera").addEventListener("change", () => {
  look();
  showMaps();
});
onDay(showMaps);
byId("overlay").addEventListener("change", drawField);
byId("measure").addEventListener("change", () => attempt(showHistory));
byId("span").addEventListener("change", () => attempt(showHistory));
byId("video").addEventListener("loadedmetadata", fit);
new ResizeObserver(fit).observe(byId("stage"));

await attempt(findPlaces);
every(PLACES_EVERY_S, () => attempt(findPlaces));
every(1, () => attempt(async () => {
  await readNewest();
  showCameras();
  showPlaces();
  outlines();
  const newest = Math.max(0, ...places.map((place) => place.at ?? 0));
  byId("age").textContent = newest ? t("crowd.age", { age: duration(Math.max(0, Date.now() / 1000 - newest)) }) : "";
  if (places.length && !places.some((one) => keyOf(one) === chosen)) choose(keyOf(places[0]));
  const place = places.find((one) => keyOf(one) === chosen);
  if (place && Object.keys(place.figures).length > byId("measure").length) offerMeasures(place);
  if (places.length) await showField();
}));
every(60, () => attempt(showDay));
every(30, () => (chosen ? attempt(showHistory) : undefined));
