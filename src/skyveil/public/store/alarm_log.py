"""What happened to alarms, in the database. Public side."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

from sqlalchemy import Engine, and_, delete, func, insert, or_, select

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import Level
from skyveil.public.alarm.event import AlarmEvent, Happened, Occasion, seen_outage
from skyveil.public.store.tables import alarm_log

_PAGE: int = 1000


@final
@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event as it stands in the log; words: the name of the place, then those that may leave it."""

    id: int
    at_s: float
    alarm: str
    happened: Happened
    camera: CameraId
    place: PlaceId
    level: Level
    words: tuple[str, ...]
    actor: str
    drill: bool
    cameras: tuple[CameraId, ...] = ()

    def seen_by(self, granted: Collection[str]) -> "LoggedEvent":
        """The event for who is granted these cameras: an outage names no others."""
        if not self.cameras:
            return self
        seen, said = seen_outage(self.cameras, granted)
        return replace(self, cameras=seen, words=(self.words[0], said, *self.words[2:]))


@final
class AlarmLog:
    """The alarm log of a site. Any thread may call it.

    It is kept longer than exact numbers may be, so it holds the words that messages have: numbers of five and more.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, events: Iterable[AlarmEvent]) -> None:
        """Append events; they are durable when this returns."""
        rows = [
            {
                "at_s": one.at_s,
                "alarm": one.alarm.id,
                "event": one.happened.value,
                "camera": one.alarm.camera,
                "place": one.alarm.place,
                "level": one.alarm.level.value,
                "words": json.dumps([one.alarm.name, *one.alarm.words], ensure_ascii=False),
                "actor": one.actor[:64],
                "drill": one.alarm.drill,
                "cameras": json.dumps(one.alarm.cameras),
            }
            for one in events
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(insert(alarm_log), rows)

    def events(
        self,
        *,
        of: Collection[str] | None = None,
        groups: Collection[str] = (),
        from_s: float | None = None,
        alarm: str = "",
        before: int | None = None,
        limit: int = 100,
    ) -> list[LoggedEvent]:
        """The newest events that fit, newest first; of: the cameras they may be about, and
        `groups`, the groups whose outage; all if not given."""
        wanted = select(alarm_log).order_by(alarm_log.c.id.desc()).limit(min(max(limit, 1), _PAGE))
        if of is not None:
            outage = and_(alarm_log.c.place == "", alarm_log.c.camera.in_(groups))
            wanted = wanted.where(or_(alarm_log.c.camera.in_(of), outage))
        if from_s is not None:
            wanted = wanted.where(alarm_log.c.at_s >= from_s)
        if alarm:
            wanted = wanted.where(alarm_log.c.alarm == alarm)
        if before is not None:
            wanted = wanted.where(alarm_log.c.id < before)
        with self._engine.connect() as connection:
            return [
                LoggedEvent(
                    row.id,
                    row.at_s,
                    row.alarm,
                    Happened(row.event),
                    CameraId(row.camera),
                    PlaceId(row.place),
                    Level(row.level),
                    _words(row.words),
                    row.actor,
                    row.drill,
                    tuple(map(CameraId, _words(row.cameras))),
                )
                for row in connection.execute(wanted)
            ]

    def open(self) -> Sequence[Occasion]:
        """The alarms that were raised and not cleared, for a server that starts again; no drills."""
        real = alarm_log.c.drill.is_(False)
        closed = select(alarm_log.c.alarm).where(alarm_log.c.event == Happened.CLEARED.value)
        still = alarm_log.c.alarm.not_in(closed)
        # What is logged of a message may be of an earlier state of the alarm.
        stands = alarm_log.c.event != Happened.UNDELIVERED.value
        last = select(func.max(alarm_log.c.id)).where(real, still, stands).group_by(alarm_log.c.alarm)
        with self._engine.connect() as connection:
            numbers = connection.execute(last).scalars().all()
        return [self._occasion(number) for number in numbers]

    def _occasion(self, number: int) -> Occasion:
        with self._engine.connect() as connection:
            last = connection.execute(select(alarm_log).where(alarm_log.c.id == number)).one()
            history = connection.execute(
                select(alarm_log).where(alarm_log.c.alarm == last.alarm).order_by(alarm_log.c.id)
            ).all()
        taken = None
        for row in history:
            if row.event == Happened.ACKNOWLEDGED.value:
                taken = row
            elif row.event in (Happened.ROSE.value, Happened.GREW.value):
                taken = None
        name, *reasons = _words(last.words)
        level = Level(last.level)
        # An unknown level keeps the rank of what was last measured, and every change of that is an event.
        measured = [Level(row.level) for row in history if row.event != Happened.UNDELIVERED.value]
        ranks = [one.rank for one in measured if one is not Level.UNKNOWN]
        return Occasion(
            last.alarm,
            CameraId(last.camera),
            PlaceId(last.place),
            name,
            level,
            max([level.rank, *ranks[-1:]]) if level is Level.UNKNOWN else level.rank,
            last.at_s,
            tuple(reasons),
            tuple(reasons),
            history[0].at_s,
            step=sum(row.event == Happened.ESCALATED.value for row in history),
            acknowledged_by="" if taken is None else taken.actor,
            acknowledged_s=None if taken is None else taken.at_s,
            drill=last.drill,
            cameras=tuple(map(CameraId, _words(last.cameras))),
        )

    def prune(self, older_than_s: float) -> None:
        """Forget events from before a time."""
        with self._engine.begin() as connection:
            connection.execute(delete(alarm_log).where(alarm_log.c.at_s < older_than_s))


def _words(text: str) -> tuple[str, ...]:
    words: list[str] = json.loads(text)
    return tuple(words)
