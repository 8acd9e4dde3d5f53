"""An alarm as a message to programs outside. Public side.

It holds level, place, a link and the words that may leave the control room: no picture, and no number that tells of
fewer than five people.
"""

import json
from dataclasses import dataclass
from typing import final

from skyveil.public.alarm.event import DRILL, AlarmEvent, Happened
from skyveil.public.audience import Audience


@final
@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """One event of an alarm. link: the console's address, without a slash at its end; may be empty."""

    event: AlarmEvent
    link: str = ""

    @property
    def kind(self) -> str:
        """`alarm`."""
        return "alarm"

    @property
    def about(self) -> str:
        """The alarm."""
        return self.event.alarm.id

    @property
    def audience(self) -> Audience:
        """Whoever is on duty; not the public."""
        return Audience.STAFF

    @property
    def kept(self) -> bool:
        """An event."""
        return False

    @property
    def at_s(self) -> float:
        """When it happened."""
        return self.event.at_s

    @property
    def title(self) -> str:
        """One line; a drill says so first."""
        alarm, happened = self.event.alarm, self.event.happened
        if happened in (Happened.RAISED, Happened.TOLD, Happened.ROSE):
            return alarm.headline
        by = f" by {self.event.actor}" if self.event.actor else ""
        return f"{alarm.headline} ({happened}{by})"

    @property
    def url(self) -> str:
        """Where the alarm is on the console."""
        return f"{self.link}/alarms" if self.link else ""

    def text(self) -> str:
        """The words, and where to look; every line of a drill is inside one that says so."""
        lines = [*self.event.alarm.words, *([self.url] if self.url else [])]
        if self.event.alarm.drill:
            lines = [f"{DRILL}: nothing has happened, this message is practice.", *lines]
        return "\n".join(lines)

    def body(self) -> str:
        """alarm, event, level, rank, camera, place, name, since_s, at_s, words, step, drill, title and link."""
        alarm = self.event.alarm
        return json.dumps(
            {
                "alarm": alarm.id,
                "event": self.event.happened,
                "title": self.title,
                "level": alarm.level,
                "rank": alarm.rank,
                "camera": alarm.camera,
                "place": alarm.place,
                "name": alarm.name,
                "since_s": round(alarm.since_s, 3),
                "at_s": round(self.event.at_s, 3),
                "words": list(alarm.words),
                "step": alarm.step,
                "drill": alarm.drill,
                "link": self.url,
            }
        )
