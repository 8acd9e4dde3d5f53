"""Names that are not there, and those that were meant. Core."""

import difflib
from collections.abc import Iterable

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not there: which one was meant; empty where none is near."""
    close = difflib.get_close_matches(name, sorted(set(known)), 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """That there is no camera, site or place of this name, and which one was meant."""
    return f"there is no {what} `{name}`{nearest(name, known)}"


def known_camera(name: str, known: Iterable[str]) -> CameraId:
    """A camera of those that are known; SettingsRefused with the nearest one for another."""
    cameras = set(known)
    if name not in cameras:
        raise SettingsRefused(no_such("camera", name, cameras))
    return CameraId(name)


def refuse_unknown(cameras: Iterable[str], known: Iterable[str]) -> None:
    """Raise SettingsRefused for the first camera of a grant that is not known; `*` stands for all."""
    there = set(known)
    for name in cameras:
        if name != "*":
            known_camera(name, there)
