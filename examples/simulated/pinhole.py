"""A camera without distortion at a known place: metres to pixels and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.simulated.trajectories import Metres


@dataclass(frozen=True, slots=True)
class Pinhole:
    """A camera above `at_m`, looking along `heading_deg` (0: along x, 90: along y) and `tilt_deg` below the horizon."""

    at_m: tuple[float, float]
    height_m: float
    tilt_deg: float
    heading_deg: float = 90.0
    focal_px: float = 900.0
    width: int = 1280
    height: int = 720

    @property
    def axes(self) -> NDArray[np.float64]:
        """Rows: the picture's right, its down and the direction of view, in plan coordinates with z upwards, (3, 3)."""
        heading, tilt = np.deg2rad(self.heading_deg), np.deg2rad(self.tilt_deg)
        ahead = np.array([np.cos(heading) * np.cos(tilt), np.sin(heading) * np.cos(tilt), -np.sin(tilt)])
        right = np.array([np.sin(heading), -np.cos(heading), 0.0])
        return np.stack([right, np.cross(ahead, right), ahead])

    @property
    def projection(self) -> NDArray[np.float64]:
        """The 3 by 4 matrix from (x, y, z, 1) in metres to (u w, v w, w) in pixels."""
        lens = np.array([[self.focal_px, 0, self.width / 2], [0, self.focal_px, self.height / 2], [0, 0, 1.0]])
        centre = np.array([*self.at_m, self.height_m])
        return np.asarray(lens @ np.column_stack([self.axes, -self.axes @ centre]), np.float64)

    def pixels(self, xy: Metres, z_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points at these heights appear: (u, v, distance along the view in metres), shape (N, 3)."""
        homogeneous = np.column_stack([xy, z_m, np.ones(len(xy))]) @ self.projection.T
        depth = homogeneous[:, 2]
        return np.column_stack([homogeneous[:, :2] / np.where(np.abs(depth) < 1e-9, 1e-9, depth)[:, None], depth])

    def plane(self, z_m: float) -> NDArray[np.float64]:
        """The homography from metres on a level plane at this height to pixels, (3, 3)."""
        columns = self.projection
        return np.column_stack([columns[:, 0], columns[:, 1], columns[:, 2] * z_m + columns[:, 3]])

    def floor(self, uv: NDArray[np.float64]) -> Metres:
        """Where the rays of pixels (N, 2) meet the floor, (N, 2); NaN at and above the horizon."""
        met = np.column_stack([uv, np.ones(len(uv))]) @ np.linalg.inv(self.plane(0.0)).T
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = met[:, :2] / met[:, 2:]
        return np.where((self.pixels(np.nan_to_num(xy), np.zeros(len(xy)))[:, 2] > 0)[:, None], xy, np.nan)
