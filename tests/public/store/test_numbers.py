"""Numbers in both databases: written once, kept as long as said, and never for another audience."""

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, text

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import CameraId
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import unknown
from skyveil.public.aggregate import NumberSeries, Told
from skyveil.public.audience import Audience
from skyveil.public.store import open_database
from skyveil.public.store.numbers import NumberStore, Retention
from tests.public.store.conftest import Database
from tests.public.store.made import CAMERA, COUNT, EXACT, GATE, HALL, IN, STAFF, T, numbers, place

HOUR, DAY = 3600, 86400


def days_of(database: Database, table: str) -> list[int]:
    """The days that have a partition."""
    names = inspect(database.engine).get_table_names()
    return sorted(int(one.removeprefix(f"{table}_")) for one in names if one.removeprefix(f"{table}_").isdigit())


def test_what_is_stored_is_read_as_it_was(database: Database) -> None:
    store = NumberStore(database.engine)
    store.put(numbers(EXACT, place(HALL, {COUNT: 12.5, Measure.SPEED: 1.25}), place(GATE, {IN: 7})))
    store.put(numbers(STAFF, place(HALL, {COUNT: 12.5, Measure.SPEED: 1.25}), place(GATE, {IN: 3})))
    (exact,) = store.series(Audience.CONTROL_ROOM, CAMERA, HALL, [COUNT], period_s=60, from_s=T, to_s=T + 60)
    assert (exact.place, exact.period_s, exact.start_s, exact.told, exact.value) == (HALL, 60, [T], ["exact"], [12.5])
    told = store.series(Audience.STAFF, CAMERA, HALL, [COUNT, Measure.DENSITY], period_s=60, from_s=T, to_s=T + 60)
    assert [(one.measure, one.value) for one in told] == [(COUNT, [15.0]), (Measure.DENSITY, [0.3])]
    (hidden,) = store.series(Audience.STAFF, CAMERA, GATE, [IN], period_s=60, from_s=T, to_s=T + 60)
    assert (hidden.told, hidden.value, hidden.sigma) == (["fewer"], [None], [None])
    number = {one.measure: one for one in store.told_to_staff(CAMERA, GATE, T, T + 3600)}[IN]
    assert (number.figure.told, number.figure.quantity) == (Told.FEWER, unknown(IN.unit))


def test_a_series_is_in_order_of_measure_and_time_and_refuses_a_value_that_is_not_told(database: Database) -> None:
    store = NumberStore(database.engine)
    for minute in (2, 0, 1):
        store.put(numbers(STAFF, place(HALL, {COUNT: 12.5, Measure.SPEED: 1.25}, start_s=T + 60 * minute)))
        store.put(numbers(STAFF, place(GATE, {IN: 3 + minute}, start_s=T + 60 * minute)))
    measures = [Measure.SPEED, COUNT, Measure.DENSITY]
    hall = store.series(Audience.STAFF, CAMERA, HALL, measures, period_s=60, from_s=T + 60, to_s=T + 180)
    assert [one.measure for one in hall] == sorted(measures)
    assert all(one.start_s == [T + 60, T + 120] for one in hall)
    (gate,) = store.series(Audience.STAFF, CAMERA, GATE, [IN], period_s=60, from_s=T + 60, to_s=T + 180)
    assert gate.told == ["fewer", "rounded"] and gate.value == [None, 5.0]
    for told, value in (("fewer", 3.0), ("rounded", None)):
        with pytest.raises(BoundaryViolated):
            NumberSeries(GATE, IN, 60, [T], [told], [value], [None], ["good"])


def test_a_number_is_written_once(database: Database) -> None:
    store = NumberStore(database.engine)
    for value in (5, 6):
        store.put(numbers(EXACT, place(HALL, {COUNT: value})))
    (one,) = store.exact(60, T, T + 60)
    assert one.figure.quantity.value == 5


def test_a_chart_holds_its_span_place_period_and_camera_only(database: Database) -> None:
    store = NumberStore(database.engine)
    for minute in range(5):
        store.put(numbers(EXACT, place(HALL, {COUNT: minute}, start_s=T + 60 * minute), place(GATE, {IN: 1})))
    store.put(numbers(EXACT, place(HALL, {COUNT: 9}, period_s=3600)))
    store.put(numbers(EXACT, place(HALL, {COUNT: 9}), camera=CameraId("south")))
    (found,) = store.series(Audience.CONTROL_ROOM, CAMERA, HALL, [COUNT], period_s=60, from_s=T + 60, to_s=T + 180)
    assert found.value == [1, 2]


def test_what_is_done_every_minute_reads_no_whole_table(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "a.sqlite")
    asked: list[tuple[str, Sequence[object]]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Sequence[object], *more: object) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    store = NumberStore(engine)
    store.told_to_staff(CAMERA, HALL, T, T + 3600)
    store.sweep(T)
    event.remove(engine, "before_cursor_execute", note)
    about = [one for one in asked if "_numbers" in one[0]]
    with engine.connect() as connection:
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values)).all())
            for statement, values in about
        ]
    engine.dispose()
    assert len(plans) == 4
    assert all("start_s" in plan and "SCAN" not in plan for plan in plans)


def test_exact_numbers_are_gone_after_a_day_and_others_when_it_was_said(database: Database) -> None:
    store = NumberStore(database.engine, Retention(staff_s=3 * DAY, public_s=9 * DAY))
    for start_s in (T - DAY, T - HOUR, T):
        store.put(numbers(EXACT, place(HALL, {COUNT: 50}, start_s=start_s)))
        store.put(numbers(STAFF, place(HALL, {COUNT: 50}, start_s=start_s)))
    store.sweep(T + 59)
    assert len(store.exact(60, 0, T + DAY)) == 3
    store.sweep(T + 60)
    assert [one.start_s for one in store.exact(60, 0, T + DAY)] == [T - HOUR, T]
    store.sweep(T + DAY + HOUR)
    assert store.exact(60, 0, T + DAY) == store.exact(60, T, T + 60)
    assert len(store.told_to_staff(CAMERA, HALL, T - DAY, T + DAY)) == 6
    store.sweep(T + 3 * DAY + 60)
    assert store.told_to_staff(CAMERA, HALL, 0, T + DAY) == [] and store.exact(60, 0, T + DAY) == []


def test_another_retention_holds_from_the_next_sweep_on(database: Database) -> None:
    store = NumberStore(database.engine)
    store.put(numbers(STAFF, place(HALL, {COUNT: 50})))
    store.sweep(T + 3 * DAY)
    assert store.told_to_staff(CAMERA, HALL, T, T + DAY)
    store.keep(Retention(staff_s=2 * DAY))
    store.sweep(T + 3 * DAY)
    assert not store.told_to_staff(CAMERA, HALL, T, T + DAY)


def test_postgresql_keeps_each_day_in_a_partition_and_drops_it_whole(database: Database) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no partitions")
    store = NumberStore(database.engine, Retention(staff_s=3 * DAY))
    for day in range(4):
        store.put(numbers(STAFF, place(HALL, {COUNT: 50}, start_s=T + day * DAY)))
    first = T // DAY
    assert set(days_of(database, "staff_numbers")) >= {first, first + 1, first + 2, first + 3}
    with database.engine.connect() as connection:
        counted = connection.execute(text(f"SELECT count(*) FROM staff_numbers_{first + 1}"))  # noqa: S608 (a number)
        assert counted.scalar() == 2  # a count and its density
    store.sweep(T + 5.5 * DAY)
    assert days_of(database, "staff_numbers") == [first + 1, first + 2, first + 3]
    assert len(store.told_to_staff(CAMERA, HALL, 0, T + 9 * DAY)) == 2
    store.put(numbers(STAFF, place(HALL, {COUNT: 50}, start_s=T)))  # a day that was dropped can be made again
    assert first in days_of(database, "staff_numbers")


def test_only_what_the_gate_released_is_stored(database: Database) -> None:
    store = NumberStore(database.engine)
    with pytest.raises(BoundaryViolated):
        store.put([place(HALL, {COUNT: 5})])  # type: ignore[list-item]


def test_no_byte_of_an_exact_number_stays_in_sqlite_after_its_time(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "a.sqlite")
    store = NumberStore(engine)
    canary = 48151.62342
    for minute in range(200):
        store.put(numbers(EXACT, place(HALL, {COUNT: canary}, start_s=T + 60 * minute)))

    def found() -> int:
        return sum(path.read_bytes().count(struct.pack(">d", canary)) for path in tmp_path.glob("a.sqlite*"))

    assert found() >= 200
    store.sweep(T + 200 * 60 + 86400)
    assert found() == 0
    engine.dispose()
