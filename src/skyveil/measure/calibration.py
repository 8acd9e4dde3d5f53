"""From pixels to metres: on the floor, and on the plane of heads. Measure.

A head is not on the floor. Put on the floor's homography it lands behind the person, and a crowd looks thinner than
it is by (1 - h/H)^2, with h the height of heads and H that of the camera: a quarter to two thirds of the true density
for cameras at 3 to 10 m. A head seen where the floor point g is stands over f with g - f = k (f - C), k = h / (H - h),
C the floor point below the camera; so f = (g + k C) / (1 + k).
"""

from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.measure.lens import Lens
from skyveil.measure.points import Matrix, Points, inverse, mapped, polygon_area, stretch

HEAD_M: Final = 1.68
"""Mean height of adults' heads over the floor, shoes on: half way between the means of women and men in Europe (1.63
and 1.76) less 2 cm for gait and bowed heads. An error of 5 % gives one of 10 % in areas found with people as rulers."""
FINEST_M_PER_PX: Final = 0.1
"""A head moves by this much a pixel where numbers end: a head box is wrong by some pixels, a person 0.5 m wide."""


_STEP: Final = 0.01
"""Share of an error by which slopes are taken: a whole one may put a far corner beyond the horizon."""


def _none() -> NDArray[np.float64]:
    return np.zeros((0, 3, 3))


@final
@dataclass(frozen=True, slots=True)
class Fit:
    """How well a calibration agrees with what it was made from.

    points: how many points or people it rests on. rms_px: root mean square error in pixels; rms_m, left_out_m: in
    metres on the floor, the latter of points that took no part in the fit; None where there is nothing to compare.
    area_sigma: standard error of areas, as a share, where the points or people are.
    """

    points: int
    rms_px: float | None
    rms_m: float | None
    left_out_m: float | None
    area_sigma: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Where pixels of one camera are, in metres.

    size_wh: size of the picture, pixels. floor: (3, 3), straightened pixels to metres on the floor, with a positive
    third coordinate below the horizon. camera_m: the camera's place over the floor (x, y, height). head_m: mean height
    of heads. floor_errors: (K, 3, 3), by how much `floor` may be wrong, as standard errors that are independent of each
    other; empty where that is not known.
    """

    size_wh: tuple[int, int]
    floor: Matrix
    camera_m: tuple[float, float, float]
    lens: Lens | None
    fit: Fit
    head_m: float = HEAD_M
    floor_errors: NDArray[np.float64] = field(default_factory=_none)

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a map that is none, a lens that folds, or a camera that is not above heads."""
        numbers = (*self.camera_m, self.head_m, self.fit.area_sigma)
        if min(*self.size_wh, self.head_m) <= 0 or not np.isfinite(numbers).all():
            raise MeasureRefused("a calibration has a picture and heads larger than 0, and only finite numbers")
        if self.floor.shape != (3, 3) or not np.isfinite(self.floor).all() or abs(np.linalg.det(self.floor)) < 1e-18:
            raise MeasureRefused(
                "the map from picture to floor can not be inverted: give points that do not lie in line"
            )
        if self.floor_errors.shape[1:] != (3, 3) or not np.isfinite(self.floor_errors).all():
            raise MeasureRefused("the errors of the map from picture to floor are maps of finite numbers")
        if self.lens is not None:
            self.lens.unfolded(self.size_wh)
        if not self.camera_m[2] > self.head_m:
            raise MeasureRefused(
                f"the camera would hang at {self.camera_m[2]:.2f} m, below heads at {self.head_m:.2f} m: check points"
            )

    @property
    def k(self) -> float:
        """How much farther than a person their head lands on the floor, as a share of the distance: h / (H - h)."""
        return self.head_m / (self.camera_m[2] - self.head_m)

    @property
    def heads(self) -> Matrix:
        """Straightened pixels of heads to metres on the floor below them, (3, 3)."""
        return self._at(self.head_m)

    def floor_of(self, points_px: Points) -> Points:
        """Floor points seen at these pixels, metres, (N, 2); NaN at and above the horizon."""
        return mapped(self.floor, self._straight(points_px))

    def under_heads(self, points_px: Points) -> Points:
        """Floor points below heads seen at these pixels, metres, (N, 2); NaN at and above the horizon."""
        return mapped(self.heads, self._straight(points_px))

    def heads_m_per_px(self, points_px: Points) -> NDArray[np.float64]:
        """By how many metres a head's place moves when its pixel moves by one, at most, (N,)."""
        return stretch(self.heads, self._straight(points_px))

    def pixels_of(self, points_m: Points, *, height_m: float = 0.0) -> Points:
        """Where points this high over these floor points are seen, (N, 2); NaN behind the camera, and where
        the lens folds.

        Raises MeasureRefused for a height that is not below the camera.
        """
        if height_m >= self.camera_m[2]:
            raise MeasureRefused(f"{height_m:.2f} m is not below the camera at {self.camera_m[2]:.2f} m")
        straight = mapped(inverse(self._at(height_m)), points_m)
        return straight if self.lens is None else self.lens.bent(straight)

    def shows_heads(self, points_m: Points) -> NDArray[np.bool_]:
        """Whether a head over each floor point is in the picture and fine enough to be placed, (N,)."""
        pixels = self.pixels_of(points_m, height_m=self.head_m)
        inside = ((pixels >= 0) & (pixels < self.size_wh)).all(axis=1)
        fine = self.heads_m_per_px(np.nan_to_num(pixels)) <= FINEST_M_PER_PX
        return np.asarray(inside & fine, np.bool_)

    def area_sigma_of(self, corners_m: Points) -> float:
        """Standard error of the area of a part of the floor as a share; far from the points given it is the larger.

        corners_m: (M, 2) as `floor_of` gives them. Where the floor's errors are not known it is that of the fit.
        """
        if not len(self.floor_errors):
            return self.fit.area_sigma
        straight = mapped(inverse(self.floor), corners_m)
        area_m2 = polygon_area(corners_m)
        changes = [
            polygon_area(mapped(self.floor + _STEP * one, straight))
            - polygon_area(mapped(self.floor - _STEP * one, straight))
            for one in self.floor_errors
        ]
        sigma = np.linalg.norm(changes) / (2 * _STEP * area_m2)
        return float(sigma) if np.isfinite(sigma) else 1.0

    def upwards(self, points_px: Points) -> Points:
        """Which way up is at each pixel, unit vectors in the straight picture, (N, 2); y points down in pictures."""
        to_picture = inverse(self.floor)
        x, y, height_m = self.camera_m
        above = -(to_picture @ np.array([x, y, 1.0])) / height_m
        up = above[:2] - points_px * above[2]
        return np.asarray(up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-12), np.float64)

    @property
    def to_shares(self) -> Matrix:
        """Metres on the floor to shares of the straight picture, 0 to 1, (3, 3)."""
        width, height = self.size_wh
        return np.diag([1 / width, 1 / height, 1.0]) @ inverse(self.floor)

    def horizon_px(self) -> tuple[Points, Points]:
        """Two pixels of the horizon, at the left and right edge of a straight picture; far off for a steep camera."""
        a, b, c = self.floor[2]
        b = b if abs(b) > 1e-15 else 1e-15
        ends = np.array([[0.0, -c / b], [self.size_wh[0], -(c + a * self.size_wh[0]) / b]])
        return ends[0], ends[1]

    def _straight(self, points_px: Points) -> Points:
        return points_px if self.lens is None else self.lens.straightened(points_px)

    def _at(self, height_m: float) -> Matrix:
        """Straightened pixels of points this high to the floor points below them."""
        x, y, camera_m = self.camera_m
        k = height_m / (camera_m - height_m)
        return np.array([[1, 0, k * x], [0, 1, k * y], [0, 0, 1 + k]]) @ self.floor


def seen_through(
    projection: NDArray[np.float64], *, size_wh: tuple[int, int], lens: Lens | None, fit: Fit, head_m: float = HEAD_M
) -> Calibration:
    """The calibration of a camera whose projection is known, (3, 4), world metres (z up, floor at 0) to pixels.

    Raises MeasureRefused when the floor is seen edge on.
    """
    from_floor = projection[:, [0, 1, 3]]
    if abs(np.linalg.det(from_floor)) < 1e-12:
        raise MeasureRefused("the camera looks along the floor: it can not see distances on it")
    *_, last = np.linalg.svd(projection)
    centre = last[-1][:3] / last[-1][3]
    # Points before the camera have a positive depth; det > 0 of the left part says which sign that is.
    sign = np.sign(np.linalg.det(projection[:, :3]))
    return Calibration(
        size_wh,
        inverse(from_floor * sign),
        (float(centre[0]), float(centre[1]), float(centre[2])),
        lens,
        fit,
        head_m,
    )


def pinhole(
    *, focal_px: float, tilt_deg: float, height_m: float, size_wh: tuple[int, int], roll_deg: float = 0.0
) -> NDArray[np.float64]:
    """Projection of a camera `height_m` over the origin, (3, 4): y is forward, x to the right, z up, in metres.

    tilt_deg: how far it looks below the horizontal. roll_deg: how far it is turned clockwise about its axis.
    """
    tilt, roll = np.radians(tilt_deg), np.radians(roll_deg)
    right = np.array([1.0, 0.0, 0.0])
    down = np.array([0.0, -np.sin(tilt), -np.cos(tilt)])
    ahead = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    turned = np.stack([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, ahead])
    camera = np.array([[focal_px, 0, size_wh[0] / 2], [0, focal_px, size_wh[1] / 2], [0, 0, 1]])
    return np.asarray(camera @ np.hstack([turned, -turned @ [[0.0], [0.0], [height_m]]]), np.float64)
