"""What an operator gives to calibrate a camera, as a file or by the console, and the calibration of it. Measure."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias, final

import numpy as np
from pydantic import ConfigDict, Field

from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.measure.calibrating import from_height, from_points, from_rectangle, with_people
from skyveil.measure.calibration import HEAD_M, Calibration
from skyveil.measure.lens import Lens as BendingLens
from skyveil.measure.points import Points, points_of
from skyveil.measure.rulers import from_people

VIEW: Final = "people do not tell how wide a camera sees: add its view in degrees, from the left to the right edge"
_MOST: Final = 1000
"""Points or people: each point is left out once to tell the error of the others."""
_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
_Side: TypeAlias = Annotated[int, Field(ge=16, le=65535)]
_Length: TypeAlias = Annotated[float, Field(ge=-1e6, le=1e6)]
_Pair: TypeAlias = tuple[_Length, _Length]
_Four: TypeAlias = tuple[_Length, _Length, _Length, _Length]


@final
@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle on the floor: near left, near right, far right and far left corner in pixels, two lengths in m."""

    __pydantic_config__: ClassVar = _STRICT
    corners: Annotated[tuple[_Pair, ...], Field(min_length=4, max_length=4)]
    width: _Length
    depth: _Length


@final
@dataclass(frozen=True, slots=True)
class Hung:
    """How the camera hangs: metres over the floor, degrees below the horizontal, degrees from left to right edge."""

    __pydantic_config__: ClassVar = _STRICT
    height: _Length
    tilt: _Length
    view: Annotated[float, Field(gt=5, lt=150)]
    roll: Annotated[float, Field(ge=-90, le=90)] = 0.0


@final
@dataclass(frozen=True, slots=True)
class Lens:
    """Focal lengths, centre (pixels), and k1, k2, p1, p2, k3 of OpenCV."""

    __pydantic_config__: ClassVar = _STRICT
    focal: _Pair
    centre: _Pair
    coefficients: tuple[_Length, _Length, _Length, _Length, _Length] = (0.0, 0.0, 0.0, 0.0, 0.0)


@final
@dataclass(frozen=True, slots=True)
class Given:
    """The file of points. One of points, rectangle, camera and people; people may stand beside points or rectangle.

    points: x and y in the picture, x and y on the floor in metres. people: foot x, foot y, head x, head y in pixels.
    view: degrees from the left to the right edge, which people alone do not tell.
    """

    __pydantic_config__: ClassVar = _STRICT
    size: tuple[_Side, _Side]
    points: Annotated[tuple[_Four, ...], Field(max_length=_MOST)] = ()
    rectangle: Rectangle | None = None
    camera: Hung | None = None
    people: Annotated[tuple[_Four, ...], Field(max_length=_MOST)] = ()
    view: Annotated[float | None, Field(gt=5, lt=150)] = None
    camera_height: _Length | None = None
    lens: Lens | None = None
    head_height: Annotated[float, Field(gt=1, lt=2.2)] = HEAD_M


def solved(given: Given) -> Calibration:
    """The calibration; raises SettingsRefused or MeasureRefused when what is given does not say enough."""
    try:
        return _solved(given)
    except np.linalg.LinAlgError as error:
        raise MeasureRefused("no plane fits what is given: check points and lengths") from error


def _solved(given: Given) -> Calibration:
    lens = None if given.lens is None else BendingLens(given.lens.focal, given.lens.centre, given.lens.coefficients)
    ways = [bool(given.points), given.rectangle is not None, given.camera is not None]
    if sum(ways) > 1 or not (any(ways) or given.people):
        raise SettingsRefused("give one of points, rectangle, camera and people; people may stand beside the first two")
    size, head_m = given.size, given.head_height
    if given.camera is not None:
        hung = given.camera
        focal_px = size[0] / 2 / np.tan(np.radians(hung.view / 2))
        return from_height(
            size_wh=size,
            height_m=hung.height,
            tilt_deg=hung.tilt,
            focal_px=focal_px,
            roll_deg=hung.roll,
            lens=lens,
            head_m=head_m,
        )
    feet, heads = _people(given)
    if not any(ways):
        if given.view is None:
            raise SettingsRefused(VIEW)
        return from_people(feet, heads, size_wh=size, person_m=head_m, view_deg=given.view)
    if given.rectangle is not None:
        side = given.rectangle
        found = from_rectangle(
            points_of(side.corners),
            width_m=side.width,
            depth_m=side.depth,
            size_wh=size,
            lens=lens,
            head_m=head_m,
        )
    else:
        points = np.array(given.points, np.float64)
        found = from_points(
            points[:, :2], points[:, 2:], size_wh=size, camera_height_m=given.camera_height, lens=lens, head_m=head_m
        )
    return with_people(found, feet, heads, person_m=head_m) if len(feet) else found


def _people(given: Given) -> tuple[Points, Points]:
    pairs = np.array(given.people, np.float64).reshape(-1, 4)
    return pairs[:, :2], pairs[:, 2:]
