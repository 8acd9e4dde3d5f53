"""Points of a plane, in pixels or in metres; the name of a variable says which. Measure."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]
"""Shape (N, 2), columns x and y; `_px` in pixels of the picture (y downwards), `_m` in metres of the floor."""
Matrix: TypeAlias = NDArray[np.float64]
"""Shape (3, 3), a projective map of the plane."""


def points_of(points: Sequence[Sequence[float]] | NDArray[np.float64] | NDArray[np.float32]) -> Points:
    """The same as float64, (N, 2)."""
    return np.asarray(points, np.float64).reshape(-1, 2)


def mapped(matrix: Matrix, points: Points) -> Points:
    """Points through a projective map, (N, 2); NaN where the third coordinate is not positive (beyond the horizon)."""
    x, y, w = matrix @ np.vstack([points.T, np.ones(len(points))])
    ahead = w > 1e-12
    safe = np.where(ahead, w, 1.0)
    return np.where(ahead[:, None], np.stack([x / safe, y / safe], axis=1), np.nan)


def inverse(matrix: Matrix) -> Matrix:
    """The map back."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def stretch(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Largest length that a step of 1 at each point becomes through the map, (N,); NaN beyond the horizon."""
    to = mapped(matrix, points)
    w = points @ matrix[2, :2] + matrix[2, 2]
    safe = np.where(w > 1e-12, w, np.nan)[:, None, None]
    jacobian = (matrix[None, :2, :2] - to[:, :, None] * matrix[None, None, 2, :2]) / safe
    a, b, c, d = jacobian[:, 0, 0], jacobian[:, 0, 1], jacobian[:, 1, 0], jacobian[:, 1, 1]
    # The larger singular value of a 2x2 matrix, in closed form.
    return np.asarray((np.hypot(a + d, c - b) + np.hypot(a - d, b + c)) / 2, np.float64)


def polygon_area(corners: Points) -> float:
    """Area inside a polygon that does not cross itself (shoelace formula), in squares of its unit."""
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def crosses_itself(corners: Points) -> bool:
    """Whether sides of a polygon share a point besides the corner between neighbours; (N, 2), N >= 3."""
    kept = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    a, b = kept, np.roll(kept, -1, axis=0)
    number = len(kept)
    for one in range(number):
        for other in range(one + 1, number):
            if other == one + 1 or (one == 0 and other == number - 1):
                first, second = (one, other) if other == one + 1 else (other, one)
                ahead, back = b[first] - a[first], b[second] - a[second]
                if abs(_cross(ahead, back)) < 1e-12 and float(ahead @ back) < 0:
                    return True  # the second side lies on the first one
            elif _meet(a[one], b[one], a[other], b[other]):
                return True
    return False


def _meet(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]) -> bool:
    """Whether two stretches have a point in common, ends included."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    if (np.maximum(c, d) < low).any() or (np.minimum(c, d) > high).any():
        return False
    one = _cross(b - a, c - a) * _cross(b - a, d - a)
    other = _cross(d - c, a - c) * _cross(d - c, b - c)
    return one <= 0 and other <= 0


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(one[0] * other[1] - one[1] * other[0])
