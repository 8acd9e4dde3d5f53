"""People as rulers, of a video or of a live camera: which of them stand free and upright. Private side.

Boxes are all that is kept, a bounded number of them, in memory: no time, no name, no order by person.
"""

from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.core.geometry import BoxesXyxy, intersection, iou
from skyveil.measure.calibration import Calibration
from skyveil.measure.rulers import LEAST_PEOPLE, from_boxes
from skyveil.private.detect.boxes import Scored

_SURE: Final = 0.6
_SLIM: Final = (0.22, 0.5)
"""Width to height of somebody upright whose legs are seen."""
_TALL_PX: Final = 40.0
"""A shorter box is wrong by too much of its height."""
_EDGE_PX: Final = 4.0
_ENOUGH: Final = 400
"""Pairs that are kept; more make nothing surer."""
_SAME_PLACE: Final = 0.6
"""Boxes of somebody who stands agree by 0.8 and more, from look to look."""
_ROWS: Final = 8
"""Strips of the picture that share the pairs evenly: people who wait near the door must not outweigh the rest."""


@final
class RulerPeople:
    """Collects feet and heads from the frames of one view. In memory only; what leaves is the camera's calibration."""

    def __init__(self, *, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        self._boxes: list[NDArray[np.float64]] = [np.zeros((0, 4)) for _ in range(_ROWS)]

    def __len__(self) -> int:
        """How many boxes are kept."""
        return sum(len(row) for row in self._boxes)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """The boxes that are kept, (N, 4) xyxy pixels."""
        return np.concatenate(self._boxes)

    def add(self, persons: Scored) -> None:
        """Take the persons of one frame."""
        self._keep(persons.xyxy[_usable(persons, self._size_wh)])

    def add_elsewhere(self, persons: Scored) -> None:
        """Take the persons of one frame who are where none was before: who stands there for long counts once."""
        free = persons.xyxy[_usable(persons, self._size_wh)]
        before = np.asarray(self.boxes, np.float32)
        self._keep(free[(iou(free, before) < _SAME_PLACE).all(axis=1)])

    def _keep(self, found: BoxesXyxy) -> None:
        free = found.astype(np.float64)
        rows = np.clip(free[:, 3] * _ROWS / self._size_wh[1], 0, _ROWS - 1).astype(np.int64)
        for row in range(_ROWS):
            self._boxes[row] = np.concatenate([self._boxes[row], free[rows == row]])[-_ENOUGH // _ROWS :]

    def calibration(self, *, view_deg: float | None) -> Calibration:
        """The camera that sees people as they were seen; raises MeasureRefused when they say too little.

        view_deg: degrees from the left to the right edge.
        """
        boxes = self.boxes
        if len(boxes) < LEAST_PEOPLE:
            raise MeasureRefused(
                f"{LEAST_PEOPLE} or more people must stand free from head to foot, found {len(boxes)}: film longer"
            )
        return from_boxes(boxes, size_wh=self._size_wh, view_deg=view_deg)


def _usable(persons: Scored, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Sure, upright, large enough, inside the picture, and touching nobody else."""
    boxes: BoxesXyxy = persons.xyxy
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    slim = width / np.maximum(height, 1e-6)
    inside = (boxes[:, :2] > _EDGE_PX).all(axis=1) & (boxes[:, 2:] < np.array(size_wh) - _EDGE_PX).all(axis=1)
    touching = (intersection(boxes, boxes) > 0).sum(axis=1) > 1
    upright = (slim >= _SLIM[0]) & (slim <= _SLIM[1]) & (height >= _TALL_PX)
    return np.asarray((persons.score >= _SURE) & upright & inside & ~touching, np.bool_)
