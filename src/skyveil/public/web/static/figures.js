// Numbers as people read them, and the measures that name how full a place is.
import { context, t } from "./page.js";

const EXACT_S = 86400;

/** Whose numbers of a span are shown: exact ones for the control room and a day, else those for staff; and the sentence that says so. */
export function audience(span) {
  if (!context.may.exact) return [false, t("replay.staff")];
  return span.from < Date.now() / 1000 - EXACT_S ? [false, t("replay.old")] : [true, t("replay.exact")];
}

/** The densities that a level may rest on, the one that leads first. */
export const DENSITIES = ["voronoi_density", "density", "local_density_max"];

/** A number as it may be said: with its sign of quality, and never as 0 when it is not known. */
export function figureText(measure, figure) {
  const unit = t(`unit.${figure.unit}`);
  if (figure.told === "fewer") return t("crowd.fewer");
  if (figure.told === "withheld") return t("crowd.withheld");
  if (figure.value === null) return t("crowd.unknown");
  const whole = figure.unit === "persons" || (Number.isInteger(figure.value) && !(figure.sigma >= 0.005));
  const digits = whole ? 0 : figure.unit === "1/s2" ? 3 : 2; // crowd pressure means something from 0.02 on
  const value = (figure.value || 0).toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
  if (figure.quality === "at-least") return t("crowd.at-least", { value, unit });
  const sigma = figure.sigma >= 0.5 * 10 ** -digits ? ` ± ${figure.sigma.toFixed(digits)}` : "";
  if (figure.quality === "estimated") return t("crowd.about", { value: `${value}${sigma}`, unit });
  return `${value}${sigma} ${unit}`;
}
