"""Calibrations from what an operator gives: points on a plan, a rectangle, or the camera's height and tilt. Measure."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.measure.calibration import HEAD_M, Calibration, Fit, pinhole, seen_through
from skyveil.measure.lens import Lens
from skyveil.measure.points import Matrix, Points, inverse, mapped, stretch

_CLICK_PX: Final = 2.0
"""Error of a point clicked in a picture, where the points themselves do not tell: four fit exactly."""
_FOCAL_SHARE: Final = (0.3, 5.0)
"""Focal lengths of cameras, in widths of the picture: from 118 to 11 degrees across."""


def from_height(
    *,
    size_wh: tuple[int, int],
    height_m: float,
    tilt_deg: float,
    focal_px: float,
    roll_deg: float = 0.0,
    lens: Lens | None = None,
    head_m: float = HEAD_M,
) -> Calibration:
    """From the camera's height over the floor, its tilt below the horizontal and its focal length.

    The origin of the floor is below the camera and y points ahead.
    """
    if not 0 < tilt_deg <= 90:
        raise MeasureRefused(f"a tilt is above 0 and at most 90 degrees below the horizontal, got {tilt_deg:g}")
    projection = pinhole(focal_px=focal_px, tilt_deg=tilt_deg, height_m=height_m, size_wh=size_wh, roll_deg=roll_deg)
    fit = Fit(0, None, None, None, area_sigma=0.05)
    return seen_through(projection, size_wh=size_wh, lens=lens, fit=fit, head_m=head_m)


def from_rectangle(
    corners_px: Points,
    *,
    width_m: float,
    depth_m: float,
    size_wh: tuple[int, int],
    lens: Lens | None = None,
    head_m: float = HEAD_M,
) -> Calibration:
    """From a rectangle on the floor: its near left, near right, far right and far left corner, and two lengths.

    The near left corner is the origin, x runs along the near side and y along the left one.
    """
    if corners_px.shape != (4, 2):
        raise MeasureRefused(f"a rectangle has 4 corners, got {len(corners_px)}")
    if min(width_m, depth_m) <= 0:
        raise MeasureRefused("the sides of a rectangle are longer than 0 m")
    corners_m = np.array([[0, 0], [width_m, 0], [width_m, depth_m], [0, depth_m]], np.float64)
    return from_points(corners_px, corners_m, size_wh=size_wh, lens=lens, head_m=head_m)


def from_points(
    points_px: Points,
    points_m: Points,
    *,
    size_wh: tuple[int, int],
    camera_height_m: float | None = None,
    lens: Lens | None = None,
    head_m: float = HEAD_M,
) -> Calibration:
    """From 4 or more points of the floor whose pixels and places on a plan are known, both (N, 2).

    The camera's place follows from the points when its picture has square pixels; `camera_height_m` replaces what
    follows for the height, which is the less sure part. Raises MeasureRefused when the points do not say enough.
    """
    if points_px.shape != points_m.shape or len(points_px) < 4:
        raise MeasureRefused(
            f"4 or more points are needed in picture and plan, got {len(points_px)} and {len(points_m)}"
        )
    if lens is not None:
        lens.unfolded(size_wh)
    straight = points_px if lens is None else lens.straightened(points_px)
    floor = _solved(straight, points_m)
    errors_m = mapped(floor, straight) - points_m
    errors_px = mapped(inverse(floor), points_m) - straight
    x, y, height_m = _camera_over(floor, size_wh, lens)
    click_px = _click_px(errors_px)
    floor_errors = _floor_errors(floor, straight, points_m, click_px=click_px)
    fit = Fit(
        len(points_px),
        _rms(errors_px),
        _rms(errors_m),
        _left_out_m(straight, points_m),
        _area_sigma(floor, straight, points_m, click_px=click_px),
    )
    return Calibration(size_wh, floor, (x, y, camera_height_m or height_m), lens, fit, head_m, floor_errors)


def with_people(
    calibration: Calibration, feet_px: Points, heads_px: Points, *, person_m: float = HEAD_M
) -> Calibration:
    """The same floor, with the camera's place from 2 or more people's feet and heads, both (N, 2).

    g - f = k f - k C is linear in k and k C; each equation counts by how sure the head's floor point g is.
    """
    if feet_px.shape != heads_px.shape or len(feet_px) < 2:
        raise MeasureRefused(f"2 or more people are needed, each with feet and head, got {len(feet_px)}")
    feet, heads = calibration.floor_of(feet_px), calibration.floor_of(heads_px)
    if not (np.isfinite(feet).all() and np.isfinite(heads).all()):
        raise MeasureRefused("feet and heads must lie below the horizon")
    weight = np.repeat(1 / stretch(calibration.floor, heads_px), 2)
    rows = np.zeros((2 * len(feet), 3))
    rows[:, 0] = feet.ravel()
    rows[0::2, 1] = rows[1::2, 2] = -1
    (k, kx, ky), *_ = np.linalg.lstsq(rows * weight[:, None], (heads - feet).ravel() * weight, rcond=None)
    if k <= 0:
        raise MeasureRefused("heads must lie farther from the camera than feet: were they exchanged?")
    camera_m = (float(kx / k), float(ky / k), float(person_m * (1 + k) / k))
    return replace(calibration, camera_m=camera_m)


def _solved(points_px: Points, points_m: Points) -> Matrix:
    """Pixels to metres by least squares in pixels, which is where clicks are wrong."""
    if _in_line(points_px) or _in_line(points_m):
        raise MeasureRefused("the points lie in one line: give some beside it")
    found, _ = cv2.findHomography(points_m, points_px, 0)
    if np.ndim(found) < 2 or abs(np.linalg.det(np.asarray(found))) < 1e-15:
        raise MeasureRefused("no plane fits the points: three of four lie in one line")
    floor = inverse(np.asarray(found, np.float64))
    ahead = points_px @ floor[2, :2] + floor[2, 2]
    if not (ahead > 0).all() and not (ahead < 0).all():
        raise MeasureRefused("no floor shows these points: give them in the same order in picture and plan")
    return np.asarray(floor * np.sign(ahead[0]), np.float64)


def _in_line(points: Points) -> bool:
    sides = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(sides[1] <= 0.02 * sides[0])


def _rms(errors: Points) -> float:
    return float(np.sqrt((errors**2).sum(axis=1).mean()))


def _left_out_m(points_px: Points, points_m: Points) -> float | None:
    """Root mean square error of each point under the map made from the others; None below 6 points.

    With five points, four make the map and say nothing of their own error.
    """
    if len(points_px) < 6:
        return None
    keep = ~np.eye(len(points_px), dtype=bool)
    try:
        missed = [
            mapped(_solved(points_px[one], points_m[one]), points_px[~one])[0] - points_m[~one][0] for one in keep
        ]
    except MeasureRefused:  # the others lie in one line: without this point there is no plane
        return None
    return _rms(np.array(missed))


def _click_px(errors_px: Points) -> float:
    """Standard error of a click along x or y: what was seen, half a pixel at least, or 2 px where four fit exactly."""
    spare = 2 * len(errors_px) - 8
    return max(float(np.sqrt((errors_px**2).sum() / spare)), 0.5) if spare > 0 else _CLICK_PX


def _floor_errors(floor: Matrix, points_px: Points, points_m: Points, *, click_px: float) -> NDArray[np.float64]:
    """What errors of clicks do to the floor's map, (8, 3, 3): independent standard errors, from the slopes at its fit.

    In least squares with slopes J of pixels by the entries of the map G from plan to picture, the covariance of those
    is click^2 (J^T J)^-1, with J = U S V^T along V with click / S; a ninth direction is the scale of G, which says
    nothing. The map back, F, then changes by -F dG F.
    """
    to_unit_m, to_unit_px = _to_unit(points_m), _to_unit(points_px)
    unit = to_unit_px @ inverse(floor) @ inverse(to_unit_m)
    plan = np.column_stack([points_m, np.ones(len(points_m))]) @ to_unit_m.T
    u, v, w = unit @ plan.T
    plan = plan / w[:, None]
    nothing = np.zeros_like(plan)
    slopes = np.vstack(
        [
            np.hstack([plan, nothing, -(u / w)[:, None] * plan]),
            np.hstack([nothing, plan, -(v / w)[:, None] * plan]),
        ]
    )
    _, sizes, ways = np.linalg.svd(slopes)
    errors = (click_px * to_unit_px[0, 0] / sizes[:8])[:, None] * ways[:8]
    to_picture = inverse(to_unit_px) @ errors.reshape(-1, 3, 3) @ to_unit_m
    return np.asarray(-floor @ to_picture @ floor, np.float64)


def _to_unit(points: Points) -> Matrix:
    """The map that puts points around 0, at a distance of 1 in the mean."""
    x, y = points.mean(axis=0)
    scale = 1 / np.linalg.norm(points - (x, y), axis=1).mean()
    return np.array([[scale, 0, -scale * x], [0, scale, -scale * y], [0, 0, 1]])


def _area_sigma(floor: Matrix, points_px: Points, points_m: Points, *, click_px: float) -> float:
    """Standard error of areas where the points are, as a share: how much clicks that are wrong change lengths."""
    wrong_m = click_px * np.median(stretch(floor, points_px))
    span_m = np.linalg.norm(points_m - points_m.mean(axis=0), axis=1).mean()
    return float(2 * wrong_m / span_m / np.sqrt(len(points_px)))


def _camera_over(floor: Matrix, size_wh: tuple[int, int], lens: Lens | None) -> tuple[float, float, float]:
    """Where the camera hangs, from the homography of a plane (Zhang, 2000, eq. 3 and 4), with square pixels."""
    to_picture = inverse(floor)
    if lens is None:
        focal_px = _focal_px(to_picture, size_wh)
        camera = np.array([[focal_px, 0, size_wh[0] / 2], [0, focal_px, size_wh[1] / 2], [0, 0, 1]])
    else:
        camera = lens.matrix
    columns = np.asarray(inverse(camera) @ to_picture, np.float64)
    columns /= np.linalg.norm(columns[:, :2], axis=0).mean()
    one, other = _square(columns[:, 0], columns[:, 1])
    third = np.cross(one, other)
    x, y, z = (-float(axis @ columns[:, 2]) for axis in (one, other, third))
    return x, y, abs(z)  # below zero on a plan whose y points down


def _square(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two nearest unit vectors at a right angle."""
    u, _, v = np.linalg.svd(np.stack([one, other], axis=1), full_matrices=False)
    both = u @ v
    return both[:, 0], both[:, 1]


def _focal_px(to_picture: Matrix, size_wh: tuple[int, int]) -> float:
    """The focal length that makes the plane's axes square and equally long."""
    centred: Matrix = np.array([[1, 0, -size_wh[0] / 2], [0, 1, -size_wh[1] / 2], [0, 0, size_wh[0]]]) @ to_picture
    centred /= np.linalg.norm(centred[:, :2])
    (a1, b1, c1), (a2, b2, c2) = centred[:, 0], centred[:, 1]
    by = np.array([a1 * a2 + b1 * b2, a1**2 + b1**2 - a2**2 - b2**2])
    rest = np.array([c1 * c2, c1**2 - c2**2])
    inverse = -float(by @ rest) / max(float(by @ by), 1e-12)
    low, high = _FOCAL_SHARE
    share = np.sqrt(1 / inverse) if inverse > 0 else np.nan
    if not low <= share <= high:
        raise MeasureRefused("the points do not say where the camera hangs: add its lens, or give its height and tilt")
    return float(share * size_wh[0])
