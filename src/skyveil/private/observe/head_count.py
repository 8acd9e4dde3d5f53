"""How many heads of a density network's map are over a zone. Private side; what comes out is about the zone."""

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.calibration import FINEST_M_PER_PX, Calibration
from skyveil.measure.places import Zone
from skyveil.measure.points import points_of
from skyveil.private.detect.density import PerCell

_MIDDLE: Final = 0.93
"""Networks are trained on points in the middle of heads, at this share of the height of their tops: 12 cm below 1.68 m,
half of a head from chin to crown."""
_SAMPLES: Final = 2
"""Points of a cell along each side, by which it is told how much of the cell lies over a zone."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class HeadMap:
    """A map of heads of one picture. at_s: the picture's time. error: standard error of its sums, as a share."""

    per_cell: PerCell
    at_s: float
    error: float


@final
class HeadCount:
    """Counts the heads over one zone of a calibrated camera. One thread owns it."""

    def __init__(self, zone: Zone, calibration: Calibration) -> None:
        self._zone = zone
        self._calibration = calibration
        self._share = np.zeros((0, 0))

    def of(self, per_cell: PerCell) -> float:
        """The sum of the map over the zone, persons."""
        if self._share.shape != per_cell.shape:
            self._share = self._shares(per_cell.shape)
        return float((per_cell * self._share).sum())

    def _shares(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """How much of each cell shows heads over the zone, (rows, columns), 0 to 1."""
        rows, columns = shape
        width, height = self._calibration.size_wh
        x = (np.arange(columns * _SAMPLES) + 0.5) * width / (columns * _SAMPLES)
        y = (np.arange(rows * _SAMPLES) + 0.5) * height / (rows * _SAMPLES)
        pixels = points_of(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
        over = self._over(pixels).reshape(rows, _SAMPLES, columns, _SAMPLES)
        return np.asarray(over.mean(axis=(1, 3)), np.float64)

    def _over(self, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which pixels show the middle of heads over the zone, where heads are fine enough to be placed, (N,)."""
        heads = replace(self._calibration, head_m=_MIDDLE * self._calibration.head_m)
        places_m = heads.under_heads(pixels)
        low, high = self._zone.corners_m.min(axis=0), self._zone.corners_m.max(axis=0)
        near = ((places_m >= low) & (places_m <= high)).all(axis=1)
        over = np.zeros(len(pixels), np.bool_)
        over[near] = self._zone.holds(places_m[near])
        over[near] &= self._calibration.heads_m_per_px(pixels[near]) <= FINEST_M_PER_PX
        return over
