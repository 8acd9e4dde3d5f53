"""The watch believes the times of frames: what files and cameras say of their rate may be anything."""

from itertools import pairwise

import pytest

from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.private.regions import Regions
from skyveil.private.watch import VideoWatch
from tests.private.made import HEIGHT, WIDTH, Box, ScriptedFinder, covered, nobody, scene

HEADS = RedactSettings(frozenset({Kind.HEAD}))


def walker(index: int) -> list[Box]:
    return [(40.0 + 2 * index, 60, 64.0 + 2 * index, 84)]


def at_rate(fps: float, count: int) -> list[int]:
    """The times of so many frames, milliseconds."""
    return [round(1000 * index / fps) for index in range(count)]


def seen(finder: ScriptedFinder, *, fps: float, told_fps: float | None, count: int = 200) -> list[Regions]:
    """What is covered of a walker in a file."""
    faces = RedactSettings(frozenset({Kind.FACE}))
    watch = VideoWatch(finder, faces, width=WIDTH, height=HEIGHT, fps=told_fps)
    frames = scene(count, walker, ms=at_rate(fps, count))
    return [regions for _, regions in [one for raw in frames for one in watch.see(raw)] + list(watch.end())]


@pytest.mark.parametrize("told_fps", [None, 1000.0])
def test_a_file_that_tells_no_sound_rate_is_looked_at_and_covered_as_one_that_does(told_fps: float | None) -> None:
    finder, sound = ScriptedFinder(walker), ScriptedFinder(walker)
    found, expected = seen(finder, fps=25, told_fps=told_fps), seen(sound, fps=25, told_fps=25)
    assert finder.looked_at == sound.looked_at
    assert [one.boxes.tolist() for one in found] == [one.boxes.tolist() for one in expected]


@pytest.mark.parametrize("told_fps", [1.0, 25.0, 60.0, 240.0])
@pytest.mark.parametrize("fps", [12, 25, 60, 120])
def test_a_file_that_tells_a_wrong_rate_is_looked_at_as_often_as_one_that_tells_its_own(
    fps: int, told_fps: float
) -> None:
    finder, sound = ScriptedFinder(walker), ScriptedFinder(walker)
    found, _ = seen(finder, fps=fps, told_fps=told_fps), seen(sound, fps=fps, told_fps=fps)
    assert all(covered(walker(one.of.index)[0], one.boxes) for one in found if one.of.index < 130)
    looks, expected = [len([i for i in one.looked_at if i >= 10]) for one in (finder, sound)]
    assert abs(looks - expected) <= 1


@pytest.mark.parametrize("fps", [10, 25, 30, 50, 60])
def test_a_head_that_a_live_camera_loses_for_half_a_second_stays_covered_at_any_rate(fps: int) -> None:
    body: Box = (100, 60, 140, 180)
    finder = ScriptedFinder(standing=lambda index: [] if 3 <= index / fps < 3.5 else [body], score=0.6)
    watch = VideoWatch(finder, HEADS, width=WIDTH, height=HEIGHT, fps=None, hindsight=2)
    frames = scene(5 * fps, lambda _: [body], ms=at_rate(fps, 5 * fps))
    left = [one for raw in frames for one in watch.see(raw)] + list(watch.end())
    assert all(covered((114, 60, 126, 80), regions.boxes) for _, regions in left)


@pytest.mark.parametrize("told_fps", [None, 60.0])
@pytest.mark.parametrize("fps", [25, 10, 5, 4, 2])
def test_plates_are_looked_for_everywhere_in_time_at_any_rate(fps: int, told_fps: float | None) -> None:
    finder = ScriptedFinder()
    plates = RedactSettings(frozenset({Kind.PLATE, Kind.HEAD}))
    watch = VideoWatch(finder, plates, width=WIDTH, height=HEIGHT, fps=told_fps, hindsight=2)
    for raw in scene(20 * fps, nobody, ms=at_rate(fps, 20 * fps)):
        list(watch.see(raw))
    everywhere = [i / fps for i, areas in finder.plates_asked.items() if (0, 0, WIDTH, HEIGHT) in areas]
    assert everywhere[0] == 0
    assert max(after - before for before, after in pairwise([*everywhere, 20.0])) <= plates.max_look_age_s + 1e-9
