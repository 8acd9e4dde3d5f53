"""Calibrations from what an operator gives: a file of points, a Tsai file, or a video of people. App, parent side."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import yaml
from pydantic import TypeAdapter, ValidationError

from skyveil.app.process import Worker
from skyveil.app.task import Begin, Task
from skyveil.core.errors import InputRefused, SettingsRefused, WorkerFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.measure.calibration import Calibration
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.given import VIEW, Given, solved
from skyveil.measure.tsai import Tsai, from_tsai
from skyveil.public.wire import Calibrated, Finished, Progress

GIVEN: Final = frozenset({".yaml", ".yml", ".json"})
_MOST: Final = 1e9
"""No length in mm, angle or number of pixels of a camera is larger."""


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
    return solved(given)


def calibration_of_video(
    path: Path, models: Mapping[str, Path], heard: Callable[[Progress], None], *, view_deg: float | None
) -> Calibration:
    """The calibration that the people of a video give; frames stay in the walled worker. Raises SkyveilError."""
    if not path.is_file():
        raise InputRefused(f"{path.name}: is not a file; name the video itself")
    if view_deg is None:
        raise SettingsRefused(VIEW)
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
