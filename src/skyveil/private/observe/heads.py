"""Where heads are in the picture, from the boxes of persons. Private side."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, area, intersection
from skyveil.measure.calibration import Calibration
from skyveil.measure.points import Points, points_of

_TALL_M: Final = (0.4, 2.4)
"""Least and greatest height of what counts as a person: less is a bag or the top of a body behind others' backs, more a
pillar. Boxes end where bodies are hidden, so that the least is low."""

_CROWD: Final = 10
_HIDDEN: Final = 0.2
_CROWDED: Final = 0.3
"""From 10 people on, a frame where 30 % of them share a fifth of their box with another shows more people than boxes:
so 96 of 100 pictures of ShanghaiTech B, where boxes find 0.13 to 0.8 of the people; on PETS09, which is counted right,
it is 8 %."""


def crowded(persons: BoxesXyxy) -> bool:
    """Whether people hide each other so much that what was found is only the least that is there."""
    if len(persons) < _CROWD:
        return False
    shared = intersection(persons, persons) / np.maximum(area(persons)[:, None], 1)
    np.fill_diagonal(shared, 0)
    return bool((shared.max(axis=1) > _HIDDEN).mean() >= _CROWDED)


def heads_px(persons: BoxesXyxy, calibration: Calibration | None) -> Points:
    """The top of each person's head, (N, 2) pixels: where an upright line through the middle leaves the box upwards."""
    boxes = persons.astype(np.float64)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    up = np.tile([0.0, -1.0], (len(boxes), 1)) if calibration is None else calibration.upwards(middle)
    reach = (half / np.maximum(np.abs(up), 1e-9)).min(axis=1, keepdims=True)
    return points_of(middle + up * reach)


def feet_px(persons: BoxesXyxy, calibration: Calibration | None) -> Points:
    """The feet, (N, 2) pixels: where the same line leaves the box downwards."""
    boxes = persons.astype(np.float64)
    return points_of(boxes[:, :2] + boxes[:, 2:] - heads_px(persons, calibration))


def plausible(heads: Points, feet: Points, calibration: Calibration) -> NDArray[np.bool_]:
    """Which boxes could be a person where they stand, (N,): H (1 - |f - C| / |g - C|) is how tall each would be."""
    under = np.array(calibration.camera_m[:2])
    near_m = np.linalg.norm(calibration.floor_of(feet) - under, axis=1)
    # Above the horizon a head has no floor point, and is as high as the camera or higher.
    far_m = np.linalg.norm(calibration.floor_of(heads) - under, axis=1)
    tall_m = calibration.camera_m[2] * (1 - near_m / np.where(far_m > 0, far_m, np.inf))
    return np.asarray((tall_m >= _TALL_M[0]) & (tall_m <= _TALL_M[1]), np.bool_)
