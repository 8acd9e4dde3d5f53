"""Density of filmed crowds with known truth, seen by the real network: `python -m bench.rendered_crowd`.

Generated figures stand at a given density before simulated cameras (examples/simulated) at 3, 4, 6 and 10 m; the film
is decoded, looked at by the person network at its native size, and measured as a live camera is. Figures are drawings:
what the network finds of them says what it finds of nobody else.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from bench.measure import load, machine
from bench.measures import finder
from examples.simulated.film import Film, write_video
from examples.simulated.pinhole import Pinhole
from examples.simulated.trajectories import Trajectories
from skyveil.core.camera import CrowdSpec, ZoneSpec
from skyveil.core.ids import CameraId, PlaceId, SourceId
from skyveil.core.kinds import Kind
from skyveil.measure.calibrating import from_height
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.measures import Measure
from skyveil.measure.points import points_of
from skyveil.measure.quantity import Quality
from skyveil.private.capture.source import open_media
from skyveil.private.detect.finder import Finder
from skyveil.private.detections import Detections
from skyveil.private.observe.observer import COUNTED_FROM, Observer

FPS = 8
SECONDS = 2
SIDE_M = 6.0
AROUND_M = 2.0
CAMERAS = ((3.0, 25.0, 700.0), (4.0, 30.0, 800.0), (6.0, 40.0, 1000.0), (10.0, 50.0, 1500.0))
"""Height in metres, tilt in degrees, focal length in pixels."""


def standing(per_m2: float, *, ahead_m: float, seed: int) -> Trajectories:
    """People who stand and sway in a square and around it, its middle `ahead_m` before the camera."""
    random = np.random.default_rng(seed)
    pitch_m = per_m2**-0.5
    ticks = np.arange(-SIDE_M / 2 - AROUND_M, SIDE_M / 2 + AROUND_M, pitch_m)
    middle = np.array([pitch_m / 2, pitch_m / 2 + ahead_m])
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2) + middle
    grid = grid + random.uniform(-0.25, 0.25, grid.shape) * pitch_m
    grid = grid[grid[:, 1] > 0.8]
    count, frames = len(grid), FPS * SECONDS
    sway = random.normal(0, 0.03, (frames, count, 2))
    height = np.clip(random.normal(1.70, 0.09, count), 1.4, 2.0)
    return Trajectories(
        FPS,
        np.repeat(np.arange(frames), count),
        np.tile(np.arange(count), frames),
        (grid + sway).reshape(-1, 2),
        np.tile(height, frames),
    )


def measured(looker: Finder, height_m: float, tilt_deg: float, focal_px: float, per_m2: float) -> str:
    """One row: true density, what is told of it, and as how good."""
    camera = Pinhole((0.0, 0.0), height_m, tilt_deg, focal_px=focal_px)
    size_wh = (camera.width, camera.height)
    calibration = from_height(size_wh=size_wh, height_m=height_m, tilt_deg=tilt_deg, focal_px=focal_px)
    ahead_m = height_m / np.tan(np.radians(tilt_deg)) + 1.0
    low, high = -SIDE_M / 2, SIDE_M / 2
    square = points_of([[low, low], [high, low], [high, high], [low, high]]) + np.array([0.0, ahead_m])
    shares = tuple((float(x), float(y)) for x, y in calibration.pixels_of(square) / size_wh)
    crowd = standing(per_m2, ahead_m=ahead_m, seed=1)
    spec = CrowdSpec((ZoneSpec(PlaceId("square"), "standing", shares),), (), calibration_text(calibration))
    observer = Observer(spec, size_wh=size_wh, camera=CameraId("film"))
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write_video(crowd, Film(camera), film)
        for raw in open_media(film, SourceId("film")).frames():
            found = looker.persons(raw, (0, 0, *size_wh), scale=1.0, threshold=COUNTED_FROM)
            kind = np.full(len(found.score), int(Kind.PERSON), np.uint8)
            observer.see(Detections(raw.id, found.xyxy, found.score, kind), at_s=raw.time.seconds)
    (place,) = observer.measures(start_s=0, end_s=SECONDS, at_s=SECONDS).places
    told = place.values[Measure.DENSITY]
    first = crowd.xy[crowd.rows(0)] - np.array([0.0, ahead_m])
    true = float((np.abs(first) < SIDE_M / 2).all(axis=1).sum()) / SIDE_M**2
    value = "unknown" if told.value is None else f"{told.value:.2f}"
    share = "" if told.value is None else f"{told.value / true:.0%}"
    words = "at least" if told.quality is Quality.AT_LEAST else str(told.quality)
    return f"| {height_m:g} m, {tilt_deg:g} deg | {true:.2f} | {value} | {share} | {words} |"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    looker = finder()
    print(f"{machine()}; load {load()}\n")
    print("| camera | true per m2 | told per m2 | of the truth | quality |\n| --- | --- | --- | --- | --- |")
    for height_m, tilt_deg, focal_px in CAMERAS:
        for per_m2 in (0.5, 1.0, 2.0, 4.0):
            print(measured(looker, height_m, tilt_deg, focal_px, per_m2), flush=True)


if __name__ == "__main__":
    main()
