"""Zones that staff and the public are told of lie side by side and are no one person's place."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import PlaceId
from skyveil.gate.grounds import PolygonM, area_m2, grounds, overlap

HALL, STAIRS, DESK, GATE = PlaceId("hall"), PlaceId("stairs"), PlaceId("desk"), PlaceId("gate")


def box(x: float, y: float, width: float, height: float, *, turn: float = 0.0) -> PolygonM:
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + (x, y), np.float64)


L_SHAPE = np.array([[0, 0], [6, 0], [6, 2], [2, 2], [2, 6], [0, 6]], np.float64)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (box(0, 0, 4, 4), box(4, 0, 4, 4), False),  # a common edge
        (box(0, 0, 4, 4), box(4, 4, 4, 4), False),  # a common corner
        (box(0, 0, 4, 4), box(3.9, 0, 4, 4), True),
        (box(0, 0, 4, 4), box(0, 0, 4, 4), True),  # the same
        (box(0, 0, 4, 4), box(1, 1, 2, 2), True),  # one in the other
        (box(0, 0, 4, 4), box(0, 1, 4, 2), True),  # in the other, on two of its edges
        (box(0, 0, 8, 2), box(3, -3, 2, 8), True),  # a cross: no corner in the other
        (box(0, 0, 8, 2), box(1, -3, 2, 12), True),  # a cross off the middle: nothing but edges that cross
        (box(0, 0, 4, 4), np.array([[2, 4], [3, 6], [1, 6]], np.float64), False),  # a corner on an edge
        (box(0, 0, 4, 4), box(3.9, 1, 0.05, 1), True),  # in the other, close to an edge at its right
        (box(0, 0, 4, 4), box(0.05, 1, 0.05, 1), True),  # and at its left
        (L_SHAPE, box(2, 2, 4, 4), False),  # fills the notch
        (L_SHAPE, box(1.9, 2, 4, 4), True),
        (L_SHAPE[::-1], box(1.9, 2, 4, 4), True),  # whichever way round
        (box(0, 0, 4, 4), box(10, 0, 4, 4), False),
        (box(0, 0, 4, 4, turn=0.3), box(0, 0, 4, 4, turn=0.3), True),
        (box(0, 0, 4, 4, turn=0.3), box(0, 0, 4, 4, turn=0.4), True),
        (box(0, 0, 4, 4, turn=0.5), box(4 * math.cos(0.5), 4 * math.sin(0.5), 4, 4, turn=0.5), False),  # side by side
    ],
)
def test_zones_overlap_when_they_share_ground(one: PolygonM, other: PolygonM, shared: bool) -> None:
    assert overlap(one, other) is shared
    assert overlap(other, one) is shared


def test_areas_do_not_depend_on_the_way_round() -> None:
    assert area_m2(box(3, 4, 5, 2, turn=1.0)) == pytest.approx(10)
    assert area_m2(L_SHAPE) == area_m2(L_SHAPE[::-1]) == 20


def test_a_small_zone_stays_in_the_control_room_and_may_lie_in_another() -> None:
    made = grounds({HALL: box(0, 0, 5, 4), STAIRS: box(5, 0, 5, 2), DESK: box(1, 1, 3, 3.3)}, frozenset({GATE}))
    assert made.areas_m2 == {HALL: pytest.approx(20), STAIRS: pytest.approx(10)}
    assert HALL in made and GATE in made and DESK not in made
    with pytest.raises(FrozenInstanceError):
        made.lines = frozenset({DESK})  # type: ignore[misc]  # that it fails is what is tested


def test_zones_that_overlap_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="hall and stairs overlap"):
        grounds({STAIRS: box(4, 0, 4, 4), HALL: box(0, 0, 5, 4)})
