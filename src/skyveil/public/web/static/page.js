// What every page needs: its context, its words, and small ways to build elements without markup in strings.
export const context = JSON.parse(document.getElementById("context").textContent);
const words = JSON.parse(document.getElementById("words").textContent);

/** The text of a key in the reader's language, with {name} filled in. An unknown key shows itself. */
export function t(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** An element with properties and children; text is always text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put rows into a table; one that says so when there are none, so that empty is not taken for not loaded. */
export function fill(table, rows) {
  const none = () => make("tr", {}, make("td", { className: "soft", colSpan: table.tHead.rows[0].cells.length }, t("table.none")));
  renew(table.tBodies[0], rows.length ? rows : [none()]);
}

/**
 * Show rows in a list or table, in place: one whose `data-key` is there already is changed into what it is now, so that
 * nothing that somebody is about to press, or has the keyboard's place, is taken away. What they listen to stays as well.
 * Rows without one are always new.
 */
export function renew(parent, rows) {
  const focused = document.activeElement;
  const known = new Map([...parent.children].map((row) => [row.dataset.key, row]));
  rows.forEach((row, index) => {
    const before = row.dataset.key === undefined ? undefined : known.get(row.dataset.key);
    if (before) become(before, row);
    if (parent.children[index] !== (before ?? row)) parent.insertBefore(before ?? row, parent.children[index] ?? null);
  });
  while (parent.children.length > rows.length) parent.lastElementChild.remove();
  if (document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true }); // it was moved
}

/** Change an element into what a new one of its kind is; only what differs is touched. */
function become(element, fresh) {
  if (element.isEqualNode(fresh)) return;
  for (const { name } of [...element.attributes]) if (!fresh.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name === "style") element.style.cssText = value; // the attribute itself is refused by the page's policy
    else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  const [old, now] = [[...element.childNodes], [...fresh.childNodes]];
  now.forEach((child, index) => {
    const before = old[index];
    if (!before) element.append(child);
    else if (before.nodeName !== child.nodeName) before.replaceWith(child);
    else if (child.nodeType === Node.ELEMENT_NODE) become(before, child);
    else if (before.data !== child.data) before.data = child.data;
  });
  for (const gone of old.slice(now.length)) gone.remove();
}

export const byId = (id) => document.getElementById(id);

/** Say something to the reader (and the screen reader) for some seconds. */
export function notify(text, bad = false) {
  const line = make("p", { className: bad ? "bad" : "" }, text);
  byId("notices").append(line);
  setTimeout(() => line.remove(), bad ? 12000 : 5000);
}

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" });

/** Unix seconds as local date and time; nothing for nothing. */
export const dateTime = (seconds) => (seconds === null || seconds === undefined ? "" : clock.format(seconds * 1000));
/** A cell of a table with date and time, which break between the two and nowhere else. */
export const timeCell = (seconds) => make("td", { className: "time" }, dateTime(seconds));
export const timeOfDay = (seconds) => hour.format(seconds * 1000);

/** Unix seconds as an input of local date and time takes them. */
export const localTime = (seconds) => new Date((seconds - new Date(seconds * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 19);
/** Unix seconds of what an input of local date and time holds. */
export const secondsOf = (text) => new Date(text).getTime() / 1000;

/** A duration in seconds in the reader's words. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return t("time.seconds", { n: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  if (seconds < 5400) return t("time.minutes", { n: Math.round(seconds / 60) });
  if (seconds < 172800) return t("time.hours", { n: Math.round(seconds / 3600) });
  return t("time.days", { n: Math.round(seconds / 86400) });
}

const stateWord = (state) => t(`state.${state}`);
export const causeWord = (cause) => t(`cause.${cause}`);

/** Show a camera's state in a badge. */
export function showState(badge, health) {
  badge.dataset.state = health.state;
  badge.textContent = stateWord(health.state);
  badge.title = causeWord(health.cause);
}

/** What stands in place of a picture. */
export function slateText(health) {
  if (health.state === "starting") return t("slate.starting");
  return `${stateWord(health.state)}\n${causeWord(health.cause)}\n${t("slate.since", { time: timeOfDay(health.since_s) })}`;
}

/** Run `task` now and every `seconds`, never twice at once, and not while the page is hidden unless `always`. */
export function every(seconds, task, { always = false } = {}) {
  let busy = false;
  const run = async () => {
    if (busy || (document.hidden && !always)) return;
    busy = true;
    try {
      await task();
    } finally {
      busy = false;
    }
  };
  run();
  return setInterval(run, seconds * 1000);
}
