"""Someone far away who stands still: nothing moves, and still their face is covered when their body is lost."""

from collections.abc import Iterable

import pytest

from skyveil.core.settings import RedactSettings
from skyveil.private.frame import RawFrame
from skyveil.private.watch import VideoWatch
from tests.private.made import HEIGHT, WIDTH, Box, Script, ScriptedFinder, covered, frame_of, painted, scene

BODY: Box = (100, 60, 112, 96)
FACE: Box = (103, 61, 109, 68)

live_and_file = pytest.mark.parametrize("hindsight", [None, 2], ids=["file", "live"])


def bare(standing: Script, frames: Iterable[RawFrame], *, hindsight: int | None) -> list[int]:
    """The frames in which `FACE` is not covered; a face network finds it whenever it is asked there."""
    finder = ScriptedFinder(lambda _: [FACE], standing)
    fps = 25.0 if hindsight is None else None
    watch = VideoWatch(finder, RedactSettings(), width=WIDTH, height=HEIGHT, fps=fps, hindsight=hindsight)
    decided = [one for raw in frames for one in watch.see(raw)] + list(watch.end())
    return [regions.of.index for _, regions in decided if not covered(FACE, regions.boxes)]


@live_and_file
@pytest.mark.parametrize("until", [0, 20, 40, 90])
def test_their_face_is_covered_when_the_person_network_finds_the_body_no_more(
    until: int, hindsight: int | None
) -> None:
    def found(index: int) -> list[Box]:
        return [BODY] if index <= until else []

    assert bare(found, scene(160, lambda _: [BODY]), hindsight=hindsight) == []


@live_and_file
def test_their_face_is_covered_when_they_came_as_a_body_whose_face_nobody_looked_for(hindsight: int | None) -> None:
    def there(index: int) -> list[Box]:
        x = max(0, 60 - index)
        return [(BODY[0] + x, BODY[1], BODY[2] + x, BODY[3])]

    def found(index: int) -> list[Box]:
        return there(index) if index <= 100 else []

    assert [index for index in bare(found, scene(200, there), hindsight=hindsight) if index >= 60] == []


@live_and_file
def test_their_face_is_covered_when_somebody_stands_before_their_body(hindsight: int | None) -> None:
    before: Box = (96, 72, 112, 112)

    def found(index: int) -> list[Box]:
        return [BODY] if index < 60 else [before]

    frames = (frame_of(painted([BODY] if index < 60 else [BODY, before]), index) for index in range(160))
    assert bare(found, frames, hindsight=hindsight) == []


@live_and_file
def test_their_face_is_covered_after_somebody_passed_whose_head_covered_it(hindsight: int | None) -> None:
    def passing(index: int) -> list[Box]:
        return [(index - 20.0, 60, index - 8.0, 96)]

    def there(index: int) -> list[Box]:
        return [BODY, *passing(index)]

    assert bare(passing, scene(220, there), hindsight=hindsight) == []
