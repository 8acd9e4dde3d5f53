// Users of the console: staff accounts, their roles and the cameras granted to them.
import { byId, context, make, t, timeCell } from "./page.js";
import { attempt, get, send } from "./api.js";

const ROLES = ["viewer", "operator", "privacy_officer", "admin"];
let cameras = [];

function row(user) {
  // An arrow key changes what is chosen: nothing is done before it is saved.
  const save = make("button", { type: "button", className: "primary", hidden: true, onclick: () => change(user, { role: role.value }) }, t("save"));
  const role = make("select", { "aria-label": t("users.role"), onchange: () => { save.hidden = role.value === user.role; } },
    ...ROLES.map((name) => make("option", { value: name, selected: name === user.role }, t(`role.${name}`))));
  const granted = ["viewer", "operator"].includes(user.role)
    ? make("button", { type: "button", onclick: () => grant(user) }, user.cameras.includes("*") ? t("users.all") : t(user.cameras.length === 1 ? "users.one" : "users.some", { n: user.cameras.length }))
    : t("users.all");
  const actions = [
    make("button", { type: "button", onclick: () => change(user, { enabled: !user.enabled }) }, t(user.enabled ? "users.disable" : "users.enable")),
    make("button", { type: "button", className: "danger", onclick: () => remove(user) }, t("users.remove")),
  ];
  const own = user.name === context.user.name;
  if (own) [role, ...actions].forEach((element) => { element.disabled = true; });
  return make("tr", {}, make("td", {}, user.name), make("td", { className: "actions" }, role, save), make("td", {}, granted), timeCell(user.last_login_s), make("td", { className: "actions" }, ...actions));
}

async function show() {
  const [users, list] = await Promise.all([get("users"), get("cameras")]);
  cameras = list;
  byId("users").tBodies[0].replaceChildren(...users.map(row));
}

const path = (user) => `users/${encodeURIComponent(user.name)}`;

async function change(user, fields) {
  await attempt(() => send("PATCH", path(user), fields), t("saved"));
  await attempt(show);
}

async function remove(user) {
  if (!confirm(t("users.remove-sure", { name: user.name }))) return;
  await attempt(() => send("DELETE", path(user)));
  await attempt(show);
}

function grant(user) {
  const dialog = byId("grants");
  const all = make("input", { type: "checkbox", value: "*", checked: user.cameras.includes("*") });
  const boxes = cameras.map((camera) => make("input", { type: "checkbox", value: camera.id, checked: user.cameras.includes(camera.id) }));
  byId("grant-list").replaceChildren(make("label", {}, all, t("users.all")), ...boxes.map((box, index) => make("label", {}, box, cameras[index].name)));
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "save") return;
    const chosen = all.checked ? ["*"] : boxes.filter((box) => box.checked).map((box) => box.value);
    attempt(async () => {
      await send("PUT", `${path(user)}/grants`, { cameras: chosen });
      await show();
    }, t("saved"));
  };
  dialog.showModal();
}

byId("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const { name, password, role } = form.elements;
  const worked = await attempt(() => send("POST", "users", { name: name.value, password: password.value, role: role.value }), t("saved"));
  if (worked) form.reset();
  await attempt(show);
});
attempt(show);
