// Health of cameras and server.
import { byId, causeWord, duration, every, make, renew, showState, t, timeCell } from "./page.js";
import { attempt, get } from "./api.js";
import { zoneOf } from "./zone.js";

const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

function row(health) {
  const badge = make("span", { className: "badge" });
  showState(badge, health);
  const link = make("a", { href: `/cameras/${encodeURIComponent(health.camera)}` }, health.name ?? health.camera);
  const numbers = [
    health.fps.toFixed(1), duration(health.age_s), health.dropped, health.whole, health.restarts,
    megabytes(health.rss_bytes), health.clock_offset_s === null ? "" : `${health.clock_offset_s.toFixed(1)} s`,
  ];
  return make("tr", { dataset: { key: health.camera } }, make("td", {}, link), make("td", {}, badge), make("td", { className: "why" }, causeWord(health.cause)), timeCell(health.since_s),
    ...numbers.map((number) => make("td", { className: "number" }, String(number))));
}

every(2, () => attempt(async () => {
  const { cameras, server } = await get("health");
  renew(byId("cameras").tBodies[0], cameras.map(row));
  const bad = cameras.filter((one) => !["live", "starting", "stopped"].includes(one.state));
  const lines = bad.map((one) => `${one.name ?? one.camera}: ${causeWord(one.cause)}`)
    .concat((server.problems ?? []).filter((line) => !bad.some((one) => line.startsWith(`${one.camera}: `)))); // said already, in the reader's words
  if (byId("alarms").dataset.shown !== lines.join("\n")) {
    byId("alarms").dataset.shown = lines.join("\n");
    byId("alarms").replaceChildren(...lines.map((line) => make("p", {}, line)));
  }
  const { dateTime } = zoneOf(server.timezone);
  const facts = [["server.version", server.version], ["server.since", dateTime(server.started_s)], ["server.time", dateTime(server.now_s)],
    ["server.timezone", server.timezone], ["server.offset", `${(Date.now() / 1000 - server.now_s).toFixed(1)} s`],
    ["server.disk", server.disk_free_bytes === undefined ? "" : megabytes(server.disk_free_bytes)]];
  byId("server").replaceChildren(...facts.flatMap(([key, value]) => (value ? [make("dt", {}, t(key)), make("dd", {}, value)] : [])));
}));
