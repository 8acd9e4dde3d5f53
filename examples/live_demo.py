"""A live wall of generated cameras: `python examples/live_demo.py scene.mp4 folder [--seconds 30]`.

Four views are cut from one generated scene, served by RTSP as cameras are, and shown by `skyveil run`. The address and
a login that works once are printed. Nothing but this machine is reached.
"""

import argparse
import json
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeAlias

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from examples.rtsp_server import Camera, load, serving
from skyveil.app.config import load as load_config
from skyveil.app.server import accounts_of, database_of
from skyveil.public.store.roles import Role, Scope

FPS: Final = 10
WIDTH_PX, HEIGHT_PX = 1280, 720
PORT: Final = 8400
PATIENCE_S: Final = 60.0
LOG: Final = "skyveil.log"
VIEWS: Final = {
    "square": ("Station square", (0.0, 0.0, 1.0, 1.0), False),
    "mirror": ("Square from the other side", (0.0, 0.0, 1.0, 1.0), True),
    "west": ("West side", (0.0, 0.2, 0.7, 0.9), False),
    "east": ("East side", (0.3, 0.2, 1.0, 0.9), True),
}
"""Name, part of the scene (x1, y1, x2, y2 in shares), and whether it is mirrored."""
Picture: TypeAlias = NDArray[np.uint8]


def views_of(scene: Path, folder: Path) -> list[Path]:
    """One clip for each view, at 10 pictures a second with a key picture every second."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"{name}.mp4" for name in VIEWS]
    if all(path.is_file() and path.stat().st_mtime > scene.stat().st_mtime for path in made):
        return made
    pictures = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in _every_other(scene)]
    for path, (_, part, mirrored) in zip(made, VIEWS.values(), strict=True):
        _write(path.with_suffix(".part.mp4"), [_view(one, part, mirrored) for one in pictures])
        path.with_suffix(".part.mp4").replace(path)
    return made


def _every_other(scene: Path) -> list[av.VideoFrame]:
    with av.open(str(scene), "r") as container:
        stream = container.streams.video[0]
        step = float(stream.average_rate or 25) / FPS
        frames = list(container.decode(stream))
    return [frames[round(n * step)] for n in range(int(len(frames) / step))]


def _view(picture: Picture, part: tuple[float, float, float, float], mirrored: bool) -> Picture:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (round(share * side) for share, side in zip(part, (width, height, width, height), strict=True))
    cut = cv2.resize(picture[y1:y2, x1:x2], (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(cut[:, ::-1] if mirrored else cut).astype(np.uint8)


def _write(path: Path, pictures: list[Picture]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        if not isinstance(stream, VideoStream):
            raise TypeError("this PyAV makes no video")
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = FPS, 0
        stream.codec_context.options = {"preset": "veryfast"}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def configuration(folder: Path, urls: list[str], port: int) -> Path:
    """The configuration of the demo."""
    lines = ["version: 1", f"server: {{port: {port}}}", "sites: [{id: station, name: Station}]", "cameras:"]
    for (name, (title, _, _)), url in zip(VIEWS.items(), urls, strict=True):
        fields = {"id": name, "name": title, "site": "station", "purpose": "Shows what Skyveil does", "source": url}
        lines.append(f"  - {json.dumps(fields)}")
    path = folder / "skyveil.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def one_time_login(path: Path) -> str:
    """An administrator's login that works once; the account is made when it is not there."""
    config = load_config(path)
    engine = database_of(config)
    try:
        accounts = accounts_of(config, engine)
        if not any(user.name == "demo" for user in accounts.users()):
            accounts.add("demo", secrets.token_urlsafe(24), Role.ADMIN)
        return accounts.new_link("demo")
    finally:
        engine.dispose()


def token_for(path: Path, scope: Scope = Scope.VIEW) -> str:
    """A token for this run: to see cameras and their health, or what else is asked for."""
    config = load_config(path)
    engine = database_of(config)
    try:
        return accounts_of(config, engine).new_token("demo", "demo", scope, days=1)
    finally:
        engine.dispose()


def live(address: str, token: str) -> int:
    """How many cameras are live now."""
    request = urllib.request.Request(f"{address}/api/v1/cameras", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (our own server on loopback)
        cameras = json.load(answer)
    return sum(one["health"] is not None and one["health"]["state"] == "live" for one in cameras)


def main() -> int:
    """Run until Ctrl-C or SIGTERM, or for some seconds; exit 1 when not every camera came live."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server must not outlive the demo
    print("Cutting four views of the scene ...", flush=True)
    clips = [load(path) for path in views_of(arguments.scene, arguments.folder / "cameras")]
    cameras = {f"/{name}": Camera(clip, phase=13 * n) for n, (name, clip) in enumerate(zip(VIEWS, clips, strict=True))}
    with serving(cameras) as server:
        urls = [f"rtsp://127.0.0.1:{server.port}/{name}" for name in VIEWS]
        path = configuration(arguments.folder, urls, arguments.port)
        link, token = one_time_login(path), token_for(path)
        address = f"http://127.0.0.1:{arguments.port}"
        log = arguments.folder / LOG
        with log.open("wb") as errors:
            running = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, "-m", "skyveil.cli.main", "run", "--config", str(path)], stderr=errors
            )
        try:
            return _watched(running, path, address, token, link, arguments.seconds)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(15)


def _watched(
    running: "subprocess.Popen[bytes]", path: Path, address: str, token: str, link: str, seconds: float | None
) -> int:
    """Print the address, and wait: for so many seconds once all cameras are live, for which they have a minute."""
    began_s = time.monotonic()
    end_s = began_s + PATIENCE_S + (seconds or float("inf"))
    most = 0
    told = False
    with suppress(KeyboardInterrupt):
        while time.monotonic() < end_s and running.poll() is None:
            with suppress(urllib.error.URLError, TimeoutError, ConnectionError):
                now = live(address, token)
                if seconds and now == len(VIEWS) > most:
                    end_s = time.monotonic() + seconds
                most = max(most, now)
                if not told:
                    print(f"\n  The wall:   {address}/login?token={link}   (works once, for ten minutes)")
                    print("  Ctrl-C ends it.\n", flush=True)
                    told = True
            time.sleep(0.5)
    print(f"{most} of {len(VIEWS)} cameras were live")
    if most < len(VIEWS):
        print(f"`skyveil doctor --config {path}` says what this machine carries; the log is {path.parent / LOG}")
    return 0 if most == len(VIEWS) else 1


if __name__ == "__main__":
    sys.exit(main())
