"""Levels of recorded crowds are those of their true densities, and nothing but density makes them red."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from skyveil.core.ids import PlaceId
from skyveil.measure.density import VoronoiDensity
from skyveil.measure.level import MOVING, STANDING, Level, Thresholds, begin, step
from skyveil.measure.measures import Measure
from skyveil.measure.places import Zone
from skyveil.measure.points import points_of
from skyveil.measure.quantity import Unit, measured
from tests.measure import oracle
from tests.measure.trajectories import Trajectories, read

SETS: Final = {
    "AO_300": ("AO_300/traj.txt", 16.0, 1.0),
    "040_c": ("040_c_56_h-.txt", 25.0, 1.0),
    "uo-180": ("uo-180-180-070.txt", 16.0, 0.01),
    "bi_corr": ("bi_corr_400_b_03.txt", 25.0, 0.01),
}
SIGNS: Final = {
    Measure.PRESSURE_RATIO: measured(99.0, Unit.SHARE),
    Measure.OSCILLATION: measured(1.0, Unit.SHARE),
    Measure.STOP_AND_GO: measured(1.0, Unit.SHARE),
    Measure.TIME_TO_CRITICAL: measured(0.0, Unit.S),
}


def rectangle(low: tuple[float, float], high: tuple[float, float]) -> Zone:
    (x1, y1), (x2, y2) = low, high
    return Zone(PlaceId("zone"), points_of([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]))


def each_second(data: Path, name: str) -> tuple[Trajectories, Zone, Zone]:
    """One frame a second of a set, a zone of 12 m2 where most people are, and the floor around everybody."""
    file, fps, metres = SETS[name]
    crowd = read(data / "trajectories" / file, fps=fps, metres=metres)
    rows = crowd.frame % round(fps) == 0
    few = Trajectories(crowd.number[rows], crowd.frame[rows] // round(fps), crowd.at_m[rows], 1.0)
    x, y = np.round(np.median(few.at_m, axis=0), 1)
    low, high = few.at_m.min(axis=0) - 0.5, few.at_m.max(axis=0) + 0.5
    zone = rectangle((float(x) - 2.0, float(y) - 1.5), (float(x) + 2.0, float(y) + 1.5))
    return few, zone, rectangle((float(low[0]), float(low[1])), (float(high[0]), float(high[1])))


def levels(densities: list[float], thresholds: Thresholds, *, signs: bool = False) -> list[Level]:
    state, found = begin(0.0), []
    for second, density in enumerate(densities):
        values = {Measure.VORONOI_DENSITY: measured(density, Unit.PER_M2)}
        state = step(state, values | SIGNS if signs else values, thresholds, at_s=float(second))
        found.append(state.level)
    return found


@pytest.mark.parametrize("name", SETS)
def test_the_level_of_every_second_is_that_of_the_true_density(eval_data: Path, name: str) -> None:
    crowd, zone, floor = each_second(eval_data, name)
    raster = VoronoiDensity(zone, walkable=floor, cut_off_m=1.0, side_m=0.05)
    ours = [raster.of(points) for _, points in crowd.frames]
    true = oracle.voronoi_density(crowd, zone, floor, cut_off_m=1.0).tolist()
    assert max(true) > 0.5
    for thresholds in (MOVING, STANDING):
        assert levels(ours, thresholds) == levels(true, thresholds)


@pytest.mark.parametrize("name", SETS)
def test_signs_of_unrest_make_no_recorded_crowd_red(eval_data: Path, name: str) -> None:
    crowd, zone, _ = each_second(eval_data, name)
    raster = VoronoiDensity(zone)
    densities = [raster.of(points) for _, points in crowd.frames]
    for thresholds in (MOVING, STANDING):
        plain, signed = levels(densities, thresholds), levels(densities, thresholds, signs=True)
        assert [one in (Level.RED, Level.CRITICAL) for one in signed] == [
            one in (Level.RED, Level.CRITICAL) for one in plain
        ]
