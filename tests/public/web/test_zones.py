"""Days and times of recordings in the time zone of the camera's site, whichever zone the browser is in."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from skyveil.public.store.roles import Role
from tests.public.web.test_console import CHROMIUM, Shown, browsing

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
AUCKLAND = "Pacific/Auckland"
FAR = "America/Los_Angeles"
READ = """
async ([names, texts, days]) => {
  const { zoneOf } = await import('/static/zone.js');
  const read = (name) => {
    const { secondsOf, inputOf, dayOf } = zoneOf(name);
    const first = texts.map((one) => secondsOf(one));
    const later = texts.map((one, n) => secondsOf(one, first[n] + 1));
    return { first, later, again: first.map(inputOf), days: days.map(dayOf).map((day) => [day.start_s, day.end_s]) };
  };
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}
"""


def moment(zone: str, text: str, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def test_a_day_in_another_zone_is_opened_played_and_exported_as_the_clock_there_says(tmp_path: Path) -> None:
    # The day on which the clocks go back at 3:00: 25 hours. In UTC this is the day before, and in Los Angeles as well.
    at_s = moment(AUCKLAND, "2026-04-05T02:30:00", fold=1)
    shown = Shown(tmp_path, 1, at_s=at_s)
    shown.site.views = [replace(one, timezone=AUCKLAND) for one in shown.site.views]
    try:
        with browsing(shown, Role.OPERATOR, timezone=FAR) as page:
            page.goto(f"{shown.address}/cameras/hall/recordings")
            page.locator("#strip .segment").first.wait_for(state="attached")
            assert page.locator("#day option").all_inner_texts() == ["2026-04-05"]
            assert page.locator("#strip").get_attribute("viewBox") == "0 0 90000 40"
            assert page.locator("#strip .segment").first.get_attribute("x") == str(int(3.5 * 3600))
            assert AUCKLAND in page.locator("#content").inner_text()
            # Six in the morning is seven hours after midnight.
            mark = page.locator("#hours span").nth(1)
            assert mark.inner_text() == "6" and "left: 28%" in str(mark.get_attribute("style"))
            page.goto(f"{shown.address}/cameras/hall/recordings?at={at_s + 5:.0f}")
            page.wait_for_function("() => document.getElementById('video').currentTime > 5.2")
            assert page.locator("#time").input_value() == "02:30:05"
            assert page.locator("#clock").inner_text().startswith("Apr 5, 2026, 2:30:0")
            # The hour is twice in this day: what was played is exported, and not what was an hour before.
            assert page.locator("#export [name=from]").input_value() == "2026-04-05T02:30:05"
            page.fill("#export [name=reason]", "a report to the police")
            with page.expect_request("**/exports") as asked, page.expect_download():
                page.click("#export button")
            assert json.loads(asked.value.post_data or "")["from_s"] == at_s + 5
            assert json.loads(asked.value.post_data or "")["to_s"] == at_s + 65
            # From a time that is typed, playing begins in the first of the two hours, and so with what comes next.
            page.fill("#time", "02:30:02")
            page.click("#play")
            page.wait_for_function("() => document.getElementById('time').value.startsWith('02:30:00')")
    finally:
        shown.close()


def test_wall_clocks_are_read_as_the_standard_library_reads_them(tmp_path: Path) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]
    texts = [f"{day}T{hour}" for day in days for hour in ("00:00:00", "00:30:00", "01:30:00", "02:30:00", "13:05:09")]
    zones = (AUCKLAND, FAR, "Europe/Zurich", "Africa/Cairo", "America/Havana", "Asia/Kathmandu")
    shown = Shown(tmp_path, 1)
    try:
        with browsing(shown, Role.OPERATOR, timezone=FAR) as page:
            told = page.evaluate(
                READ,
                [zones, texts, [str(day) for day in days]],
            )
    finally:
        shown.close()
    for zone in zones:
        one = told[zone]
        for text, first, again, later in zip(texts, one["first"], one["again"], one["later"], strict=True):
            assert first == moment(zone, text), text
            there = datetime.fromtimestamp(first, ZoneInfo(zone)).replace(tzinfo=None)
            assert again == there.isoformat()
            skipped = there != datetime.fromisoformat(text)
            assert later == (first if skipped else moment(zone, text, fold=1)), text
        starts = [moment(zone, f"{day}T00:00:00") for day in days]
        assert one["days"][:-1] == [list(pair) for pair in pairwise(starts)]


def test_the_time_of_the_server_is_that_of_the_zone_that_is_named_beside_it(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1)
    try:
        with browsing(shown, Role.OPERATOR, timezone=AUCKLAND) as page:
            page.goto(f"{shown.address}/health")
            time = page.locator("dt", has_text="Server time").locator("+ dd")
            time.wait_for()
            told = datetime.strptime(time.inner_text().replace("\u202f", " "), "%b %d, %Y, %I:%M:%S %p")
            assert abs(told - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=5)
    finally:
        shown.close()
