"""`python -m bench.recovery --rounds 5`: how soon a camera that stops is told, and how soon its picture is back.

The camera is a server in a process of its own, frozen (SIGSTOP) and killed (SIGKILL) for `--away` seconds in turn; the
camera's process is the product's own, with its networks. Told: from the fault to a state that is not `live`. Back: from
the moment the server answers again to the first packet.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.stream import VideoStream

from skyveil.app.models import ensure_for
from skyveil.app.supervisor import Supervisor
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraHealth, CameraState
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import SafeUrl
from skyveil.core.settings import RedactSettings
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Message

FPS: Final = 10
GOP: Final = 10
PATIENCE_S: Final = 60.0
ROOT: Final = Path(__file__).parents[1]


class Heard:
    """The state and the last packet of the camera, with their moments (monotonic)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.state, self.state_s, self.packet_s = CameraState.STARTING, 0.0, 0.0

    def message(self, _: CameraId, message: Message) -> None:
        """Take what the process sent."""
        if isinstance(message, RedactedPacket):
            with self._changed:
                self.packet_s = time.monotonic()
                self._changed.notify_all()

    def health(self, health: CameraHealth) -> None:
        """Take a state."""
        with self._changed:
            if health.state is not self.state:
                self.state, self.state_s = health.state, time.monotonic()
                self._changed.notify_all()

    def wait_for_packet(self, after_s: float) -> None:
        """Wait for one that came later than this."""
        self.wait_for(lambda: self.packet_s > after_s)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait; AssertionError after a minute."""
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE_S):
                raise AssertionError(f"nothing happened for {PATIENCE_S:g} s; the camera is {self.state}")


def make_clip(path: Path) -> None:
    """Ten seconds of grey that brightens, 1280x720."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        if not isinstance(stream, VideoStream):
            raise TypeError("this PyAV makes no video")
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = GOP, 0
        for number in range(10 * FPS):
            frame = av.VideoFrame.from_ndarray(np.full((720, 1280, 3), 40 + number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def started(clip: Path, port: int) -> "subprocess.Popen[str]":
    """The server, listening."""
    command = [sys.executable, "-m", "examples.rtsp_server", str(clip), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if process.stdout is None or not process.stdout.readline():
        raise OSError("the server did not start")
    return process


def measured(clip: Path, rounds: int, away_s: float) -> dict[str, list[float]]:
    """Seconds of every round."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    heard, one = Heard(), camera_id("one")
    models = ensure_for(RedactSettings(), verify=False)
    supervisor = Supervisor(models, on_message=heard.message, on_health=heard.health)
    server = started(clip, port)
    figures: dict[str, list[float]] = {
        "stale": [],
        "back after a freeze": [],
        "told as lost": [],
        "back after a kill": [],
    }
    try:
        supervisor.apply({one: CameraSpec(one, SafeUrl(f"rtsp://127.0.0.1:{port}/1"))})
        heard.wait_for(lambda: heard.state is CameraState.LIVE)
        for _ in range(rounds):
            for fault, told, back in (
                (signal.SIGSTOP, "stale", "back after a freeze"),
                (signal.SIGKILL, "told as lost", "back after a kill"),
            ):
                time.sleep(2.0)
                server.send_signal(fault)
                gone_s = time.monotonic()
                heard.wait_for(lambda: heard.state is not CameraState.LIVE)
                figures[told].append(heard.state_s - gone_s)
                time.sleep(max(0.0, gone_s + away_s - time.monotonic()))
                if fault is signal.SIGSTOP:
                    server.send_signal(signal.SIGCONT)
                else:
                    server.wait()
                    server = started(clip, port)
                there_s = time.monotonic()
                heard.wait_for_packet(there_s)
                figures[back].append(heard.packet_s - there_s)
                heard.wait_for(lambda: heard.state is CameraState.LIVE)
    finally:
        supervisor.close()
        server.kill()
        server.wait()
    return figures


def main() -> None:
    """Print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--away", type=float, default=20.0, metavar="SECONDS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "camera.mp4"
        make_clip(clip)
        figures = measured(clip, arguments.rounds, arguments.away)
    print(json.dumps({"away_s": arguments.away, "gop_s": GOP / FPS, "load": round(os.getloadavg()[0], 1)}))
    for name, seconds in figures.items():
        shown = {"median": statistics.median(seconds), "worst": max(seconds), "rounds": len(seconds)}
        print(json.dumps({"what": name, **{key: round(value, 2) for key, value in shown.items()}}))


if __name__ == "__main__":
    main()
