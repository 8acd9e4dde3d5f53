// Charts of numbers over time: lines with thresholds, and a strip of colours.
import uPlot from "./vendor/uPlot.esm.js";
import { colourOf, levelOfDensity, lineColourOf, RISING } from "./levels.js";

const HEIGHT_PX = 260;
const PADDING_PX = 16;
const DAY_S = 86400;
const shown = new Map();

const dated = (parts) => new Intl.DateTimeFormat(document.documentElement.lang, parts);
const days = dated({ month: "numeric", day: "numeric" });
const minutes = dated({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = dated({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** What stands at the ticks of a time axis, which are `step` seconds apart: times, and the day where it begins. */
function moments(plot, ticks, axis, space, step) {
  const day = (at) => days.format(new Date(at * 1000));
  return ticks.map((at, index) => {
    if (step >= DAY_S) return day(at);
    const time = (step < 60 ? seconds : minutes).format(new Date(at * 1000));
    return index && day(at) === day(ticks[index - 1]) ? time : `${time}\n${day(at)}`;
  });
}

/** Times and values of several series on one axis; where a period is missing, a gap. */
function aligned(all) {
  const times = new Set();
  for (const { start_s, period_s } of all) {
    start_s.forEach((start, index) => {
      times.add(start);
      if (index + 1 < start_s.length && start_s[index + 1] - start > period_s) times.add(start + period_s);
    });
  }
  const axis = [...times].sort((a, b) => a - b);
  const columns = (series, value) => {
    const at = new Map(series.start_s.map((start, index) => [start, value(index)]));
    return axis.map((time) => at.get(time) ?? null);
  };
  return [axis, columns];
}

/**
 * Draw one series or two, the first with a band of twice its sigma; a number that is not known leaves a gap, never
 * a zero. name: what those hear who do not see it. limits, levels: where which level begins. span: from and to of the axis. marks: times with the colour of a line. steps: draw periods and
 * not a line between their beginnings. onpick: told which time was clicked.
 * Gives what moves the cursor to a time.
 */
export function chart(element, all, { title, name = title, unit, limits = [], levels = RISING.slice(1), height = HEIGHT_PX, span = null, marks = [], steps = false, onpick = null }) {
  shown.get(element)?.destroy();
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const [first] = all;
  const [axis, columns] = aligned(all);
  const bound = (sign) => columns(first, (index) => (first.value[index] === null || first.sigma[index] === null ? null : first.value[index] + sign * 2 * first.sigma[index]));
  const data = [axis, columns(first, (index) => first.value[index]), bound(1), bound(-1),
    ...all.slice(1).map((one) => columns(one, (index) => one.value[index])), ...limits.map((limit) => axis.map(() => limit))];
  const grid = { stroke: token("--line"), width: 1 };
  const scale = { stroke: token("--soft"), grid, ticks: grid };
  const form = { points: { show: false }, ...(steps ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}) };
  const faint = { ...form, stroke: "transparent", scale: "y" };
  const line = (colour) => ({ ...form, stroke: colour, width: 2 });
  let now = null;
  const upright = (plot, seconds, colour, dash) => {
    const x = plot.valToPos(seconds, "x", true);
    if (!(x >= plot.bbox.left && x <= plot.bbox.left + plot.bbox.width)) return;
    plot.ctx.save();
    plot.ctx.strokeStyle = colour;
    plot.ctx.lineWidth = 2 * devicePixelRatio;
    plot.ctx.setLineDash(dash);
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, plot.bbox.top);
    plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    plot.ctx.stroke();
    plot.ctx.restore();
  };
  const plot = new uPlot({
    title, height, width: (element.clientWidth || 600) - PADDING_PX,
    scales: { x: span ? { range: [span.from, span.to] } : {}, y: { range: (_, low, high) => [Math.min(0, low ?? 0), 1.05 * Math.max(high ?? 0, limits[0] ?? 0) || 1] } },
    axes: [{ ...scale, values: moments }, { ...scale, label: unit, labelSize: 24 }],
    legend: { show: false },
    bands: [{ series: [2, 3], fill: `color-mix(in srgb, ${token("--accent")} 18%, transparent)` }],
    series: [{}, line(token("--accent")), faint, faint, ...all.slice(1).map(() => line(token("--warn"))),
      ...limits.map((_, index) => ({ stroke: lineColourOf(levels[index]), dash: [6, 4], width: 1.5, points: { show: false } }))],
    hooks: { draw: [(drawn) => {
      for (const mark of marks) upright(drawn, mark.at, mark.colour, [3, 3]);
      if (now !== null) upright(drawn, now, token("--text"), []);
    }] },
  }, data, element);
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-label", unit ? `${name} (${unit})` : name);
  shown.set(element, plot);
  if (onpick) plot.over.addEventListener("click", (event) => onpick(plot.posToVal(event.offsetX, "x")));
  return (seconds) => {
    now = seconds;
    plot.redraw(false);
  };
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
