"""A running site whose camera calibrates itself by people who walk by, asked and accepted in a real browser."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from skyveil.measure.calibration_text import calibration_from
from skyveil.public.store.roles import Role
from tests.app.live_stand_in import HUNG
from tests.app.test_live_site import CHROMIUM, camera_processes
from tests.app.test_places_site import browsing, fits, looking, running
from tests.measure.cameras import SIZE_WH

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
GRID = "() => document.querySelectorAll('#shapes .grid').length > 10"


def ask(page: "Page") -> None:
    """Give the view, and begin."""
    page.check("input[value=rulers]")
    page.fill("#field-view", str(round(2 * math.degrees(math.atan(SIZE_WH[0] / 2 / HUNG.focal_px)), 1)))
    page.keyboard.press("Tab")
    page.locator("#rulers-begin:not([disabled])").click()
    page.locator("#rulers-state", has_text="of 60 pairs").wait_for()


def test_a_camera_calibrates_itself_by_people_who_walk_by(tmp_path: Path) -> None:
    with running(tmp_path, calibrated=False, fault="walkers") as site, browsing(site, Role.ADMIN) as page:
        looking(page, f"{site.address}/cameras/hall/calibrate")
        before = camera_processes(site.process.pid)
        page.check("input[value=rulers]")
        assert page.locator("#rulers-begin").is_disabled() and page.locator("#rulers-drop").is_disabled()
        # What is dropped leaves nothing.
        ask(page)
        page.locator("#rulers-drop:not([disabled])").click()
        page.locator("#rulers-state", has_text="Nobody is measured").wait_for()
        # It goes on while the page is closed, and is shown when it is opened again.
        ask(page)
        page.goto(f"{site.address}/cameras/hall")
        looking(page, f"{site.address}/cameras/hall/calibrate")
        assert page.is_checked("input[value=rulers]")
        page.locator("#rulers-state", has_text="which are forgotten").wait_for()
        page.wait_for_function(GRID)
        assert page.locator("#shapes .figure").count() > 4 and page.locator("#shapes .horizon").count() == 1
        facts = page.locator("#facts").inner_text()
        assert "nothing to compare" not in facts.split("Areas")[0].split("Error of points left out")[1]
        page.screenshot(path=str(tmp_path / "rulers.png"), full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        assert fits(page)
        page.screenshot(path=str(tmp_path / "rulers-phone.png"), full_page=True)
        assert site.named("hall").calibration is None
        page.locator("#save:not([disabled])").click()
        page.wait_for_function("() => document.getElementById('version').textContent.includes('admin')")
        page.locator("#rulers-state", has_text="Nobody is measured").wait_for()
        file = site.named("hall").calibration
        assert file is not None
        saved = calibration_from(file.read_text())
        assert saved.camera_m[2] == pytest.approx(HUNG.height_m, rel=0.1) and saved.fit.points >= 60
        page.goto(f"{site.address}/audit")
        for action in ("People taken for rulers", "People as rulers dropped", "Camera calibrated"):
            page.locator("td", has_text=action).first.wait_for()
        assert camera_processes(site.process.pid) == before
