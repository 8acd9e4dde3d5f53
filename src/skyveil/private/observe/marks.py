"""Small parts of a scene by which its view is known again. Private side: pictures in, places and shifts out.

A mark is a square of 16 x 16 samples of the small picture around a corner, one bit a sample: whether the sample is
lighter than its surroundings (the sign of a difference of Gaussians). Light and contrast change samples, hardly ever
that sign. A square is looked for near its place by the polarity coincidence of its bits and the picture.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.measure.points import Points

SIDE: Final = 16
"""Samples of a mark's side."""
MOST: Final = 96
"""Marks of a view: 3 KB of bits."""
_MIDDLE: Final = (SIDE - 1) / 2
FEWEST: Final = 8
"""Marks that must agree on one motion. One is found by chance within a sample of where another would have it in 1
of 50 tries, so that eight of 96 do not agree by chance."""
_APART: Final = 10
_FINE, _COARSE = 1.0, 4.0
"""Standard deviations of the two Gaussians, in samples: noise of one sample and slopes of light are both left out."""
_CONTRAST: Final = 3.0
"""Least standard deviation of a mark, in levels. Codec and sensor leave 1 in a mean of some pictures."""
_ALIKE: Final = 0.45
"""Least correlation of bits and picture for a find; the same square in other light has 0.6 to 0.8, others under 0.4."""
_IN_SIGHT: Final = 0.7
"""Share of a mark that must be in sight."""
_AGREE: Final = 0.75
"""Samples by which a mark may lie beside the motion of the others."""

Band: TypeAlias = NDArray[np.float32]
"""The picture less its surroundings, (rows, columns), levels."""
Sight: TypeAlias = NDArray[np.bool_]
"""Which samples are in sight, (rows, columns)."""
Motion: TypeAlias = NDArray[np.float64]
"""(2, 3): where a point of the reference is seen now, x' = M (x, y, 1); turning, zoom and shift."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The marks of a view.

    corners: (N, 2) int64, x and y of the upper left sample. bits: (N, 16, 16) uint8, 0 or 1.
    """

    corners: NDArray[np.int64]
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        """How many."""
        return len(self.corners)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What became of marks in a picture.

    motion: where points of the reference are now; None when too few marks agree on one. agree: how many do.
    in_sight: how many were not hidden. sigma: standard error of a place moved by `motion`, at the worst corner.
    """

    motion: Motion | None
    agree: int
    in_sight: int
    sigma: float


def band_of(luma: NDArray[np.uint8] | NDArray[np.float32]) -> Band:
    """The picture less its surroundings."""
    samples = luma.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(samples, (0, 0), _FINE) - cv2.GaussianBlur(samples, (0, 0), _COARSE), np.float32)


def marks_of(band: Band, sight: Sight) -> Marks:
    """The marks of a picture that lie wholly in sight, the most distinct first; none without structure."""
    rows, columns = band.shape
    if min(rows, columns) < 2 * SIDE:
        return Marks(np.zeros((0, 2), np.int64), np.zeros((0, SIDE, SIDE), np.uint8))
    open_px = cv2.erode(
        sight.astype(np.uint8), np.ones((SIDE + 1, SIDE + 1), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    found = cv2.goodFeaturesToTrack(band, MOST, 0.02, _APART, mask=open_px, blockSize=5)
    # None where there is no corner, which the stubs do not know.
    middles = np.array([] if found is None else found, np.float64).reshape(-1, 2)  # type: ignore[redundant-expr]
    corners = np.rint(middles).astype(np.int64) - SIDE // 2
    inside = ((corners >= 0) & (corners + SIDE <= (columns, rows))).all(axis=1)
    corners = corners[inside]
    squares = [band[y : y + SIDE, x : x + SIDE] for x, y in corners.tolist()]
    keep = np.array([float(square.std()) >= _CONTRAST for square in squares], np.bool_)
    bits = np.array([square > 0 for square in squares], np.uint8).reshape(-1, SIDE, SIDE)
    return Marks(corners[keep], bits[keep])


def seen_in(band: Band, sight: Sight, marks: Marks, *, reach: int) -> Seen:
    """Look for marks within `reach` samples of their places; samples out of sight count for nothing."""
    hidden = cv2.integral((~sight).astype(np.uint8))
    at, there = [], []
    in_sight = 0
    for (x, y), bits in zip(marks.corners.tolist(), marks.bits, strict=True):
        covered = hidden[y + SIDE, x + SIDE] - hidden[y, x + SIDE] - hidden[y + SIDE, x] + hidden[y, x]
        if covered > (1 - _IN_SIGHT) * SIDE * SIDE:
            continue
        in_sight += 1
        step = _step(band, bits, x, y, reach)
        if step is not None:
            at.append((x + _MIDDLE, y + _MIDDLE))
            there.append((x + _MIDDLE + step[0], y + _MIDDLE + step[1]))
    return _agreed(np.array(at, np.float64).reshape(-1, 2), np.array(there).reshape(-1, 2), band.shape, in_sight)


def _step(band: Band, bits: NDArray[np.uint8], x: int, y: int, reach: int) -> tuple[float, float] | None:
    """Where a mark went, in parts of a sample; None when it is not found, or at the edge of what was searched."""
    rows, columns = band.shape
    left, top = max(0, x - reach), max(0, y - reach)
    part = band[top : min(rows, y + SIDE + reach), left : min(columns, x + SIDE + reach)]
    alike = cv2.matchTemplate(part, bits.astype(np.float32), cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(alike)
    if best < _ALIKE or not (0 < column < alike.shape[1] - 1 and 0 < row < alike.shape[0] - 1):
        return None
    across = _peak(alike[row, column - 1 : column + 2].tolist())
    down = _peak(alike[row - 1 : row + 2, column].tolist())
    return left + column + across - x, top + row + down - y


def _peak(three: list[float]) -> float:
    """Where a parabola through three values around the largest has its top, -0.5 to 0.5."""
    before, best, after = three
    bend = before - 2 * best + after
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _agreed(at: Points, there: Points, shape: tuple[int, ...], in_sight: int) -> Seen:
    """The turn, zoom and shift that most marks share (RANSAC: Fischler and Bolles, 1981), fitted to those."""
    if len(at) < FEWEST:
        return Seen(None, 0, in_sight, np.inf)
    _, inliers = cv2.estimateAffinePartial2D(
        at, there, method=cv2.RANSAC, ransacReprojThreshold=_AGREE, maxIters=500, confidence=0.99
    )
    chosen = np.asarray(inliers, np.uint8).ravel() > 0
    agree = int(np.count_nonzero(chosen))
    if agree < max(FEWEST, 0.1 * in_sight):
        return Seen(None, agree, in_sight, np.inf)
    found = _fitted(at[chosen], there[chosen])
    left = there[chosen] - put(found, at[chosen])
    spread = np.sqrt(((at[chosen] - at[chosen].mean(axis=0)) ** 2).sum(axis=1).mean())
    corners = np.array([(x, y) for x in (0, shape[1]) for y in (0, shape[0])], np.float64)
    far = np.linalg.norm(corners - at[chosen].mean(axis=0), axis=1).max()
    deviation = max(float(np.sqrt((left**2).sum() / max(2 * agree - 4, 1))), 0.05)
    sigma = deviation / np.sqrt(agree) * np.hypot(1.0, far / max(float(spread), 1e-6))
    return Seen(found, agree, in_sight, float(sigma))


def _fitted(at: Points, there: Points) -> Motion:
    """The turn, zoom and shift between point pairs with the least squares, in closed form."""
    from_middle, to_middle = at - at.mean(axis=0), there - there.mean(axis=0)
    size = float((from_middle**2).sum())
    a = float((from_middle * to_middle).sum()) / size
    b = float((from_middle[:, 0] * to_middle[:, 1] - from_middle[:, 1] * to_middle[:, 0]).sum()) / size
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (there.mean(axis=0) - turn @ at.mean(axis=0))[:, None]])


def put(motion: Motion, points: Points) -> Points:
    """Points of the reference where they are seen now, (N, 2)."""
    return np.asarray(points @ motion[:, :2].T + motion[:, 2], np.float64)
