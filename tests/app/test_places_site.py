"""A running site whose places are drawn in a real browser: by mouse, by keyboard, on a phone, and told in words."""

import json
import math
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from examples.rtsp_server import Camera, load, serving
from skyveil.app.config import load as load_config
from skyveil.app.config.models import Camera as ConfigCamera
from skyveil.app.config.models import Thresholds
from skyveil.app.server import accounts_of, database_of
from skyveil.measure.calibration_text import calibration_from, calibration_text
from skyveil.measure.points import points_of
from skyveil.public.store.roles import Role
from tests.app.live_stand_in import HUNG
from tests.app.test_crowd_site import CAMERA, PATIENCE_S, answers
from tests.app.test_live_site import CHROMIUM, SCRIPT, camera_processes
from tests.measure.cameras import SIZE_WH
from tests.private.capture.live.test_rtsp_source import made

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@dataclass
class Drawn:
    """A site that runs, with a hall and a neighbour."""

    config: Path
    process: "subprocess.Popen[bytes]"
    address: str
    links: dict[Role, str]

    def named(self, name: str) -> ConfigCamera:
        """A camera as the configuration file has it."""
        return next(one for one in load_config(self.config).cameras if one.id == name)


@contextmanager
def running(
    folder: Path,
    *,
    calibrated: bool = True,
    fault: str = "a crowd",
    zones: Sequence[Mapping[str, object]] = (),
    before: Callable[[Path], None] = lambda _: None,
) -> Iterator[Drawn]:
    """fault: what the networks do. zones: of the hall. before: what happens to the configuration before the start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    clip = load(made(folder / "camera.mp4", size=(640, 360)))
    with serving({"/hall": Camera(clip), "/door": Camera(clip)}) as server:
        (folder / "hall.json").write_text(calibration_text(HUNG.given))
        cameras = [
            {"id": name, "name": name.title(), "purpose": "Safety", "source": f"rtsp://127.0.0.1:{server.port}/{name}"}
            for name in ("hall", "door")
        ]
        cameras[0] |= {"calibration": "hall.json"} if calibrated else {}
        path = folder / "skyveil.yaml"
        written = [{**cameras[0], "zones": list(zones)}, *cameras[1:]]
        path.write_text(json.dumps({"version": 1, "server": {"port": port}, "cameras": written}))
        config = load_config(path)
        engine = database_of(config)
        accounts = accounts_of(config, engine)
        links = {}
        for role in (Role.ADMIN, Role.OPERATOR):
            accounts.add(role.value, "plenty of goats", role, cameras=["*"])
            links[role] = f"http://127.0.0.1:{port}/login?token={accounts.new_link(role.value)}"
        engine.dispose()
        before(path)
        script = SCRIPT.format(path=sys.path, config=str(path), camera=CAMERA.format(path=sys.path, fault=fault))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-c", script], stderr=log)
        try:
            until_s = time.monotonic() + PATIENCE_S
            while not answers(port):
                assert process.poll() is None and time.monotonic() < until_s, (folder / "log").read_text()
                time.sleep(0.1)
            yield Drawn(path, process, f"http://127.0.0.1:{port}", links)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def browsing(site: Drawn, role: Role) -> Iterator["Page"]:
    """A browser that is logged in; what it complains of, and whatever it asks of others, fails the test."""
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda said: troubles.append(said.text) if said.type == "error" else None,
        )
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((site.address, "blob:")) else troubles.append(asked.url),
        )
        page.goto(site.links[role])
        yield page
        browser.close()
    assert troubles == []


def looking(page: "Page", address: str) -> None:
    """Open a page, and wait for the picture."""
    page.goto(address)
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.3")


def click_floor(page: "Page", *points_m: tuple[float, float]) -> None:
    """Click where floor points are in the picture."""
    box = page.locator("#shapes").bounding_box()
    assert box is not None
    for x, y in (HUNG.given.pixels_of(points_of(points_m)) / SIZE_WH).tolist():
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def fits(page: "Page") -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"))


def test_places_are_drawn_saved_and_counted_and_no_process_is_disturbed(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        _drawn_by_admin(site, tmp_path)
        with browsing(site, Role.OPERATOR) as page:
            page.goto(f"{site.address}/crowd")
            page.locator("#places li", has_text="Hall floor").wait_for()
            page.wait_for_function(
                "() => [...document.querySelectorAll('#places dd')].some(d => /persons/.test(d.textContent))"
            )
            assert page.request.get(f"{site.address}/cameras/hall/places").status == 404


def _drawn_by_admin(site: Drawn, tmp_path: Path) -> None:
    with browsing(site, Role.ADMIN) as page:
        looking(page, f"{site.address}/cameras/hall/places")
        before = camera_processes(site.process.pid)
        page.click("#add-zone")
        # A bow tie is refused in words; its corner is dragged to where it belongs.
        click_floor(page, (-3, 6), (3, 6), (-3, 11), (3, 11), (-3, 6))
        refused = page.locator("#places .error")
        refused.wait_for()
        assert "crosses itself" in refused.inner_text() and page.locator("#save").is_disabled()
        box = page.locator("#shapes").bounding_box()
        assert box is not None
        places = (HUNG.given.pixels_of(points_of([(-3, 11), (3, 11)])) / SIZE_WH).tolist()
        at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
        aside = (at[0][0] - 40, at[0][1])
        for start, end in ((at[0], aside), (at[1], at[0]), (aside, at[1])):
            page.mouse.move(*start)
            page.mouse.down()
            page.mouse.move(*end)
            page.mouse.up()
        told = page.locator("#places li.block p.soft").first
        page.wait_for_function("() => document.querySelector('#places p.soft')?.textContent.includes('staff')")
        area = re.search(r"([\d.]+) m²", told.inner_text())
        assert area is not None and float(area[1]) == pytest.approx(30, rel=0.03)
        # A corner by keyboard alone.
        corner = page.locator("#shapes .corner").first
        assert "Corner 1" in str(corner.get_attribute("aria-label"))
        label = corner.get_attribute("aria-label")
        corner.focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        assert page.locator("#shapes .corner").first.get_attribute("aria-label") != label
        assert page.evaluate("() => document.activeElement.dataset.corner") == "0"
        page.fill("#name", "Hall floor")
        page.select_option("#use", "queue")
        page.check("#own")
        page.fill("#limit-red", "4.5")
        page.fill("#limit-rise_s", "2")
        page.keyboard.press("Tab")
        page.click("#add-line")
        click_floor(page, (-2, 8), (2, 8))
        page.wait_for_function(
            "() => [...document.querySelectorAll('#places li')].at(-1).textContent.includes('4.0 m')"
        )
        page.screenshot(path=str(tmp_path / "drawn.png"), full_page=True)
        page.locator("#save:not([disabled])").click()
        page.wait_for_function("() => document.getElementById('version').textContent.includes('admin')")
        (zone,), (line,) = site.named("hall").zones, site.named("hall").lines
        assert (zone.name, zone.kind, line.id) == ("Hall floor", "queue", "line-1")
        assert zone.thresholds == Thresholds(2, 4, 4.5, 6.5, rise_s=2, fall_s=60)
        assert not site.named("door").zones
        # Everybody sees a phone and other words, in the dark and the light.
        page.set_viewport_size({"width": 390, "height": 800})
        for language in ("zh-Hant", "zh-Hans", "en"):
            looking(page, f"{site.address}/cameras/hall/places?lang={language}")
            page.locator("#edit-0").click()
            assert fits(page)
            page.emulate_media(color_scheme="light")
            page.screenshot(path=str(tmp_path / f"phone-{language}.png"), full_page=True)
            page.emulate_media(color_scheme="dark")
        page.goto(f"{site.address}/audit")
        page.locator("td", has_text="Zones and lines changed").first.wait_for()
        assert camera_processes(site.process.pid) == before


def test_an_unfinished_place_can_not_be_saved_and_undo_takes_everything_back(tmp_path: Path) -> None:
    with running(tmp_path, calibrated=False) as site, browsing(site, Role.ADMIN) as page:
        looking(page, f"{site.address}/cameras/hall/places")
        assert page.locator("#uncalibrated").is_visible()
        page.click("#add-zone")
        click_floor(page, (-3, 6), (3, 6))
        page.keyboard.press("Escape")
        assert page.locator("#save").is_disabled()
        page.click("#undo")
        assert page.locator("#places li").count() == 0
        page.click("#add-zone")
        click_floor(page, (-3, 6), (3, 6), (3, 11), (-3, 11), (-3, 6))
        page.locator("#save:not([disabled])").click()
        page.wait_for_function("() => document.getElementById('version').textContent.includes('admin')")
        assert "control room" in page.locator("#places p.soft").inner_text()


def at_floor(page: "Page", points_m: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where floor points are in the window."""
    box = page.locator("#shapes").bounding_box()
    assert box is not None
    shares = (HUNG.given.pixels_of(points_of(points_m)) / SIZE_WH).tolist()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]


def test_a_camera_is_calibrated_in_four_ways_and_measured_with_the_last_from_then_on(tmp_path: Path) -> None:
    with running(tmp_path, calibrated=False) as site, browsing(site, Role.ADMIN) as page:
        looking(page, f"{site.address}/cameras/hall/calibrate")
        before = camera_processes(site.process.pid)
        shown = "() => document.querySelectorAll('#shapes .grid').length > 10"
        height = "() => [...document.querySelectorAll('#facts dd')].map(d => d.textContent).find(t => / m$/.test(t))"
        assert page.locator("#version").inner_text() == "Not calibrated"
        # A picture that is held stands still while newer ones come, and goes on with them.
        page.check("#hold")
        at_s = page.evaluate("() => document.getElementById('video').currentTime")
        ahead = (
            "s => { const all = document.getElementById('video').buffered; return all.end(all.length - 1) > s + 1.5; }"
        )
        page.wait_for_function(ahead, arg=at_s)
        assert page.evaluate("() => document.getElementById('video').currentTime") == pytest.approx(at_s, abs=0.05)
        page.uncheck("#hold")
        page.wait_for_function("s => document.getElementById('video').currentTime > s + 1", arg=at_s)
        # The camera's height and tilt; a tilt that is none is refused in words, and a right one shows grid and figures.
        page.check("input[value=camera]")
        view = 2 * math.degrees(math.atan(SIZE_WH[0] / 2 / HUNG.focal_px))
        for key, value in (("height", 6), ("tilt", 120), ("view", round(view, 2))):
            page.fill(f"#field-{key}", str(value))
            page.keyboard.press("Tab")
        page.locator("#refused", has_text="tilt").wait_for()
        assert page.locator("#save").is_disabled()
        page.fill("#field-tilt", "35")
        page.keyboard.press("Tab")
        page.wait_for_function(shown)
        assert page.locator("#shapes .figure").count() > 4
        page.screenshot(path=str(tmp_path / "camera.png"), full_page=True)
        # A rectangle on the floor: the same camera.
        page.check("input[value=rectangle]")
        page.click("#add")
        for place in at_floor(page, [(-2, 6), (2, 6), (2, 10), (-2, 10)]):
            page.mouse.click(*place)
        for key in ("width", "depth"):
            page.fill(f"#field-{key}", "4")
            page.keyboard.press("Tab")
        page.wait_for_function(shown)
        assert float(str(page.evaluate(height)).split()[0]) == pytest.approx(6, rel=0.05)
        # Points whose metres are typed: six tell their own error.
        page.check("input[value=points]")
        page.click("#add")
        known = [(-2, 6), (2, 6), (2, 10), (-2, 10), (0, 7), (1, 9)]
        for place in at_floor(page, [(float(x), float(y)) for x, y in known]):
            page.mouse.click(*place)
        for index, (x, y) in enumerate(known):
            page.fill(f"#x-{index}", str(x))
            page.fill(f"#y-{index}", str(y))
        page.keyboard.press("Tab")
        page.wait_for_function("() => / px/.test(document.getElementById('facts').textContent)")
        assert "nothing to compare" not in page.locator("#facts").inner_text()
        assert page.evaluate(shown)
        page.screenshot(path=str(tmp_path / "points.png"), full_page=True)
        page.locator("#save:not([disabled])").click()
        page.wait_for_function("() => document.getElementById('version').textContent.includes('admin')")
        file = site.named("hall").calibration
        assert file is not None and calibration_from(file.read_text()).camera_m[2] == pytest.approx(6, rel=0.05)
        # The same points on a plan of 20 m, which stays in the browser.
        Image.new("RGB", (800, 400), "white").save(tmp_path / "plan.png")
        page.click("#clear")
        page.click("#add")
        for place in at_floor(page, [(-2, 6), (2, 6), (2, 10), (-2, 10)]):
            page.mouse.click(*place)
        page.set_input_files("#plan-file", str(tmp_path / "plan.png"))
        page.fill("#plan-length", "20")
        scale, corners = [(0.0, 0.5), (0.999, 0.5)], [(0.4, 0.9), (0.6, 0.9), (0.6, 0.5), (0.4, 0.5)]
        for button, points in (("#plan-scale", scale), ("#plan-points", corners)):
            page.click(button)
            page.locator("#plan-shapes").scroll_into_view_if_needed()
            box = page.locator("#plan-shapes").bounding_box()
            assert box is not None
            for across, down in points:
                page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
        page.wait_for_function("() => Math.abs(document.querySelector('#y-2')?.value - 4) < 0.2")
        page.wait_for_function(shown)
        # People as rulers want twelve of them.
        page.check("input[value=people]")
        page.fill("#field-view", "73")
        page.click("#add")
        feet = [(x, y) for y in (5.0, 7.0, 9.0, 11.0) for x in (-1.5, 0.0, 1.5)]
        heads = HUNG.shows(points_of(feet), np.full(len(feet), 1.68)) / SIZE_WH
        box = page.locator("#shapes").bounding_box()
        assert box is not None
        for foot, (x, y) in zip(at_floor(page, feet), heads.tolist(), strict=True):
            page.mouse.click(*foot)
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_function(shown)
        assert "12" in page.locator("#people-count").inner_text()
        page.screenshot(path=str(tmp_path / "people.png"), full_page=True)
        # On a phone, in other words, in the dark; what is in use is shown.
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 800})
        for language in ("zh-Hant", "zh-Hans", "en"):
            looking(page, f"{site.address}/cameras/hall/calibrate?lang={language}")
            page.wait_for_function(shown)
            assert fits(page)
        page.screenshot(path=str(tmp_path / "phone.png"), full_page=True)
        # From now on a zone has a size here.
        looking(page, f"{site.address}/cameras/hall/places")
        assert not page.locator("#uncalibrated").is_visible()
        page.goto(f"{site.address}/audit")
        page.locator("td", has_text="Camera calibrated").first.wait_for()
        assert camera_processes(site.process.pid) == before
