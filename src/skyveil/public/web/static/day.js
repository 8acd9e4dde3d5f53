// Where zones were full in the last 24 hours: which hour, and what of it. Drawn in the way that maps of now are.
import { byId, dateTime, duration, make, t, timeOfDay } from "./page.js";
import { get } from "./api.js";
import { colourOf, levelWord, RISING } from "./levels.js";

const HOUR_S = 3600;
const HOURS = 25;
const SHARES = [0.1, 0.25, 0.5, 0.75, 1];
const now = () => Date.now() / 1000;
const thisHour = () => Math.floor(now() / HOUR_S) * HOUR_S;
const oldest = () => thisHour() - (HOURS - 1) * HOUR_S;
let hour = thisHour();

export const looksBack = () => byId("when").value !== "now";
const oneHour = () => byId("when").value === "hour";
const level = () => Number(byId("shown").value);
/** Whether shares of time are shown, and not densities. */
export const showsTime = () => looksBack() && !Number.isNaN(level());

/** Densities and, for a zone with these thresholds, the time at each level: what can be shown. */
export function offerShown(thresholds) {
  const select = byId("shown");
  if (select.dataset.limits === thresholds.join()) return;
  select.dataset.limits = thresholds.join();
  const before = select.value;
  select.replaceChildren(...["mean", "highest"].map((name) => make("option", { value: name }, t(`day.${name}`))),
    ...thresholds.map((limit, index) => make("option", { value: String(index) }, t("day.over", { level: levelWord(RISING[index + 1]), n: limit }))));
  select.value = before || "mean";
}

/** The colour of a share of time: that of its level, the deeper the longer, and clear for never. */
export const timeColour = (share) => colourOf(RISING[level() + 1], 0.1 + 0.8 * share);

export function timeLegend() {
  return SHARES.map((share) => {
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = timeColour(share);
    return make("span", { className: "step" }, swatch, t("day.share", { n: Math.round(share * 100) }));
  });
}

/** The maps of the time that is chosen, as maps of now are told; says how much of it was measured. */
export async function readDay(cameraPath, nameOf) {
  hour = Math.max(hour, oldest());
  const told = await get(`${cameraPath}/density/day`, oneHour() ? { hour } : {});
  showHours(told.hours);
  say(told, nameOf);
  const shown = byId("shown").value;
  return told.maps.map((map) => ({ ...map, per_m2: showsTime() ? map.over_share[level()] : map[shown] }));
}

/** One cell for each hour, filled as far as it was measured; the slider below it chooses. */
function showHours(hours) {
  const measured = new Map(hours.map((one) => [one.start_s, one.measured_s]));
  const starts = Array.from({ length: HOURS }, (_, index) => oldest() + index * HOUR_S);
  byId("measured").replaceChildren(...starts.map((start) => {
    const whole = Math.min(HOUR_S, Math.max(1, now() - start));
    const fill = make("span", {});
    fill.style.height = `${Math.min(100, 100 * ((measured.get(start) ?? 0) / whole))}%`;
    const cell = make("span", { className: "hour", title: measuredText(start, start + whole, measured.get(start) ?? 0) }, fill);
    cell.classList.toggle("chosen", oneHour() && start === hour);
    return cell;
  }));
  byId("hour").value = String((hour - oldest()) / HOUR_S);
  byId("hour").setAttribute("aria-valuetext", timeOfDay(hour));
}

function measuredText(from, to, seconds, told = timeOfDay) {
  const span = { from: told(from), to: told(to) };
  return seconds ? t("day.measured", { ...span, time: duration(seconds), whole: duration(to - from) }) : t("day.nothing", span);
}

function say(told, nameOf) {
  const from = oneHour() ? hour : told.hours[0]?.start_s ?? oldest();
  const to = oneHour() ? Math.min(now(), hour + HOUR_S) : now();
  const seconds = told.hours.filter((one) => !oneHour() || one.start_s === hour).reduce((sum, one) => sum + one.measured_s, 0);
  const anew = told.maps.filter((map) => map.left_out_s > 0);
  byId("day-note").replaceChildren(...[measuredText(from, to, seconds, oneHour() ? timeOfDay : dateTime),
    ...anew.map((map) => t("day.left-out", { name: nameOf(map.place), time: duration(map.left_out_s) })), t("day.about")]
    .map((text) => make("span", {}, text)));
}

/** Call back when something else is to be shown. */
export function onDay(changed) {
  byId("hour").max = String(HOURS - 1);
  const show = () => {
    byId("shown-label").hidden = byId("day-note").hidden = byId("measured").hidden = !looksBack();
    byId("hour").hidden = !oneHour();
    changed();
  };
  byId("when").addEventListener("change", show);
  byId("shown").addEventListener("change", changed);
  byId("hour").addEventListener("input", () => {
    hour = oldest() + Number(byId("hour").value) * HOUR_S;
    changed();
  });
}
