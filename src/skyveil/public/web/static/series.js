// Charts of numbers over time: a line with its thresholds, and a strip of colours.
import uPlot from "./vendor/uPlot.esm.js";
import { colourOf, levelOfDensity, RISING } from "./levels.js";

const HEIGHT_PX = 260;
let shown = null;

/** Draw a series with a band of twice its sigma; a number that is not known leaves a gap, never a zero. */
export function chart(element, series, { title, unit, limits }) {
  shown?.destroy();
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--accent").trim();
  const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
  const band = (sign) => series.value.map((value, index) => (value === null || series.sigma[index] === null ? null : value + sign * 2 * series.sigma[index]));
  const bounds = series.start_s.map(() => null);
  const data = [series.start_s, series.value, band(1), band(-1), ...limits.map((limit) => bounds.map(() => limit))];
  const axis = { stroke: text, grid, ticks: grid };
  const faint = { stroke: "transparent", points: { show: false }, scale: "y" };
  shown = new uPlot({
    title, width: element.clientWidth || 600, height: HEIGHT_PX,
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 1, limits[0] ?? 0) * 1.05] } },
    axes: [axis, { ...axis, label: unit, labelSize: 24 }],
    legend: { show: false },
    bands: [{ series: [2, 3], fill: `color-mix(in srgb, ${line} 18%, transparent)` }],
    series: [{}, { label: title, stroke: line, width: 2, points: { show: false } }, faint, faint,
      ...limits.map((_, index) => ({ stroke: colourOf(RISING[index + 1]), dash: [6, 4], width: 1.5, points: { show: false } }))],
  }, data, element);
}

/** Colour a strip by the level of each moment; what is not known stays grey. */
export function strip(canvas, series, { from, to, limits }) {
  canvas.width = 960;
  canvas.height = 22;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colourOf("unknown", 0.25);
  pen.fillRect(0, 0, canvas.width, canvas.height);
  series.start_s.forEach((start, index) => {
    const value = series.value[index];
    if (value === null) return;
    pen.fillStyle = colourOf(levelOfDensity(value, limits));
    const left = ((start - from) / (to - from)) * canvas.width;
    pen.fillRect(left, 0, Math.max(1, (series.period_s / (to - from)) * canvas.width + 0.5), canvas.height);
  });
}
