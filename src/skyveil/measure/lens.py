"""A lens that bends straight lines, and how pixels are straightened. Measure."""

from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.measure.points import Points, points_of


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

    def straightened(self, points_px: Points) -> Points:
        """Where the pixels would be without distortion, (N, 2)."""
        if not len(points_px) or not any(self.coefficients):
            return points_px
        bent = np.ascontiguousarray(points_px[:, None], np.float64)
        done = cv2.undistortPoints(bent, self.matrix, np.array(self.coefficients), None, self.matrix)
        return points_of(np.asarray(done, np.float64))

    def bent(self, points_px: Points) -> Points:
        """Where pixels of a straight picture are in the real one, (N, 2)."""
        if not len(points_px) or not any(self.coefficients):
            return points_px
        x, y = ((points_px - self.centre_px) / self.focal_px).T
        k1, k2, p1, p2, k3 = self.coefficients
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        moved_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        moved_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return points_of(np.stack([moved_x, moved_y], axis=1) * self.focal_px + self.centre_px)
