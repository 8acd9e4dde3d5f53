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
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from bench.live import hasten
from bench.site import Plain, Site, running

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


def row_of(site: Site, second: int) -> Row:
    """How it is now; OSError while a process comes or goes."""
    cameras = httpx2.get(f"http://{site.address}/api/v1/cameras", headers=site.headers, timeout=30).json()
    health = [one["health"] for one in cameras if one["health"] is not None]
    server, used = _used(site.process.pid), [_used(pid) for pid in site.children()]
    written = [path.stat().st_size for path in site.folder.rglob("*") if path.is_file()]
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


async def view(site: Site, camera: str, got: Counter[str]) -> None:
    """Look at a camera, for a minute at a time, until cancelled; counts what it got."""
    address = f"ws://{site.address}/api/v1/cameras/{camera}/live"
    while True:
        with suppress(OSError, WebSocketException, TimeoutError):
            async with connect(address, additional_headers=site.headers, max_size=None) as viewing:
                async with asyncio.timeout(60):
                    async for _ in viewing:
                        got[camera] += 1
        await asyncio.sleep(1)


async def _ask(site: Site, camera: str) -> None:
    """Ask for snapshots and recordings, until cancelled."""
    async with httpx2.AsyncClient(headers=site.headers, timeout=30) as client:
        while True:
            now_s = time.time()
            base = f"http://{site.address}/api/v1/cameras/{camera}"
            with suppress(httpx2.HTTPError):
                await client.get(f"{base}/snapshot.jpg")
                await client.get(f"{base}/recordings?from={now_s - 600}&to={now_s}")
            await asyncio.sleep(5)


def _look_on(site: Site, stop: threading.Event) -> None:
    got: Counter[str] = Counter()

    async def everybody() -> None:
        tasks = [
            asyncio.create_task(one)
            for name in site.cameras
            for one in (
                *(view(site, name, got) for _ in range(VIEWERS_EACH)),
                _ask(site, name),
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


def _run(site: Site, seconds: float, nice: int) -> list[Row]:
    rows: list[Row] = []
    began_s = dropped_s = time.monotonic()
    while (now_s := time.monotonic()) - began_s < seconds:
        time.sleep(min(60.0, max(1.0, began_s + seconds - now_s)))
        hasten(nice)
        if time.monotonic() - dropped_s > DROP_EVERY_S:
            dropped_s = time.monotonic()
            site.server.drop()
            continue
        with suppress(OSError, httpx2.HTTPError, ValueError):
            rows.append(row_of(site, round(time.monotonic() - began_s)))
            _printed(rows[-1], heading=len(rows) == 1)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--nice", type=int, default=0, help="nice value on a machine with other programs; needs root")
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    arguments = parser.parse_args()
    stop = threading.Event()
    defaults: dict[str, Plain | dict[str, Plain]] = {"retention": {"hours": 24, "gigabytes": KEPT_GIGABYTES}}
    with running(arguments.out, arguments.cameras, defaults) as site:
        looking = threading.Thread(target=_look_on, args=(site, stop), name="viewers", daemon=True)
        looking.start()
        try:
            rows = _run(site, arguments.minutes * 60, arguments.nice)
        finally:
            stop.set()
            looking.join(20)
        log = site.log()
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
