"""People as rulers: a calibration from feet and heads of people of usual height, without a tape. Measure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from skyveil.core.errors import MeasureRefused
from skyveil.measure.calibration import HEAD_M, Calibration, Fit, pinhole, seen_through
from skyveil.measure.points import Points, inverse, mapped

LEAST_PEOPLE: Final = 12
_NOISE_PX: Final = 4.0
"""Usual error of a foot or head in a picture, as a box shows it."""
_HEIGHT_SD_M: Final = 0.09
"""Spread of people's heights."""
_FOCAL_LOG_SD: Final = 0.6
"""Focal lengths of cameras vary about 0.9 widths of the picture by a factor of 1.8; people say more than that."""
_GIVEN_LOG_SD: Final = 0.03
"""How far a focal length is from what a data sheet says."""
_INDEPENDENT: Final = 30
"""More people than this make nothing surer: boxes are wrong in the same way near and far. On PETS09, 300 people fit
cameras that see 30 to 90 degrees equally well, with areas that differ by a factor of two."""
_ROLL_SD_DEG: Final = 2.0
_MEAN_HEIGHT_SD: Final = 0.02
"""How far the mean height of the people of one place is from the usual one, as a share."""
_STARTS: Final = [(focal, tilt) for focal in (0.7, 1.2, 2.2) for tilt in (12.0, 30.0, 55.0)]
_BETTER: Final = 0.8
_FAR_M: Final = 100.0
_PARTS: Final = 5
"""Of the people, each part is left out once to tell the error of those that took no part."""


@final
@dataclass(frozen=True, slots=True)
class RulerCamera:
    """The camera that people say, as four numbers: metres over the floor, degrees below the horizontal, degrees
    clockwise about its axis, degrees from the left to the right edge of its picture; and how well they agree with it.
    """

    height_m: float
    tilt_deg: float
    roll_deg: float
    view_deg: float
    fit: Fit

    def calibration(self, *, size_wh: tuple[int, int], person_m: float = HEAD_M) -> Calibration:
        """The calibration of this camera, the floor's origin below it and y ahead; raises MeasureRefused."""
        focal_px = size_wh[0] / 2 / np.tan(np.radians(self.view_deg) / 2)
        projection = pinhole(
            focal_px=float(focal_px),
            tilt_deg=self.tilt_deg,
            height_m=self.height_m,
            size_wh=size_wh,
            roll_deg=self.roll_deg,
        )
        return seen_through(projection, size_wh=size_wh, lens=None, fit=self.fit, head_m=person_m)


def from_people(
    feet_px: Points,
    heads_px: Points,
    *,
    size_wh: tuple[int, int],
    person_m: float = HEAD_M,
    view_deg: float | None = None,
) -> Calibration:
    """From feet and heads of people who stand or walk upright, both (N, 2), one person a row.

    Focal length, tilt, roll and height of the camera are those with which people of `person_m` would have their heads
    where they were seen (soft L1 least squares, so that single wrong pairs count little). The floor's origin is below
    the camera, y points ahead. view_deg: how many degrees lie between the left and the right edge, where that is known;
    without it the focal length is a guess in views that look far ahead. Raises MeasureRefused for fewer than 12 people,
    or people who all stand in one place.
    """
    if feet_px.shape != heads_px.shape:
        raise MeasureRefused(f"each person needs feet and head, got {len(feet_px)} and {len(heads_px)}")
    found = _fitted(lambda _: (feet_px, heads_px), feet_px, heads_px, size_wh, person_m, view_deg)
    return found.calibration(size_wh=size_wh, person_m=person_m)


def from_boxes(
    boxes_px: NDArray[np.float64],
    *,
    size_wh: tuple[int, int],
    person_m: float = HEAD_M,
    view_deg: float | None = None,
) -> Calibration:
    """The same from boxes round upright people, (N, 4) xyxy.

    A box does not say how far its person leans in a wide picture. Feet and head are taken where an upright line through
    its middle leaves it, and which line is upright is found with the camera.
    """
    found = _of_boxes(boxes_px, size_wh, person_m, view_deg)
    return found.calibration(size_wh=size_wh, person_m=person_m)


def camera_of_boxes(
    boxes_px: NDArray[np.float64], *, size_wh: tuple[int, int], person_m: float = HEAD_M, view_deg: float
) -> RulerCamera:
    """The same camera as its four numbers, with the error of people who took no part in the fit, in metres.

    A fifth of the boxes is left out at a time. The error is the distance on the floor between where a person's feet are
    and where their head says that they are: the root mean square of the better four fifths, because some boxes are
    never round upright people.
    """
    found = _of_boxes(boxes_px, size_wh, person_m, view_deg)
    part = np.arange(len(boxes_px)) % _PARTS
    others = [(boxes_px[part != one], boxes_px[part == one]) for one in range(_PARTS)]
    if min(len(kept) for kept, _ in others) < LEAST_PEOPLE:
        return found
    apart_m = np.sort(
        np.concatenate(
            [_apart_m(_of_boxes(kept, size_wh, person_m, view_deg), out, size_wh, person_m) for kept, out in others]
        )
    )
    better = apart_m[: round(_BETTER * len(apart_m))]
    return replace(found, fit=replace(found.fit, left_out_m=float(np.sqrt((better**2).mean()))))


def _apart_m(
    camera: RulerCamera, boxes_px: NDArray[np.float64], size_wh: tuple[int, int], person_m: float
) -> NDArray[np.float64]:
    """How far each person's feet are from where their head says, metres; far where either lies above the horizon."""
    calibration = camera.calibration(size_wh=size_wh, person_m=person_m)
    feet_px, heads_px = _ends(boxes_px, calibration.upwards((boxes_px[:, :2] + boxes_px[:, 2:]) / 2))
    apart_m = np.linalg.norm(calibration.floor_of(feet_px) - calibration.under_heads(heads_px), axis=1)
    return np.asarray(np.nan_to_num(apart_m, nan=_FAR_M), np.float64)


def _ends(boxes_px: NDArray[np.float64], up: Points) -> tuple[Points, Points]:
    """Feet and heads: where a line in the direction `up` (N, 2) through the middle of each box leaves it."""
    middle = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
    half = (boxes_px[:, 3] - boxes_px[:, 1]) / 2
    step = up * (half / np.maximum(np.abs(up[:, 1]), 1e-9))[:, None]
    return middle - step, middle + step


def _of_boxes(
    boxes_px: NDArray[np.float64], size_wh: tuple[int, int], person_m: float, view_deg: float | None
) -> RulerCamera:
    middle = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2

    def pairs(projection: NDArray[np.float64]) -> tuple[Points, Points]:
        return _ends(boxes_px, projection[:2, 2] - middle * projection[2, 2])

    bottom = np.stack([middle[:, 0], boxes_px[:, 3]], axis=1)
    top = np.stack([middle[:, 0], boxes_px[:, 1]], axis=1)
    return _fitted(pairs, bottom, top, size_wh, person_m, view_deg)


def _fitted(
    pairs: Callable[[NDArray[np.float64]], tuple[Points, Points]],
    feet_px: Points,
    heads_px: Points,
    size_wh: tuple[int, int],
    person_m: float,
    view_deg: float | None,
) -> RulerCamera:
    """The camera for which `pairs`, feet and heads under a projection, are people; the points say about where."""
    if len(feet_px) < LEAST_PEOPLE:
        raise MeasureRefused(f"{LEAST_PEOPLE} or more people are needed, each with feet and head, got {len(feet_px)}")
    if float(np.ptp(feet_px[:, 1])) < 0.1 * size_wh[1]:
        raise MeasureRefused("people must have been near and far: all feet lie in one row of the picture")
    length_px = np.linalg.norm(heads_px - feet_px, axis=1)
    height_sd_m = np.hypot(_HEIGHT_SD_M, _NOISE_PX * person_m / np.maximum(length_px, 1.0))

    weight = np.sqrt(min(1.0, _INDEPENDENT / len(feet_px)))
    usual, usual_sd = np.log(0.9), _FOCAL_LOG_SD
    if view_deg is not None:
        usual, usual_sd = -np.log(2 * np.tan(np.radians(view_deg) / 2)), _GIVEN_LOG_SD

    def seen(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        projection = _projection(values, size_wh)
        return _seen_by(projection, float(np.exp(values[2])), *pairs(projection), float(size_wh[1]))

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        heights_m, aside_px = seen(values)
        camera = [(values[0] - usual) / usual_sd, values[3] / _ROLL_SD_DEG]
        people = np.concatenate([(heights_m - person_m) / height_sd_m, aside_px / _NOISE_PX])
        return np.concatenate([people * weight, camera])

    best = min((_from_start(residuals, focal, tilt) for focal, tilt in _STARTS), key=lambda one: one.cost)
    heights_m, aside_px = seen(best.values)
    if float(np.median(np.abs(heights_m - person_m))) > 3 * _HEIGHT_SD_M:
        raise MeasureRefused("no camera shows these people: were feet and heads exchanged, or does the lens bend much?")
    errors_px = np.stack([(heights_m - person_m) / person_m * length_px, aside_px], axis=1)
    rms_px = float(np.sqrt((errors_px**2).sum(axis=1).mean()))
    fit = Fit(len(feet_px), rms_px, None, None, _area_sigma(best, feet_px, size_wh))
    focal, tilt, height, roll = (float(one) for one in best.values)
    view = float(np.degrees(2 * np.arctan(0.5 / np.exp(focal))))
    return RulerCamera(float(np.exp(height)), tilt, roll, view, fit)


def _projection(values: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    focal, tilt, height, roll = values
    return pinhole(
        focal_px=float(np.exp(focal)) * size_wh[0],
        tilt_deg=float(tilt),
        height_m=float(np.exp(height)),
        size_wh=size_wh,
        roll_deg=float(roll),
    )


def _seen_by(
    projection: NDArray[np.float64], camera_m: float, feet_px: Points, heads_px: Points, most_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How tall each person is if this is the camera, metres, and how far the head is beside its upright line, pixels.

    With the camera over the origin at height H, feet at f and the head's floor point g, a person is H (1 - |f| / |g|)
    tall: linear in what is seen, so that tall and short people weigh the same.
    """
    back = inverse(projection[:, [0, 1, 3]])
    floor_m = mapped(back, feet_px)
    x, y, w = back @ np.vstack([heads_px.T, np.ones(len(heads_px))])
    with np.errstate(invalid="ignore", divide="ignore"):
        heights_m = camera_m * (1 - (floor_m**2).sum(axis=1) * w / (floor_m[:, 0] * x + floor_m[:, 1] * y))
    nadir = projection[:, 2]  # where upright lines meet
    upright = nadir[:2] - feet_px * nadir[2]
    across = upright[:, 0] * (heads_px - feet_px)[:, 1] - upright[:, 1] * (heads_px - feet_px)[:, 0]
    aside_px = across / np.maximum(np.linalg.norm(upright, axis=1), 1e-9)
    # Feet above the horizon are as wrong as can be.
    return np.clip(np.nan_to_num(heights_m, nan=9.0), -9, 9), np.clip(aside_px, -most_px, most_px)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """What least squares found: the values, their cost, and the slope of the residuals there."""

    values: NDArray[np.float64]
    cost: float
    slope: NDArray[np.float64]


def _from_start(residuals: Callable[[NDArray[np.float64]], NDArray[np.float64]], focal: float, tilt: float) -> _Camera:
    start = np.array([np.log(focal), tilt, np.log(5.0), 0.0])
    bounds = ([np.log(0.3), 1.0, np.log(1.8), -15.0], [np.log(5.0), 89.0, np.log(60.0), 15.0])
    found = least_squares(residuals, start, bounds=bounds, loss="soft_l1", x_scale=[0.3, 10.0, 0.3, 2.0], max_nfev=200)
    return _Camera(np.asarray(found.x, np.float64), float(found.cost), np.asarray(found.jac, np.float64))


def _area_sigma(best: _Camera, feet_px: Points, size_wh: tuple[int, int]) -> float:
    """Standard error of the area about the people's feet as a share, from the fit and from the mean height."""
    covariance = np.linalg.pinv(best.slope.T @ best.slope)
    values = best.values
    around = np.quantile(feet_px, [0.25, 0.75], axis=0)
    corners = np.array([[around[i, 0], around[j, 1]] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])

    def log_area(at: NDArray[np.float64]) -> float:
        x, y = mapped(inverse(_projection(at, size_wh)[:, [0, 1, 3]]), corners).T
        return float(np.log(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) + 1e-9))

    steps = np.diag([0.01, 0.1, 0.01, 0.1])
    slope = np.array([(log_area(values + step) - log_area(values - step)) / (2 * step.max()) for step in steps])
    return float(np.sqrt(max(slope @ covariance @ slope, 0.0) + (2 * _MEAN_HEIGHT_SD) ** 2))
