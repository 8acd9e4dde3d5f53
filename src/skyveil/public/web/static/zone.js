// Days and times of a time zone, whichever the browser is in, also where its clocks are set on or back.

const DAY_MS = 86400_000;

/** What a page needs of an IANA time zone; inputs hold wall clock times such as 2026-05-01T14:05:09. */
export function zoneOf(timeZone) {
  const language = document.documentElement.lang;
  const date = new Intl.DateTimeFormat(language, { timeZone, dateStyle: "medium", timeStyle: "medium" });
  const time = new Intl.DateTimeFormat(language, { timeZone, timeStyle: "medium" });
  const parts = new Intl.DateTimeFormat("en", { timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });

  /** The wall clock at a moment, as if it were one of UTC. */
  const wallMs = (ms) => {
    const told = Object.fromEntries(parts.formatToParts(ms).map((part) => [part.type, Number(part.value)]));
    return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second);
  };

  /**
   * Unix seconds of a wall clock time, the first that is not before `notBefore`: an hour that is twice in a day has two.
   * One that the clocks skip is as long after the hour before it.
   */
  function secondsOf(text, notBefore = -Infinity) {
    const wall = Date.parse(`${text}Z`);
    const [before, after] = [wall - DAY_MS, wall + DAY_MS].map((ms) => wall - (wallMs(ms) - ms));
    const moments = [before, after].filter((ms) => wallMs(ms) === Math.floor(wall / 1000) * 1000).sort((a, b) => a - b);
    return (moments.find((ms) => ms / 1000 >= notBefore) ?? moments.at(-1) ?? before) / 1000;
  }

  return {
    name: timeZone,
    dateTime: (seconds) => date.format(seconds * 1000),
    timeOfDay: (seconds) => time.format(seconds * 1000),
    inputOf: (seconds) => new Date(wallMs(Math.floor(seconds) * 1000)).toISOString().slice(0, 19),
    secondsOf,
    /** When a day such as 2026-05-01 begins and ends; most have 24 hours. */
    dayOf: (name) => {
      const next = new Date(Date.parse(`${name}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
      return { start_s: secondsOf(`${name}T00:00:00`), end_s: secondsOf(`${next}T00:00:00`) };
    },
  };
}
