"""Cameras that are out, and those that come and go. Public side.

An outage is told at once and ends late: when a camera has been back for a while without a break, and for longer when it
was out often. Nagios calls this flap detection: a state that changes all the time is told once, as what it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from skyveil.core.ids import CameraId
from skyveil.public.alarm.event import outage_words

BACK_S: Final = 60.0
"""How long a camera must have been back; as long as a level must have been gone."""
OFTEN: Final = 3
SPAN_S: Final = 3600.0
OFTEN_BACK_S: Final = 600.0
"""A camera that goes out this often within the span comes and goes, and must have been back for so long."""


@final
@dataclass(frozen=True, slots=True)
class Outage:
    """A camera that gives no numbers, and the group that it hangs on; of a camera without a group, itself."""

    camera: CameraId
    group: str
    group_name: str
    cause: str


@final
@dataclass(frozen=True, slots=True)
class GroupOut:
    """A group with cameras that are out, or not back for long enough. words: the first names the cameras."""

    group: str
    name: str
    cameras: tuple[CameraId, ...]
    words: tuple[str, ...]


@final
@dataclass(slots=True)
class _Camera:
    """A camera that was out lately. back_s: since when it is back; None while it is out. went_s: when it went out."""

    group: str
    name: str
    cause: str = ""
    back_s: float | None = None
    went_s: list[float] = field(default_factory=list)

    def often(self) -> bool:
        return len(self.went_s) >= OFTEN

    def open(self, at_s: float) -> bool:
        """Whether its outage goes on."""
        return self.back_s is None or at_s - self.back_s < (OFTEN_BACK_S if self.often() else BACK_S)


@final
class Outages:
    """Remembers which cameras were out. One thread at a time may call it."""

    def __init__(self) -> None:
        self._cameras: dict[CameraId, _Camera] = {}

    def restore(self, group: str, name: str, cameras: Iterable[CameraId], *, at_s: float) -> None:
        """Take on an outage that was open when the server ended: its cameras count as back from now on."""
        for camera in cameras:
            self._cameras[camera] = _Camera(group, name, back_s=at_s)

    def update(self, out: Iterable[Outage], *, at_s: float) -> list[GroupOut]:
        """Take the cameras that are out now; gives the groups whose outage goes on."""
        now = {one.camera: one for one in out}
        for outage in now.values():
            known = self._cameras.setdefault(outage.camera, _Camera(outage.group, outage.group_name, back_s=at_s))
            if known.back_s is not None:
                known.back_s = None
                known.went_s.append(at_s)
            known.group, known.name, known.cause = outage.group, outage.group_name, outage.cause
        for camera, known in self._cameras.items():
            if camera not in now and (known.back_s is None or known.back_s > at_s):  # or the clock was set back
                known.back_s = at_s
            known.went_s = [one for one in known.went_s if at_s - SPAN_S < one <= at_s]
        self._cameras = {name: one for name, one in self._cameras.items() if one.open(at_s) or one.went_s}
        groups: dict[str, dict[CameraId, _Camera]] = {}
        for camera, known in sorted(self._cameras.items()):
            if known.open(at_s):
                groups.setdefault(known.group, {})[camera] = known
        return [_group(group, cameras) for group, cameras in groups.items()]


def _group(group: str, cameras: Mapping[CameraId, _Camera]) -> GroupOut:
    causes = sorted({one.cause for one in cameras.values() if one.back_s is None})
    often = max(len(one.went_s) for one in cameras.values())
    words = [outage_words(len(cameras), tuple(cameras)), *causes]
    if not causes:
        words.append("back, but not for long enough yet")
    if often >= OFTEN:
        words.append(f"comes and goes: out {often} times within an hour")
    name = next(one.name for one in cameras.values())
    return GroupOut(group, name, tuple(cameras), tuple(words))


def outages_of(causes: Mapping[CameraId, str], groups: Mapping[CameraId, tuple[str, str]]) -> list[Outage]:
    """Outages from the cause of each camera that is out, and the id and name of what each hangs on."""
    return [Outage(camera, *groups[camera], cause) for camera, cause in sorted(causes.items())]
