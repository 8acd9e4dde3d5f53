"""Stored numbers as tables for other programs: CSV and Parquet, with the column names of PedPy. Public side.

PedPy (Juelich, IAS-7) names columns in `pedpy.column_identifier`: frame, time, cumulative_pedestrians, density, flow,
mean_speed. A frame here is one period. A number that is not told is empty, and so is every sum after it.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, final, get_args

from skyveil.core.errors import SettingsRefused
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import NumberSeries

TableName: TypeAlias = Literal["numbers", "n-t", "density", "flow"]
TABLES: Final = get_args(TableName)
PERIODS: Final = {"minute": 60, "quarter": 900, "hour": 3600, "day": 86400}
"""The periods that numbers are told by, in seconds."""
Cell: TypeAlias = str | int | float | None
NEEDS: Final[dict[TableName, tuple[Measure, ...]]] = {
    "numbers": tuple(Measure),
    "n-t": (Measure.CROSSED_FORWARD,),
    "density": (Measure.DENSITY,),
    "flow": (Measure.FLOW_FORWARD, Measure.SPEED),
}
"""The measures that a table is made of."""


@final
@dataclass(frozen=True, slots=True)
class Table:
    """Rows below the names of their columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table_of(name: TableName, numbers: Sequence[NumberSeries], *, from_s: int) -> Table:
    """The table of this name, made of numbers of one place and period in any order; times are seconds after `from_s`.

    n-t counts crossings forward; flow is forward, in persons a second, with the mean speed where one is told.
    """
    if name == "numbers":
        return _all(numbers)
    main = NEEDS[name][0]
    periods = sorted(
        (
            (start_s + one.period_s - from_s, one.period_s, value)
            for one in numbers
            if one.measure is main
            for start_s, value in zip(one.start_s, one.value, strict=True)
        ),
        key=lambda period: period[0],
    )
    times = [(until_s // period_s, until_s) for until_s, period_s, _ in periods]
    values = [value for _, _, value in periods]
    if name == "n-t":
        rows = [(*when, total) for when, total in zip(times, _running(periods), strict=True)]
        return Table(("frame", "time", "cumulative_pedestrians"), tuple(rows))
    if name == "density":
        return Table(("frame", "time", "density"), tuple((*w, v) for w, v in zip(times, values, strict=True)))
    speeds = {
        start_s + one.period_s - from_s: value
        for one in numbers
        if one.measure is Measure.SPEED
        for start_s, value in zip(one.start_s, one.value, strict=True)
    }
    flows = [(*w, v, speeds.get(w[1])) for w, v in zip(times, values, strict=True)]
    return Table(("frame", "time", "flow", "mean_speed"), tuple(flows))


def _running(periods: Sequence[tuple[int, int, float | None]]) -> list[float | None]:
    """The running total of periods, each with its end after the beginning and its length, seconds.

    Nothing from the first value on that is not told, or that is not there at all: nobody counted then.
    """
    total: float | None = 0.0
    made = []
    due_s = 0
    for end_s, period_s, value in periods:
        missing = end_s >= due_s + 2 * period_s  # the first one may begin less than a period late
        total = None if total is None or value is None or missing else total + value
        due_s = end_s
        made.append(total)
    return made


def _all(numbers: Sequence[NumberSeries]) -> Table:
    columns = ("start_s", "period_s", "place", "measure", "unit", "told", "value", "sigma", "quality")
    rows: list[tuple[Cell, ...]] = []
    for one in numbers:
        same = (one.period_s, one.place, one.measure.value, one.measure.unit.value)
        cells = zip(one.start_s, one.told, one.value, one.sigma, one.quality, strict=True)
        rows += [(start_s, *same, *rest) for start_s, *rest in cells]
    return Table(columns, tuple(rows))


def csv_of(table: Table) -> str:
    """The table as comma-separated values (RFC 4180); what is not told is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue()


def write_parquet(table: Table, path: Path) -> None:
    """Write the table as Parquet. Raises SettingsRefused when PyArrow is not installed."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
        from pyarrow import parquet
    except ImportError as error:
        raise SettingsRefused("Parquet needs PyArrow: pip install 'skyveil[parquet]'") from error
    columns = {name: [row[index] for row in table.rows] for index, name in enumerate(table.columns)}
    parquet.write_table(pa.table(columns), path)
