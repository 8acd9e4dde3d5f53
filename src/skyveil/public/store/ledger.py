"""What the public was told of each camera and day, and the noise that it was told with. Public side.

The charge and the noise are one transaction, and the noise is stored before a number is made with it: a process that is
killed in between has told nobody anything, and one that is killed later finds the same noise again. Storing the number
forgets the noise (`NumberStore.put`), so that nobody can take it off again. A database from a backup has forgotten what
was published since: it is known by the mark beside the keys (`store.draw_mark`), and publishes nothing of those days.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, final

from sqlalchemy import Connection, Engine, Row, func, insert, select

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Number
from skyveil.public.budget import DAY_S, EPSILON_PER_VISIT_DAY, Charge
from skyveil.public.store.database import alone
from skyveil.public.store.draw_mark import DrawMark
from skyveil.public.store.numbers import NumberStore, is_cell
from skyveil.public.store.tables import ledger, noise

MECHANISM: Final = "discrete-laplace"


@final
@dataclass(frozen=True, slots=True)
class Spent:
    """What one series costs, for who checks it."""

    camera: CameraId
    day: int
    place: PlaceId
    measure: Measure
    period_s: int
    mechanism: str
    sensitivity: int
    epsilon: Fraction


@final
class Ledger:
    """The budget of all cameras. Any thread may call it; any number of processes may share the database."""

    def __init__(
        self,
        engine: Engine,
        numbers: NumberStore,
        *,
        mark: DrawMark | None = None,
        cap: Fraction = EPSILON_PER_VISIT_DAY,
    ) -> None:
        """mark: how far noise was drawn, kept where no backup of the database is; nothing is remembered without."""
        self._engine = engine
        self._mark = mark or DrawMark(None)
        self._numbers = numbers
        self._cap = cap
        self._lock = threading.Lock()

    def noise(self, charge: Charge, draw: Callable[[], int]) -> int | None:
        """The noise of a number; None when the budget is spent, or the number is or may be published, and of every
        number where the mark is damaged. See `public.budget`. Raises OSError while the mark can not be written."""
        if self._mark.damaged:
            return None
        with self._lock:
            kept = self._kept(charge, draw)
            if kept is None:
                return None
            drawn, serial = kept
            # After the draw is stored, before a number is made with it: a kill in between has told nobody anything.
            self._mark.reach(serial, day=charge.day)
            return drawn

    def _kept(self, charge: Charge, draw: Callable[[], int]) -> tuple[int, int] | None:
        """The noise, stored, and which draw it was."""
        with self._engine.begin() as connection:
            alone(connection, ledger.name)  # two must not both take the last of a budget
            newest = connection.execute(select(func.max(noise.c.serial))).scalar() or 0
            if newest < self._mark.serial:
                # Kept: the first draw of the next day makes the database as new as the mark again.
                self._mark.close()
            if charge.day <= self._mark.closed:
                return None
            found = connection.execute(select(noise.c.noise, noise.c.serial).where(*is_cell(noise, charge))).first()
            if found is not None and found.noise is None:
                return None
            # Also for noise that was drawn before: on other terms it has another scale than would be told.
            if not self._charged(connection, charge):
                return None
            if found is not None:
                return int(found.noise), int(found.serial)
            drawn, serial = draw(), max(newest, self._mark.serial) + 1
            cell = {"camera": charge.camera, "place": charge.place, "measure": charge.measure}
            connection.execute(
                insert(noise).values(
                    **cell, period_s=charge.period_s, start_s=charge.start_s, noise=drawn, serial=serial
                )
            )
        return drawn, serial

    def problem(self) -> str:
        """What keeps numbers from the public now, in a sentence; empty when nothing does."""
        if self._mark.damaged:
            return self._mark.damaged
        if self._mark.closed < 0 or self._mark.closed < self._mark.day:
            return ""
        return "the public is told nothing until the next day (UTC): the database is older than what was published"

    def _charged(self, connection: Connection, charge: Charge) -> bool:
        """Whether the series is in the ledger on these terms, now or before; nothing is written when it may not be."""
        of_day = select(ledger).where(ledger.c.camera == charge.camera, ledger.c.day == charge.day)
        spent = [_spent(row) for row in connection.execute(of_day)]
        series = (charge.place, charge.measure, charge.period_s)
        for one in spent:
            if (one.place, one.measure, one.period_s) == series:
                # Other terms begin on the next day: noise on two scales would need an account of its own.
                return (one.sensitivity, one.epsilon) == (charge.sensitivity, charge.epsilon)
        if sum((one.epsilon for one in spent), Fraction(0)) + charge.epsilon > self._cap:
            return False
        connection.execute(
            insert(ledger).values(
                camera=charge.camera,
                day=charge.day,
                place=charge.place,
                measure=charge.measure,
                period_s=charge.period_s,
                mechanism=MECHANISM,
                sensitivity=charge.sensitivity,
                epsilon=str(charge.epsilon),
            )
        )
        return True

    def told(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> Sequence[Number]:
        """What staff were told already of a place, in periods shorter than the span."""
        return self._numbers.told_to_staff(camera, place, start_s, end_s)

    def spent(self, camera: CameraId, at_s: float) -> list[Spent]:
        """What the day that a time lies in has cost so far, by series."""
        wanted = select(ledger).where(ledger.c.camera == camera, ledger.c.day == int(at_s // DAY_S))
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.order_by(ledger.c.place, ledger.c.measure, ledger.c.period_s)).all()
        return [_spent(row) for row in rows]


def _spent(row: Row[tuple[object, ...]]) -> Spent:
    return Spent(
        CameraId(row.camera),
        row.day,
        PlaceId(row.place),
        Measure(row.measure),
        row.period_s,
        row.mechanism,
        row.sensitivity,
        Fraction(row.epsilon),
    )
