"""How long a million numbers take to store, and a day's chart among them to read, on SQLite.

    python -m bench.stored_numbers [--rows N] [--database URL]

Rows go the way of the product: measures, `gate.release`, `NumberStore.put`. A chart is three measures of one place by
minute over one day, from the database to the JSON of the API; in turn with it the same numbers are read one by one.
"""

import argparse
import gc
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release import ControlRoom, release
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import measured
from skyveil.public.aggregate import Aggregate
from skyveil.public.audience import Audience
from skyveil.public.budget import NoBudget
from skyveil.public.store import open_database
from skyveil.public.store.numbers import NumberStore
from skyveil.public.web.numbers import Chart, series_of

DAY_S: Final = 86400
START_S: Final = 1_790_000_000 // DAY_S * DAY_S
MEASURES: Final = (Measure.COUNT, Measure.DENSITY, Measure.SPEED)
CHARTS: Final = 40
_CHART: Final = TypeAdapter(Chart)


def hour(camera: CameraId, place: PlaceId, start_s: int) -> list[Aggregate]:
    """Sixty minutes of one place."""
    made: list[Aggregate] = []
    for minute in range(60):
        at_s = start_s + 60 * minute
        values = {one: measured(float(minute % 17), one.unit, sigma=1.0) for one in MEASURES}
        spans = CameraMeasures(camera, (PlaceMeasures(place, at_s, at_s + 60, values),))
        made += release(spans, ControlRoom(), NoBudget())
    return made


def of(number: int) -> tuple[CameraId, PlaceId]:
    """The place of a number, and its camera: four places have one."""
    return CameraId(f"camera-{number // 4}"), PlaceId(f"zone-{number % 4}")


def chart(store: NumberStore, camera: CameraId, place: PlaceId) -> int:
    """A day of one place as JSON; how many numbers it has."""
    found = store.series(
        Audience.CONTROL_ROOM, camera, place, MEASURES, period_s=60, from_s=START_S, to_s=START_S + DAY_S
    )
    _CHART.dump_json(Chart(camera, place, Audience.CONTROL_ROOM, 60, series_of(found)))
    return sum(len(one.value) for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    places = -(-arguments.rows // (len(MEASURES) * 1440))
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(arguments.database or Path(folder) / "numbers.sqlite")
        store = NumberStore(engine)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        for start_s in range(START_S, START_S + DAY_S, 3600):
            store.put([one for place in range(places) for one in hour(*of(place), start_s)])
        stored_s, stored_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        gc.freeze()  # as the server does
        taken_ms, cpu_s = [], 0.0
        for number in range(CHARTS):
            place = number * places // CHARTS
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            many = chart(store, *of(place))
            cpu_s += time.process_time() - began_cpu_s
            taken_ms.append(1000 * (time.perf_counter() - began_s))
            assert many == len(MEASURES) * 1440  # noqa: S101 (a chart of nothing would be fast)
        rows = places * len(MEASURES) * 1440
        print(f"{engine.dialect.name}: {rows} rows in {stored_s:.1f} s ({stored_cpu_s:.1f} s of CPU)")
        quantiles = statistics.quantiles(taken_ms, n=20)
        print(f"a day's chart of {len(MEASURES) * 1440} numbers as JSON: p50 {statistics.median(taken_ms):.1f} ms, "
              f"p95 {quantiles[-1]:.1f} ms; CPU {1000 * cpu_s / CHARTS:.1f} ms, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
        engine.dispose()


if __name__ == "__main__":
    main()
