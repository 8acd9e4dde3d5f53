// Site plans with their cameras. Only states are shown: nothing on this page depends on people.
import { byId, every, make, renew, showState, t } from "./page.js";
import { attempt, get } from "./api.js";

let sites = [];
let cameras = [];

function draw() {
  const chosen = sites.find((site) => site.id === byId("site").value);
  const here = cameras.filter((camera) => camera.site === chosen?.id);
  const placed = here.filter((camera) => chosen?.plan && camera.position);
  const image = byId("plan-image");
  image.hidden = !chosen?.plan;
  if (chosen?.plan && image.getAttribute("src") !== chosen.plan) {
    image.src = chosen.plan;
    image.alt = t("map.plan-of", { name: chosen.name });
  }
  byId("plan").hidden = !chosen?.plan;
  renew(byId("markers"), placed.map((camera) => {
    const marker = link(camera, "badge marker");
    marker.dataset.key = camera.id;
    marker.style.left = `${camera.position[0] * 100}%`;
    marker.style.top = `${camera.position[1] * 100}%`;
    return marker;
  }));
  renew(byId("unplaced"), here.filter((camera) => !placed.includes(camera)).map((camera) => make("li", { dataset: { key: camera.id } }, link(camera, "badge"), make("span", { className: "soft" }, camera.place ?? ""))));
  byId("summary").textContent = t("wall.summary", { live: here.filter((camera) => camera.health?.state === "live").length, all: here.length });
}

function link(camera, className) {
  const element = make("a", { className, href: `/cameras/${encodeURIComponent(camera.id)}` });
  if (camera.health) showState(element, camera.health);
  element.title = `${camera.name}: ${element.textContent}`;
  element.setAttribute("aria-label", element.title);
  element.textContent = camera.name;
  return element;
}

byId("site").addEventListener("change", draw);
every(3, () => attempt(async () => {
  [sites, cameras] = await Promise.all([get("sites"), get("cameras")]);
  renew(byId("site"), sites.map((site) => make("option", { value: site.id, dataset: { key: site.id } }, site.name)));
  draw();
}));
