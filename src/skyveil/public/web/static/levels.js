// Levels of a place: words, marks and colours. Colour never stands alone: each level has a word and a mark of its own.
import { make, t } from "./page.js";

export const RISING = ["green", "yellow", "orange", "red", "critical"];
const MARKS = { green: "●", yellow: "◆", orange: "▲", red: "■", critical: "✖", unknown: "?" };

/** Colours that rise in darkness as well (told apart by the colour-blind and in print), one for each level. */
const COLOURS = { green: [35, 139, 110], yellow: [237, 201, 72], orange: [240, 140, 40], red: [196, 48, 43], critical: [96, 12, 60], unknown: [120, 128, 140] };

export const levelWord = (level) => t(`level.${level}`);
export const colourOf = (level, alpha = 1) => `rgb(${COLOURS[level].join(" ")} / ${alpha})`;

/** The same for a thin line, which the darkest level would not be on a dark ground. */
export const lineColourOf = (level) => (level === "critical" ? "rgb(214 39 124)" : colourOf(level));

/** How urgent: an unknown place ranks as an orange one. */
export const rankOf = (level) => (level === "unknown" ? 2 : RISING.indexOf(level));

export function levelChip(level) {
  const mark = make("span", { className: "mark", "aria-hidden": "true" }, MARKS[level] ?? "?");
  return make("span", { className: "chip", dataset: { level } }, mark, levelWord(level));
}

/** The address of the replay of an alarm, or of an event of its log, from a time on. */
export const replayOf = (camera, place, alarm, at_s) => `/cameras/${encodeURIComponent(camera)}/replay?${new URLSearchParams({ place, alarm, at: Math.floor(at_s) })}`;

/** The level of a density on a fixed scale: `limits` are where yellow, orange, red and critical begin. */
export function levelOfDensity(perM2, limits) {
  return RISING[limits.filter((limit) => perM2 >= limit).length];
}

/** Red, green, blue and opacity of a density: fixed to the thresholds, never to what is there, clear where nobody is. */
export function densityColour(perM2, limits) {
  if (!(perM2 > 0)) return [0, 0, 0, 0];
  const steps = [0, ...limits];
  const at = steps.findLastIndex((step) => perM2 >= step);
  const low = COLOURS[RISING[at]];
  const high = COLOURS[RISING[Math.min(at + 1, RISING.length - 1)]];
  const share = at + 1 < steps.length ? (perM2 - steps[at]) / (steps[at + 1] - steps[at]) : 0;
  const mixed = low.map((value, index) => Math.round(value + (high[index] - value) * share));
  return [...mixed, Math.round(255 * Math.min(0.75, 0.15 + 0.6 * (perM2 / limits[0])))];
}

/** A legend: every level with the density it begins at. */
export function legend(limits) {
  return RISING.map((level, index) => {
    const from = index === 0 ? "0" : limits[index - 1];
    return make("span", { className: "step", dataset: { level } }, levelChip(level), t("crowd.from", { n: from }));
  });
}
