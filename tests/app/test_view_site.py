"""A camera that was moved while the server was off: somebody looks at it in a real browser, and says: it is right."""

import time
from pathlib import Path

import pytest

from skyveil.app.config import Secrets, specs
from skyveil.app.config import load as load_config
from skyveil.app.server import database_of
from skyveil.app.views import _digest
from skyveil.core.ids import camera_id
from skyveil.measure.points import points_of
from skyveil.public.store.audit import AuditLog
from skyveil.public.store.roles import Role
from skyveil.public.store.views import StoredView, ViewStore
from tests.app.live_stand_in import HUNG
from tests.app.test_crowd_site import ZONE_M
from tests.app.test_live_site import CHROMIUM, camera_processes
from tests.app.test_places_site import browsing, looking, running
from tests.measure.cameras import SIZE_WH

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
HALL = camera_id("hall")
FLOOR = {
    "id": "floor",
    "name": "Hall floor",
    "points": (HUNG.given.pixels_of(points_of(ZONE_M)) / SIZE_WH).tolist(),
}


def was_moved(path: Path) -> None:
    """Have the database say that the hall was moved an hour ago."""
    config = load_config(path)
    engine = database_of(config)
    calibration = _digest(specs(config, Secrets(config.server.secrets))[HALL])
    ViewStore(engine).put({HALL: StoredView(calibration, moved_s=time.time() - 3600)})
    engine.dispose()


def test_who_looks_at_a_moved_camera_and_says_that_it_is_right_has_its_numbers_back(tmp_path: Path) -> None:
    with running(tmp_path, zones=[FLOOR], before=was_moved) as site:
        before = camera_processes(site.process.pid)
        with browsing(site, Role.OPERATOR) as page:
            looking(page, f"{site.address}/cameras/hall")
            page.locator("#facts", has_text="moved").wait_for()
            page.locator("#trust-view").wait_for()
            page.goto(f"{site.address}/crowd")
            page.locator("#places", has_text="Hall floor").wait_for()
            # Who takes it back has said nothing.
            looking(page, f"{site.address}/cameras/hall")
            page.locator("#trust-view").wait_for()
            page.once("dialog", lambda asked: asked.dismiss())
            page.click("#trust-view")
            assert page.locator("#trust-view").is_visible()
            page.once("dialog", lambda asked: asked.accept())
            page.click("#trust-view")
            page.wait_for_function("() => document.getElementById('trust').hidden")
            page.wait_for_function("() => !/moved/i.test(document.getElementById('facts').textContent)")
            page.reload()
            page.wait_for_function("() => document.getElementById('facts').children.length > 4")
            assert not page.locator("#trust-view").is_visible()
        assert camera_processes(site.process.pid) == before
        engine = database_of(load_config(site.config))
        until_s = time.monotonic() + 60
        while not (stored := ViewStore(engine).trusted()).get(HALL):
            assert time.monotonic() < until_s
            time.sleep(0.2)
        assert stored[HALL] > time.time() - 600
        assert all(one.moved_s is None for one in ViewStore(engine).all().values())
        (entry,) = AuditLog(engine).entries(action="view.trust")
        assert (entry.actor, entry.object) == ("operator", "hall")
        engine.dispose()
