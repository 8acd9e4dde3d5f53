"""Matching: the nearest box of about the same size, no further than its kind can have gone."""

import numpy as np
import pytest

from skyveil.private.track.match import nearness, pairs
from tests.private.made import Box

BODY: Box = (100, 100, 140, 200)


def near(predicted: list[Box], found: list[Box], *, leeway: float = 0.75) -> list[list[float]]:
    one, other = (np.array(boxes, np.float32).reshape(-1, 4) for boxes in (predicted, found))
    rows: list[list[float]] = nearness(one, other, leeway=np.full(len(one), leeway)).tolist()
    return rows


def test_a_box_in_its_place_is_as_near_as_can_be() -> None:
    assert near([BODY], [BODY]) == [[1.0]]


def test_a_walker_who_left_the_box_of_the_look_before_is_still_near() -> None:
    assert near([BODY], [(150, 100, 190, 200)])[0][0] > 0


@pytest.mark.parametrize(
    "found",
    [
        (180, 100, 220, 200),  # too far
        (110, 140, 116, 152),  # an eighth of the size, though inside
    ],
)
def test_what_is_too_far_or_of_another_size_is_another(found: Box) -> None:
    assert near([BODY], [found], leeway=0.5) == [[0.0]]


def test_nothing_is_near_to_nothing() -> None:
    assert nearness(np.zeros((0, 4), np.float32), np.zeros((3, 4), np.float32), leeway=np.zeros(0)).shape == (0, 3)
    assert nearness(np.zeros((2, 4), np.float32), np.zeros((0, 4), np.float32), leeway=np.ones(2)).shape == (2, 0)


def test_the_nearest_pairs_are_taken_first_and_each_once() -> None:
    assert pairs(np.array([[0.9, 0.8], [0.95, 0.0]], np.float32)) == [(1, 0), (0, 1)]
    assert pairs(np.array([[0.9, 0.0], [0.95, 0.0]], np.float32)) == [(1, 0)]
