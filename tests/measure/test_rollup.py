"""Seconds make minutes, and minutes hours."""

import pytest

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import PlaceId
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import Quality, Quantity, measured, unknown
from skyveil.measure.rollup import rolled_up

HALL = PlaceId("hall")
COUNT, IN = Measure.COUNT, Measure.CROSSED_FORWARD


def spans(measure: Measure, *values: float | Quantity | None, length_s: float = 1.0) -> list[PlaceMeasures]:
    made = []
    for index, value in enumerate(values):
        known = value if isinstance(value, Quantity) else None if value is None else measured(value, measure.unit)
        start_s = index * length_s
        made.append(PlaceMeasures(HALL, start_s, start_s + length_s, {measure: known or unknown(measure.unit)}))
    return made


def rolled(measure: Measure, *values: float | Quantity | None) -> Quantity:
    return rolled_up(spans(measure, *values), start_s=0, end_s=len(values)).values[measure]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (IN, 6.0),
        (COUNT, 2.0),
        (Measure.SPEED, 2.0),
        (Measure.FLOW_FORWARD, 2.0),
        (Measure.LOCAL_DENSITY_MAX, 3.0),
        (Measure.PRESSURE_RATIO, 3.0),
        (Measure.TIME_TO_CRITICAL, 1.0),
    ],
)
def test_events_add_up_dangers_count_at_their_worst_and_the_rest_is_a_mean(measure: Measure, expected: float) -> None:
    assert rolled(measure, 2, 1, 3) == measured(expected, measure.unit)


def test_a_mean_is_over_time() -> None:
    parts = [*spans(COUNT, 10.0), PlaceMeasures(HALL, 1, 4, {COUNT: measured(2, COUNT.unit)})]
    assert rolled_up(parts, start_s=0, end_s=4).values[COUNT].value == 4


def test_what_was_not_measured_is_left_out_and_lowers_the_quality() -> None:
    assert rolled(COUNT, 4, None, 4, 4) == Quantity(4, None, COUNT.unit, Quality.DEGRADED, 0.0)
    assert rolled(COUNT, *[4.0] * 10, None).quality is Quality.GOOD
    assert rolled(COUNT, None, None) == unknown(COUNT.unit)
    half = rolled_up(spans(COUNT, 4.0), start_s=0, end_s=60).values[COUNT]
    assert (half.value, half.quality) == (4, Quality.DEGRADED)


def test_at_least_stays_at_least() -> None:
    some = Quantity(9, None, COUNT.unit, Quality.AT_LEAST, 0.0)
    assert rolled(COUNT, 3, some, Quantity(6, None, COUNT.unit, Quality.DEGRADED, 1.0)) == Quantity(
        6, None, COUNT.unit, Quality.AT_LEAST, 0.0
    )
    assert rolled(COUNT, some, None, None).quality is Quality.AT_LEAST


def test_errors_of_a_sum_are_independent_and_those_of_a_mean_are_not() -> None:
    counted = [measured(1, IN.unit, sigma=3.0), measured(1, IN.unit, sigma=4.0)]
    assert rolled(IN, *counted).sigma == 5.0
    assert rolled(COUNT, measured(1, COUNT.unit, sigma=3.0), measured(1, COUNT.unit, sigma=4.0)).sigma == 3.5
    assert rolled(COUNT, measured(1, COUNT.unit, sigma=3.0), 4.0).sigma is None


def test_spans_of_another_place_or_none_are_refused() -> None:
    other = PlaceMeasures(PlaceId("stairs"), 0, 1, {})
    for parts in ([], [*spans(COUNT, 1.0), other]):
        with pytest.raises(MeasureRefused):
            rolled_up(parts, start_s=0, end_s=1)
