"""Cameras and crowds with known truth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.calibrating import from_height
from skyveil.measure.calibration import Calibration, pinhole
from skyveil.measure.points import Points

SIZE_WH: Final = (1920, 1080)


@dataclass(frozen=True)
class Hung:
    """A camera `height_m` over the floor that looks `tilt_deg` below the horizontal; its middle is `ahead_m` away."""

    height_m: float
    tilt_deg: float
    focal_px: float

    @property
    def projection(self) -> NDArray[np.float64]:
        return pinhole(focal_px=self.focal_px, tilt_deg=self.tilt_deg, height_m=self.height_m, size_wh=SIZE_WH)

    @property
    def given(self) -> Calibration:
        return from_height(size_wh=SIZE_WH, height_m=self.height_m, tilt_deg=self.tilt_deg, focal_px=self.focal_px)

    @property
    def ahead_m(self) -> float:
        return float(self.height_m / np.tan(np.radians(self.tilt_deg)))

    def shows(self, points_m: Points, heights_m: NDArray[np.float64]) -> Points:
        """Exact pixels of points over the floor, (N, 2)."""
        x, y, w = self.projection @ np.column_stack([points_m, heights_m, np.ones(len(points_m))]).T
        return np.stack([x / w, y / w], axis=1)

    def sees(self, pixels: Points) -> NDArray[np.bool_]:
        return np.asarray(((pixels >= 0) & (pixels < SIZE_WH)).all(axis=1))


HUNG: Final = (Hung(3, 35, 1150), Hung(4, 35, 1350), Hung(6, 35, 1550), Hung(10, 40, 1900))
"""Cameras of a shop, a hall, a station and a stadium."""


def heights(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Heights of heads, metres: mean 1.68, standard deviation 9 cm."""
    return random.normal(1.68, 0.09, count)


def crowd(per_m2: float, low: tuple[float, float], high: tuple[float, float], random: np.random.Generator) -> Points:
    """People spread evenly, one somewhere in each square of a grid, (N, 2) metres."""
    side = 1 / np.sqrt(per_m2)
    x, y = np.meshgrid(np.arange(low[0], high[0], side), np.arange(low[1], high[1], side))
    return np.stack([x.ravel(), y.ravel()], axis=1) + random.uniform(0, side, (x.size, 2))


def people_seen(hung: Hung, count: int, random: np.random.Generator, *, noise_px: float = 4.0) -> tuple[Points, Points]:
    """Feet and heads of people who stand in the picture from head to foot, both (count, 2), as a detector sees them."""
    at = np.stack([random.uniform(-6, 6, 6000), random.uniform(0.5, 3 * hung.ahead_m + 6, 6000)], axis=1)
    feet, heads = hung.shows(at, np.zeros(6000)), hung.shows(at, heights(6000, random))
    chosen = np.flatnonzero(hung.sees(feet) & hung.sees(heads))[:count]
    noise = random.normal(0, noise_px, (2, count, 2))
    return feet[chosen] + noise[0], heads[chosen] + noise[1]
