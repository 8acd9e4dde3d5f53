"""What numbers of a crowd cost and how right they are: `python -m bench.measures [--data FOLDER]`.

Cost is CPU time of one thread for each frame: linking, one zone with its densities and local fields, one line, and the
measures of each second. With data, PETS09 and ShanghaiTech B are looked at by the real network.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.measure import load, machine
from skyveil.app.calibrate import given_calibration
from skyveil.app.models import ensure
from skyveil.core.ids import PlaceId, SourceId
from skyveil.core.manifest import MODELS
from skyveil.measure.calibrating import from_height
from skyveil.measure.calibration import Calibration
from skyveil.measure.level import ZoneKind
from skyveil.measure.places import Line, Zone
from skyveil.measure.points import Points, points_of
from skyveil.private.capture.source import open_media
from skyveil.private.detect.finder import Finder
from skyveil.private.frame import RawFrame
from skyveil.private.observe.heads import crowded, feet_px, heads_px, plausible
from skyveil.private.observe.lines import LineWatch
from skyveil.private.observe.linker import Linker
from skyveil.private.observe.observer import COUNTED_FROM
from skyveil.private.observe.zones import ZoneWatch

FPS = 8.0


def above(side_m: float) -> Calibration:
    """A camera high above the middle of a square, that sees all of it."""
    return from_height(size_wh=(4000, 4000), height_m=30.0, tilt_deg=90.0, focal_px=4000 * 28 / side_m / 1.1)


def stream(people: int, side_m: float, frames: int) -> Iterator[Points]:
    """People who walk round and round through a square, with 3 cm of jitter."""
    random = np.random.default_rng(0)
    start = random.uniform(0, side_m, (people, 2))
    velocity = random.normal((0.3, 1.0), 0.2, (people, 2))
    for index in range(frames):
        at = (start + velocity * index / FPS) % side_m
        yield at - side_m / 2 + random.normal(0, 0.03, at.shape)


def cost(people: int, per_m2: float = 2.0, frames: int = 160) -> tuple[float, float]:
    """Median and 95th percentile of CPU milliseconds a frame."""
    side = (people / per_m2) ** 0.5
    half = side / 2
    corners = points_of([[-half, -half], [half, -half], [half, half], [-half, half]])
    zone = ZoneWatch(Zone(PlaceId("square"), corners, ZoneKind.WALKWAY, (0.0, 1.0)), above(side))
    line = LineWatch(Line(PlaceId("middle"), (-half, 0.0), (half, 0.0)), above(side))
    linker, taken = Linker(), []
    for index, points in enumerate(stream(people, side, frames)):
        at_s = index / FPS
        began = time.process_time()
        linked = linker.link(points, at_s=at_s)
        zone.take(points, linked, at_s=at_s, crowded=False)
        line.take(linked, at_s=at_s)
        if index % FPS == FPS - 1:
            zone.values()
            line.values(at_s=at_s, known=True)
        taken.append(time.process_time() - began)
    settled = np.array(taken[40:]) * 1e3
    return float(np.median(settled)), float(np.quantile(settled, 0.95))


def finder() -> Finder:
    return Finder(ensure([one.name for one in MODELS.values() if one.required]), precision="auto", shapes="fixed")


def persons(finder: Finder, raw: RawFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    found = finder.persons(raw, (0, 0, raw.width, raw.height), scale=1.0, threshold=COUNTED_FROM)
    return found.xyxy


def pets(data: Path) -> None:
    """People of each frame inside the tracking area, and how fast they walk, against the labels."""
    calibration = given_calibration(data / "View_001.xml")
    low, high = np.array([-14.0696, -14.274]), np.array([4.9813, 1.7335])  # of Milan's evaluation of this set
    rows = np.loadtxt(data / "gt.txt", delimiter=",")
    feet = np.stack([rows[:, 2] + rows[:, 4] / 2, rows[:, 3] + rows[:, 5]], axis=1)
    places = calibration.floor_of(feet)
    inside = np.asarray(((places >= low) & (places <= high)).all(axis=1), np.bool_)
    linker, looker, off, speeds = Linker(), finder(), [], []
    for raw in open_media(data / "vtest.avi", SourceId("pets")).frames():
        frame = raw.id.index + 1
        if frame > 397:
            break
        boxes = persons(looker, raw)
        heads = heads_px(boxes, calibration)
        heads = heads[plausible(heads, feet_px(boxes, calibration), calibration)]
        at_m = calibration.under_heads(heads)
        linked = linker.link(at_m, at_s=frame / 10, error_m=2.0 * calibration.heads_m_per_px(heads))
        off.append(int(((at_m >= low) & (at_m <= high)).all(axis=1).sum()) - int(inside[rows[:, 0] == frame].sum()))
        speed = np.hypot(*linked.velocity[linked.found].T)
        speeds += speed[speed > 0.3].tolist()
    errors = np.array(off)
    print(
        f"PETS09 S2L1: people within 1 of the labels in {np.mean(np.abs(errors) <= 1):.1%} of {len(errors)} frames, "
        f"mean error {errors.mean():+.2f}; median walking speed {np.median(speeds):.2f} m/s"
    )


def shanghai(data: Path) -> None:
    """How often "at least N" is true, and what share of people boxes find, by the size of the crowd."""
    looker, true, found, flagged = finder(), [], [], []
    for one in json.loads((data / "labels.json").read_text())["images"]:
        raw = next(iter(open_media(data / one["image"], SourceId("picture")).frames()))
        boxes = persons(looker, raw)
        true.append(len(one["points"]))
        found.append(len(boxes))
        flagged.append(crowded(boxes))
    people, counts = np.array(true), np.array(found)
    print(
        f"ShanghaiTech B: at least N is true on {np.mean(counts <= people):.0%} of {len(people)} pictures; "
        f"{np.mean(flagged):.0%} are told as at least"
    )
    for low, high in ((0, 20), (20, 40), (40, 80), (80, 160), (160, 10_000)):
        some = (people >= low) & (people < high)
        if some.any():
            print(f"  {low} to {high} people: {some.sum()} pictures, found {np.mean(counts[some] / people[some]):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the folder of SKYVEIL_EVAL_DATA")
    data: Path | None = parser.parse_args().data
    print(f"{machine()}; load {load()}")
    for people in (50, 200, 500):
        median, late = cost(people)
        print(f"{people} people at 2 per m2: {median:.2f} ms CPU a frame (p95 {late:.2f})")
    if data is not None:
        pets(data / "video_pets09_s2l1")
        shanghai(data / "crowd_shanghaitech_B")


if __name__ == "__main__":
    main()
