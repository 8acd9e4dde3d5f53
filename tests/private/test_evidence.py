"""Why the tiles of a frame are decided, by the looks beside it."""

import numpy as np
import pytest

from skyveil.core.settings import RedactSettings
from skyveil.private.looked import Why
from skyveil.private.regions import Regions
from skyveil.private.watch import VideoWatch
from tests.private.made import HEIGHT, WIDTH, Box, ScriptedFinder, scene


def strider(index: int) -> list[Box]:
    """What goes a long way from picture to picture, and is never where it was."""
    x = 20.0 + 60 * (index % 4)
    return [(x, 100, x + 20, 140)]


def shown(every_ms: int, *, hindsight: int) -> tuple[list[Regions], list[int]]:
    """What leaves of 20 pictures that come so far apart, and which of them were looked at."""
    finder = ScriptedFinder(lambda index: [])
    watch = VideoWatch(finder, RedactSettings(), width=WIDTH, height=HEIGHT, fps=None, hindsight=hindsight)
    left = [
        regions
        for raw in scene(20, strider, ms=[every_ms * index for index in range(20)])
        for _, regions in watch.see(raw)
    ]
    left += [regions for _, regions in watch.end()]
    return left, finder.looked_at


def undecided(regions: Regions) -> bool:
    assert regions.looked is not None
    return bool((regions.looked.why == int(Why.UNDECIDED)).any())


@pytest.mark.parametrize(
    ("every_ms", "hindsight", "covers"),
    [
        (100, 2, False),  # looks 0.3 s apart
        (200, 2, False),  # 0.6 s
        (300, 2, True),  # 0.9 s
        (450, 2, True),  # 0.9 s, with one picture between
        (500, 0, False),  # each picture has a look of its own
    ],
)
def test_what_neither_of_two_looks_far_apart_shows_is_covered_between_them(
    every_ms: int, hindsight: int, covers: bool
) -> None:
    left, looks = shown(every_ms, hindsight=hindsight)
    between = [one for one in left if one.of.index not in looks and one.of.index < looks[-1]]
    assert bool(between) == (hindsight != 0)
    for one in between:
        assert undecided(one) == covers, one.of.index
        if covers:
            assert one.looked is not None
            (box,) = strider(one.of.index)
            side = one.looked.tile_px
            rows, columns = (slice(int(box[at]) // side, (int(box[at + 2]) - 1) // side + 1) for at in (1, 0))
            assert (one.looked.why[rows, columns] == int(Why.UNDECIDED)).all()
            # What no one walks through is seen as before.
            assert not (one.looked.why[-1] == int(Why.UNDECIDED)).any()
    assert not any(undecided(one) for one in left if one.of.index in looks)
    assert np.all(np.diff([one.of.index for one in left]) == 1)
