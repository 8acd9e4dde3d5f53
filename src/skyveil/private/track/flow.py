"""Where boxes went from one small picture to another. Private side: two pictures in, boxes out, nothing kept.

Lucas and Kanade (1981), in a pyramid as Bouguet (2001) has it: a few points of each box are looked for in the other
picture, and the box moves by their median.
"""

from dataclasses import dataclass
from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy
from skyveil.core.kinds import Kind

_ACROSS: Final = (0.3, 0.5, 0.7)
_DOWN_A_BODY: Final = (0.08, 0.2, 0.35)
"""Head, shoulders and chest: legs swing."""
_DOWN: Final = (0.2, 0.5, 0.8)
_WINDOW: Final = (9, 9)
_LEVELS: Final = 2
_ROUNDS: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.05)
_UNLIKE_LEVELS: Final = 40
"""A point whose surroundings differ by more than this on average (of 255) is not the same point."""
_FOUND_SHARE: Final = 0.5
"""So many of a box's points must be found again, or the box is lost from sight."""
_SPREAD: Final = 0.06
"""Of a box's longer side, how far its points may move apart (median), to be one body and not a body and a wall."""


@final
@dataclass(frozen=True, slots=True)
class Sight:
    """A frame made small: its index, its luma (rows, columns), and how many pixels of the frame a sample stands for."""

    frame: int
    luma: NDArray[np.uint8]
    shrink: int


def moved(boxes: BoxesXyxy, kinds: NDArray[np.uint8], before: Sight, now: Sight) -> tuple[BoxesXyxy, NDArray[np.bool_]]:
    """The boxes (N, 4) of `before` where they are in `now`, and which of them were seen to go there, (N,).

    A box that was not seen to go anywhere stays where it was.
    """
    if not len(boxes):
        return boxes, np.zeros(0, np.bool_)
    points = _points(boxes, kinds)
    there, found, unlike = cv2.calcOpticalFlowPyrLK(
        before.luma,
        now.luma,
        _samples(points, before.shrink),
        np.zeros(0, np.float32),
        winSize=_WINDOW,
        maxLevel=_LEVELS,
        criteria=_ROUNDS,
    )
    steps = (_pixels(np.asarray(there, np.float32), now.shrink) - points.reshape(-1, 2)).reshape(points.shape)
    known = ((found == 1) & (unlike <= _UNLIKE_LEVELS)).reshape(points.shape[:2])
    step = _medians(steps, known)
    spread = _medians(np.abs(steps - step[:, None]), known).max(axis=1)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    sure = (known.mean(axis=1) >= _FOUND_SHARE) & (spread <= _SPREAD * longer)
    return np.asarray(np.where(sure[:, None], boxes + np.tile(step, 2), boxes), np.float32), np.asarray(sure, np.bool_)


def _points(boxes: BoxesXyxy, kinds: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The points of each box that are looked for, (N, 9, 2)."""
    body, other = (np.array([(x, y) for y in down for x in _ACROSS], np.float32) for down in (_DOWN_A_BODY, _DOWN))
    shares = np.where((kinds == Kind.PERSON)[:, None, None], body, other)
    return np.asarray(boxes[:, None, :2] + shares * (boxes[:, None, 2:] - boxes[:, None, :2]), np.float32)


def _samples(points: NDArray[np.float32], shrink: int) -> NDArray[np.float32]:
    """Points of the frame, (N, K, 2), in samples of a small picture, (N * K, 1, 2)."""
    return np.ascontiguousarray(((points + 0.5) / shrink - 0.5).reshape(-1, 1, 2), np.float32)


def _pixels(samples: NDArray[np.float32], shrink: int) -> NDArray[np.float32]:
    return np.asarray((samples.reshape(-1, 2) + 0.5) * shrink - 0.5, np.float32)


def _medians(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The median over the known points of each box, (N, 2); of none, 0."""
    inf = np.where(known[..., None], values, np.inf)
    inf.sort(axis=1)
    count = known.sum(axis=1)
    rows = np.arange(len(values))
    low, high = (np.maximum(count - 1, 0)) // 2, count // 2
    middle = (inf[rows, low] + inf[rows, np.minimum(high, values.shape[1] - 1)]) / 2
    return np.asarray(np.where((count > 0)[:, None], middle, 0), np.float32)
