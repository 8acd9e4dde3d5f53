"""Corners are known again by where they lie to each other, and by nothing else."""

from itertools import pairwise
from typing import Final

import cv2
import numpy as np
import pytest

from skyveil.core.camera import SHARE, Corners
from skyveil.private.observe.constellation import FAMILIAR, corners_of, motion_between, moved
from skyveil.private.observe.marks import Motion, marks_of, put
from tests.private.observe.test_view_check import scene, small_band

SHAPE: Final = (288, 384)
MIDDLE: Final = (192.0, 144.0)


def corners(seed: int, count: int = 90) -> Corners:
    random = np.random.default_rng(seed)
    return tuple((int(x), int(y)) for x, y in random.integers(300, SHARE - 300, (count, 2)))


def turned(degrees: float, zoom: float, shift: tuple[float, float]) -> Motion:
    motion = np.asarray(cv2.getRotationMatrix2D(MIDDLE, degrees, zoom), np.float64)
    motion[:, 2] += shift
    return motion


@pytest.mark.parametrize(
    ("degrees", "zoom", "shift"),
    [(0, 1, (0, 0)), (0, 1, (-30, 20)), (4, 1, (2, 3)), (0, 1.07, (0, 0)), (-5, 0.95, (9, 0))],
)
def test_a_view_is_known_again_where_it_was_moved_and_a_third_of_its_corners_is_gone(
    degrees: float, zoom: float, shift: tuple[float, float]
) -> None:
    before, motion = corners(1), turned(degrees, zoom, shift)
    now = (*moved(before, motion, SHAPE)[30:], *corners(2, 36))
    found = motion_between(before, now, SHAPE)
    assert found is not None
    edges = np.array([[0, 0], [383, 0], [0, 287], [383, 287]], np.float64)
    assert put(found, edges) == pytest.approx(put(motion, edges), abs=1.0)


def test_another_view_is_none_and_places_by_chance_are_none() -> None:
    first = corners(0, 96)
    assert all(motion_between(first, corners(seed, 96), SHAPE) is None for seed in range(1, 40))
    everything = np.ones(SHAPE, np.bool_)
    known, other = (corners_of(marks_of(small_band(scene(seed)), everything), SHAPE) for seed in (0, 9))
    assert min(len(known), len(other)) > 60
    assert motion_between(known, known, SHAPE) is not None
    assert motion_between(known, other, SHAPE) is None


@pytest.mark.parametrize("few", [(), ((5000, 5000),), ((5000, 5000),) * 40, corners(1, FAMILIAR - 1)])
def test_too_few_corners_are_no_view(few: Corners) -> None:
    assert motion_between(few, corners(1), SHAPE) is None
    assert motion_between(corners(1), few, SHAPE) is None


def test_corners_are_whole_numbers_apart_from_each_other_and_no_picture() -> None:
    found = corners_of(marks_of(small_band(scene()), np.ones(SHAPE, np.bool_)), SHAPE)
    assert len(found) <= 96
    assert all(type(x) is int and type(y) is int and 0 <= x <= SHARE and 0 <= y <= SHARE for x, y in found)
    places = np.array(found, np.float64) / SHARE * (SHAPE[1], SHAPE[0])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 99 * np.eye(len(places))
    assert apart.min() >= 9  # a face of a tenth of the picture's width has at most a dozen
    assert all(one != two for one, two in pairwise(sorted(found)))
