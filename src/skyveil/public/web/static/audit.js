// The audit log: who viewed, exported, changed and logged in.
import { byId, make, t, timeCell } from "./page.js";
import { attempt, get } from "./api.js";

let last = null;

/** An action in words; one that this version does not know stands as it is in the log. */
function actionWord(action) {
  const key = `action.${action}`;
  const word = t(key);
  return word === key ? action : word;
}

function row(entry) {
  const details = Object.entries(entry.details ?? {}).map(([key, value]) => `${key}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
  const [actor, action, object, more] = [entry.actor, actionWord(entry.action), entry.object, details].map((text) => make("td", {}, String(text ?? "")));
  action.title = entry.action;
  more.className = "why";
  return make("tr", {}, timeCell(entry.at_s), actor, action, object, more);
}

async function show(fresh) {
  const form = byId("filter").elements;
  const from = form.from.value ? new Date(form.from.value).getTime() / 1000 : "";
  const found = await get("audit", { actor: form.actor.value, action: form.action.value, from, before: fresh ? "" : last, limit: 100 });
  const body = byId("entries").tBodies[0];
  if (fresh) body.replaceChildren();
  body.append(...found.entries.map(row));
  last = found.entries.at(-1)?.id ?? null;
  byId("more").hidden = found.entries.length < 100;
  byId("chain").dataset.state = found.chain_ok ? "ok" : "bad";
  byId("chain").textContent = t(found.chain_ok ? "audit.chain-ok" : "audit.chain-bad");
  const select = form.action;
  if (select.options.length === 1) select.append(...(found.actions ?? []).map((action) => make("option", { value: action }, actionWord(action))));
}

byId("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => show(true));
});
byId("more").addEventListener("click", () => attempt(() => show(false)));
attempt(() => show(true));
