"""A whole site: real RTSP, real camera processes, the real server and, where it is installed, a real browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import av
import httpx2
import pytest

from examples.live_demo import configuration, live, one_time_login, token_for
from examples.rtsp_server import Camera, RtspServer, load, serving
from skyveil.app.models import locate
from skyveil.core.manifest import CENTERFACE, PPOCR_DETECTOR, YOLOX_NANO
from tests.private.capture.live.test_rtsp_source import made

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SCRIPT = (
    "import sys; sys.path[:0] = {path!r}\n"
    "from pathlib import Path\n"
    "from skyveil.app.logs import log_to_stderr\n"
    "from skyveil.app.server import serve\n"
    "log_to_stderr()\n"
    "serve(Path({config!r}), command=(sys.executable, '-P', '-c', {camera!r}))\n"
)
CAMERA = "import sys; sys.path[:0] = {path!r}; from tests.app.live_stand_in import main; main()"
PATIENCE_S = 60.0


def models_are_here() -> bool:
    return all(locate(entry) is not None for entry in (CENTERFACE, YOLOX_NANO, PPOCR_DETECTOR))


class Site:
    def __init__(self, folder: Path, config: Path, port: int, server: RtspServer) -> None:
        self.folder, self.config, self.cameras = folder, config, server
        self.address = f"http://127.0.0.1:{port}"
        self.link, self.token = one_time_login(config), token_for(config)
        self.process = self.started()

    def started(self) -> "subprocess.Popen[bytes]":
        script = SCRIPT.format(path=sys.path, config=str(self.config), camera=CAMERA.format(path=sys.path))
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-c", script], stderr=log)

    def wait_for_live(self, number: int) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with suppress(OSError):
                if live(self.address, self.token) >= number:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    clip = load(made(folder / "camera.mp4"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    names = ("square", "mirror", "west", "east")
    with serving({f"/{name}": Camera(clip, phase=n) for n, name in enumerate(names)}) as server:
        urls = [f"rtsp://127.0.0.1:{server.port}/{name}" for name in names]
        site = Site(folder, configuration(folder, urls, port), port, server)
        try:
            yield site
        finally:
            site.process.send_signal(signal.SIGTERM)
            site.process.wait(20)


def camera_processes(parent: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            if int((path / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.add(int(path.name))
    return found


def test_a_site_runs_reloads_and_stops_cleanly(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.wait_for_live(4)
        children = camera_processes(site.process.pid)
        assert len(children) == 4
        snapshot = httpx2.get(
            f"{site.address}/api/v1/cameras/square/snapshot.jpg", headers={"Authorization": f"Bearer {site.token}"}
        )
        assert snapshot.content[:3] == b"\xff\xd8\xff"
        # A camera more, by a signal: the others' processes stay.
        text = site.config.read_text()
        fifth = text.splitlines()[-1].replace('"east"', '"fifth"', 1)
        site.config.write_text(text + fifth + "\n")
        site.process.send_signal(signal.SIGHUP)
        site.wait_for_live(5)
        assert camera_processes(site.process.pid) > children
        # A wrong file is refused and everything runs on.
        site.config.write_text("version: 2\n")
        site.process.send_signal(signal.SIGHUP)
        until_s = time.monotonic() + PATIENCE_S
        while "refused" not in (site.folder / "log").read_text():
            assert time.monotonic() < until_s
            time.sleep(0.1)
        assert live(site.address, site.token) == 5
    assert site.process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log and site.token not in log and site.link not in log


def test_what_is_shown_is_recorded_listed_verified_exported_and_held(tmp_path: Path) -> None:
    def command(*arguments: str, input: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "skyveil.cli.main", *arguments, "--config", str(site.config)],
            input=input,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with running(tmp_path) as site:
        site.wait_for_live(4)
        began_s = time.time()
        until_s = time.monotonic() + PATIENCE_S
        while not list((tmp_path / "skyveil-data/recordings/square").rglob("*3.seg")):
            assert time.monotonic() < until_s
            time.sleep(0.1)
    assert "square" in command("recordings", "list")
    assert "4 cameras, 0 findings" in command("recordings", "verify")
    for name, role in (("ada", "operator"), ("officer", "privacy_officer")):
        command("user", "add", name, "--role", role, "--cameras", "square", input="plenty of goats\n")
    span = [datetime.fromtimestamp(one, UTC).isoformat() for one in (began_s - 60, began_s + 600)]
    hold = command("recordings", "hold", "add", "square", *span, "--reason", "accident", "--user", "ada").strip()
    command("recordings", "hold", "approve", "square", hold, "--user", "officer")
    assert "active" in command("recordings", "hold", "list", "square")
    if not models_are_here():
        pytest.skip("the default weights are not here: an export redacts once more")
    made = Path(
        command(
            "recordings", "export", "square", *span, "--reason", "a test", "--output", str(tmp_path / "out")
        ).strip()
    )
    with av.open(str(made), "r") as container:
        assert sum(1 for _ in container.decode(container.streams.video[0])) > 30
    assert made.with_suffix(".mp4.statement.json").is_file()


def test_cameras_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.wait_for_live(4)
        children = camera_processes(site.process.pid)
        os.kill(site.process.pid, signal.SIGKILL)
        site.process.wait(20)
        until_s = time.monotonic() + PATIENCE_S
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < until_s
            time.sleep(0.1)
        # Started again, it goes on with the same accounts.
        site.process = site.started()
        site.wait_for_live(4)


PLAYERS = """async (cameras) => {
  const wall = document.querySelector("script[src*='wall.js']").src;
  const { LivePlayer } = await import(wall.replace("wall.js", "player.js"));
  document.body.replaceChildren();
  for (let number = 0; number < 80; number++) {
    const video = Object.assign(document.createElement("video"), { muted: true, width: 64, height: 48 });
    document.body.append(video);
    new LivePlayer(video, cameras[number % cameras.length], () => {}).start();
  }
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_slate_stands_in_for_a_camera_that_is_frozen_and_eighty_players_play_on_one_page(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with running(tmp_path) as site, sync_playwright() as playwright:
        site.wait_for_live(4)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        page = browser.new_page(viewport={"width": 800, "height": 600})
        page.goto(f"{site.address}/login?token={site.link}")
        slate = page.locator(".tile[data-camera='square'] .slate")
        slate.wait_for(state="hidden", timeout=PATIENCE_S * 1000)
        site.cameras.cameras["/square"].faults.frozen = True
        slate.wait_for(state="visible", timeout=PATIENCE_S * 1000)
        assert page.locator(".tile[data-camera='mirror'] .slate").is_hidden()
        site.cameras.cameras["/square"].faults.frozen = False
        slate.wait_for(state="hidden", timeout=PATIENCE_S * 1000)
        page.evaluate(PLAYERS, ["square", "mirror", "west", "east"])
        playing = (
            "before => { const all = [...document.querySelectorAll('video')];"
            " return all.length === 80"
            " && all.every((v, n) => v.currentTime > (before[n] ?? 0) && v.videoWidth === 320); }"
        )
        page.wait_for_function(playing, arg=[], timeout=2 * PATIENCE_S * 1000)
        before = page.evaluate("() => [...document.querySelectorAll('video')].map(v => v.currentTime)")
        page.wait_for_function(playing, arg=before, timeout=2 * PATIENCE_S * 1000)
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_wall_plays_and_every_page_opens_without_a_violation(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with running(tmp_path) as site, sync_playwright() as playwright:
        site.wait_for_live(4)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith(site.address) else troubles.append(asked.url))
        page.goto(f"{site.address}/login?token={site.link}")
        page.wait_for_function(
            "() => { const all = [...document.querySelectorAll('video')];"
            " return all.length === 4 && all.every(v => v.currentTime > 0.5 && v.videoWidth === 320); }",
            timeout=PATIENCE_S * 1000,
        )
        before = page.evaluate("() => [...document.querySelectorAll('video')].map(v => v.currentTime)")
        page.wait_for_function(
            "before => [...document.querySelectorAll('video')].every((v, n) => v.currentTime > before[n] + 0.5)",
            arg=before,
            timeout=PATIENCE_S * 1000,
        )
        page.keyboard.press("2")
        page.locator(".tile").first.click()
        assert page.locator(".wall.one .tile.chosen").count() == 1
        page.keyboard.press("Escape")
        for name in ("map", "health", "audit", "users", "settings"):
            page.click(f"nav a[href='/{name}']")
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").inner_text()
        page.goto(f"{site.address}/cameras/square/recordings")
        page.wait_for_load_state("networkidle")
        page.goto(f"{site.address}/cameras/square")
        page.wait_for_function("() => document.getElementById('video').currentTime > 0.3", timeout=PATIENCE_S * 1000)
        page.click("#mask-add")
        box = page.locator("#masks").bounding_box()
        assert box is not None
        for x, y in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.7)):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.click("#mask-save")
        page.wait_for_function("() => document.getElementById('mask-save').disabled", timeout=PATIENCE_S * 1000)
        assert re.search(r'"?masks"?: \[\{"name"', site.config.read_text())
        assert troubles == []
        browser.close()
