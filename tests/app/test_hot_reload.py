"""A running site reads its configuration again: what did not change is not disturbed, and masks cover at once."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image

from tests.app.test_live_site import PATIENCE_S, Site, camera_processes, running

COVER_RGB = np.array([64, 56, 160])
LEFT_HALF = {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}


def wait(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def health(site: Site) -> Mapping[str, Mapping[str, object]]:
    answer = httpx2.get(f"{site.address}/api/v1/health", headers={"Authorization": f"Bearer {site.token}"})
    return {one["camera"]: one for one in answer.json()["cameras"]}


def left_is_covered(site: Site, camera: str) -> bool:
    answer = httpx2.get(
        f"{site.address}/api/v1/cameras/{camera}/snapshot.jpg", headers={"Authorization": f"Bearer {site.token}"}
    )
    if answer.status_code != 200:
        return False
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    height, width = shown.shape[:2]
    return bool((np.abs(shown[:, : width // 2 - 8] - COVER_RGB) < 40).all()) and height > 0


def test_one_reload_adds_changes_removes_and_masks_and_disturbs_no_other(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.wait_for_live(4)
        before = camera_processes(site.process.pid)
        frames = {name: one["frames"] for name, one in health(site).items()}
        assert not left_is_covered(site, "east")
        head, *cameras = site.config.read_text().partition("cameras:\n")[::2]
        rows = {one["id"]: one for one in (json.loads(line.strip()[2:]) for line in cameras[0].splitlines())}
        del rows["west"]
        rows["mirror"]["hindsight"] = 0
        rows["east"]["masks"] = [LEFT_HALF]
        rows["fifth"] = {**rows["square"], "id": "fifth"}
        lines = "".join(f"  - {json.dumps(one)}\n" for one in rows.values())
        site.config.write_text(f"{head}cameras:\n{lines}")
        site.process.send_signal(signal.SIGHUP)
        wait(lambda: left_is_covered(site, "east"))
        wait(lambda: {n for n, one in health(site).items() if one["state"] == "live"} == set(rows))
        after = camera_processes(site.process.pid)
        # square and east went on in their processes; mirror has another one, west none.
        assert (len(before & after), len(after)) == (2, 4)
        now = health(site)
        for name in ("square", "east"):
            assert now[name]["restarts"] == 0
            assert int(str(now[name]["frames"])) > int(str(frames[name]))
        # Masks of one camera for another, by the command: they cover as well.
        command = [sys.executable, "-m", "skyveil.cli.main", "cameras", "copy-masks", "east", "square"]
        subprocess.run([*command, "--scaled", "--config", str(site.config)], check=True, capture_output=True)
        assert not left_is_covered(site, "square")
        site.process.send_signal(signal.SIGHUP)
        wait(lambda: left_is_covered(site, "square"))
        assert camera_processes(site.process.pid) == after
