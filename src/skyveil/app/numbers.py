"""Numbers on their way from cameras to the database: each minute to three audiences, then hours and days. App.

A minute is written to the spool second by second, and goes from there to the database in one transaction. Everything
is made again in the same way after a failure or a kill, and stored under the same keys, so that nothing is lost and
nothing is there twice.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import groupby
from types import MappingProxyType
from typing import Final, final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from skyveil.app.drawings import Drawing, Drawings
from skyveil.app.heard import Heard
from skyveil.app.losses import Loss, Losses
from skyveil.core.errors import StoreFailed
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import Grounds
from skyveil.gate.release import ControlRoom, Public, Staff, release
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.rollup import rolled_up
from skyveil.public.aggregate import Aggregate, Number, released
from skyveil.public.audience import Audience
from skyveil.public.budget import DAY_S, EPSILON_PER_VISIT_DAY, NoBudget
from skyveil.public.store.ledger import Ledger
from skyveil.public.store.numbers import CONTROL_ROOM_KEPT_S, NumberStore
from skyveil.public.store.spool import MINUTE_S, Spool

log: Final = logging.getLogger(__name__)
HOUR_S: Final = 3600
TRIES: Final = 3
"""How often a period is tried that fails for a reason of its own, not because the database is away."""
GRACE_S: Final = 5.0
"""How long after its end a minute waits for numbers that are still on their way."""
ASIDE_S: Final = 60.0
"""Numbers of a moment that is farther from now are not taken: a camera's process must not write to other days."""
SWEEP_S: Final = 60.0
SNAPSHOT_S: Final = 900
"""How far apart the moments are at which the public is told how many are in a zone."""


@final
@dataclass(frozen=True, slots=True)
class Telling:
    """What a camera's numbers may be told of outside the control room from now on.

    public: the public may be told as well. drawn: names how each place is drawn, so that another drawing is noticed.
    """

    grounds: Grounds
    public: bool = False
    epsilon: Fraction = Fraction(1)
    stay_s: int = 3600
    drawn: Mapping[PlaceId, str] = field(default_factory=dict)

    def drawings(self) -> dict[PlaceId, Drawing]:
        """The places that may be told of."""
        return {
            place: Drawing(self.drawn.get(place, ""), self.grounds.areas_m2.get(place), self.public)
            for place in (*self.grounds.areas_m2, *self.grounds.lines)
        }


def fair_epsilon(grounds: Grounds) -> Fraction:
    """What each line and direction, and each zone, may cost, so that all of a camera's fit in the budget of a day."""
    series = 2 * len(grounds.lines) + len(grounds.areas_m2)
    return min(Fraction(1), EPSILON_PER_VISIT_DAY / max(1, series))


@final
@dataclass(slots=True)
class _Progress:
    """How far roll-ups are; at start what the store may lack is made again."""

    hour_s: int | None = None
    day_s: int | None = None
    swept_s: float = field(default=-1e18)


@final
class Numbers:
    """Takes numbers on cameras' threads (`heard`), writes them down on another (`write_down`), and stores them on one
    more (`tick`)."""

    def __init__(
        self,
        store: NumberStore,
        ledger: Ledger,
        spool: Spool,
        drawings: Drawings,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._spool = spool
        self._drawings = drawings
        self._now = now
        self._lock = threading.Lock()  # of the newest numbers
        self._disk = threading.Lock()  # of the spool
        self._losses = Losses()
        self._heard = Heard(spool, self._disk, self._losses)
        self._newest: dict[CameraId, dict[PlaceId, Aggregate]] = {}
        self._tellings: Mapping[CameraId, Telling] = MappingProxyType({})
        self._progress = _Progress()
        self._tries: dict[tuple[int, int], int] = defaultdict(int)
        """How often a period failed, by its length and start."""
        self._ticked_s = -1e18
        self._problem = ""
        spool.put_back()  # another version may be able to store them

    def configure(self, tellings: Mapping[CameraId, Telling]) -> None:
        """What may be told from now on; numbers of cameras that are not named stay in the control room.

        Numbers of before are told as the places were drawn then, but not of places that may be told of no more.
        """
        self._tellings = MappingProxyType(dict(tellings))
        drawn = {
            (camera, place): one for camera, telling in tellings.items() for place, one in telling.drawings().items()
        }
        self._drawings.configure(drawn, at_s=self._now())

    def keep(self, places: Mapping[CameraId, frozenset[PlaceId]]) -> None:
        """Forget the newest numbers of all other places: nobody counts there any more."""
        with self._lock:
            self._newest = {
                camera: {place: one for place, one in found.items() if place in places[camera]}
                for camera, found in self._newest.items()
                if camera in places
            }

    def heard(self, aggregate: Aggregate) -> None:
        """Take the exact numbers of a place over a second or so, without waiting for the disk."""
        one = released(aggregate, Audience.CONTROL_ROOM)
        if abs(one.end_s - self._now()) > ASIDE_S:
            return
        with self._lock:
            self._newest.setdefault(one.camera, {})[one.place] = one
        self._heard.put(one)

    def write_down(self, stop: threading.Event) -> None:
        """Write what was heard to disk until the end."""
        self._heard.run(stop)

    def newest(self, camera: CameraId) -> list[Aggregate]:
        """The newest numbers of a camera's places, for the control room."""
        with self._lock:
            found = self._newest.get(camera, {})
            return [found[place] for place in sorted(found)]

    def problems(self) -> list[str]:
        """What is wrong now, in sentences."""
        aside = len(self._spool.aside())
        said = (
            [f"{aside} minutes of numbers are set aside, because they can not be stored: see the log"] if aside else []
        )
        return [
            *filter(None, (self._problem, self._heard.problem(), self._ledger.problem())),
            *said,
            *self._losses.problems(),
        ]

    def losses(self) -> dict[str, int]:
        """What was lost since the start, by kind."""
        return self._losses.counts()

    # --- the thread that stores ---------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Store what has ended, roll up, and delete what is too old. What fails is tried again next time."""
        now_s = self._now()
        if now_s < self._ticked_s - ASIDE_S:
            self._clock_was_set_back()
        self._ticked_s = now_s
        try:
            self._drawings.write()
            self._drain(now_s)
            self._roll_up(now_s)
            if now_s - self._progress.swept_s >= SWEEP_S:
                self._store.sweep(now_s)
                self._progress.swept_s = now_s
        except (SQLAlchemyError, OSError, StoreFailed) as error:
            self._tell(f"numbers wait on disk, the database can not be used: {type(error).__name__}")
        else:
            self._tell("")
        finally:
            self._forget_old(now_s)

    def close(self) -> None:
        """Store what has ended, and keep the rest on disk; after `write_down` has ended."""
        try:
            self._heard.write()
        except StoreFailed as error:
            self._tell(str(error))
        self.tick()
        with self._disk:
            self._spool.flush()
            self._spool.close()

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem

    def _clock_was_set_back(self) -> None:
        """What was made last lies in the future: begin as after a start, or nothing is made and deleted until then."""
        log.warning("the clock was set back: numbers of minutes that are stored already are not stored again")
        self._progress = _Progress()
        with self._disk:
            self._spool.clock_was_set_back()

    def _drain(self, now_s: float) -> None:
        """Store every minute that has ended, but for those of which numbers still wait for the disk."""
        until_s = min(now_s - GRACE_S, self._heard.oldest_s())
        with self._disk:
            minutes = self._spool.minutes(until_s)
        for minute_s in minutes:
            done = self._tried(MINUTE_S, minute_s, partial(self._put_minute, minute_s))
            with self._disk:
                if done:
                    self._spool.done(minute_s)
                elif self._given_up(MINUTE_S, minute_s):
                    self._spool.set_aside(minute_s)

    def _put_minute(self, minute_s: int) -> None:
        try:
            # Outside of the lock: nothing is added to it any more, and what comes must not wait for its reading.
            parts = self._spool.read(minute_s)
        except OSError as error:  # of this file, not of the disk
            raise ValueError(f"the numbers of a minute can not be read: {error.strerror}") from error
        self._store.put(self._of_minute(minute_s, parts))

    def _tried(self, period_s: int, start_s: int, make: Callable[[], None]) -> bool:
        """Whether a period is made; False when it failed for a reason of its own. Raises what all would fail for."""
        try:
            make()
        except Exception as error:
            if _away(error):
                raise
            self._tries[period_s, start_s] += 1
            log.exception("the %s s of numbers from %s on can not be made or stored", period_s, start_s)
            return False
        self._tries.pop((period_s, start_s), None)
        return True

    def _given_up(self, period_s: int, start_s: int) -> bool:
        """Whether a period that failed was tried often enough; it is then forgotten."""
        if self._tries[period_s, start_s] < TRIES:
            return False
        del self._tries[period_s, start_s]
        return True

    def _of_minute(self, minute_s: int, parts: Sequence[Aggregate]) -> list[Aggregate]:
        places: dict[CameraId, dict[PlaceId, list[PlaceMeasures]]] = defaultdict(lambda: defaultdict(list))
        for part in sorted(parts, key=lambda one: one.start_s):
            places[part.camera][part.place].append(_measures(part))
        made: list[Aggregate] = []
        for camera, found in places.items():
            whole = [rolled_up(some, start_s=minute_s, end_s=minute_s + MINUTE_S) for some in found.values()]
            made += self._told(CameraMeasures(camera, tuple(whole)))
            made += self._snapshots(camera, minute_s + MINUTE_S, [some[-1] for some in found.values()])
        return made

    def _told(self, measures: CameraMeasures) -> list[Aggregate]:
        """The measures for everybody who may be told of them; days are not for the control room."""
        telling = self._tellings.get(measures.camera)
        start_s, end_s = measures.places[0].start_s, measures.places[0].end_s
        made = [] if end_s - start_s == DAY_S else [*release(measures, ControlRoom(), NoBudget())]
        if telling is not None:
            then = self._drawings.staff(measures.camera, start_s, end_s)
            made += release(measures, Staff(_still(telling, then)), self._ledger)
            if telling.public:
                made += release(measures, self._public(telling, measures.camera, start_s, end_s), self._ledger)
        return made

    def _public(self, telling: Telling, camera: CameraId, start_s: float, end_s: float) -> Public:
        then = self._drawings.public(camera, start_s, end_s)
        return Public(_still(telling, then), epsilon=telling.epsilon, stay_s=telling.stay_s, snapshot_s=SNAPSHOT_S)

    def _snapshots(self, camera: CameraId, end_s: int, newest: Iterable[PlaceMeasures]) -> list[Aggregate]:
        """How many were in each zone at a quarter of an hour, for the public."""
        telling = self._tellings.get(camera)
        if telling is None or not telling.public or end_s % SNAPSHOT_S:
            return []
        policy = self._public(telling, camera, end_s - SNAPSHOT_S, end_s)
        places = tuple(
            PlaceMeasures(one.place, end_s - SNAPSHOT_S, end_s, {Measure.COUNT: one.values[Measure.COUNT]})
            for one in newest
            if Measure.COUNT in one.values and one.end_s >= end_s - GRACE_S
        )
        return [*release(CameraMeasures(camera, places), policy, self._ledger)]

    def _roll_up(self, now_s: float) -> None:
        """Make the hours and days that have ended since last time; never past a minute that waits."""
        with self._disk:
            waiting = self._spool.waiting()
        until_s = min([now_s - GRACE_S, self._heard.oldest_s(), *(float(one) for one in waiting)])
        hour_s, day_s = int(until_s // HOUR_S) * HOUR_S, int(until_s // DAY_S) * DAY_S
        oldest_s = -int((CONTROL_ROOM_KEPT_S - now_s) // HOUR_S) * HOUR_S  # the first hour that is there as a whole
        progress = self._progress
        for start_s in range(max(progress.hour_s or oldest_s, oldest_s), hour_s, HOUR_S):
            if not self._made(MINUTE_S, start_s, HOUR_S):
                return
            progress.hour_s = start_s + HOUR_S
        for start_s in range(max(progress.day_s or 0, day_s - DAY_S), day_s, DAY_S):
            if not self._made(HOUR_S, start_s, DAY_S):
                return
            progress.day_s = start_s + DAY_S

    def _made(self, from_period_s: int, start_s: int, period_s: int) -> bool:
        """Whether a period is made, or given up: a start makes it again."""
        if self._tried(period_s, start_s, partial(self._put_period, from_period_s, start_s, period_s)):
            return True
        if not self._given_up(period_s, start_s):
            return False
        self._losses.add(Loss.PERIODS)
        return True

    def _put_period(self, from_period_s: int, start_s: int, period_s: int) -> None:
        numbers = self._store.exact(from_period_s, start_s, start_s + period_s)
        made: list[Aggregate] = []
        for camera, of_camera in groupby(numbers, key=lambda one: one.camera):
            places = tuple(
                rolled_up(_spans(of_place), start_s=start_s, end_s=start_s + period_s)
                for _, of_place in groupby(of_camera, key=lambda one: one.place)
            )
            made += self._told(CameraMeasures(camera, places))
        self._store.put(made)

    def _forget_old(self, now_s: float) -> None:
        """Exact numbers are kept for a day at most, also when they could not be stored."""
        limit_s = now_s - CONTROL_ROOM_KEPT_S
        with self._disk:
            aside = [one for one in self._spool.aside() if one + MINUTE_S <= limit_s]
            for minute_s in self._spool.minutes(limit_s) + aside:
                self._spool.done(minute_s)
                self._losses.add(Loss.MINUTES)


def _away(error: Exception) -> bool:
    """Whether an error says that the database or the disk can not be used now, and nothing of what was to be stored."""
    if isinstance(error, DataError | IntegrityError):
        return False
    return isinstance(error, OSError | StoreFailed | DBAPIError) or (
        isinstance(error, SQLAlchemyError) and not isinstance(error, StatementError)
    )


def _still(telling: Telling, then: Grounds) -> Grounds:
    """Of the places that were told of then, those that still are."""
    areas = {place: area for place, area in then.areas_m2.items() if place in telling.grounds}
    return Grounds(MappingProxyType(areas), then.lines & telling.grounds.lines)


def _measures(one: Aggregate) -> PlaceMeasures:
    values = {measure: figure.quantity for measure, figure in one.figures.items()}
    return PlaceMeasures(one.place, one.start_s, one.end_s, values)


def _spans(numbers: Iterable[Number]) -> list[PlaceMeasures]:
    """Stored numbers of one place, put together by their period again."""
    spans: dict[tuple[int, int], dict[Measure, Number]] = defaultdict(dict)
    for one in numbers:
        spans[one.start_s, one.end_s][one.measure] = one
    return [
        PlaceMeasures(
            next(iter(found.values())).place,
            start_s,
            end_s,
            {measure: one.figure.quantity for measure, one in found.items()},
        )
        for (start_s, end_s), found in spans.items()
    ]
