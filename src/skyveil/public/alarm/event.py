"""What happens to alarms: each event is logged, and most are told. Public side."""

from dataclasses import dataclass
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
    """Quiet hours have ended, and it is still there."""
    ROSE = "rose"
    FELL = "fell"
    GREW = "grew"
    """More cameras of a group are out."""
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
    words: may leave it. since_s: unix time of the level. step: how often it was escalated.
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

    @property
    def headline(self) -> str:
        """The alarm in a few words; a drill says so first."""
        said = f"{self.level.upper()}: {self.name}"
        return f"{DRILL} {said}" if self.drill else said


@final
@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """Something that happened to an alarm. told: whether messages go out for it."""

    at_s: float
    happened: Happened
    alarm: Occasion
    told: bool
    actor: str = ""
