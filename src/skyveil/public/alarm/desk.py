"""The alarms that are open now, who was told, and who has taken them on. Public side.

An alarm is open from orange on; a place without numbers is UNKNOWN and ranks as orange at least. Levels come with
their hysteresis (`measure.level`), so nothing here waits for a level. Cameras of one group that are out are one alarm:
they hang on one switch (`outages`). Time is given, and what is to be logged and told is returned.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import Level
from skyveil.public.alarm.alarm import Alarm, sealed_alarm
from skyveil.public.alarm.event import DRILL, AlarmEvent, Happened, Occasion
from skyveil.public.alarm.outages import GroupOut, Outage, Outages
from skyveil.public.alarm.quiet import QuietHours

OPEN_RANK: Final = Level.ORANGE.rank
RED_RANK: Final = Level.RED.rank
DRILL_S: Final = 900.0
"""A drill that nobody ends ends by itself."""
GROWS_S: Final = 30.0
"""A switch that fails takes its cameras one after another: until somebody has taken the outage on, further ones are
told so long after the last message."""
AGAIN_S: Final = 60.0
"""How long after a start alarms that nobody has taken on are told again: messages that waited when the server ended
went with it."""


@final
@dataclass(slots=True)
class _Open:
    """An open alarm. told_rank, cameras, told_s: up to which rank and of which cameras was told, and when last.

    again_s: from when on it is told again, because it was open when the server ended.
    """

    alarm: Occasion
    told_rank: int = 0
    cameras: frozenset[CameraId] = frozenset()
    told_s: float = 0.0
    again_s: float | None = None
    escalated_s: float | None = None


@final
class Desk:
    """The alarm desk of a site. One thread at a time may call it."""

    def __init__(
        self,
        *,
        escalate_s: float = 120.0,
        quiet: QuietHours | None = None,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._escalate_s = escalate_s
        self._quiet = quiet
        self._new_id = new_id
        self._open: dict[tuple[str, str], _Open] = {}
        self._outages = Outages()

    def adjust(self, *, escalate_s: float, quiet: QuietHours | None) -> None:
        """Escalate and keep quiet as another configuration says, from now on."""
        self._escalate_s, self._quiet = escalate_s, quiet

    def restore(self, alarms: Iterable[Occasion], *, at_s: float) -> None:
        """Take on what was open when the server ended; what is open and nobody's a minute later is told again."""
        for one in alarms:
            if not one.drill:
                self._open[one.camera, one.place] = _Open(
                    one, told_rank=one.rank, cameras=frozenset(one.cameras), told_s=at_s, again_s=at_s + AGAIN_S
                )
                if not one.place:
                    self._outages.restore(one.camera, one.name, one.cameras, at_s=at_s)

    def alarms(self) -> list[Occasion]:
        """The open alarms, the most urgent first, and of these what nobody has taken on."""
        found = [one.alarm for one in self._open.values()]
        return sorted(found, key=lambda one: (-one.rank, one.acknowledged_s is not None, one.raised_s))

    # --- what comes in ------------------------------------------------------------------------------------------------

    def update(
        self,
        levels: Iterable[tuple[str, Alarm]],
        outages: Iterable[Outage],
        *,
        at_s: float,
        awaited: Iterable[tuple[CameraId, PlaceId]] = (),
    ) -> list[AlarmEvent]:
        """Take the level of every place, with its name for people, and every camera that is out.

        Gives what happened, in order. Places of a camera that is out, or not back for long, are part of the outage. The
        alarms of places that are named neither here nor in `awaited`, whose first numbers are still to come, are
        cleared.
        """
        groups = self._outages.update(outages, at_s=at_s)
        lost = {camera for one in groups for camera in one.cameras}
        events: list[AlarmEvent] = []
        seen: set[tuple[str, str]] = set(awaited)
        for name, alarm in levels:
            one = sealed_alarm(alarm)
            key = (one.camera, one.place)
            seen.add(key)
            # A place that had an alarm keeps it: nobody knows that it is over.
            fresh = one.level is Level.UNKNOWN and one.rank < RED_RANK and key not in self._open
            covered = fresh and one.camera in lost
            events += self._level(key, name, one, 0 if covered else one.rank, at_s)
        events += [event for group in groups for event in self._outage(group, seen, at_s)]
        gone = [key for key, one in self._open.items() if key not in seen and not one.alarm.drill]
        events += [event for key in gone for event in self._cleared(key, at_s)]
        ended = [key for key, one in self._open.items() if one.alarm.drill and at_s - one.alarm.raised_s >= DRILL_S]
        events += [event for key in ended for event in self._cleared(key, at_s)]
        return events + self._escalated(at_s) + self._late(at_s)

    def _level(self, key: tuple[str, str], name: str, one: Alarm, rank: int, at_s: float) -> list[AlarmEvent]:
        fresh = Occasion("", one.camera, one.place, name, one.level, rank, one.since_s, one.reasons, one.notice, at_s)
        return self._stands(key, fresh, at_s)

    def _outage(self, one: GroupOut, seen: set[tuple[str, str]], at_s: float) -> list[AlarmEvent]:
        """One alarm for a group with cameras that are out, or not back for long enough."""
        key = (one.group, "")
        seen.add(key)
        fresh = Occasion(
            *(
                "",
                CameraId(one.group),
                PlaceId(""),
                one.name,
                Level.UNKNOWN,
                OPEN_RANK,
                at_s,
                one.words,
                one.words,
                at_s,
            ),
            cameras=one.cameras,
        )
        return self._stands(key, fresh, at_s) + self._grown(key, frozenset(one.cameras), at_s)

    def _grown(self, key: tuple[str, str], cameras: frozenset[CameraId], at_s: float) -> list[AlarmEvent]:
        """Other cameras are out than those that were told: if somebody took the alarm on, it is nobody's again."""
        one = self._open[key]
        waits = one.alarm.acknowledged_s is None and 0 <= at_s - one.told_s < GROWS_S
        if not one.cameras:
            one.cameras = cameras
        if cameras <= one.cameras or waits:
            one.cameras &= cameras  # one that is back may go out again
            return []
        one.cameras = cameras
        one.alarm = replace(one.alarm, acknowledged_by="", acknowledged_s=None)
        one.told_rank = 0
        return [self._event(one, Happened.GREW, at_s)]

    def _stands(self, key: tuple[str, str], fresh: Occasion, at_s: float) -> list[AlarmEvent]:
        """Raise, change or clear the alarm of a place."""
        one = self._open.get(key)
        if one is None:
            if fresh.rank < OPEN_RANK:
                return []
            one = self._open[key] = _Open(replace(fresh, id=self._new_id()))
            return [self._event(one, Happened.RAISED, at_s)]
        before = one.alarm
        if fresh.rank < OPEN_RANK:
            return self._cleared(key, at_s)
        same = fresh.level is before.level
        one.alarm = replace(
            before,
            name=fresh.name,
            level=fresh.level,
            rank=fresh.rank,
            since_s=before.since_s if same else fresh.since_s,
            reasons=fresh.reasons,
            words=fresh.words,
            cameras=fresh.cameras,
        )
        if fresh.rank > before.rank:
            # Whoever took an orange alarm on has not taken on a red one.
            one.alarm = replace(one.alarm, acknowledged_by="", acknowledged_s=None, step=0)
            one.escalated_s = None
            return [self._event(one, Happened.ROSE, at_s)]
        if fresh.rank < before.rank:
            one.told_rank = min(one.told_rank, fresh.rank)
            return [self._event(one, Happened.FELL, at_s)]
        return []

    def _cleared(self, key: tuple[str, str], at_s: float) -> list[AlarmEvent]:
        one = self._open.pop(key)
        return [AlarmEvent(at_s, Happened.CLEARED, one.alarm, told=one.told_rank >= OPEN_RANK)]

    # --- who is told, and again ---------------------------------------------------------------------------------------

    def _silent(self, alarm: Occasion, at_s: float) -> bool:
        """Whether messages wait: in quiet hours, but never for red and above, and never for a drill."""
        quiet = self._quiet is not None and self._quiet.holds(at_s)
        return quiet and alarm.rank < RED_RANK and not alarm.drill

    def _event(self, one: _Open, happened: Happened, at_s: float) -> AlarmEvent:
        """An event that is told when the alarm is more urgent than what was told before."""
        told = one.alarm.rank > one.told_rank and not self._silent(one.alarm, at_s)
        if told:
            one.told_rank, one.told_s = one.alarm.rank, at_s
        return AlarmEvent(at_s, happened, one.alarm, told)

    def _late(self, at_s: float) -> list[AlarmEvent]:
        """Alarms that are still open when quiet hours end are told then, and those of before a start again."""
        events: list[AlarmEvent] = []
        for one in self._open.values():
            again = one.again_s is not None and at_s >= one.again_s and one.alarm.acknowledged_s is None
            if (again or one.told_rank < one.alarm.rank) and not self._silent(one.alarm, at_s):
                one.told_rank, one.again_s = 0, None
                events.append(self._event(one, Happened.TOLD, at_s))
        return events

    def _escalated(self, at_s: float) -> list[AlarmEvent]:
        """Red that nobody has taken on goes on to the next who are told, again and again."""
        events: list[AlarmEvent] = []
        for one in self._open.values():
            if one.alarm.rank < RED_RANK or one.alarm.acknowledged_s is not None:
                continue
            if one.escalated_s is None or one.escalated_s > at_s:  # or the clock was set back
                one.escalated_s = at_s
            elif at_s - one.escalated_s >= self._escalate_s:
                one.escalated_s = at_s
                one.alarm = replace(one.alarm, step=one.alarm.step + 1)
                events.append(AlarmEvent(at_s, Happened.ESCALATED, one.alarm, told=True))
        return events

    # --- what people do -----------------------------------------------------------------------------------------------

    def acknowledge(self, alarm_id: str, actor: str, *, at_s: float) -> AlarmEvent:
        """Take an alarm on; a drill ends with it. Raises SettingsRefused when it is not open, or taken on already."""
        for key, one in self._open.items():
            if one.alarm.id == alarm_id:
                if one.alarm.acknowledged_s is not None:
                    raise SettingsRefused(f"the alarm was taken on already, by {one.alarm.acknowledged_by}")
                one.alarm = replace(one.alarm, acknowledged_by=actor, acknowledged_s=at_s)
                one.cameras = frozenset(one.alarm.cameras)
                if one.alarm.drill:
                    del self._open[key]
                return AlarmEvent(at_s, Happened.ACKNOWLEDGED, one.alarm, told=True, actor=actor)
        raise SettingsRefused("there is no such open alarm: it was cleared")

    def drill(self, name: str, alarm: Alarm, actor: str, *, at_s: float) -> AlarmEvent:
        """Raise a drill, which goes the whole way of an alarm.

        Raises SettingsRefused for an alarm that is none, and where a drill is open: each one tells everybody.
        """
        one = sealed_alarm(alarm)
        if not one.drill:
            raise SettingsRefused("a drill is made of an alarm that says so")
        opened = (other.alarm for other in self._open.values() if other.alarm.drill)
        if any((other.camera, other.place) == (one.camera, one.place) for other in opened):
            raise SettingsRefused("a drill is open at this place: take it on before the next one")
        occasion = Occasion(
            self._new_id(),
            one.camera,
            one.place,
            name,
            one.level,
            one.rank,
            at_s,
            one.reasons,
            one.notice,
            at_s,
            drill=True,
        )
        raised = self._open[DRILL, occasion.id] = _Open(occasion)
        event = self._event(raised, Happened.RAISED, at_s)
        return replace(event, actor=actor)
