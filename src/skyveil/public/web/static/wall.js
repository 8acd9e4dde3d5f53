// The wall: 1 to 36 live pictures, by keyboard, full screen, one enlarged.
import { byId, every, make, showState, slateText, t } from "./page.js";
import { attempt, get } from "./api.js";
import { LivePlayer } from "./player.js";

const LAYOUTS = [1, 4, 9, 16, 25, 36];
const LARGEST = 36;
const wall = byId("wall");
const tiles = new Map();
let cameras = [];
let page = 0;
let chosen = null;

const wanted = () => {
  const place = byId("place").value;
  return cameras.filter((camera) => camera.enabled && (!place || camera.site === place || camera.group === place));
};
const perPage = () => Number(byId("layout").value) || LAYOUTS.find((n) => n >= wanted().length) || LARGEST;

class Tile {
  constructor(camera) {
    this.camera = camera;
    this.badge = make("span", { className: "badge" });
    this.slate = make("span", { className: "slate" }, make("span", {}, t("slate.starting")));
    this.video = make("video", { muted: true, playsInline: true, autoplay: true, "aria-hidden": "true", tabIndex: -1 });
    this.element = make("button", { type: "button", className: "tile", role: "listitem", dataset: { camera: camera.id, state: "starting" } },
      this.video, this.slate, make("span", { className: "name" }, make("b", {}, camera.name), this.badge));
    this.element.addEventListener("click", () => enlarge(chosen === this ? null : this));
    this.player = new LivePlayer(this.video, camera.id, (health) => this.show(health));
    this.show({ state: "starting", cause: "connecting", since_s: Date.now() / 1000 });
  }

  show(health) {
    const now = health ?? { state: "stale", cause: "server-lost", since_s: Date.now() / 1000 };
    this.state = now.state;
    this.element.dataset.state = now.state;
    showState(this.badge, now);
    const pictures = now.state === "live" || now.state === "covered";
    this.slate.hidden = pictures;
    this.slate.firstChild.textContent = slateText(now);
    this.element.setAttribute("aria-label", t("wall.tile", { name: this.camera.name, place: this.camera.place ?? "", state: this.badge.textContent }));
    summarise();
  }
}

function summarise() {
  const shown = [...tiles.values()];
  byId("summary").textContent = shown.length ? t("wall.summary", { live: shown.filter((tile) => tile.state === "live").length, all: shown.length }) : "";
}

function layOut() {
  const list = wanted();
  const size = perPage();
  const pages = Math.max(1, Math.ceil(list.length / size));
  page = Math.min(page, pages - 1);
  const visible = list.slice(page * size, (page + 1) * size);
  for (const [id, tile] of tiles) {
    if (!visible.some((camera) => camera.id === id)) {
      tile.player.stop();
      tile.element.remove();
      tiles.delete(id);
      if (chosen === tile) enlarge(null);
    }
  }
  visible.forEach((camera, index) => {
    if (!tiles.has(camera.id)) tiles.set(camera.id, new Tile(camera));
    const tile = tiles.get(camera.id);
    if (wall.children[index] !== tile.element) wall.insertBefore(tile.element, wall.children[index] ?? null);
    if (!chosen || chosen === tile) tile.player.start(); // those behind an enlarged one rest
  });
  wall.style.setProperty("--columns", String(Math.ceil(Math.sqrt(size))));
  byId("pages").hidden = pages < 2;
  byId("page-of").textContent = `${page + 1} / ${pages}`;
  byId("empty").hidden = list.length > 0;
  summarise();
}

function enlarge(tile) {
  chosen?.element.classList.remove("chosen");
  chosen = tile;
  wall.classList.toggle("one", Boolean(tile));
  if (tile) {
    tile.element.classList.add("chosen");
    tile.element.focus();
  }
  for (const other of tiles.values()) {
    if (!tile || other === tile) other.player.start();
    else other.player.stop();
  }
}

function turn(pages) {
  page = Math.max(0, page + pages);
  layOut();
}

function move(step) {
  const order = [...wall.children];
  const at = order.indexOf(document.activeElement);
  order[Math.min(order.length - 1, Math.max(0, at < 0 ? 0 : at + step))]?.focus();
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else byId("content").requestFullscreen().catch(() => {});
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const columns = Number(getComputedStyle(wall).getPropertyValue("--columns")) || 1;
  const keys = {
    f: fullScreen,
    Escape: () => enlarge(null),
    PageDown: () => turn(1),
    PageUp: () => turn(-1),
    ArrowRight: () => move(1),
    ArrowLeft: () => move(-1),
    ArrowDown: () => move(columns),
    ArrowUp: () => move(-columns),
    c: () => chosen && location.assign(`/cameras/${encodeURIComponent(chosen.camera.id)}`),
  };
  const side = Number(event.key);
  if (side >= 1 && side <= 6) {
    byId("layout").value = String(side * side);
    layOut();
  } else if (keys[event.key]) {
    keys[event.key]();
  } else return;
  event.preventDefault();
});
byId("full").addEventListener("click", fullScreen);
byId("before").addEventListener("click", () => turn(-1));
byId("after").addEventListener("click", () => turn(1));
byId("layout").addEventListener("change", layOut);
byId("place").addEventListener("change", layOut);
document.addEventListener("visibilitychange", () => {
  for (const tile of tiles.values()) {
    if (document.hidden) tile.player.stop();
    else if (!chosen || chosen === tile) tile.player.start();
  }
});

every(15, () => attempt(async () => {
  cameras = await get("cameras");
  const select = byId("place");
  const places = new Map();
  for (const camera of cameras) {
    if (camera.site) places.set(camera.site, camera.site_name ?? camera.site);
    if (camera.group) places.set(camera.group, camera.group_name ?? camera.group);
  }
  const known = new Set([...select.options].map((option) => option.value));
  for (const [id, name] of places) if (!known.has(id)) select.append(make("option", { value: id }, name));
  layOut();
}));
