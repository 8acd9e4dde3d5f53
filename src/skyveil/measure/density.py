"""How many people are in a zone, how densely they stand, and where it is densest. Measure."""

from dataclasses import dataclass
from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.measure.places import Raster, Zone
from skyveil.measure.points import Points

CUT_OFF_M: Final = 1.0
"""Farthest that a person's Voronoi cell reaches: somebody alone does not fill a hall. JPSreport uses 0.8 m, PedPy's
examples 1.0 m."""
VORONOI_SIDE_M: Final = 0.1
"""Side of the raster's squares: against JPSreport the mean error is 0.04 per m2, with 0.05 m 0.02 for four times the
work."""
FIELD_SIDE_M: Final = 0.5
FIELD_REACH_M: Final = 1.0
"""R of the local density: one person counts over about as much as their own space (Helbing, 2007)."""
HOT_SPOT_M2: Final = 4.0
"""Least area over which a local density counts: less is a family, not a crowd."""


def classic_density(zone: Zone, points_m: Points) -> float:
    """People inside over the area, persons per m2."""
    return float(zone.holds(points_m).sum() / zone.area_m2)


@final
class VoronoiDensity:
    """Voronoi density of one zone on a raster (Steffen and Seyfried, 2010, eq. 6).

    D = 1/A(M) * sum_i A(V_i in M) / A(V_i), with M the zone and V_i the cell of person i, cut at `cut_off_m` and to the
    walkable floor. The cells come from a distance transform that labels each square with its nearest person.
    """

    def __init__(
        self,
        zone: Zone,
        *,
        walkable: Zone | None = None,
        cut_off_m: float = CUT_OFF_M,
        side_m: float = VORONOI_SIDE_M,
    ) -> None:
        self._raster = Raster(zone, side_m=side_m, around_m=2 * cut_off_m)
        self._reach = cut_off_m / side_m
        shape = self._raster.rows, self._raster.columns
        self._floor = np.ones(shape, np.bool_)
        if walkable is not None:
            self._floor = walkable.holds(self._raster.centres_m).reshape(shape)
        self._zone = np.flatnonzero(self._raster.inside)
        self._empty = np.full(shape, 255, np.uint8)

    def of(self, points_m: Points) -> float:
        """The density in the zone, persons per m2, from everybody in and around it."""
        cells = self._raster.cells_of(points_m)
        near = ((cells >= 0) & (cells < (self._raster.columns, self._raster.rows))).all(axis=1)
        cells = cells[near]
        if not len(cells):
            return 0.0
        picture = self._empty.copy()
        picture[cells[:, 1], cells[:, 0]] = 0
        away, labels = cv2.distanceTransformWithLabels(picture, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        reached = self._floor & (away <= self._reach)
        squares = np.bincount(labels[reached], minlength=int(labels.max()) + 1)
        people = np.bincount(labels[cells[:, 1], cells[:, 0]], minlength=len(squares))
        in_zone = labels.ravel()[self._zone][reached.ravel()[self._zone]]
        shares = np.bincount(in_zone, minlength=len(squares)) / np.maximum(squares, 1)
        return float((people * shares).sum() / (len(self._zone) * self._raster.side_m**2))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Local density and mean velocity on the squares of a zone's grid.

    density: (rows, columns), persons per m2. velocity: (rows, columns, 2), m/s, 0 where nobody is near. people:
    (rows, columns), how many people each mean rests on, sum of weights squared over sum of squared weights.
    """

    density: NDArray[np.float64]
    velocity: NDArray[np.float64]
    people: NDArray[np.float64]


@final
class LocalDensity:
    """Gaussian local density and velocity on the 0.5 m grid of a zone (Helbing, Johansson and Al-Abideen, 2007).

    rho(r) = 1/(pi R^2) sum_j exp(-|r_j - r|^2 / R^2) and V(r) = sum_j w_j v_j / sum_j w_j with the same weights. A
    Gaussian is the product of one along x and one along y, so the sums are products of matrices.
    """

    def __init__(self, zone: Zone, *, side_m: float = FIELD_SIDE_M) -> None:
        raster = Raster(zone, side_m=side_m)
        self.inside = raster.inside
        self.side_m = side_m
        self.low_m = float(raster.low_m[0]), float(raster.low_m[1])
        self._x = raster.low_m[0] + (np.arange(raster.columns) + 0.5) * side_m
        self._y = raster.low_m[1] + (np.arange(raster.rows) + 0.5) * side_m

    def of(self, points_m: Points, tracked_m: Points, velocity: Points) -> Field:
        """The fields of people at these places, (N, 2), of whom those at `tracked_m`, (M, 2), have this velocity."""
        along_x, along_y = self._weights(points_m)
        density = _product(along_y, along_x) / (np.pi * FIELD_REACH_M**2)
        along_x, along_y = self._weights(tracked_m)
        weighted = np.stack([along_y, along_y * velocity[:, 0], along_y * velocity[:, 1]])
        weight, *moving = _product(weighted.reshape(3 * len(along_y), len(tracked_m)), along_x).reshape(
            3, *density.shape
        )
        squares = _product(along_y**2, along_x**2)
        safe = np.maximum(weight, 1e-9)
        return Field(density, np.stack([one / safe for one in moving], axis=-1), weight**2 / np.maximum(squares, 1e-18))

    def _weights(self, points_m: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """exp(-d^2 / R^2) along x, (columns, N), and along y, (rows, N)."""
        away_x = (self._x[:, None] - points_m[None, :, 0]) / FIELD_REACH_M
        away_y = (self._y[:, None] - points_m[None, :, 1]) / FIELD_REACH_M
        return np.exp(-(away_x**2)), np.exp(-(away_y**2))

    def hottest(self, field: Field) -> float:
        """The density that at least 4 m2 of the zone have, persons per m2; of a smaller zone its least."""
        cells = np.sort(field.density[self.inside])[::-1]
        if not len(cells):
            return 0.0
        return float(cells[min(len(cells), max(1, round(HOT_SPOT_M2 / self.side_m**2))) - 1])

    def dense_m2(self, field: Field, *, from_per_m2: float) -> float:
        """The area of the zone whose local density is this or more, m2."""
        return float((field.density[self.inside] >= from_per_m2).sum() * self.side_m**2)


def _product(along_y: NDArray[np.float64], along_x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over people of what each is along y, (..., rows, N), and along x, (columns, N): (..., rows, columns).

    By einsum, which does not use BLAS: its threads wait for each other, and on a busy machine 4 ms became 117 ms.
    """
    return np.asarray(np.einsum("...rn,cn->...rc", along_y, along_x), np.float64)
