"""Numbers of places, for three audiences, each in a table of its own. Public side.

Every row has a key (place, measure, period, start) and is written once: writing it again changes nothing, so that
whoever is not sure whether something was stored may store it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final, Protocol, TypeAlias, final

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality, Quantity
from skyveil.public.aggregate import Aggregate, Figure, Number, NumberSeries, Told, released
from skyveil.public.audience import Audience
from skyveil.public.budget import DAY_S
from skyveil.public.store.database import empty_log
from skyveil.public.store.tables import NumberTable, control_room_numbers, ledger, noise, public_numbers, staff_numbers

TABLES: Final = {
    Audience.CONTROL_ROOM: control_room_numbers,
    Audience.STAFF: staff_numbers,
    Audience.PUBLIC: public_numbers,
}
CONTROL_ROOM_KEPT_S: Final = DAY_S
"""Exact numbers are kept for 24 hours after their period, whatever the configuration says."""
_NOISE_KEPT_S: Final = 7 * DAY_S
"""A number that is a week old can not be published any more: what it would be made of is gone."""
_STAFF_PERIODS_S: Final = (60, 3600, DAY_S)
_AT_ONCE: Final = 2000
_Values: TypeAlias = dict[str, str | int | float | None]


class Cell(Protocol):
    """What names one number."""

    @property
    def camera(self) -> CameraId:
        """Of which camera."""
        ...

    @property
    def place(self) -> PlaceId:
        """Of which place."""
        ...

    @property
    def measure(self) -> Measure:
        """What it measures."""
        ...

    @property
    def period_s(self) -> int:
        """Over how many seconds."""
        ...

    @property
    def start_s(self) -> int:
        """From when on, unix seconds."""
        ...


def is_cell(table: NumberTable, cell: Cell) -> tuple[ColumnElement[bool], ...]:
    """The condition for the row of one number."""
    names = ("camera", "place", "measure", "period_s", "start_s")
    return tuple(table.c[name] == getattr(cell, name) for name in names)


@final
@dataclass(frozen=True, slots=True)
class Retention:
    """How long numbers are kept for staff and for the public, seconds after their period."""

    staff_s: float = 400.0 * DAY_S
    public_s: float = 3660.0 * DAY_S

    def of(self, audience: Audience) -> float:
        """How long the numbers of an audience are kept."""
        kept = {Audience.STAFF: self.staff_s, Audience.PUBLIC: self.public_s}
        return kept.get(audience, CONTROL_ROOM_KEPT_S)


@final
class NumberStore:
    """The numbers of a site. Any thread may call it."""

    def __init__(self, engine: Engine, retention: Retention | None = None) -> None:
        self._engine = engine
        self._retention = retention or Retention()
        self._partitions: set[str] = set()

    def keep(self, retention: Retention) -> None:
        """Keep numbers for another time from the next sweep on."""
        self._retention = retention

    def put(self, aggregates: Iterable[Aggregate]) -> None:
        """Store what the gate released, in one transaction; what is stored already stays as it is.

        Noise that a stored public number was made with is forgotten in the same transaction.
        """
        rows: dict[Audience, list[Number]] = {}
        for aggregate in aggregates:
            audience = released(aggregate, *Audience).audience
            rows.setdefault(audience, []).extend(_numbers(aggregate))
        for audience, numbers in rows.items():
            self._make_partitions(TABLES[audience], numbers)
        with self._engine.begin() as connection:
            for audience, numbers in rows.items():
                _insert(connection, TABLES[audience], numbers)
            for one in rows.get(Audience.PUBLIC, ()):
                connection.execute(update(noise).where(*is_cell(noise, one)).values(noise=None))

    def _make_partitions(self, table: NumberTable, numbers: Sequence[Number]) -> None:
        """Make the partitions of these days, on PostgreSQL, where they are not there yet."""
        if self._engine.dialect.name != "postgresql":
            return
        for day in sorted({one.start_s // DAY_S for one in numbers}):
            name = f"{table.name}_{day}"
            if name in self._partitions:
                continue
            span = f"FROM ({day * DAY_S}) TO ({(day + 1) * DAY_S})"
            with self._engine.begin() as connection:
                connection.execute(
                    text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table.name} FOR VALUES {span}")
                )
            self._partitions.add(name)

    def series(
        self,
        audience: Audience,
        camera: CameraId,
        place: PlaceId,
        measures: Sequence[Measure],
        *,
        period_s: int,
        from_s: int,
        to_s: int,
    ) -> list[NumberSeries]:
        """The numbers of a place that begin in a span of time, by measure; they are thousands, so none is an object."""
        table = TABLES[audience]
        columns = (table.c.measure, table.c.start_s, table.c.told, table.c.value, table.c.sigma, table.c.quality)
        here = _span(table, camera, place, measures, period_s=period_s, from_s=from_s, to_s=to_s)
        wanted = select(*columns).where(*here).order_by(table.c.measure, table.c.start_s)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
        made = []
        for name, found in groupby(rows, key=itemgetter(0)):
            _, start_s, told, value, sigma, quality = map(list, zip(*found, strict=True))
            made.append(NumberSeries(place, Measure(name), period_s, start_s, told, value, sigma, quality))
        return made

    def places(self) -> set[tuple[CameraId, PlaceId]]:
        """Cameras with their places that staff or the public were told numbers of; it reads every key."""
        with self._engine.connect() as connection:
            rows = [
                row
                for table in (staff_numbers, TABLES[Audience.PUBLIC])
                for row in connection.execute(select(table.c.camera, table.c.place).distinct())
            ]
        return {(CameraId(str(camera)), PlaceId(str(place))) for camera, place in rows}

    def told_to_staff(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> list[Number]:
        """Everything staff were told of a place between two times, of periods shorter than that span."""
        table, shorter = staff_numbers, [one for one in _STAFF_PERIODS_S if one < end_s - start_s]
        if not shorter:
            return []
        # Every column of the key is named: a place has millions of numbers for each that is wanted.
        wanted = select(table).where(
            table.c.camera == camera,
            table.c.place == place,
            table.c.measure.in_([one.value for one in Measure]),
            table.c.period_s.in_(shorter),
            table.c.start_s >= start_s,
            table.c.start_s < end_s,
        )
        with self._engine.connect() as connection:
            return [_number(row) for row in connection.execute(wanted)]

    def exact(self, period_s: int, from_s: int, to_s: int) -> list[Number]:
        """Every exact number of periods that begin in a span, for roll-ups; by camera, place and measure."""
        table = control_room_numbers
        wanted = (
            select(table)
            .where(table.c.period_s == period_s, table.c.start_s >= from_s, table.c.start_s < to_s)
            .order_by(table.c.camera, table.c.place, table.c.measure, table.c.start_s)
        )
        with self._engine.connect() as connection:
            return [_number(row) for row in connection.execute(wanted)]

    def sweep(self, now_s: float) -> None:
        """Delete what is too old; on PostgreSQL whole days go with their partition, and SQLite overwrites it."""
        for audience, table in TABLES.items():
            limit_s = int(now_s - self._retention.of(audience))
            with self._engine.begin() as connection:
                # The first condition is for the index: by the second alone every number would be read each time.
                old = (table.c.start_s < limit_s, table.c.start_s + table.c.period_s <= limit_s)
                connection.execute(delete(table).where(*old))
            self._drop_partitions(table, before_day=limit_s // DAY_S)
        with self._engine.begin() as connection:
            connection.execute(delete(noise).where(noise.c.start_s < now_s - _NOISE_KEPT_S))
            connection.execute(delete(ledger).where(ledger.c.day < (now_s - self._retention.public_s) // DAY_S))
        empty_log(self._engine)

    def _drop_partitions(self, table: NumberTable, *, before_day: int) -> None:
        if self._engine.dialect.name != "postgresql":
            return
        children = text("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                        "WHERE i.inhparent = to_regclass(:parent)")  # fmt: skip
        with self._engine.begin() as connection:
            for (name,) in connection.execute(children, {"parent": table.name}).all():
                day = str(name).removeprefix(f"{table.name}_")
                # Rows of a day's own period end a day later, so the day before the limit may still have some.
                if day.isdigit() and int(day) < before_day - 1:
                    connection.execute(text(f"DROP TABLE {table.name}_{int(day)}"))
                    self._partitions.discard(f"{table.name}_{int(day)}")


def _span(
    table: NumberTable,
    camera: CameraId,
    place: PlaceId,
    measures: Sequence[Measure],
    *,
    period_s: int,
    from_s: int,
    to_s: int,
) -> tuple[ColumnElement[bool], ...]:
    """Every column of the key is named, so that the rows lie side by side, in the order that is wanted."""
    here = (table.c.camera == camera, table.c.place == place, table.c.measure.in_(measures))
    span = (table.c.period_s == period_s, table.c.start_s >= from_s, table.c.start_s < to_s)
    return *here, *span


def _numbers(aggregate: Aggregate) -> list[Number]:
    start_s, period_s = int(aggregate.start_s), round(aggregate.end_s - aggregate.start_s)
    return [
        Number(aggregate.camera, aggregate.place, measure, period_s, start_s, figure)
        for measure, figure in aggregate.figures.items()
    ]


def _insert(connection: Connection, table: NumberTable, numbers: Sequence[Number]) -> None:
    postgresql = connection.dialect.name == "postgresql"
    statement = (insert_postgresql(table) if postgresql else insert_sqlite(table)).on_conflict_do_nothing()
    for start in range(0, len(numbers), _AT_ONCE):
        connection.execute(statement, [_values(one) for one in numbers[start : start + _AT_ONCE]])


def _values(one: Number) -> _Values:
    quantity = one.figure.quantity
    return {
        "camera": one.camera,
        "place": one.place,
        "measure": one.measure.value,
        "period_s": one.period_s,
        "start_s": one.start_s,
        "told": one.figure.told.value,
        "value": quantity.value,
        "sigma": quantity.sigma,
        "quality": quantity.quality.value,
    }


_MEASURES: Final = {one.value: (one, one.unit) for one in Measure}
_TOLD: Final = {one.value: one for one in Told}
_QUALITIES: Final = {one.value: one for one in Quality}


def _number(row: "Row[str, str, str, int, int, str, float | None, float | None, str]") -> Number:
    """A row in the order of the table's columns; by position, because a day's chart has thousands."""
    camera, place, name, period_s, start_s, told, value, sigma, quality = row
    measure, unit = _MEASURES[name]
    figure = Figure(_TOLD[told], Quantity(value, sigma, unit, _QUALITIES[quality], 0.0))
    return Number(CameraId(camera), PlaceId(place), measure, period_s, start_s, figure)
