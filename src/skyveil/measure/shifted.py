"""What a camera that was moved does to numbers in metres. Measure.

A point p of the view that was calibrated is seen at q = M p now. Whoever stands there is placed at floor(q) and not at
floor(p), and what is counted in a zone comes from the part of the floor that is seen at M^-1 of its corners.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.calibration import Calibration
from skyveil.measure.points import Points, mapped, polygon_area

MOST_M: Final = 0.25
"""Places may lie so far beside the true ones: half the width of a person (Fruin's body ellipse is 0.46 m by 0.61 m), so
that somebody still counts on the right side of a line or edge when both are where people usually are."""
MOST_AREA: Final = 0.05
"""Share by which areas, and so densities, may be wrong: half of the 10 % that calibrations are held to."""
MOST_SHARE: Final = 0.02
"""Without metres: share of the picture's longer side by which places may lie beside the drawn ones, 15 px of 768: less
than the width of a person who is 40 px tall or more."""

Motion: TypeAlias = NDArray[np.float64]
"""(2, 3): where a pixel of the old view is seen now, q = M (x, y, 1)."""


@final
@dataclass(frozen=True, slots=True)
class Shifted:
    """What a motion of the picture does. px: how far the places moved in it, at most. m: how far people are placed
    beside where they stand, in the middle; area: by what share areas are wrong; both None without metres."""

    px: float
    m: float | None
    area: float | None
    too_far: bool


@final
class Steadiness:
    """Judges motions of one camera's picture by what they do to its zones and lines."""

    def __init__(
        self, zones_px: Sequence[Points], lines_px: Sequence[Points], calibration: Calibration | None, *, long_px: float
    ) -> None:
        """zones_px: corners of each zone, (N, 2) pixels; lines_px: ends of each line; long_px: longer side."""
        self._zones_px = tuple(zones_px)
        self._points_px = np.concatenate([np.zeros((0, 2)), *zones_px, *lines_px])
        self._calibration = calibration
        self._long_px = long_px

    def judged(self, motion: Motion) -> Shifted:
        """What the motion does, and whether it is more than the numbers bear."""
        matrix = np.vstack([motion, [0.0, 0.0, 1.0]])
        now_px = mapped(matrix, self._points_px)
        px = float(np.linalg.norm(now_px - self._points_px, axis=1).max(initial=0.0))
        if self._calibration is None:
            return Shifted(px, None, None, px > MOST_SHARE * self._long_px)
        aside = np.linalg.norm(self._calibration.floor_of(now_px) - self._calibration.floor_of(self._points_px), axis=1)
        # What lies beyond the horizon now is as far away as can be.
        metres = float(np.median(np.nan_to_num(aside, nan=np.inf))) if len(aside) else 0.0
        back = np.linalg.inv(matrix)
        area = max((_wrong_by(corners, back, self._calibration) for corners in self._zones_px), default=0.0)
        return Shifted(px, metres, area, not (metres <= MOST_M and area <= MOST_AREA))


def _wrong_by(corners_px: Points, back: NDArray[np.float64], calibration: Calibration) -> float:
    """Share by which a zone's area is not that of the part of the floor that is counted in it."""
    seen = calibration.floor_of(mapped(back, corners_px))
    if not np.isfinite(seen).all():
        return float(np.inf)
    return abs(polygon_area(seen) / polygon_area(calibration.floor_of(corners_px)) - 1)
