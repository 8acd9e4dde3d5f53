"""Boxes follow what they lie on from one small picture to the next, and say when they lost it."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, no_boxes
from skyveil.core.kinds import Kind
from skyveil.private.track.flow import Sight, moved


def textured(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5) * 2 - 128, np.uint8)


def sight(*bodies: tuple[int, int], frame: int = 0, shrink: int = 2) -> Sight:
    """A wall with textured bodies before it; where each is, in samples."""
    luma = textured(0, 144, 192)
    for seed, (x, y) in enumerate(bodies, 1):
        luma[y : y + 48, x : x + 24] = textured(seed, 48, 24)
    return Sight(frame, luma, shrink)


def box(x: int, y: int, shrink: int = 2) -> tuple[float, float, float, float]:
    return (x * shrink, y * shrink, (x + 24) * shrink, (y + 48) * shrink)


def boxes(*places: tuple[int, int]) -> BoxesXyxy:
    return np.array([box(x, y) for x, y in places], np.float32).reshape(-1, 4)


def kinds(count: int, kind: Kind = Kind.PERSON) -> NDArray[np.uint8]:
    return np.full(count, int(kind), np.uint8)


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.FACE])
@pytest.mark.parametrize("step", [(0, 0), (3, 0), (-4, 2), (6, -5)])
def test_a_box_goes_where_its_body_goes(step: tuple[int, int], kind: Kind) -> None:
    there, sure = moved(boxes((60, 50)), kinds(1, kind), sight((60, 50)), sight((60 + step[0], 50 + step[1])))
    assert sure.all()
    assert np.abs(there - boxes((60 + step[0], 50 + step[1]))).max() < 0.5


def test_every_box_goes_its_own_way() -> None:
    there, sure = moved(boxes((20, 40), (120, 60)), kinds(2), sight((20, 40), (120, 60)), sight((24, 40), (117, 62)))
    assert sure.all()
    assert np.abs(there - boxes((24, 40), (117, 62))).max() < 0.5


def test_a_box_whose_body_is_gone_stays_where_it_was_and_says_so() -> None:
    there, sure = moved(boxes((60, 50)), kinds(1), sight((60, 50)), Sight(1, np.zeros((144, 192), np.uint8), 2))
    assert not sure.any()
    assert np.array_equal(there, boxes((60, 50)))


def test_a_box_outside_of_the_picture_is_lost() -> None:
    _, sure = moved(boxes((400, 300)), kinds(1), sight(), sight())
    assert not sure.any()


def test_no_boxes_go_nowhere() -> None:
    there, sure = moved(no_boxes(), kinds(0), sight(), sight())
    assert there.shape == (0, 4)
    assert sure.shape == (0,)
