"""Regions that a person adds by hand, from the command line or from a file that `skyveil verify` wrote. App."""

import json
import re
from pathlib import Path
from typing import Final

from skyveil.app.batch import masks_over
from skyveil.core.errors import SettingsRefused
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mask
from skyveil.public.wire import Suspect

_LIMIT: Final = 64 << 20
_TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
_HOW: Final = 'write it as "X,Y X,Y X,Y" or "X,Y X,Y X,Y@START-END", in pixels and in seconds or [H:]M:S'


def mask_from(text: str) -> Mask:
    """The mask that an argument says; SettingsRefused when it says none.

    >>> mask_from("0,0 40,0 40,30@1.5-1:00")
    Mask(points=((0.0, 0.0), (40.0, 0.0), (40.0, 30.0)), start_s=1.5, end_s=60.0)
    """
    corners, _, span = text.partition("@")
    try:
        points = tuple(_point(pair) for pair in corners.replace(";", " ").split())
        start_s, end_s = _span(span) if span else (None, None)
    except ValueError as error:
        raise SettingsRefused(f"--mask {text!r} is not a polygon: {_HOW}") from error
    return Mask(points, start_s, end_s)


def masks_from_file(path: Path) -> tuple[Mask, ...]:
    """Masks over the suspects that `skyveil verify --json` wrote; SettingsRefused when the file holds none."""
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(_LIMIT))
        found = tuple(
            Suspect(_moment(one["start_s"]), _moment(one["end_s"]), _box(one["xyxy"]), Kind[str(one["kind"]).upper()])
            for one in fields["suspects"]
        )
    except OSError as error:
        raise SettingsRefused(f"--add {path}: can not be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SettingsRefused(
            f"--add {path}: is not a list of suspects; make one with: skyveil verify --json"
        ) from error
    return masks_over(found)


def _point(pair: str) -> tuple[float, float]:
    x, y = (float(part) for part in pair.split(","))
    if not (abs(x) < 1e6 and abs(y) < 1e6):
        raise ValueError("a corner lies nowhere near a picture")
    return x, y


def _span(text: str) -> tuple[float, float]:
    start, end = text.split("-")
    return _seconds(start), _seconds(end)


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _moment(value: float) -> float:
    if not 0 <= float(value) < 1e9:
        raise ValueError("a time lies outside of any video")
    return float(value)


def _box(value: list[float]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (int(side) for side in value)
    if not (x1 < x2 and y1 < y2):
        raise ValueError("a box has no area")
    if max(map(abs, (x1, y1, x2, y2))) >= 1e6:
        raise ValueError("a box lies nowhere near a picture")
    return x1, y1, x2, y2
