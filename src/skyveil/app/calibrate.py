"""Calibrations from what an operator gives: a file of points, a Tsai file, or a video of people. App, parent side."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final, final

import numpy as np
import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from skyveil.app.process import Worker
from skyveil.app.task import Begin, Task
from skyveil.core.errors import InputRefused, SettingsRefused, WorkerFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.measure.calibrating import from_height, from_points, from_rectangle, with_people
from skyveil.measure.calibration import HEAD_M, Calibration
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.lens import Lens as BendingLens
from skyveil.measure.points import Points, points_of
from skyveil.measure.rulers import from_people
from skyveil.measure.tsai import Tsai, from_tsai
from skyveil.public.wire import Calibrated, Finished, Progress

GIVEN: Final = frozenset({".yaml", ".yml", ".json"})
_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
_MOST: Final = 1e9
"""No length in mm, angle or number of pixels of a camera is larger."""
_VIEW: Final = "people do not tell how wide a camera sees: add its view in degrees, from the left to the right edge"
_Side = Annotated[int, Field(ge=16, le=65535)]
_Length = Annotated[float, Field(ge=-1e6, le=1e6)]
_Pair = tuple[_Length, _Length]
_Four = tuple[_Length, _Length, _Length, _Length]


@final
@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle on the floor: near left, near right, far right and far left corner in pixels, two lengths in m."""

    __pydantic_config__: ClassVar = _STRICT
    corners: Annotated[tuple[_Pair, ...], Field(min_length=4, max_length=4)]
    width: float
    depth: float


@final
@dataclass(frozen=True, slots=True)
class Hung:
    """How the camera hangs: metres over the floor, degrees below the horizontal, degrees from left to right edge."""

    __pydantic_config__: ClassVar = _STRICT
    height: float
    tilt: float
    view: Annotated[float, Field(gt=5, lt=150)]
    roll: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Lens:
    """Focal lengths, centre (pixels), and k1, k2, p1, p2, k3 of OpenCV."""

    __pydantic_config__: ClassVar = _STRICT
    focal: _Pair
    centre: _Pair
    coefficients: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)


@final
@dataclass(frozen=True, slots=True)
class Given:
    """The file of points. One of points, rectangle, camera and people; people may stand beside points or rectangle.

    points: x and y in the picture, x and y on the floor in metres. people: foot x, foot y, head x, head y in pixels.
    view: degrees from the left to the right edge, which people alone do not tell.
    """

    __pydantic_config__: ClassVar = _STRICT
    size: tuple[_Side, _Side]
    points: tuple[_Four, ...] = ()
    rectangle: Rectangle | None = None
    camera: Hung | None = None
    people: tuple[_Four, ...] = ()
    view: Annotated[float | None, Field(gt=5, lt=150)] = None
    camera_height: float | None = None
    lens: Lens | None = None
    head_height: Annotated[float, Field(gt=1, lt=2.2)] = HEAD_M


def given_calibration(path: Path) -> Calibration:
    """The calibration of a file of points or a Tsai file; raises SettingsRefused or MeasureRefused."""
    text = _text(path)
    if path.suffix.lower() == ".xml":
        return from_tsai(_tsai(text, path))
    try:
        given = TypeAdapter(Given).validate_python(yaml.safe_load(text))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(one) for one in problem["loc"]) or "the whole file"
        raise SettingsRefused(
            f"{path.name}: these are no points to calibrate from. {where}: {problem['msg']}"
        ) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: such as the 45th of a month
        why = "this is no YAML or JSON"
        raise SettingsRefused(f"{path.name}: these are no points to calibrate from. {why}") from error
    return _solved(given)


def calibration_of_video(
    path: Path, models: Mapping[str, Path], heard: Callable[[Progress], None], *, view_deg: float | None
) -> Calibration:
    """The calibration that the people of a video give; frames stay in the walled worker. Raises SkyveilError."""
    if not path.is_file():
        raise InputRefused(f"{path.name}: is not a file; name the video itself")
    if view_deg is None:
        raise SettingsRefused(_VIEW)
    settings = RedactSettings(targets=frozenset({Kind.PERSON}))
    worker = Worker(Begin((path.resolve(),), dict(models)))
    try:
        found: Calibration | None = None
        for message in worker.run(Task(path.resolve(), settings, action="calibrate", view_deg=view_deg)):
            match message:
                case Progress():
                    heard(message)
                case Calibrated():
                    found = calibration_from(message.text)
                case Finished() if found is not None:
                    return found
                case _:
                    break
        raise WorkerFailed("the worker ended before it had calibrated")
    finally:
        worker.close(at_once=not worker.idle)


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
            raise SettingsRefused(_VIEW)
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{path.name}: the points can not be read") from error


def _tsai(text: str, path: Path) -> Tsai:
    """The numbers of a Tsai file as PETS ships it: attributes of three elements."""
    try:
        found = {name: _number(value) for name, value in re.findall(r'\b(\w+)="([-+.\deE]+)"', text)}
        return Tsai(
            (int(found["width"]), int(found["height"])),
            found["focal"],
            found["kappa1"],
            (found["cx"], found["cy"]),
            found["sx"],
            found["dpx"],
            found["dpy"],
            (found["tx"], found["ty"], found["tz"]),
            (found["rx"], found["ry"], found["rz"]),
        )
    except KeyError as error:
        raise SettingsRefused(f"{path.name}: this is no Tsai calibration, it lacks {error.args[0]}") from error
    except ValueError as error:
        raise SettingsRefused(f"{path.name}: this is no Tsai calibration: {error}") from error


def _number(text: str) -> float:
    number = float(text)
    if abs(number) > _MOST:
        raise ValueError(f"{text} is no length, angle or number of pixels")
    return number
