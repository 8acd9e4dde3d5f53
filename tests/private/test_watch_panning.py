"""A camera that moves (PTZ, a vehicle): everything changes in every frame, and everything is looked at."""

from collections.abc import Iterator

import numpy as np
import pytest

from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Why
from skyveil.private.watch import VideoWatch
from tests.private.made import HEIGHT, WIDTH, Box, ScriptedFinder, covered, frame_of

STILL, PANNING, AFTER = 12, 30, 20
"""Frames in which the camera stands, turns, and stands again."""
HINDSIGHT = 2
FACE_PX = 24
EVERYTHING = (0, 0, WIDTH, HEIGHT)


def turned(index: int, speed: int) -> int:
    """How far the camera has turned in a frame, in pixels."""
    return speed * min(max(index - STILL, 0), PANNING)


def face(index: int, speed: int) -> Box:
    """Somebody who stands still in the world, and so moves through the picture."""
    x = 40.0 + turned(STILL + PANNING, speed) - turned(index, speed)
    return (x, 100.0, x + FACE_PX, 100.0 + FACE_PX)


def seen_by_a_turning_camera(speed: int) -> Iterator[RawFrame]:
    """A textured world that is wider than the picture."""
    blocks = np.random.default_rng(7).integers(40, 220, (HEIGHT // 16, 40 + WIDTH // 16 + PANNING * speed // 16))
    world = np.kron(blocks, np.ones((16, 16))).astype(np.uint8)
    for index in range(STILL + PANNING + AFTER):
        at = turned(index, speed)
        yield frame_of(np.ascontiguousarray(world[:, at : at + WIDTH]), index)


@pytest.mark.parametrize("speed", [4, 16])
def test_while_the_camera_turns_each_look_is_at_the_whole_picture(speed: int) -> None:
    finder = ScriptedFinder(lambda index: [face(index, speed)])
    settings = RedactSettings(frozenset({Kind.FACE}))
    watch = VideoWatch(finder, settings, width=WIDTH, height=HEIGHT, fps=25.0, hindsight=HINDSIGHT)
    left = [regions for raw in seen_by_a_turning_camera(speed) for _, regions in watch.see(raw)]
    assert [one.of.index for one in left] == list(range(len(left)))
    turning = range(STILL + 1, STILL + PANNING)
    looks = [index for index in finder.looked_at if index in turning]
    assert all(finder.asked[index] == [EVERYTHING] for index in looks)
    assert max(np.diff(looks)) <= HINDSIGHT + 1
    for regions in left:
        assert regions.looked is not None and int(Why.UNDECIDED) not in regions.looked.why
        box = face(regions.of.index, speed)
        if box[0] >= 0 and box[2] <= WIDTH:
            assert covered(box, regions.boxes), regions.of.index
    # Standing again, it looks at parts, or at nothing, but for the one look a second that is at everything anyway.
    after = [finder.asked.get(index) for index in finder.looked_at if index > STILL + PANNING + 3]
    assert after.count([EVERYTHING]) <= 1 < len(after)
