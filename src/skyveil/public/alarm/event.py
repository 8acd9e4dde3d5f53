"""What happens to alarms: each event is logged, and most are told. Public side."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, final

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import Level

DRILL: Final = "DRILL"
"""The word at the beginning of everything that is said of a drill."""


@final
class Happened(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    TOLD = "told"
    """Quiet hours have ended or the server has started again, and it is still there."""
    ROSE = "rose"
    FELL = "fell"
    GREW = "grew"
    """Further cameras of a group are out."""
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    UNDELIVERED = "undelivered"
    """A message service never took a message about it; the actor is the service."""


@final
@dataclass(frozen=True, slots=True)
class Occasion:
    """An alarm as it stands now.

    id: of the alarm, from its raising to its clearing. place: empty for the outage of a camera or group, which
    `camera` then names. name: of the place, for people. rank: how urgent, 0 to 4. reasons: for the control room.
    words: may leave it. since_s: unix time of the level. step: how often it was escalated. cameras: of an outage, those
    that are out; its first reason and word name them.
    """

    id: str
    camera: CameraId
    place: PlaceId
    name: str
    level: Level
    rank: int
    since_s: float
    reasons: tuple[str, ...]
    words: tuple[str, ...]
    raised_s: float
    step: int = 0
    acknowledged_by: str = ""
    acknowledged_s: float | None = None
    drill: bool = False
    cameras: tuple[CameraId, ...] = ()

    def seen_by(self, granted: Collection[str]) -> "Occasion":
        """The alarm for who is granted these cameras: an outage names no others."""
        if not self.cameras:
            return self
        seen, first = seen_outage(self.cameras, granted)
        return replace(self, cameras=seen, reasons=(first, *self.reasons[1:]), words=(first, *self.words[1:]))

    @property
    def headline(self) -> str:
        """The alarm in a few words; a drill says so first."""
        said = f"{self.level.upper()}: {self.name}"
        return f"{DRILL} {said}" if self.drill else said


def outage_words(many: int, named: Sequence[str]) -> str:
    """How many cameras are out, and which, the first ten of those that may be named."""
    said = f"{many} camera{'s' if many > 1 else ''} without numbers"
    if not named:
        return said
    more = f" and {many - len(named[:10])} more" if many > len(named[:10]) else ""
    return f"{said}: {', '.join(named[:10])}{more}"


def seen_outage(cameras: Sequence[CameraId], granted: Collection[str]) -> tuple[tuple[CameraId, ...], str]:
    """Of the cameras that are out those that are granted, and the words about all of them."""
    seen = tuple(one for one in cameras if one in granted)
    return seen, outage_words(len(cameras), seen)


@final
@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """Something that happened to an alarm. told: whether messages go out for it."""

    at_s: float
    happened: Happened
    alarm: Occasion
    told: bool
    actor: str = ""
