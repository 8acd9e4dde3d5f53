"""The console in a real browser: walls of 1 to 36 cameras by mouse and keyboard, recordings, exports and holds."""

import asyncio
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn

from skyveil.app.config import load
from skyveil.app.recordings import LiveRecordings
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.aggregate import Aggregate
from skyveil.public.live.hub import Hub
from skyveil.public.store import Accounts, AuditLog, open_database
from skyveil.public.store.roles import Role
from skyveil.public.web.app import create_app
from skyveil.public.web.site import PlaceView
from skyveil.public.web.state import Console
from tests.public.archive.test_archive import START_S, Stream
from tests.public.archive.test_archive import Site as Recorded
from tests.public.web.sites import GOOD, HALL, StillCrowd, StillSite

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
PATIENCE_MS = 90_000
FPS = 10
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


class Shown:
    """A console that is served, with live pictures of every camera and recordings of the hall."""

    def __init__(self, folder: Path, cameras: int, crowd: StillCrowd | None = None, *, at_s: float = START_S) -> None:
        recorded = Recorded(folder)
        recorded.clock.s = at_s
        recorded.record(20, Stream((320, 240)))
        recorded.recorder.close()
        path = folder / "skyveil.yaml"
        path.write_text(
            "version: 1\nserver: {data: data, keys: keys}\ncameras:\n  - {id: hall, name: Hall, purpose: Safety, "
            "source: 'rtsp://10.0.0.1/', targets: [face, head, person, plate]}\n"
        )
        self.engine = open_database(folder / "skyveil.sqlite")
        self.accounts, self.audit = Accounts(self.engine), AuditLog(self.engine)
        for role in Role:
            self.accounts.add(role.value, GOOD, role, cameras=["*"])
        names = ["hall", *(f"camera-{number:02}" for number in range(2, cameras + 1))]
        self.crowd = crowd or StillCrowd()
        self.site = StillSite(*names)
        self.hub, self.names = Hub(), [camera_id(name) for name in names]
        console = Console(
            self.accounts,
            self.audit,
            self.hub,
            self.site,
            LiveRecordings(load(path)),
            self.crowd,
            version="1",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(create_app(console), port=self.port, log_config=None, access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), name="console", daemon=True)
        self.thread.start()

    async def run(self) -> None:
        pushing = asyncio.create_task(self.push())
        await self.server.serve()
        pushing.cancel()

    async def push(self) -> None:
        stream = Stream((320, 240))
        mime = stream._fragmenter.mime
        for name in self.names:
            self.hub.state(CameraHealth(name, CameraState.LIVE, Cause.OK, 1.0, fps=FPS, age_s=0.1))
            self.hub.start(name, stream.init, mime)
        while True:
            fragment = stream.next()
            for name in self.names:
                self.hub.publish(name, fragment.data, keyframe=fragment.keyframe)
            await asyncio.sleep(1 / FPS)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.engine.dispose()


@contextmanager
def browsing(shown: Shown, role: Role, *, timezone: str = "UTC", awaited: str = "never") -> Iterator["Page"]:
    """A browser that is logged in; whatever it complains about, and whatever it asks of others, fails the test.

    awaited: a regular expression of complaints that belong to the test.
    """
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, timezone_id=timezone, accept_downloads=True)
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda said: (
                troubles.append(said.text) if said.type == "error" and not re.search(awaited, said.text) else None
            ),
        )
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((shown.address, "blob:")) else troubles.append(asked.url),
        )
        page.goto(f"{shown.address}/login")
        page.fill("input[name=name]", role.value)
        page.fill("input[name=password]", GOOD)
        page.click("form button[type=submit]")
        page.wait_for_url(f"{shown.address}/")
        yield page
        browser.close()
    assert troubles == []


def playing(page: "Page", number: int) -> None:
    """Wait until exactly so many pictures move."""
    page.wait_for_function(
        "n => { const all = [...document.querySelectorAll('.tile video')];"
        " return all.length === n && all.every(v => v.currentTime > 0.2 && v.videoWidth === 320); }",
        arg=number,
    )


def test_a_wall_of_1_to_36_cameras_by_mouse_and_keyboard(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 40)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            playing(page, 36)
            assert page.locator("#page-of").inner_text() == "1 / 2"
            assert page.locator("#summary").inner_text() == "36 of 36 live"
            assert page.locator(".tile .slate:visible").count() == 0
            page.keyboard.press("PageDown")
            playing(page, 4)
            page.keyboard.press("PageUp")
            for side in (1, 2, 3, 4, 5, 6):
                page.keyboard.press(str(side))
                playing(page, side * side)
                columns = page.evaluate("() => getComputedStyle(document.getElementById('wall')).gridTemplateColumns")
                assert len(columns.split()) == side
            # No tile lies outside of the window or over another one.
            boxes = page.evaluate(
                "() => [...document.querySelectorAll('.tile')].map(e => e.getBoundingClientRect()).map(r => [r.x, r.y,"
                " r.right, r.bottom])"
            )
            assert len({(round(box[0]), round(box[1])) for box in boxes}) == 36
            assert all(0 <= box[0] < box[2] <= 1600 for box in boxes)
            # By keyboard alone: to the second of the second row, enlarge, back.
            page.keyboard.press("3")
            playing(page, 9)
            page.locator(".tile").first.focus()
            for key in ("ArrowDown", "ArrowRight", "Enter"):
                page.keyboard.press(key)
            chosen = page.locator(".wall.one .tile.chosen")
            assert chosen.get_attribute("data-camera") == "camera-05"
            page.wait_for_function("() => document.querySelector('.tile.chosen video').currentTime > 0.5")
            page.keyboard.press("Escape")
            assert page.locator(".wall.one").count() == 0
            page.keyboard.press("f")
            page.wait_for_function("() => document.fullscreenElement !== null")
            page.keyboard.press("f")
            page.wait_for_function("() => document.fullscreenElement === null")
            # What a screen reader is told.
            assert "Hall" in str(page.locator(".tile").first.get_attribute("aria-label"))
            # A phone: one column, nothing beside the window.
            page.set_viewport_size({"width": 390, "height": 800})
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        shown.close()


class Awaited(StillCrowd):
    """A place that has no numbers yet."""

    known = False

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        return [PlaceView(HALL, "Hall", line=False, staff=True, public=False)]

    def newest(self, camera: CameraId) -> Sequence[Aggregate]:
        return super().newest(camera) if self.known else []


def test_the_crowd_page_waits_for_numbers_and_fits_a_phone(tmp_path: Path) -> None:
    crowd = Awaited()
    shown = Shown(tmp_path, 1, crowd)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.set_viewport_size({"width": 390, "height": 800})
            page.goto(f"{shown.address}/crowd")
            page.wait_for_function("() => document.querySelector('#history-title').textContent === 'Hall: Persons'")
            crowd.known = True
            page.wait_for_function("() => document.querySelector('.places dd') !== null")
            page.evaluate(f"() => {{ document.querySelector('#camera option').textContent = '{'long name ' * 20}'; }}")
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        shown.close()


def test_what_is_empty_says_so_and_nobody_is_shown_what_their_role_may_not_ask_for(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/settings")
            page.locator("#tokens").wait_for(state="attached")
            page.wait_for_load_state("networkidle")
            assert page.locator("#reload").count() == 0
            page.goto(f"{shown.address}/report")
            page.wait_for_function("() => document.querySelector('#log td') !== null")
            assert [page.locator(f"#{one} tbody").inner_text().strip() for one in ("zones", "lines", "log")] == [
                "None"
            ] * 3
            page.goto(f"{shown.address}/alarms")
            page.locator("#log td", has_text="None").wait_for()
    finally:
        shown.close()


def test_recordings_are_played_exported_and_held_by_who_may(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 2)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(
                f"{shown.address}/cameras/hall/recordings?at={START_S + 5:.0f}"
            )  # a link to a time plays from there
            page.wait_for_function("() => document.getElementById('video').currentTime > 5.2")
            assert page.locator("#time").input_value() == "14:13:25"
            page.goto(f"{shown.address}/cameras/hall/recordings?at={START_S - 5 * 86400:.0f}")
            page.locator("#notices", has_text="Nothing is recorded there").wait_for()
            page.goto(f"{shown.address}/cameras/hall/recordings")
            page.locator("#strip .segment").first.wait_for(state="attached")
            page.fill("#time", "14:13:20")  # START_S, in UTC
            page.click("#play")
            page.wait_for_function("() => document.getElementById('video').currentTime > 0.5")
            assert page.locator("#export [name=from]").input_value().startswith("2026-09-21T14:13:2")
            page.fill("#export [name=reason]", "a report to the police")
            with page.expect_download() as loading:
                page.click("#export button")
            assert Path(loading.value.path()).read_bytes()[4:8] == b"ftyp"
            with page.expect_download() as loading:
                page.locator("#export-status a", has_text="Statement").click()
            assert loading.value.suggested_filename.endswith(".mp4.statement.json")
            told = json.loads(Path(loading.value.path()).read_text())
            assert told["reason"] == "a report to the police" and told["pictures"] and told["damaged"] == []
            page.select_option("#hold-reason", "accident")
            page.click("#hold button")
            page.locator("#holds li").wait_for()
            # An operator asks, and does not decide.
            assert page.locator("#holds button").count() == 0
        with browsing(shown, Role.PRIVACY_OFFICER) as page:
            page.goto(f"{shown.address}/cameras/hall/recordings")
            page.locator("#holds button").first.wait_for()
            assert page.locator("#holds .badge").inner_text() == "Asked for"
            page.locator("#holds button").first.click()
            page.wait_for_function("() => document.querySelector('#holds .badge').textContent === 'Active'")
            page.reload()
            page.locator("#strip .held").wait_for(state="attached")
            page.locator("#holds button").last.click()
            page.wait_for_function("() => document.querySelector('#holds .badge').textContent === 'Released'")
        with browsing(shown, Role.ADMIN) as page:
            page.goto(f"{shown.address}/cameras/hall/recordings")
            page.locator("#holds li").wait_for()
            # Who manages a site exports and holds nothing: what would be refused is not offered.
            assert not page.locator("#export").is_visible() and not page.locator("#hold").is_visible()
            assert page.locator("#holds button").count() == 0
        actions = [one.action for one in shown.audit.entries(limit=1000)]
        downloads = [one.details["name"] for one in shown.audit.entries(action="export.download", limit=1000)]
        assert [str(name).partition(".")[2] for name in downloads] == ["mp4.statement.json", "mp4"]
        assert {"export", "hold.ask", "hold.approve", "hold.release"} <= set(actions), sorted(set(actions))
    finally:
        shown.close()
