"""A lens that bends straight lines, and how pixels are straightened. Measure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.measure.points import Points, points_of

_ROUNDS: Final = 30
"""Newton's method needs 3 to 10; OpenCV 4 ends after 5 of a slower one, up to tens of pixels off in wide lenses."""
_OFF_PX: Final = 0.5
"""A pixel that is not bent back to within this is straightened nowhere."""


@final
@dataclass(frozen=True, slots=True)
class Lens:
    """Radial and tangential distortion (Brown, 1966), as OpenCV calibrates it.

    focal_px, centre_px: along x and y. coefficients: k1, k2, p1, p2, k3, as `cv2.calibrateCamera` gives them.
    """

    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    coefficients: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a focal length that is none."""
        if min(self.focal_px) <= 0:
            raise MeasureRefused("a focal length must be above 0 px")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The camera matrix K, (3, 3)."""
        (fx, fy), (cx, cy) = self.focal_px, self.centre_px
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)

    def unfolded(self, size_wh: tuple[int, int]) -> None:
        """Raise MeasureRefused when corners of the picture lie beyond where it folds: no place is seen there."""
        width, height = size_wh
        corners = points_of([[0, 0], [width, 0], [width, height], [0, height]])
        if not np.isfinite(self.straightened(corners)).all():
            raise MeasureRefused(
                "the lens folds before the corners of the picture: give coefficients that were measured up to there"
            )

    def straightened(self, points_px: Points) -> Points:
        """Where the pixels would be without distortion, (N, 2); NaN where no point of the straight picture is seen."""
        if not len(points_px) or not any(self.coefficients):
            return points_px
        bent = (points_px - self.centre_px) / self.focal_px
        straight = bent
        with np.errstate(all="ignore"):  # what has no answer may go anywhere, and is found below
            for _ in range(_ROUNDS):
                step = self._step(straight, bent)
                straight = straight + step
                if np.nan_to_num(np.abs(step)).max() < 1e-12:
                    break
            done = points_of(straight * self.focal_px + self.centre_px)
            off_px = np.linalg.norm(self.bent(done) - points_px, axis=1)
        return np.where((off_px <= _OFF_PX)[:, None], done, np.nan)

    def bent(self, points_px: Points) -> Points:
        """Where pixels of a straight picture are in the real one, (N, 2).

        NaN beyond where the lens folds: what is farther out would come nearer to the middle again.
        """
        if not len(points_px) or not any(self.coefficients):
            return points_px
        points = (points_px - self.centre_px) / self.focal_px
        k1, k2, _, _, k3 = self.coefficients
        seen = (points**2).sum(axis=1, keepdims=True) <= _folds_at(k1, k2, k3)
        return points_of(np.where(seen, self._bent(points), np.nan) * self.focal_px + self.centre_px)

    def _bent(self, points: Points) -> Points:
        """The same in focal lengths from the centre."""
        x, y = points.T
        k1, k2, p1, p2, k3 = self.coefficients
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        moved_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        moved_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return np.stack([moved_x, moved_y], axis=1)

    def _step(self, straight: Points, bent: Points) -> Points:
        """One step of Newton's method from straight points to those that are seen at `bent`."""
        x, y = straight.T
        k1, k2, p1, p2, k3 = self.coefficients
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
        x_by_x = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
        y_by_y = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
        both = x * y * slope + 2 * p1 * x + 2 * p2 * y
        off_x, off_y = (bent - self._bent(straight)).T
        volume = x_by_x * y_by_y - both * both
        return points_of(
            np.stack([y_by_y * off_x - both * off_y, x_by_x * off_y - both * off_x], axis=1) / volume[:, None]
        )


@lru_cache
def _folds_at(k1: float, k2: float, k3: float) -> float:
    """The square of the first radius where r (1 + k1 r^2 + k2 r^4 + k3 r^6) grows no more; infinite without one."""
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1])
    real = roots[np.abs(roots.imag) < 1e-9].real
    return float(real[real > 0].min(initial=np.inf))
