"""Points become tracks, and tracks cross lines once."""

from pathlib import Path

import numpy as np
import pytest

from skyveil.core.ids import PlaceId
from skyveil.measure.places import Line
from skyveil.measure.points import Points, points_of
from skyveil.private.observe.crossings import Crossings
from skyveil.private.observe.linker import CONFIRMED_AFTER, Linker
from tests.measure.trajectories import read
from tests.private.observe.detector import SimulatedDetector

FPS = 8.0
GATE = Line(PlaceId("gate"), (-2.0, 0.0), (2.0, 0.0))


def counted(frames: list[Points], line: Line = GATE, *, fps: float = FPS) -> tuple[int, int]:
    """Crossings forward and backward."""
    linker, crossings = Linker(), Crossings(line)
    events = [
        one
        for index, points in enumerate(frames)
        for one in crossings.update(linker.link(points, at_s=index / fps), at_s=index / fps)
    ]
    return sum(one.forward for one in events), sum(not one.forward for one in events)


def walk(*, start: tuple[float, float], speed: tuple[float, float], frames: int = 32) -> list[Points]:
    return [points_of([np.add(start, np.multiply(speed, index / FPS)).tolist()]) for index in range(frames)]


def test_a_point_is_believed_when_it_was_found_three_times() -> None:
    linker = Linker()
    believed = [
        len(linker.link(points, at_s=i / FPS).number) for i, points in enumerate(walk(start=(0, 0), speed=(0, 1.3)))
    ]
    assert believed[:CONFIRMED_AFTER] == [0, 0, 1]
    assert set(believed[CONFIRMED_AFTER:]) == {1}


def test_a_flash_is_never_believed() -> None:
    linker = Linker()
    random = np.random.default_rng(0)
    assert [len(linker.link(random.uniform(0, 100, (3, 2)), at_s=i / FPS).number) for i in range(40)] == [0] * 40


def test_a_track_is_kept_over_a_gap_and_ends_after_it() -> None:
    linker = Linker()
    path = walk(start=(0, 0), speed=(0, 1.3))
    number = [linker.link(path[i], at_s=i / FPS).number.tolist() for i in range(8)][-1]
    missed = [linker.link(points_of([]), at_s=i / FPS) for i in range(8, 16)]
    assert all(one.number.tolist() == number and not one.found.any() for one in missed)
    assert linker.link(path[16], at_s=16 / FPS).number.tolist() == number
    assert len(linker.link(points_of([]), at_s=16 / FPS + 1.3).number) == 0


def test_speed_is_what_people_walk() -> None:
    linker = Linker()
    linked = [linker.link(points, at_s=i / FPS) for i, points in enumerate(walk(start=(0, 0), speed=(0.5, 1.2)))]
    assert linked[-1].velocity[0] == pytest.approx((0.5, 1.2), abs=0.02)


def test_what_is_no_place_is_left_out() -> None:
    linker = Linker()
    linked = [linker.link(points_of([[np.nan, np.nan], [1.0, 1.0]]), at_s=index / FPS) for index in range(4)]
    assert linked[-1].at_m.tolist() == [[1.0, 1.0]]


def test_people_who_pass_each_other_keep_their_ways() -> None:
    there, back = walk(start=(-0.3, -2), speed=(0, 1.3)), walk(start=(0.3, 2), speed=(0, -1.3))
    assert counted([np.concatenate(both) for both in zip(there, back, strict=True)]) == (1, 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_each_direction_is_counted_as_such(sign: int) -> None:
    assert counted(walk(start=(0, -2 * sign), speed=(0, 1.3 * sign))) == ((1, 0) if sign > 0 else (0, 1))


def test_who_sways_on_the_line_has_not_crossed_it() -> None:
    sway = [points_of([[0.0, 0.09 * np.sin(index)]]) for index in range(200)]
    assert counted(sway) == (0, 0)


def test_who_passes_beside_the_line_has_not_crossed_it() -> None:
    assert counted(walk(start=(2.3, -2), speed=(0, 1.3))) == (0, 0)


def test_a_crossing_that_nobody_saw_counts_when_the_track_is_found_again() -> None:
    frames = walk(start=(0, -2), speed=(0, 1.3))
    for index in range(9, 17):  # the line is crossed after 12.3 frames
        frames[index] = points_of([])
    assert counted(frames) == (1, 0)


def test_who_turns_back_is_counted_both_ways() -> None:
    there = walk(start=(0, -1), speed=(0, 1.3), frames=12)
    assert counted(there + there[::-1]) == (1, 1)


ROWS = [
    # frames to skip, detector, largest error of the count
    pytest.param(2, SimulatedDetector(0.10, 1, 0.0, 0.03), 0.01, id="8 fps, 10 % missed"),
    pytest.param(2, SimulatedDetector(0.20, 3, 0.05, 0.05), 0.04, id="8 fps, 20 % in bursts, 5 % invented"),
    pytest.param(3, SimulatedDetector(0.20, 3, 0.05, 0.05), 0.15, id="5.3 fps, 20 % in bursts, 5 % invented"),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("skip", "detector", "most"), ROWS)
def test_counts_of_a_real_crowd_hold_with_a_detector_that_errs(
    eval_data: Path, skip: int, detector: SimulatedDetector, most: float, seed: int
) -> None:
    """AO_300: 348 people leave a hall by an exit 3 m wide, up to 224 are in view."""
    crowd = read(eval_data / "trajectories" / "AO_300" / "traj.txt", fps=16)
    line = Line(PlaceId("exit"), (-2.25, 0.0), (4.0, 0.0))
    found = list(detector.look(crowd.frames[::skip], np.random.default_rng(seed)))
    forward, backward = counted(found, line, fps=16 / skip)
    assert abs(forward / 348 - 1) <= most
    assert abs((forward - backward) / 348 - 1) <= most


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_a_made_crowd_hold_with_a_detector_that_errs(seed: int) -> None:
    """120 people walk over the line in lanes 0.6 m apart, a new row every 1.2 s."""
    random = np.random.default_rng(seed)
    lanes = np.linspace(-1.5, 1.5, 6)
    start_s = np.repeat(np.arange(20) * 1.2, 6) + random.normal(0, 0.1, 120)
    speed = random.normal(1.2, 0.05, 120)
    frames = []
    for index in range(int(30 * FPS)):
        y = -3 + (index / FPS - start_s) * speed
        here = np.flatnonzero((y > -3) & (y < 3))
        frames.append((here.astype(np.int64), np.stack([np.tile(lanes, 20)[here], y[here]], axis=1)))
    forward, backward = counted(list(SimulatedDetector(0.1, 1, 0.02, 0.03).look(frames, random)))
    assert abs(forward - backward - 120) <= 2
