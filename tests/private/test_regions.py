"""Regions belong to one frame and are well formed, or are not made."""

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.core.geometry import Polygon
from skyveil.private.regions import Regions, rounded, whole_frame
from tests.gate.pictures import looked_at, name, polygon

NONE = np.zeros((0, 4), np.int32)


def test_no_evidence_means_the_whole_frame() -> None:
    assert whole_frame(name(3)).whole
    assert whole_frame(name(3)).of == name(3)
    assert not Regions(name(), NONE, (), looked_at(32, 32)).whole


def test_evidence_of_another_frame_is_refused() -> None:
    with pytest.raises(BoundaryViolated, match="regions of frame 5 carry evidence of frame 4"):
        Regions(name(5), NONE, (), looked_at(32, 32, index=4))


@pytest.mark.parametrize(
    "boxes",
    [
        np.zeros((2, 3), np.int32),
        np.zeros(4, np.int32),
        np.array([[5, 5, 4, 9]], np.int32),  # ends before it starts, across
        np.array([[0, 0, 9, 9], [5, 5, 9, 4]], np.int32),  # and down
    ],
)
def test_malformed_boxes_are_refused(boxes: NDArray[np.int32]) -> None:
    with pytest.raises(BoundaryViolated, match="regions of frame 0"):
        Regions(name(), boxes, (), None)


def test_boxes_of_another_dtype_are_refused() -> None:
    with pytest.raises(BoundaryViolated, match="float32"):
        Regions(name(), np.zeros((1, 4), np.float32), (), None)


@pytest.mark.parametrize(
    "corners",
    [
        polygon((0, 0), (1, 1)),  # a line has no inside
        polygon((0, 0), (1, 1), (float("nan"), 0)),
        polygon((0, 0), (1, 1), (float("inf"), 0)),
        polygon((0, 0), (1, 1), (-(2.0**25), 0)),  # further than float32 tells pixels apart
        np.zeros((3, 3), np.float32),
        np.zeros(6, np.float32),
    ],
)
def test_malformed_polygons_are_refused(corners: Polygon) -> None:
    with pytest.raises(BoundaryViolated, match="malformed polygon"):
        Regions(name(), NONE, (polygon((0, 0), (5, 0), (0, 5)), corners), None)


@pytest.mark.parametrize("far", [2.0**24, 2.0**31, 7.2e9, 3e38])
def test_a_box_that_reaches_further_than_a_pixel_can_be_named_still_holds_the_picture(far: float) -> None:
    boxes = rounded(np.array([[-far, -far, far, far], [-far, 0.5, 3.5, far]], np.float32))
    assert boxes.tolist() == [[-(2**24), -(2**24), 2**24, 2**24], [-(2**24), 0, 4, 2**24]]
    assert len(Regions(name(), boxes, (), None).boxes) == 2


def test_a_polygon_may_reach_far_out_of_the_picture() -> None:
    far = polygon((-(2.0**24), 0), (2.0**24, 0), (0, 2.0**24))
    assert Regions(name(), NONE, (far,), None).polygons == (far,)
