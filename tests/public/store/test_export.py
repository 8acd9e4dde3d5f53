"""Numbers as tables for other programs."""

from pathlib import Path

import pedpy.column_identifier as pedpy  # type: ignore[import-untyped]  # PedPy has no types
import pyarrow.parquet  # type: ignore[import-untyped]  # PyArrow has no types
import pytest

from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality
from skyveil.public.aggregate import NumberSeries, Told
from skyveil.public.store.export import TABLES, TableName, csv_of, table_of, write_parquet
from tests.public.store.made import GATE, T


def series(measure: Measure, *told: tuple[int, float | None]) -> NumberSeries:
    """Numbers of minutes; what has no value is fewer than five."""
    start_s = [T + 60 * minute for minute, _ in told]
    how = [Told.FEWER.value if value is None else Told.ROUNDED.value for _, value in told]
    quality = [(Quality.UNKNOWN if value is None else Quality.GOOD).value for _, value in told]
    values = [value for _, value in told]
    return NumberSeries(GATE, measure, 60, start_s, how, values, [None] * len(told), quality)


NUMBERS = [
    series(Measure.CROSSED_FORWARD, (0, 10.0), (1, 5.0), (2, None), (3, 20.0)),
    series(Measure.DENSITY, (1, 0.5), (0, 0.3)),
    series(Measure.FLOW_FORWARD, (0, 0.25), (1, None)),
    series(Measure.SPEED, (0, 1.2)),
]


WHEN = (pedpy.FRAME_COL, pedpy.TIME_COL)


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [
        ("n-t", (pedpy.CUMULATED_COL,), ((1, 60, 10), (2, 120, 15), (3, 180, None), (4, 240, None))),
        ("density", (pedpy.DENSITY_COL,), ((1, 60, 0.3), (2, 120, 0.5))),
        ("flow", (pedpy.FLOW_COL, pedpy.MEAN_SPEED_COL), ((1, 60, 0.25, 1.2), (2, 120, None, None))),
    ],
)
def test_tables_have_the_columns_of_pedpy(
    name: TableName, columns: tuple[str, ...], rows: tuple[tuple[float | None, ...], ...]
) -> None:
    made = table_of(name, NUMBERS, from_s=T)
    assert made.columns == (*WHEN, *columns) and made.rows == rows


def test_csv_leaves_empty_what_is_not_told() -> None:
    assert csv_of(table_of("n-t", NUMBERS, from_s=T)).splitlines() == [
        "frame,time,cumulative_pedestrians", "1,60,10.0", "2,120,15.0", "3,180,", "4,240,",
    ]  # fmt: skip
    lines = csv_of(table_of("numbers", NUMBERS, from_s=T)).splitlines()
    assert len(lines) == 10 and lines[3] == f"{T + 120},60,gate,crossed_forward,persons,fewer,,,unknown"


@pytest.mark.parametrize("name", TABLES)
def test_parquet_holds_the_same(name: TableName, tmp_path: Path) -> None:
    made = table_of(name, NUMBERS, from_s=T)
    write_parquet(made, tmp_path / "a.parquet")
    read = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert tuple(read.column_names) == made.columns
    assert list(zip(*(read.column(one).to_pylist() for one in made.columns), strict=True)) == list(made.rows)


def test_no_numbers_make_an_empty_table(tmp_path: Path) -> None:
    for name in TABLES:
        made = table_of(name, [], from_s=T)
        assert made.rows == () and len(csv_of(made).splitlines()) == 1
        write_parquet(made, tmp_path / f"{name}.parquet")


def test_a_sum_is_not_told_any_more_from_a_period_on_that_is_missing() -> None:
    broken = [series(Measure.CROSSED_FORWARD, (0, 10.0), (1, 10.0), (10, 10.0), (11, 10.0))]
    assert [row[2] for row in table_of("n-t", broken, from_s=T).rows] == [10, 20, None, None]
    late = [series(Measure.CROSSED_FORWARD, (1, 10.0))]
    assert [row[2] for row in table_of("n-t", late, from_s=T).rows] == [None]
    assert [row[2] for row in table_of("n-t", late, from_s=T + 1).rows] == [10]
