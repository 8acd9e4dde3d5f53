"""From newest numbers and health to alarms, once a second. App.

Messages go out before anything is written, and nothing here waits for the database: an alarm must not be late because
a disk is.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, final

from skyveil.core.health import SENTENCES, CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release import release_alarm
from skyveil.measure.level import RISING, Level, LevelState, Reason, Thresholds, begin, step
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import Quantity
from skyveil.public.aggregate import Aggregate
from skyveil.public.alarm.desk import Desk
from skyveil.public.alarm.event import DRILL, AlarmEvent, Happened, Occasion
from skyveil.public.alarm.outages import outages_of
from skyveil.public.alarm.quiet import QuietHours
from skyveil.public.store.alarm_log import AlarmLog

START_S: Final = 60.0
"""How long a place may be without numbers after it was configured, before that is an alarm."""
WAITING: Final = 10_000
"""Events that may wait for the database."""
_NO_NUMBERS: Final = (Cause.MOVED, Cause.TURNING, Cause.VIEW_UNCHECKED)
_OUT: Final = frozenset(
    {
        CameraState.STALE,
        CameraState.UNREACHABLE,
        CameraState.REFUSED,
        CameraState.UNSUPPORTED,
        CameraState.FAILED,
        CameraState.COVERED,
    }
)
_DRILL_WORDS: Final = f"{DRILL}: somebody tests the way of an alarm"


@final
@dataclass(frozen=True, slots=True)
class Watched:
    """A zone whose level is watched: its name for people, and from where on it has which level."""

    name: str
    thresholds: Thresholds


@final
@dataclass(frozen=True, slots=True)
class Watch:
    """The zones of one camera that are watched. group: id and name of what it hangs on, or its own."""

    zones: Mapping[PlaceId, Watched]
    group: tuple[str, str]


@final
class Alarms:
    """The desk of a site with what it stands on. Any thread may call it; one calls `tick`, another `write`."""

    def __init__(
        self,
        desk: Desk,
        alarm_log: AlarmLog,
        newest: Callable[[CameraId], Sequence[Aggregate]],
        tell: Callable[[AlarmEvent], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """newest: the newest exact numbers of a camera's places. tell: sends messages, without waiting."""
        self._desk = desk
        self._log = alarm_log
        self._newest = newest
        self._tell = tell
        self._now = now
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        self._watches: dict[CameraId, Watch] = {}
        self._states: dict[tuple[CameraId, PlaceId], tuple[float, LevelState]] = {}
        self._unwritten: deque[AlarmEvent] = deque()
        self.lost = 0
        """Events that never came into the log, because too many waited for the database."""
        desk.restore(alarm_log.open(), at_s=now())

    def adjust(self, *, escalate_s: float, quiet: QuietHours | None) -> None:
        """Escalate and keep quiet in this way from now on; open alarms stay."""
        with self._lock:
            self._desk.adjust(escalate_s=escalate_s, quiet=quiet)

    def configure(self, watches: Mapping[CameraId, Watch]) -> None:
        """Watch these zones from now on; the level of a zone that stays is kept."""
        with self._lock:
            self._watches = dict(watches)
            known = {(camera, zone) for camera, watch in watches.items() for zone in watch.zones}
            last = {(one.camera, one.place): _measured(one) for one in self._desk.alarms() if not one.drill}
            self._states = {
                key: self._states.get(key) or (self._now(), begin(self._now(), last=last.get(key, Level.GREEN)))
                for key in sorted(known)
            }

    def tick(self, health: Mapping[CameraId, CameraHealth]) -> None:
        """Judge every zone and camera now, and tell what happened."""
        at_s = self._now()
        with self._lock:
            levels, awaited = [], []
            for camera, watch in self._watches.items():
                found = {one.place: one for one in self._newest(camera)}
                for zone, watched in watch.zones.items():
                    measures = _aged(zone, found.get(zone), at_s)
                    state = self._stepped(
                        camera, zone, measures, watched.thresholds, at_s, _untrusted(health.get(camera))
                    )
                    if state is None:
                        awaited.append((camera, zone))
                    else:
                        levels.append((watched.name, release_alarm(camera, measures, state)))
            causes = {
                camera: SENTENCES[health[camera].cause]
                for camera in self._watches
                if camera in health and health[camera].state in _OUT
            }
            groups = {camera: watch.group for camera, watch in self._watches.items()}
            events = self._desk.update(levels, outages_of(causes, groups), at_s=at_s, awaited=awaited)
        self._happened(events)

    def _stepped(
        self,
        camera: CameraId,
        zone: PlaceId,
        measures: PlaceMeasures,
        thresholds: Thresholds,
        at_s: float,
        why: str | None,
    ) -> LevelState | None:
        """The level of a zone after this moment; None while numbers are still awaited after a start."""
        began_s, state = self._states[camera, zone]
        began_s = min(began_s, at_s)  # or the clock was set back
        state = step(state, measures.values, thresholds, at_s=at_s)
        if state.level is Level.UNKNOWN and why is not None:
            state = replace(state, reasons=(Reason(Measure.DENSITY, None, None, why),))
        self._states[camera, zone] = (began_s, state)
        return None if state.level is Level.UNKNOWN and at_s - began_s < START_S else state

    def _happened(self, events: Sequence[AlarmEvent]) -> None:
        for one in events:
            if one.told:
                self._tell(one)
        self._note(events)

    def _note(self, events: Sequence[AlarmEvent]) -> None:
        """Let events wait for the log; what happened first is kept when there are too many."""
        with self._noting:
            kept = events[: max(0, WAITING - len(self._unwritten))]
            self._unwritten.extend(kept)
            self.lost += len(events) - len(kept)

    def undelivered(self, event: AlarmEvent, service: str) -> None:
        """Log that a service never took the message of an event; from any thread, without waiting."""
        self._note([AlarmEvent(self._now(), Happened.UNDELIVERED, event.alarm, told=False, actor=service)])

    def problems(self) -> list[str]:
        """What is wrong, in sentences."""
        return [f"{self.lost} events of alarms were not logged: too many waited for the database"] if self.lost else []

    def write(self) -> None:
        """Write what happened to the log; what can not be written now waits. Raises SQLAlchemyError."""
        while some := self._first(500):
            self._log.record(some)
            with self._noting:
                for _ in some:
                    self._unwritten.popleft()

    def _first(self, many: int) -> list[AlarmEvent]:
        with self._noting:
            return list(islice(self._unwritten, many))

    # --- what the console asks ----------------------------------------------------------------------------------------

    def levels(self, camera: CameraId) -> dict[PlaceId, LevelState]:
        """The level of every zone of a camera that is watched."""
        with self._lock:
            return {zone: state for (of, zone), (_, state) in self._states.items() if of == camera}

    def open(self) -> list[Occasion]:
        """The open alarms, the most urgent first."""
        with self._lock:
            return self._desk.alarms()

    def acknowledge(self, alarm: str, actor: str) -> Occasion:
        """Take an alarm on. Raises SettingsRefused when it is not open."""
        with self._lock:
            event = self._desk.acknowledge(alarm, actor, at_s=self._now())
        self._happened([event])
        return event.alarm

    def drill(self, camera: CameraId, zone: PlaceId, name: str, actor: str) -> Occasion:
        """Raise a red drill, which goes the whole way: gate, desk, messages, log."""
        at_s = self._now()
        reason = Reason(Measure.DENSITY, None, None, _DRILL_WORDS)
        state = LevelState(Level.RED, Level.RED, at_s, (reason,))
        measures = PlaceMeasures(zone, at_s, at_s + 1, {})
        with self._lock:
            alarm = release_alarm(camera, measures, state, drill=True)
            event = self._desk.drill(name, alarm, actor, at_s=at_s)
        self._happened([event])
        return event.alarm


def _measured(alarm: Occasion) -> Level:
    """The last level that was measured where an alarm is open; of one that was never known, nothing."""
    if alarm.level is not Level.UNKNOWN:
        return alarm.level
    return RISING[alarm.rank] if alarm.rank > Level.UNKNOWN.rank else Level.GREEN


def _untrusted(health: CameraHealth | None) -> str | None:
    """Why the numbers of a camera whose pictures come are unknown, where it is that it was or may be moved."""
    return SENTENCES[health.cause] if health is not None and health.cause in _NO_NUMBERS else None


def _aged(zone: PlaceId, newest: Aggregate | None, at_s: float) -> PlaceMeasures:
    """The newest numbers of a zone, as old as they are now."""
    if newest is None:
        return PlaceMeasures(zone, at_s, at_s + 1, {})
    more_s = max(0.0, at_s - newest.end_s)
    values = {}
    for measure, figure in newest.figures.items():
        one = figure.quantity
        values[measure] = Quantity(one.value, one.sigma, one.unit, one.quality, one.age_s + more_s)
    return PlaceMeasures(zone, newest.start_s, newest.end_s, values)
