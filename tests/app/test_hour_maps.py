"""From a zone's seconds to the hours of its day: restarts, a database that is away, zones that are drawn anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from skyveil.app.hour_maps import EVERY_S, MOST_LAYOUTS, HourMaps
from skyveil.public.hour_map import HourMap
from skyveil.public.store import open_database
from skyveil.public.store.hour_maps import HourMapStore
from tests.app.test_numbers import Clock, patient_sqlite, sqlite_away
from tests.public.store.made import CAMERA, T
from tests.public.store.test_hour_maps import LIMITS, told

HOUR = 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "a.sqlite")
    yield engine
    engine.dispose()


def heard(found: HourMaps, clock: Clock, *seconds: float, per_m2: float = 2.0, side_m: float = 0.5) -> None:
    for second in seconds:
        clock.now_s = T + second
        found.heard(told([[per_m2]], at_s=T + second, side_m=side_m), LIMITS)
        found.tick()


def measured(maps: list[HourMap]) -> list[tuple[int, int]]:
    return [((one.start_s - T) // HOUR, one.measured_s) for one in maps]


def test_a_map_stands_for_the_time_since_the_one_before_it_and_a_gap_for_nothing(engine: Engine, clock: Clock) -> None:
    found = HourMaps(HourMapStore(engine), now=clock)
    heard(found, clock, 0, 1, 3, 3, 2, 33)  # a second, a second, two, told again, set back, and a gap
    assert measured(found.day(CAMERA)) == [(0, 5)]


def test_hours_part_at_the_full_hour_and_what_waits_is_shown_already(engine: Engine, clock: Clock) -> None:
    found = HourMaps(HourMapStore(engine), now=clock)
    heard(found, clock, *range(HOUR - 70, HOUR + 10))
    assert measured(found.day(CAMERA)) == [(0, 70), (1, 10)]
    found.store()
    assert measured(found.day(CAMERA)) == [(0, 70), (1, 10)]
    assert not found.day(told([[1.0]]).camera.__class__("south"))


def test_a_server_that_was_killed_goes_on_where_it_stored_last(engine: Engine, clock: Clock) -> None:
    store = HourMapStore(engine)
    killed = HourMaps(store, now=clock)
    heard(killed, clock, *range(int(EVERY_S) + 30))
    again = HourMaps(store, now=clock)
    (lost,) = measured(again.day(CAMERA))
    assert int(EVERY_S) <= lost[1] < int(EVERY_S) + 30
    heard(again, clock, *range(200, 210))
    again.store()
    assert measured(again.day(CAMERA)) == [(0, lost[1] + 10)]


def test_while_the_database_is_away_maps_wait_and_nothing_is_doubled(tmp_path: Path, clock: Clock) -> None:
    engine = patient_sqlite(tmp_path / "a.sqlite")
    found = HourMaps(HourMapStore(engine), now=clock)
    heard(found, clock, *range(10))
    with sqlite_away(tmp_path / "a.sqlite"):
        for _ in range(2):
            with pytest.raises(SQLAlchemyError):
                found.store()
            clock.now_s += 1
    heard(found, clock, *range(10, 20))
    for _ in range(2):
        found.store()
    assert measured(found.day(CAMERA)) == [(0, 20)]
    engine.dispose()


def test_a_zone_that_is_drawn_anew_begins_another_map_and_not_without_end(engine: Engine, clock: Clock) -> None:
    found = HourMaps(HourMapStore(engine), now=clock)
    heard(found, clock, 0, 1, 2)
    heard(found, clock, 3, 4, side_m=1.0)
    assert sorted(one.measured_s for one in found.day(CAMERA)) == [2, 3]
    for number in range(20):
        heard(found, clock, 10 + number, side_m=2.0 + number)
    assert len(found.day(CAMERA)) == MOST_LAYOUTS
    heard(found, clock, HOUR, side_m=2.0)
    assert len(found.day(CAMERA)) == MOST_LAYOUTS + 1


def test_a_map_of_another_time_is_not_taken_and_old_ones_are_deleted(engine: Engine, clock: Clock) -> None:
    found = HourMaps(HourMapStore(engine), now=clock)
    found.heard(told([[1.0]], at_s=T + 61), LIMITS)
    found.heard(told([[1.0]], at_s=T - 61), LIMITS)
    assert not found.day(CAMERA)
    heard(found, clock, 0, 1)
    found.store()
    clock.now_s = T + 25 * HOUR
    found.tick()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM hour_maps")).scalar() == 0
