"""The local density of a zone square by square, as a plan shows it. Measure."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.points import Matrix


@final
@dataclass(frozen=True, slots=True, eq=False)
class DensityGrid:
    """Local densities of one zone. side_m: side of a square. low_m: corner of the grid with the least x and y.

    per_m2: (rows, columns), persons per m2, rows along y; NaN outside of the zone.
    """

    place: PlaceId
    side_m: float
    low_m: tuple[float, float]
    per_m2: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a grid without squares or with densities that can not be."""
        if self.per_m2.ndim != 2 or not self.per_m2.size or not self.side_m > 0:
            raise MeasureRefused(f"{self.place}: a grid of densities has squares in rows and columns")
        if np.nanmin(self.per_m2, initial=0.0) < 0 or np.isinf(self.per_m2).any():
            raise MeasureRefused(f"{self.place}: a density is 0 or more, and finite")


@final
@dataclass(frozen=True, slots=True, eq=False)
class CameraGrids:
    """The grids of one camera. floor_to_picture: (3, 3), metres on the floor to shares of the picture, 0 to 1."""

    camera: CameraId
    floor_to_picture: Matrix
    grids: tuple[DensityGrid, ...]
