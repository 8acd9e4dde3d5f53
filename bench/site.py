"""A whole site that is measured: the server in a process of its own, cameras of the benchmark's RTSP server."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.live import make_clip
from examples.live_demo import one_time_login, token_for
from examples.rtsp_server import Camera, RtspServer, load, serving

Plain = str | int | float | None


class Site:
    """A running site, seen from outside."""

    def __init__(
        self,
        folder: Path,
        server: RtspServer,
        cameras: dict[str, Camera],
        defaults: dict[str, "Plain | dict[str, Plain]"],
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.folder, self.server, self.cameras = folder, server, cameras
        self.address = f"127.0.0.1:{port}"
        lines = ["version: 1", f"server: {{port: {port}}}", f"defaults: {json.dumps(defaults)}", "cameras:"]
        for name in cameras:
            source = f"rtsp://127.0.0.1:{server.port}/{name}"
            lines.append(f"  - {{id: {name}, name: {name}, purpose: a measurement, source: '{source}'}}")
        config = folder / "skyveil.yaml"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.link = one_time_login(config)
        self.token = token_for(config)
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skyveil.cli.main", "run", "--config", str(config)], stderr=self._log
        )

    @property
    def headers(self) -> dict[str, str]:
        """What a request brings to be let in."""
        return {"Authorization": f"Bearer {self.token}"}

    def children(self) -> list[int]:
        """The cameras' processes."""
        task = Path(f"/proc/{self.process.pid}/task")
        return [int(one) for path in task.glob("*/children") for one in path.read_text(encoding="ascii").split()]

    def log(self) -> list[str]:
        """What the server said."""
        return (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._log.close()


@contextmanager
def running(out: Path, cameras: int, defaults: dict[str, "Plain | dict[str, Plain]"]) -> Iterator[Site]:
    """A site of so many cameras, which all play the clip of `bench.live`, each from another moment on."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "live-1280x720.mp4"
    if not path.is_file():
        make_clip(Path(os.environ["SKYVEIL_EVAL_DATA"]) / "video_pets09_s2l1" / "vtest.avi", path)
    clip = load(path)
    playing = {f"c{number}": Camera(clip, phase=37 * number) for number in range(cameras)}
    with TemporaryDirectory() as folder, serving({f"/{name}": one for name, one in playing.items()}) as server:
        site = Site(Path(folder), server, playing, defaults)
        try:
            yield site
        finally:
            site.close()
