"""`python -m bench.glass --cameras 4`: how late a picture is on the screen of a browser, and what a viewer costs.

A whole site runs, and headless Chromium plays the console's wall. Every picture carries its number as black and white
squares at its bottom, outside of what is covered; the page reads them off each frame that the browser presents
(requestVideoFrameCallback) and notes the time. The delay is from the moment that the camera sent the picture. With
`--viewers 40` so many more look at the first camera without a screen, and the server's time for one of them is told.
"""

import argparse
import asyncio
import json
import os
import shutil
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from bench.live import BITS, FRAMES, HEIGHT_PX, SETTLE_S, SQUARE_PX, cpu_s, hasten
from bench.site import Plain, Site, running
from bench.soak import view
from examples.live_demo import live
from examples.rtsp_server import Camera

READ: Final = """([bits, square, height]) => {
  window.seen = [];
  const canvas = document.createElement("canvas");
  canvas.width = 16 + bits * square; canvas.height = 1;
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const watch = (video, camera) => {
    const read = (now, about) => {
      paint.drawImage(video, 0, height - 8 - square / 2, canvas.width, 1, 0, 0, canvas.width, 1);
      const row = paint.getImageData(0, 0, canvas.width, 1).data;
      let number = 0;
      for (let bit = 0; bit < bits; bit++) number |= (row[4 * (8 + bit * square + square / 2)] > 128) << bit;
      window.seen.push([camera, number, performance.timeOrigin + now]);
      video.requestVideoFrameCallback(read);
    };
    video.requestVideoFrameCallback(read);
  };
  const tiles = [...document.querySelectorAll(".tile")];
  tiles.forEach((tile, n) => watch(tile.querySelector("video"), n));
  return tiles.length;
}"""


def shown_on(page: Page, site: Site, seconds: float, nice: int) -> list[tuple[int, int, float]]:
    """Camera, number and unix time of every frame that the wall presented."""
    page.goto(f"http://{site.address}/login?token={site.link}")
    hasten(nice)
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('video')];"
        " return all.length && all.every(video => video.currentTime > 0.5); }",
        timeout=60_000,
    )
    page.evaluate(READ, [BITS, SQUARE_PX, HEIGHT_PX])
    time.sleep(5)  # the players find their pace
    page.evaluate("() => { window.seen = []; }")
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate("() => window.seen")
    return [(int(camera), int(number), float(at_ms) / 1000) for camera, number, at_ms in seen]


def delays_s(cameras: list[Camera], seen: list[tuple[int, int, float]]) -> list[float]:
    """From when each picture was sent to when it was shown."""
    ahead_s = time.time() - time.monotonic()
    pushed = [camera.pushed.copy() for camera in cameras]  # the server's thread goes on
    delays = []
    for index, number, at_s in seen:
        camera = cameras[index]
        sent = [
            pushed_s + ahead_s
            for ticks, pushed_s in pushed[index].items()
            if (round(ticks * camera.fps / 90_000) + 37 * index) % FRAMES == number and pushed_s + ahead_s <= at_s
        ]
        if sent:
            delays.append(at_s - sent[-1])
    return delays


def cost_of_viewers(site: Site, number: int, seconds: float) -> tuple[float, float]:
    """Share of a core that the server spends on one viewer, and how many fragments each got in a second."""
    camera = next(iter(site.cameras))
    got: Counter[str] = Counter()

    def spent(viewers: int) -> float:
        stop = threading.Event()

        async def look() -> None:
            tasks = [asyncio.create_task(view(site, camera, got)) for _ in range(viewers)]
            await asyncio.to_thread(stop.wait)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        thread = threading.Thread(target=lambda: asyncio.run(look()), name="viewers", daemon=True)
        thread.start()
        time.sleep(SETTLE_S / 2)
        got.clear()
        before, began_s = cpu_s(site.process.pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_s(site.process.pid) - before) / (time.monotonic() - began_s)
        stop.set()
        thread.join(20)
        return share

    without = spent(0)
    with_them = spent(number)
    return (with_them - without) / number, got[camera] / number / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--hindsight", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--viewers", type=int, default=0)
    parser.add_argument("--nice", type=int, default=0, help="nice value on a machine with other programs; needs root")
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    arguments = parser.parse_args()
    defaults: dict[str, Plain | dict[str, Plain]] = {"hindsight": arguments.hindsight}
    figures: dict[str, float] = {"cameras": arguments.cameras, "hindsight": arguments.hindsight}
    with running(arguments.out, arguments.cameras, defaults) as site:
        until_s = time.monotonic() + 4 * SETTLE_S
        while time.monotonic() < until_s:
            with suppress(OSError):
                if live(f"http://{site.address}", site.token) == arguments.cameras:
                    break
            time.sleep(0.5)
        hasten(arguments.nice)
        if arguments.viewers:
            figures["viewers"] = arguments.viewers
            share, fragments = cost_of_viewers(site, arguments.viewers, 15)
            figures["core_share_of_a_viewer"] = round(share, 5)
            figures["fragments_a_second_of_a_viewer"] = round(fragments, 2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"],
            )
            page = browser.new_page(viewport={"width": 640, "height": 400})
            seen = shown_on(page, site, arguments.seconds, arguments.nice)
            browser.close()
        delays_ms = 1000 * np.array(delays_s(list(site.cameras.values()), seen) or [0.0])
    figures |= {
        "frames_shown_a_second": round(len(seen) / arguments.seconds / arguments.cameras, 2),
        "glass_to_glass_ms_p50": round(float(np.percentile(delays_ms, 50))),
        "glass_to_glass_ms_p95": round(float(np.percentile(delays_ms, 95))),
        "load": round(os.getloadavg()[0], 1),
        "nice": arguments.nice,
    }
    text = json.dumps(figures, indent=1)
    name = f"glass-{arguments.cameras}-k{arguments.hindsight}.json"
    (arguments.out / name).write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
