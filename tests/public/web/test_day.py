"""The hours of a day on the crowd page, in a real browser."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from skyveil.core.ids import CameraId
from skyveil.gate.release_maps import release_maps
from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.measure.level import ZoneKind
from skyveil.public.density_map import DensityMap
from skyveil.public.hour_map import HourMap, Layout
from skyveil.public.store.roles import Role
from skyveil.public.web.site import PlaceView
from tests.measure.cameras import Hung
from tests.public.web.sites import HALL, StillCrowd
from tests.public.web.test_console import CHROMIUM, Shown, browsing

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
LIMITS = (1.0, 2.0, 3.5, 5.0)
HOUR = 3600
PAINTED = (
    "id => { const c = document.getElementById(id); if (!c.width || c.hidden) return false;"
    " const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
    " return data.some((v, n) => n % 4 === 0 && v > 180 && data[n + 3] > 60); }"
)
"""Whether a canvas has red, orange or yellow somewhere."""


def hall(at_s: float, most: float, *, across: float = 0.5) -> DensityMap:
    """A hall that is fullest where `across` of its width is."""
    y, x = np.mgrid[0:24, 0:36]
    per_m2 = most * np.exp(-(((x - 36 * across) / 7) ** 2) - ((y - 12) / 6) ** 2)
    per_m2[:6, :8] = np.nan
    grid = DensityGrid(HALL, 0.25, (-4.5, 6.0), per_m2)
    (one,) = release_maps(CameraGrids(CameraId("hall"), Hung(6, 35, 1300).given.to_shares, (grid,)), at_s=at_s)
    return one


class Filled(StillCrowd):
    """A hall that was full in the evening; for three hours its camera was away."""

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        points = ((0.2, 0.3), (0.8, 0.3), (0.9, 0.9), (0.1, 0.9))
        return [
            PlaceView(
                HALL,
                "Hall",
                line=False,
                staff=True,
                public=False,
                points=points,
                use=ZoneKind.WALKWAY,
                thresholds=LIMITS,
            )
        ]

    def maps(self, camera: CameraId) -> Sequence[DensityMap]:
        return [hall(time.time(), 0.9)]

    def day(self, camera: CameraId) -> Sequence[HourMap]:
        now_s, made = time.time(), []
        this = int(now_s) // HOUR * HOUR
        for ago in (24, *range(19, -1, -1)):
            start_s, most = this - ago * HOUR, 6.0 if ago == 3 else 1.5
            one = hall(start_s + 1, most, across=0.2 + 0.03 * ago)
            made.append(HourMap.empty(camera, HALL, start_s, Layout.of(one, LIMITS)))
            measured = max(1, int(now_s - this)) if ago == 0 else 900 if ago == 10 else HOUR
            made[-1].add(one, measured // 2)
            made[-1].add(hall(start_s + 2, most / 2, across=0.2 + 0.03 * ago), measured - measured // 2)
        return made


def slide(page: "Page", ago: int) -> str:
    """Choose the hour that began so many hours before this one; what the page says of it."""
    page.locator("#hour").evaluate("(e, n) => { e.value = n; e.dispatchEvent(new Event('input')); }", str(24 - ago))
    page.wait_for_function(
        "n => document.querySelector('#measured .chosen') === document.querySelectorAll('#measured .hour')[n]",
        arg=24 - ago,
    )
    return page.locator("#day-note").inner_text()


def test_the_control_room_looks_back_over_a_day_hour_by_hour(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1, Filled())
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/crowd")
            page.locator("#look-back").wait_for()
            page.wait_for_function("() => document.getElementById('video').currentTime > 0.3")
            page.select_option("#when", "day")
            page.locator("#measured .hour").nth(24).wait_for()
            said = page.locator("#day-note").inner_text()
            assert re.search(r"(19|20) h of (24|25) h were measured", said), said
            page.screenshot(path=str(tmp_path / "day.png"), full_page=True)
            page.select_option("#when", "hour")
            assert "of 60 min were measured" in slide(page, 3)
            page.select_option("#shown", "highest")
            page.wait_for_function(PAINTED, arg="floor")
            page.wait_for_function(PAINTED, arg="warped")
            page.screenshot(path=str(tmp_path / "hour.png"), full_page=True)
            page.select_option("#shown", "3")
            page.wait_for_function("() => document.querySelector('#scale').textContent.includes('% of the time')")
            page.screenshot(path=str(tmp_path / "share.png"), full_page=True)
            assert "15 min of 60 min" in slide(page, 10)
            assert "nothing was measured" in slide(page, 22)
            assert page.locator("#floor").is_hidden()
            page.screenshot(path=str(tmp_path / "nothing.png"), full_page=True)
            page.select_option("#when", "now")
            page.locator("#floor").wait_for()
            page.wait_for_function("() => document.querySelector('#scale').textContent.includes('from 3.5')")
            page.set_viewport_size({"width": 390, "height": 800})
            page.reload()
            page.locator("#look-back").wait_for()
            page.select_option("#when", "hour")
            slide(page, 3)
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
            page.screenshot(path=str(tmp_path / "phone.png"), full_page=True)
        with browsing(shown, Role.ADMIN) as page:
            page.goto(f"{shown.address}/crowd")
            page.locator("#places li").first.wait_for()
            # Who has no exact numbers is offered no look back.
            page.wait_for_function("() => document.querySelector('#history-title').textContent !== ''")
            assert page.locator("#look-back").is_hidden()
    finally:
        shown.close()
