"""Which found box belongs to which track: by place and size alone. Private side.

Overlap does not do it: at five frames between two looks a walker has left the box in which they were first seen, and
the track broke there, with nothing to lead from one look to the next.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy

SLACK: Final = 0.25
"""Of its longer side, how far a box may lie from where it should: detectors place boxes that badly."""
SWERVE: Final = 0.3
"""Share of `Holding.stride` by which a track of known velocity may miss its prediction per frame."""
_SIZE: Final = 0.5
"""What a difference in size costs, per natural logarithm of the ratio; at e**2 times the size nothing matches."""


def nearness(
    predicted: BoxesXyxy, found: BoxesXyxy, *, leeway: NDArray[np.float32] | NDArray[np.float64]
) -> NDArray[np.float32]:
    """How well each found box (F, 4) fits each track, (T, F): 1 in its place, 0 where it can not be the same.

    predicted: (T, 4), where the tracks should be now. leeway: (T,), how far from there, in longer sides of the box.
    """
    apart = _centres(predicted)[:, None] - _centres(found)[None]
    size, found_size = _longer_sides(predicted), _longer_sides(found)
    usual = np.sqrt(size[:, None] * found_size[None])
    ratio = np.abs(np.log(size[:, None] / found_size[None]))
    cost = np.hypot(apart[..., 0], apart[..., 1]) / (usual * leeway[:, None]) + _SIZE * ratio
    return np.asarray(np.maximum(0, 1 - cost), np.float32)


def pairs(near: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of (track, box) from the nearest on, each used once."""
    found: list[tuple[int, int]] = []
    rows, columns = np.nonzero(near > 0)
    taken_rows: set[int] = set()
    taken_columns: set[int] = set()
    for index in np.argsort(-near[rows, columns], kind="stable"):
        row, column = int(rows[index]), int(columns[index])
        if row not in taken_rows and column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
            found.append((row, column))
    return found


def _centres(xyxy: BoxesXyxy) -> NDArray[np.float32]:
    return np.asarray((xyxy[:, :2] + xyxy[:, 2:]) / 2, np.float32)


def _longer_sides(xyxy: BoxesXyxy) -> NDArray[np.float32]:
    return np.asarray(np.maximum((xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, initial=0), 1), np.float32)
