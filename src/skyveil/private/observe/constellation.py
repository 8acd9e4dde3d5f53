"""Whether two sets of corners are of one view, and how it moved between. Private side: places in, a motion out.

Of a view that is to be known again after its process ended only the places of corners are kept, and nothing of what is
seen there: whole numbers of which no picture of anything can be made. So corners are compared by where they lie to each
other alone.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.camera import MOST_CORNERS, SHARE, Corners
from skyveil.measure.points import Points, points_of
from skyveil.private.observe.marks import SIDE, Marks, Motion, put

FAMILIAR: Final = 16
"""Corners that must lie alike. Of 60 sets of 96 random places, none had more than 7 in common with those of PETS09;
the same view had 49 to 71 by day, through rain and turned by 4 degrees, and 23 at an eighth of the light."""
_NEAR: Final = 1.5
"""Samples by which a corner may lie beside where the motion has it: corners are whole samples, and light moves them."""
_REACH: Final = 48.0
"""Samples by which a corner may have moved, an eighth of the picture: what moved by more is another view."""
_TURN: Final = 0.15
"""Radians and share by which a camera may have turned and zoomed."""
_APART: Final = 60.0
"""Samples between two corners that a motion is made from: nearer ones tell a turn too badly."""
_TRIES: Final = 4000
"""Pairs that are tried. One in 13 pairs of near corners is right in the views above, so that one in 170 tries is."""


def corners_of(marks: Marks, shape: tuple[int, ...]) -> Corners:
    """Where the middles of marks lie, in shares of a small picture of this shape (rows, columns)."""
    middles = (marks.corners + SIDE / 2) / (shape[1], shape[0]) * SHARE
    return tuple((x, y) for x, y in np.rint(middles).astype(np.int64)[:MOST_CORNERS].tolist())


def motion_between(before: Corners, now: Corners, shape: tuple[int, ...]) -> Motion | None:
    """Where samples of the view before are now, in samples of a picture of this shape; None when it is another view."""
    old, new = _samples(before, shape), _samples(now, shape)
    best = _likeliest(old, new)
    if best is None:
        return None
    away = np.linalg.norm(best[:, None] - new[None], axis=2)
    nearest = away.argmin(axis=1)
    mutual = (away.min(axis=1) <= _NEAR) & (away.argmin(axis=0)[nearest] == np.arange(len(old)))
    if np.count_nonzero(mutual) < FAMILIAR:
        return None
    found, inliers = cv2.estimateAffinePartial2D(
        old[mutual], new[nearest[mutual]], method=cv2.RANSAC, ransacReprojThreshold=_NEAR
    )
    if found is None or np.count_nonzero(inliers) < FAMILIAR:
        return None
    return np.asarray(found, np.float64)


def moved(corners: Corners, motion: Motion, shape: tuple[int, ...]) -> Corners:
    """Where corners are after a motion, in samples of a picture of this shape; those that leave it are left out."""
    there = (put(motion, _samples(corners, shape)) + 0.5) / (shape[1], shape[0]) * SHARE
    whole = np.rint(there).astype(np.int64)
    inside = ((whole >= 0) & (whole <= SHARE)).all(axis=1)
    return tuple((x, y) for x, y in whole[inside].tolist())


def _samples(corners: Corners, shape: tuple[int, ...]) -> Points:
    """The same in samples: the middle of the first is 0."""
    return points_of(corners).reshape(-1, 2) / SHARE * (shape[1], shape[0]) - 0.5


def _likeliest(old: Points, new: Points) -> Points | None:
    """The old places under that turn, zoom and shift which brings most of them beside new ones; None without any."""
    first, second = np.nonzero(np.linalg.norm(old[:, None] - new[None], axis=2) <= _REACH)
    if len(first) < FAMILIAR:
        return None
    # Complex numbers: a turn with a zoom is one factor. The same tries each time, so that the answer is the same.
    before, after = old[:, 0] + 1j * old[:, 1], new[:, 0] + 1j * new[:, 1]
    one, other = np.random.default_rng(0).integers(0, len(first), (2, _TRIES))
    span = before[first[other]] - before[first[one]]
    far = np.abs(span) >= _APART
    turn = (after[second[other]] - after[second[one]])[far] / span[far]
    shift = after[second[one]][far] - turn * before[first[one]][far]
    like = (np.abs(np.abs(turn) - 1) <= _TURN) & (np.abs(np.angle(turn)) <= _TURN)
    if not like.any():
        return None
    moved = turn[like, None] * before[None] + shift[like, None]
    best = moved[_beside(moved, new).sum(axis=1).argmax()]
    return np.stack([best.real, best.imag], axis=1)


def _beside(moved: NDArray[np.complex128], new: Points) -> NDArray[np.bool_]:
    """Which places have a new corner beside them, to the sample."""
    columns, rows = (int(one) for one in np.ceil(new.max(axis=0)) + 3)
    sheet = np.full((rows, columns), 255, np.uint8)
    x, y = np.rint(new).astype(np.int64).T
    sheet[y, x] = 0
    near = cv2.distanceTransform(sheet, cv2.DIST_L2, 5) <= _NEAR
    x, y = np.rint(moved.real).astype(np.int64), np.rint(moved.imag).astype(np.int64)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    return np.asarray(near[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] & inside, np.bool_)
