"""Zones and lines on the floor, in metres. Measure."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import PlaceId
from skyveil.measure.level import ZoneKind
from skyveil.measure.points import Points, points_of, polygon_area

LEAST_AREA_M2: Final = 2.4
"""A smaller zone is the place of one person: two who stand at ease need 1.21 m2 each (Fruin, 1971, level A of queues).
Outside the control room nothing is told of zones under 10 m2 (`gate.grounds`)."""


SHOWN_LEAST: Final = 0.5
"""Share of a zone or line that must show heads, in the picture and fine enough, to be measured at all."""
SHOWN_WHOLE: Final = 0.95
"""Share from which on all of it counts as shown."""
_ALONG_M: Final = 0.5
_MOST_ALONG: Final = 1000
"""Points along a line are half a metre apart, and farther on one that is longer than 500 m."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A part of the floor. corners_m: (M, 2), M >= 3, metres, not crossing themselves.

    allowed: direction in which people should go (x, y), any length; None where every direction is right.
    """

    id: PlaceId
    corners_m: Points
    kind: ZoneKind = ZoneKind.WALKWAY
    allowed: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a zone without an inside, or one that reaches the horizon."""
        if not np.isfinite(self.corners_m).all():
            raise MeasureRefused(f"{self.id}: the zone reaches the horizon: draw it nearer")
        if len(self.corners_m) < 3 or self.area_m2 < 1e-6:
            raise MeasureRefused(f"{self.id}: a zone needs 3 corners or more that do not lie in line")
        if self.allowed is not None and not 0 < np.hypot(*self.allowed) < np.inf:
            raise MeasureRefused(f"{self.id}: the way has two different points before the horizon")

    @property
    def area_m2(self) -> float:
        """The area inside."""
        return polygon_area(self.corners_m)

    def holds(self, points_m: Points) -> NDArray[np.bool_]:
        """Which points are inside, (N,); by the even-odd rule, the near edges included."""
        x, y = points_m[:, 0, None], points_m[:, 1, None]
        (x1, y1), (x2, y2) = self.corners_m.T, self.corners_m[[*range(1, len(self.corners_m)), 0]].T
        spans = (y1 > y) != (y2 > y)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
        return np.asarray((spans & left).sum(axis=1) % 2 == 1, np.bool_)


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A line on the floor from `from_m` to `to_m`; forward is to the left of who looks along it."""

    id: PlaceId
    from_m: tuple[float, float]
    to_m: tuple[float, float]

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a line without a length."""
        if not self.width_m > 0.1:
            raise MeasureRefused(f"{self.id}: a line is longer than 0.1 m and lies before the horizon")

    @property
    def width_m(self) -> float:
        """Its length, which is the width of what it spans."""
        return float(np.hypot(self.to_m[0] - self.from_m[0], self.to_m[1] - self.from_m[1]))

    @property
    def forward(self) -> tuple[float, float]:
        """Unit vector across the line, (x, y)."""
        return (self.from_m[1] - self.to_m[1]) / self.width_m, (self.to_m[0] - self.from_m[0]) / self.width_m

    @property
    def points_m(self) -> Points:
        """Points along it, both ends included, (N, 2)."""
        share = np.linspace(0, 1, min(int(np.ceil(self.width_m / _ALONG_M)), _MOST_ALONG) + 1)[:, None]
        return points_of(np.array(self.from_m) * (1 - share) + np.array(self.to_m) * share)

    def beside(self, points_m: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far each point is ahead of the line, (N,), and how far along it, (N,), metres."""
        offset = points_m - self.from_m
        x, y = self.forward
        return offset @ np.array([x, y]), offset @ np.array([y, -x])


@final
class Raster:
    """The cells of a zone: which of a grid of squares have their centre inside. `side_m` is the side of a square."""

    def __init__(self, zone: Zone, *, side_m: float, around_m: float = 0.0) -> None:
        self.side_m = side_m
        self.low_m: Points = np.floor((zone.corners_m.min(axis=0) - around_m) / side_m) * side_m
        size = np.ceil((zone.corners_m.max(axis=0) + around_m - self.low_m) / side_m).astype(int)
        self.columns, self.rows = int(size[0]), int(size[1])
        if self.columns * self.rows > 4_000_000:
            raise MeasureRefused(f"{zone.id}: the zone is too large for cells of {side_m:g} m: divide it")
        self.inside: NDArray[np.bool_] = zone.holds(self.centres_m).reshape(self.rows, self.columns)

    @property
    def centres_m(self) -> Points:
        """Centres of all cells, row by row, (rows * columns, 2), metres."""
        x = self.low_m[0] + (np.arange(self.columns) + 0.5) * self.side_m
        y = self.low_m[1] + (np.arange(self.rows) + 0.5) * self.side_m
        grid = np.meshgrid(x, y)
        return np.stack([grid[0].ravel(), grid[1].ravel()], axis=1)

    def cells_of(self, points_m: Points) -> NDArray[np.intp]:
        """Column and row of the cell of each point, (N, 2); may lie outside of the grid."""
        return np.floor((points_m - self.low_m) / self.side_m).astype(np.intp)
