"""Hour maps: what is counted, kept, and gone after 24 hours, also from the free pages of SQLite."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import PlaceId
from skyveil.gate.release_maps import release_maps
from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.public.density_map import DensityMap
from skyveil.public.hour_map import HourMap, Layout, joined
from skyveil.public.store import open_database
from skyveil.public.store.hour_maps import HourMapStore
from skyveil.public.store.numbers import NumberStore
from skyveil.public.store.tables import hour_maps
from tests.public.store.conftest import Database
from tests.public.store.made import CAMERA, HALL, T

HOUR, DAY = 3600, 86400
LIMITS = (1.0, 2.0)


def told(
    per_m2: Sequence[Sequence[float]], *, at_s: float = T, side_m: float = 0.5, place: PlaceId = HALL
) -> DensityMap:
    grid = DensityGrid(place, side_m, (-1.0, 2.0), np.array(per_m2, np.float64))
    (one,) = release_maps(CameraGrids(CAMERA, np.eye(3), (grid,)), at_s=at_s)
    return one


def hour(*maps: DensityMap, start_s: int = T, seconds: int = 1) -> HourMap:
    found = HourMap.empty(CAMERA, maps[0].place, start_s, Layout.of(maps[0], LIMITS))
    for one in maps:
        found.add(one, seconds)
    return found


def numbers_of(one: HourMap) -> tuple[int, list[float | None], list[float | None], list[list[float | None]]]:
    return one.measured_s, one.mean_per_m2, one.highest_per_m2, one.over_share


def test_an_hour_tells_mean_highest_and_time_over_each_threshold_and_nothing_outside() -> None:
    nan = np.nan
    found = hour(told([[0.2, 1.2], [nan, 2.0]]), told([[0.2, 0.9], [nan, 9.7]]), seconds=2)
    assert found.measured_s == 4
    assert found.mean_per_m2 == [0, 0.75, None, 5.75]
    assert found.highest_per_m2 == [0, 1.0, None, 9.5]
    assert found.over_share == [[0, 0.5, None, 1.0], [0, 0, None, 1.0]]


def test_somebody_who_stands_alone_all_hour_is_on_no_map_of_it() -> None:
    found = hour(told([[0.32, 0.32]]), seconds=3600)
    assert found.mean_per_m2 == found.highest_per_m2 == [0, 0]


def test_nothing_was_measured_is_no_density_of_nought_seconds() -> None:
    found = HourMap.empty(CAMERA, HALL, T, Layout.of(told([[1.0, np.nan]]), LIMITS))
    assert numbers_of(found) == (0, [0, None], [0, None], [[0, None], [0, None]])


def test_only_what_the_gate_released_is_counted() -> None:
    with pytest.raises(BoundaryViolated):
        hour(told([[1.0]])).add(object(), 1)  # type: ignore[arg-type]  # the attack
    with pytest.raises(BoundaryViolated):
        Layout.of(object.__new__(DensityMap), LIMITS)


def test_hours_are_joined_and_a_zone_that_was_drawn_anew_never_with_what_it_was() -> None:
    before = hour(told([[4.0, 4.0]], at_s=T + 9, side_m=1.0), seconds=9)
    first = hour(told([[1.0, 2.0]], at_s=T + 20), seconds=10)
    second = hour(told([[3.0, 0.0]], at_s=T + HOUR), start_s=T + HOUR, seconds=30)
    one, left_out_s = joined([second, before, first])
    assert (one.start_s, left_out_s) == (T, 9)
    assert numbers_of(one) == (40, [2.5, 0.5], [3, 2], [[1.0, 0.25], [0.75, 0.25]])
    again = [Layout.of(told([[1.0, 2.0]]), limits) for limits in (LIMITS, (1.0, 3.0))]
    assert again[0] == first.layout and again[1] != first.layout and again[0].key != again[1].key


def test_what_is_added_is_read_as_it_was_and_never_twice(database: Database) -> None:
    store = HourMapStore(database.engine)
    first, second = hour(told([[1.0, np.nan]], at_s=T + 1)), hour(told([[2.5, np.nan]], at_s=T + 2))
    other = hour(told([[1.0, np.nan]], at_s=T + 3, side_m=1.0))
    store.add([first])
    store.add([second, other])
    store.add([second])  # nobody knew whether it was stored
    found = {one.layout: one for one in store.day(CAMERA, T + HOUR)}
    assert set(found) == {first.layout, other.layout}
    assert numbers_of(found[first.layout]) == numbers_of(first + second)
    assert found[first.layout].until_s == T + 2
    assert numbers_of(found[other.layout]) == numbers_of(other)


def test_hours_are_gone_when_they_have_been_over_for_a_day(database: Database) -> None:
    store = HourMapStore(database.engine)
    for start_s in (T, T + HOUR):
        store.add([hour(told([[1.0]], at_s=start_s), start_s=start_s)])
    store.sweep(T + DAY + HOUR - 1)
    assert [one.start_s for one in store.day(CAMERA, T + DAY + HOUR - 1)] == [T, T + HOUR]
    assert [one.start_s for one in store.day(CAMERA, T + DAY + HOUR)] == [T + HOUR]  # also before it is swept
    store.sweep(T + DAY + HOUR)
    with database.engine.connect() as connection:
        assert connection.execute(select(hour_maps.c.start_s)).scalars().all() == [T + HOUR]


def test_what_is_deleted_is_in_no_byte_of_the_files_of_sqlite(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "a.sqlite")
    store, random = HourMapStore(engine), np.random.default_rng(1)
    made = []
    for number in range(6):
        density_map = told(random.uniform(0, 9, (60, 60)).tolist(), place=PlaceId(f"zone-{number}"))
        made.append(hour(density_map))
    store.add(made)
    with engine.connect() as connection:
        squares = connection.execute(select(hour_maps.c.squares)).scalars().all()

    def remains() -> bool:
        data = b"".join(path.read_bytes() for path in tmp_path.glob("a.sqlite*"))
        return any(one[at : at + 64] in data for one in squares for at in range(0, len(one) - 64, 64))

    assert remains()
    store.sweep(T + 2 * DAY)
    NumberStore(engine).sweep(T + 2 * DAY)
    assert not remains()
    engine.dispose()
