"""Attention: what changed and nothing explains is looked at, flicker is not, and nothing that lasts is forgotten."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.core.geometry import BoxesXyxy, no_boxes
from skyveil.private.attention import Attention
from skyveil.private.detect.pyramid import Area
from skyveil.private.motion import CHANGE_LEVELS, MotionTest
from tests.private.made import HEIGHT, WIDTH, Box, Luma, frame_of, painted, plain, steady

EVERYTHING: Area = (0, 0, WIDTH, HEIGHT)
SPOT: Box = (80, 80, 112, 112)
FLICKER = 100 + CHANGE_LEVELS + 2
"""Of a background of 100: passes the motion test, and is less than what is looked at now."""


class Looking:
    """An attention and the motion test it was made with."""

    def __init__(self, *, begun: bool = True) -> None:
        self._motion = MotionTest(width=WIDTH, height=HEIGHT)
        self.attention = Attention(self._motion, width=WIDTH, height=HEIGHT)
        if begun:
            self(plain())

    def __call__(self, luma: Luma, *, explained: list[Box] | None = None, seconds: float = 0.0) -> list[Area]:
        small = self._motion.small(frame_of(luma))
        return self.attention.areas(small, explained=boxes(explained), seconds=seconds, next_s=0.0)


def boxes(some: list[Box] | None) -> BoxesXyxy:
    return np.array(some, np.float32) if some else no_boxes()


def holds(areas: list[Area], box: Box) -> bool:
    """Whether one area holds the box, as far as the picture goes."""
    x1, y1, x2, y2 = max(0.0, box[0]), max(0.0, box[1]), min(WIDTH, box[2]), min(HEIGHT, box[3])
    return any(a <= x1 and b <= y1 and c >= x2 and d >= y2 for a, b, c, d in areas)


def test_the_first_look_is_at_everything() -> None:
    assert Looking(begun=False)(plain()) == [EVERYTHING]


def test_after_a_reset_everything_is_looked_at() -> None:
    looking = Looking()
    assert looking(plain()) == []
    looking.attention.reset()
    assert looking(plain()) == [EVERYTHING]


def test_where_nothing_changes_nobody_looks() -> None:
    looking = Looking()
    assert [looking(plain()) for _ in range(20)] == [[]] * 20


def test_what_changed_is_looked_at_once() -> None:
    looking = Looking()
    changed = painted([SPOT])
    assert holds(looking(changed), SPOT)
    assert looking(changed) == []
    assert holds(looking(plain()), SPOT)


def test_changes_far_apart_are_looked_at_apart() -> None:
    other: Box = (240, 160, 272, 192)
    areas = Looking()(painted([SPOT, other]))
    assert len(areas) == 2
    assert holds(areas, SPOT)
    assert holds(areas, other)


def test_flicker_is_not_looked_at() -> None:
    looking = Looking()
    for _ in range(10):
        assert looking(painted([SPOT], level=FLICKER)) == []
        assert looking(plain()) == []


def test_a_weak_change_that_lasts_is_looked_at_by_the_third_look() -> None:
    looking = Looking()
    lasting = painted([SPOT], level=FLICKER)
    assert [bool(looking(lasting)) for _ in range(5)] == [False, False, True, False, False]


def test_one_square_alone_shows_nothing() -> None:
    assert Looking()(painted([(80, 80, 88, 88)])) == []
    assert Looking()(painted([(80, 80, 96, 88)])) != []


def test_many_changes_are_one_look_at_everything() -> None:
    assert Looking()(painted([(0, 0, WIDTH * 0.8, HEIGHT)])) == [EVERYTHING]


def test_a_body_that_is_known_explains_what_moves_in_it() -> None:
    looking = Looking()
    assert looking(painted([SPOT]), explained=[(72, 72, 120, 120)]) == []
    assert looking(plain()) == []


def test_what_a_body_explained_is_looked_at_once_when_it_is_still_there_without_it() -> None:
    looking = Looking()
    assert [looking(painted([SPOT]), explained=[(72, 72, 120, 120)]) for _ in range(300)] == [[]] * 300
    assert holds(looking(painted([SPOT])), SPOT)
    assert looking(painted([SPOT])) == []


def test_a_place_to_look_at_again_is_looked_at_once_nothing_explains_it_though_nothing_changed() -> None:
    looking = Looking()
    face: Box = (82, 82, 86, 86)
    looking.attention.again(boxes([face]))
    assert [looking(plain(), explained=[SPOT]) for _ in range(3)] == [[]] * 3
    assert holds(looking(plain()), face)
    assert looking(plain()) == []


def test_what_moves_beside_a_known_body_is_looked_at() -> None:
    other: Box = (240, 160, 272, 192)
    areas = Looking()(painted([SPOT, other]), explained=[(72, 72, 120, 120)])
    assert holds(areas, other)
    assert not holds(areas, SPOT)


def test_a_body_that_reaches_over_the_edge_explains_as_far_as_the_picture_goes() -> None:
    corner: Box = (0, 0, 32, 32)
    assert Looking()(painted([corner]), explained=[(-50, -50, 40, 40)]) == []
    assert holds(Looking()(painted([corner]), explained=[(-90, -90, -10, -10)]), corner)


@steady
@given(
    st.lists(
        st.builds(
            lambda x, y, w, h: (8.0 * x, 8.0 * y, 8.0 * (x + w), 8.0 * (y + h)),
            st.integers(0, 37),
            st.integers(0, 27),
            st.integers(2, 8),
            st.integers(2, 8),
        ),
        max_size=5,
    )
)
def test_areas_hold_all_that_changed_and_have_even_corners(changed: list[Box]) -> None:
    areas = Looking()(painted(changed))
    for x1, y1, x2, y2 in areas:
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        assert x1 % 2 == y1 % 2 == 0
    for box in changed:
        assert holds(areas, box)


def test_a_slow_drift_of_light_is_seen_though_no_step_of_it_is() -> None:
    looking = Looking()
    drifted = [bool(looking(painted([SPOT], level=100 + step))) for step in range(60)]
    assert sum(drifted) >= 3


def test_light_that_creeps_gets_a_look_after_ten_seconds_and_none_before() -> None:
    """Half a level a look, three looks a second, until ten levels have changed; then it stays."""
    looking = Looking()
    times = [step / 3 for step in range(60)]
    looked = [s for s in times if looking(painted([SPOT], level=100 + min(10, int(s * 1.5))), seconds=s)]
    assert len(looked) == 1
    unlike_since_s = (CHANGE_LEVELS + 1) / 1.5
    assert 0 <= looked[0] - unlike_since_s - 10 < 1


def test_a_weak_step_is_looked_at_by_the_third_look_whatever_crept_before() -> None:
    looking = Looking()
    for look in range(12):
        assert looking(painted([SPOT], level=100 + look // 3), seconds=look / 3) == []
    stepped = painted([SPOT], level=103 + CHANGE_LEVELS + 2)
    assert [bool(looking(stepped, seconds=4 + look / 3)) for look in range(4)] == [False, False, True, False]


def test_what_creeps_too_far_for_light_is_looked_at_at_once() -> None:
    looking = Looking()
    looked = [step for step in range(30) if looking(painted([SPOT], level=100 + step), seconds=step / 2)]
    assert looked[0] <= 15


def test_what_moves_at_the_edge_is_looked_at_up_to_the_edge() -> None:
    width, height = 1646, 1006  # neither is a multiple of a square's side
    motion = MotionTest(width=width, height=height)
    attention = Attention(motion, width=width, height=height)
    small = np.full((height // motion.step_px, width // motion.step_px), 100, np.uint8)
    attention.areas(small, explained=no_boxes(), next_s=0.0, seconds=0.0)
    moved = small.copy()
    moved[-2:, -2:] = 200
    (area,) = attention.areas(moved, explained=no_boxes(), next_s=0.0, seconds=0.0)
    assert area[2:] == (width, height)


@pytest.mark.parametrize(
    ("next_s", "looked"),
    [
        (0.0, [True, False, True, False, True, False, True]),
        (0.4, [True, True, True, True, True, True, True]),  # the next look would be too late
        (0.25, [True, False, True, False, True, False, True]),
    ],
)
def test_everything_is_looked_at_again_before_it_is_too_old_where_no_other_network_does(
    next_s: float, looked: list[bool]
) -> None:
    motion = MotionTest(width=WIDTH, height=HEIGHT)
    attention = Attention(motion, width=WIDTH, height=HEIGHT, every_s=0.7)
    small = motion.small(frame_of(plain()))
    for turn, everything in enumerate(looked):
        areas = attention.areas(small, explained=no_boxes(), seconds=0.4 * turn, next_s=next_s)
        assert areas == ([EVERYTHING] if everything else [])
