"""`python -m bench.soak --minutes 120`: whether a whole site stays as it is while it runs.

The server, its cameras' processes, recordings, viewers and snapshots, with cameras that lose their connection every few
minutes. Every minute a row is printed; at the end, what the second half of the run added to memory, descriptors and
threads. Recordings are kept to a size, so that the disk must become flat as well.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from bench.live import hasten, make_clip
from examples.live_demo import one_time_login, token_for
from examples.rtsp_server import Camera, RtspServer, load, serving

DROP_EVERY_S: Final = 300.0
KEPT_GIGABYTES: Final = 0.02
VIEWERS_EACH: Final = 2


@dataclass(frozen=True)
class Row:
    """One moment of a run; memory in MB, sizes of the largest camera process, disk of everything the site wrote."""

    second: int
    live: int
    restarts: int
    server_mb: float
    server_descriptors: int
    server_threads: int
    camera_mb: float
    camera_descriptors: int
    camera_threads: int
    disk_mb: float
    load: float


class Site:
    """A running site, seen from outside."""

    def __init__(self, folder: Path, server: RtspServer, names: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.folder, self.names = folder, names
        self.address = f"127.0.0.1:{port}"
        config = folder / "skyveil.yaml"
        lines = ["version: 1", f"server: {{port: {port}}}"]
        lines += [f"defaults: {{retention: {{hours: 24, gigabytes: {KEPT_GIGABYTES}}}}}", "cameras:"]
        for name in names:
            source = f"rtsp://127.0.0.1:{server.port}/{name}"
            lines.append(f"  - {{id: {name}, name: {name}, purpose: a soak, source: '{source}'}}")
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        one_time_login(config)
        self.token = token_for(config)
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skyveil.cli.main", "run", "--config", str(config)], stderr=self._log
        )

    def children(self) -> list[int]:
        """The cameras' processes."""
        task = Path(f"/proc/{self.process.pid}/task")
        return [int(one) for path in task.glob("*/children") for one in path.read_text(encoding="ascii").split()]

    def row(self, second: int) -> Row:
        """How it is now; OSError while a process comes or goes."""
        headers = {"Authorization": f"Bearer {self.token}"}
        cameras = httpx2.get(f"http://{self.address}/api/v1/cameras", headers=headers, timeout=30).json()
        health = [one["health"] for one in cameras if one["health"] is not None]
        server, used = _used(self.process.pid), [_used(pid) for pid in self.children()]
        written = [path.stat().st_size for path in self.folder.rglob("*") if path.is_file()]
        return Row(
            second=second,
            live=sum(one["state"] == "live" for one in health),
            restarts=sum(one["restarts"] for one in health),
            server_mb=server.mb,
            server_descriptors=server.descriptors,
            server_threads=server.threads,
            camera_mb=max(one.mb for one in used),
            camera_descriptors=max(one.descriptors for one in used),
            camera_threads=max(one.threads for one in used),
            disk_mb=round(sum(written) / 1e6, 1),
            load=round(os.getloadavg()[0], 1),
        )

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._log.close()


@dataclass(frozen=True)
class Used:
    """What a process holds; resident memory in MB."""

    mb: float
    descriptors: int
    threads: int


def _used(pid: int) -> Used:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    fields = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Used(round(int(fields["VmRSS"]) / 1024, 1), descriptors, int(fields["Threads"]))


async def _view(address: str, token: str, camera: str) -> None:
    """Look at a camera, for a minute at a time, until cancelled."""
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        with suppress(OSError, WebSocketException, TimeoutError):
            async with connect(f"ws://{address}/api/v1/cameras/{camera}/live", additional_headers=headers) as viewing:
                async with asyncio.timeout(60):
                    async for _ in viewing:
                        pass
        await asyncio.sleep(1)


async def _ask(address: str, token: str, camera: str) -> None:
    """Ask for snapshots and recordings, until cancelled."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        while True:
            now_s = time.time()
            base = f"http://{address}/api/v1/cameras/{camera}"
            with suppress(httpx2.HTTPError):
                await client.get(f"{base}/snapshot.jpg")
                await client.get(f"{base}/recordings?from={now_s - 600}&to={now_s}")
            await asyncio.sleep(5)


def _look_on(site: Site, stop: threading.Event) -> None:
    async def everybody() -> None:
        tasks = [
            asyncio.create_task(one)
            for name in site.names
            for one in (
                *(_view(site.address, site.token, name) for _ in range(VIEWERS_EACH)),
                _ask(site.address, site.token, name),
            )
        ]
        await asyncio.to_thread(stop.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(everybody())


def _printed(row: Row, *, heading: bool) -> None:
    fields = asdict(row)
    if heading:
        print("  ".join(fields), flush=True)
    print("  ".join(f"{value:>{len(name)}}" for name, value in fields.items()), flush=True)


def _run(site: Site, server: RtspServer, seconds: float, nice: int) -> list[Row]:
    rows: list[Row] = []
    began_s = dropped_s = time.monotonic()
    while (now_s := time.monotonic()) - began_s < seconds:
        time.sleep(min(60.0, max(1.0, began_s + seconds - now_s)))
        for pid in (os.getpid(), site.process.pid, *site.children()):
            hasten(pid, nice)
        if time.monotonic() - dropped_s > DROP_EVERY_S:
            dropped_s = time.monotonic()
            server.drop()
            continue
        with suppress(OSError, httpx2.HTTPError, ValueError):
            rows.append(site.row(round(time.monotonic() - began_s)))
            _printed(rows[-1], heading=len(rows) == 1)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--nice", type=int, default=0, help="nice value on a machine with other programs; needs root")
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "live-1280x720.mp4"
    if not path.is_file():
        make_clip(Path(os.environ["SKYVEIL_EVAL_DATA"]) / "video_pets09_s2l1" / "vtest.avi", path)
    clip = load(path)
    names = [f"c{number}" for number in range(arguments.cameras)]
    cameras = {f"/{name}": Camera(clip, phase=37 * number) for number, name in enumerate(names)}
    stop = threading.Event()
    with TemporaryDirectory() as folder, serving(cameras) as server:
        site = Site(Path(folder), server, names)
        looking = threading.Thread(target=_look_on, args=(site, stop), name="viewers", daemon=True)
        looking.start()
        try:
            rows = _run(site, server, arguments.minutes * 60, arguments.nice)
        finally:
            stop.set()
            site.close()
        log = (Path(folder) / "log").read_text(encoding="utf-8").splitlines()
    later = rows[len(rows) // 2 :]
    figures = {
        "minutes": arguments.minutes,
        "cameras": arguments.cameras,
        "rows": [asdict(row) for row in rows],
        "second_half_added": {
            name: round(max(asdict(row)[name] for row in later) - asdict(later[0])[name], 1)
            for name in asdict(later[0])
            if name not in ("second", "load", "live")
        },
        "log_lines": len(log),
    }
    text = json.dumps(figures, indent=1)
    (arguments.out / "soak.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(figures["second_half_added"]))
    print(*log[-20:], sep="\n")


if __name__ == "__main__":
    main()
