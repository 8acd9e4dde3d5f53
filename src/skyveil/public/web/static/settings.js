// Own settings, API tokens, and what the server is set to.
import { byId, context, dateTime, make, t } from "./page.js";
import { attempt, get, send } from "./api.js";
import { chosenTheme, useTheme } from "./theme.js";

byId("theme").value = chosenTheme();
byId("theme").addEventListener("change", (event) => useTheme(event.target.value));
byId("language").addEventListener("change", (event) => location.assign(`?lang=${encodeURIComponent(event.target.value)}`));

byId("password").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const worked = await attempt(() => send("POST", "password", { old: form.elements.old.value, new: form.elements.new.value }), t("saved"));
  if (worked) form.reset();
});

async function showTokens() {
  const tokens = await get("tokens");
  byId("tokens").replaceChildren(...tokens.map((token) => make("li", {},
    make("span", { className: "grow" }, `${token.name} · ${t(`scope.${token.scope}`)} · ${t("hold.until", { time: dateTime(token.expires_s) })}`),
    make("button", { type: "button", className: "danger", onclick: () => attempt(async () => {
      await send("DELETE", `tokens/${encodeURIComponent(token.id)}`);
      await showTokens();
    }) }, t("users.remove")))));
}

byId("token").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, scope, days } = event.target.elements;
  attempt(async () => {
    const made = await send("POST", "tokens", { name: name.value, scope: scope.value, days: Number(days.value) });
    byId("token-once").textContent = made.token;
    byId("token-once").hidden = false;
    await showTokens();
  }, t("settings.token-once"));
});

async function showServer() {
  const settings = await get("settings");
  byId("server").replaceChildren(...Object.entries(settings.server ?? {}).flatMap(([key, value]) => [make("dt", {}, t(`server.${key}`)), make("dd", {}, String(value ?? ""))]));
  byId("config").replaceChildren(...(settings.problems ?? []).map((line) => make("p", { className: "error" }, line)));
}

byId("scope").append(...context.scopes.map((scope) => make("option", { value: scope }, t(`scope.${scope}`))));
attempt(showTokens);
// The server's settings are for who may change them; for others the page has no such part.
if (context.may.reload) {
  byId("reload").addEventListener("click", () => attempt(async () => {
    await send("POST", "reload");
    await showServer();
  }, t("settings.reloaded")));
  attempt(showServer);
}
