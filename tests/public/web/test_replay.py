"""The replay of an alarm in a real browser: picture and numbers in step, for who may have which."""

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.measure.level import Level, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import NumberSeries, Told
from skyveil.public.alarm.event import Happened, Occasion
from skyveil.public.audience import Audience
from skyveil.public.store.alarm_log import LoggedEvent
from skyveil.public.store.roles import Role
from skyveil.public.web.site import PlaceView
from tests.public.archive.test_archive import START_S
from tests.public.web.sites import HALL, StillCrowd
from tests.public.web.test_console import CHROMIUM, Shown, browsing

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
LIMITS = (1.0, 2.0, 3.5, 5.0)
GATE = PlaceId("gate")
AREA_M2 = 20.0


class Alarmed(StillCrowd):
    """A hall that filled towards `at_s`, when its alarm was raised, and a gate; exact numbers are kept for a day."""

    def __init__(self, at_s: float) -> None:
        super().__init__()
        self.at_s = at_s
        hall, occasion = camera_id("hall"), ("density 5.2 per m2, red from 3.5",)
        self.open = [Occasion("alarm-1", hall, HALL, "Hall", Level.RED, 3, at_s, occasion, (), at_s)]

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        return [
            PlaceView(
                HALL,
                "Hall",
                line=False,
                staff=True,
                public=False,
                use=ZoneKind.WALKWAY,
                thresholds=LIMITS,
                pressure_from=3.0,
            ),
            PlaceView(GATE, "Gate", line=True, staff=True, public=False),
        ]

    def chart(
        self,
        audience: Audience,
        camera: CameraId,
        place: PlaceId,
        measures: Sequence[Measure],
        *,
        period_s: int,
        from_s: int,
        to_s: int,
    ) -> Sequence[NumberSeries]:
        self.asked.append((audience, camera))
        exact = audience is Audience.CONTROL_ROOM
        kept = {Measure.COUNT, Measure.DENSITY} if place == HALL else {Measure.FLOW_FORWARD, Measure.FLOW_BACKWARD}
        if exact and place == HALL:
            kept |= {Measure.VORONOI_DENSITY, Measure.PRESSURE_RATIO, Measure.PRESSURE}
        starts = list(range(-(-from_s // 60) * 60, to_s, 60))
        if exact:
            starts = [start_s for start_s in starts if start_s >= time.time() - 86400]
        per_m2 = [max(0.5, 5.2 - abs(start_s - self.at_s) / 200) for start_s in starts]
        scale = {Measure.COUNT: AREA_M2, Measure.PRESSURE: 0.004, Measure.PRESSURE_RATIO: 0.7}
        told = [Told.EXACT if exact else Told.ROUNDED] * len(starts)
        return [
            NumberSeries(
                place,
                measure,
                period_s,
                starts,
                [one.value for one in told],
                [0.2 if measure is Measure.FLOW_BACKWARD else scale.get(measure, 1) * one for one in per_m2],
                [0.001 if measure is Measure.PRESSURE else 0.1] * len(starts),
                ["good"] * len(starts),
            )
            for measure in sorted(kept & set(measures))
            if starts
        ]

    def alarm_log(
        self,
        of: Collection[str],
        *,
        groups: Collection[str],
        alarm: str,
        from_s: float | None,
        before: int | None,
        limit: int,
    ) -> Sequence[LoggedEvent]:
        happened = [
            (-240, Happened.RAISED, Level.ORANGE, ""),
            (0, Happened.ROSE, Level.RED, ""),
            (9, Happened.ACKNOWLEDGED, Level.RED, "ada"),
            (420, Happened.CLEARED, Level.YELLOW, ""),
        ]
        return [
            LoggedEvent(n, self.at_s + at, "alarm-1", what, camera_id("hall"), HALL, level, ("Hall",), who, drill=False)
            for n, (at, what, level, who) in reversed(list(enumerate(happened, start=1)))
            if "hall" in of and alarm in ("", "alarm-1")
        ]


def played(page: "Page", seconds: float) -> None:
    page.wait_for_function("s => document.getElementById('video').currentTime > s", arg=seconds)


def test_from_the_desk_a_replay_shows_picture_and_exact_numbers_in_step(tmp_path: Path) -> None:
    at_s = int(time.time()) // 60 * 60 - 1800.0
    shown = Shown(tmp_path, 1, Alarmed(at_s), at_s=at_s - 62)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/alarms")
            page.locator("#log a", has_text="Replay").first.wait_for()
            page.locator("#open a", has_text="Replay").click()
            played(page, 2.5)  # from a minute before the alarm: the recording begins two seconds earlier
            page.locator("#events li").nth(3).wait_for()
            assert "ada" in page.locator("#events").inner_text()
            assert "Exact numbers" in page.locator("#whose").inner_text()
            assert page.locator("#charts .chart").count() == 5
            labels = page.locator("#charts .uplot[role=img]").evaluate_all("all => all.map(one => one.ariaLabel)")
            assert len(labels) == 5 and "Density (Voronoi) (per m²)" in labels, labels
            figures = page.locator("#figures").inner_text()
            assert "Red" in figures and "4.90 ± 0.10 per m²" in figures and "98 persons" in figures, figures
            assert "Gate: Flow forward" in figures and "Crowd pressure" in figures
            page.screenshot(path=str(tmp_path / "replay.png"), full_page=True)
            # A click on a chart moves picture, clock and numbers; there is no recording then, and the numbers stay.
            before = page.locator("#clock").inner_text()
            box = page.locator("#charts .u-over").first.bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + 5, box["y"] + 20)
            page.wait_for_function("t => document.getElementById('clock').textContent !== t", arg=before)
            assert "Yellow" in page.locator("#figures").inner_text()
            page.locator("#recordings").click()
            page.wait_for_url("**/recordings?at=*")
            played(page, 2.2)
            page.goto(f"{shown.address}/report")
            page.locator("#log a", has_text="Replay").first.click()
            page.wait_for_url("**/replay?*")
            page.set_viewport_size({"width": 390, "height": 800})
            page.reload()
            page.locator("#charts .u-over").first.wait_for()
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
            page.screenshot(path=str(tmp_path / "phone.png"), full_page=True)
        assert "view.recording" in {one.action for one in shown.audit.entries(limit=1000)}
    finally:
        shown.close()


def test_each_role_replays_what_it_may_and_is_told_what_is_gone(tmp_path: Path) -> None:
    at_s = START_S + 65
    shown = Shown(tmp_path, 1, Alarmed(at_s))
    address = f"{shown.address}/cameras/hall/replay?place=hall&alarm=alarm-1&at={at_s:.0f}"
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(address)
            played(page, 5.5)
            assert "kept for 24 hours and are gone" in page.locator("#whose").inner_text()
            assert "Density\n" in page.locator("#figures").inner_text()
            page.screenshot(path=str(tmp_path / "old.png"), full_page=True)
            # Past its retention: the page says so, and shows the numbers that are still kept.
            page.goto(address.replace(f"{at_s:.0f}", f"{at_s - 5 * 86400:.0f}").replace("&alarm=alarm-1", ""))
            page.locator("#slate", has_text="past its retention of 3 days").wait_for()
            page.locator("#charts .chart").first.wait_for()
            assert page.locator("#no-events").is_visible()
            page.screenshot(path=str(tmp_path / "past.png"), full_page=True)
        with browsing(shown, Role.VIEWER) as page:
            page.goto(address)
            page.locator("#slate", has_text="Recordings are not for your role").wait_for()
            page.locator("#charts .chart").first.wait_for()
            assert "numbers for staff" in page.locator("#whose").inner_text()
            assert page.locator("#events li").count() == 0 and page.locator("#recordings").is_hidden()
        with browsing(shown, Role.ADMIN) as page:
            page.goto(address)
            played(page, 5.5)
            assert page.locator("#events li").count() == 4
        assert {audience for audience, _ in shown.crowd.asked} == {Audience.STAFF}
    finally:
        shown.close()
