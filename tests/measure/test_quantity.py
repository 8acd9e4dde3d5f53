"""A number can not hide what it does not know."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import PlaceId
from skyveil.measure.measures import UNITS, Measure, PlaceMeasures
from skyveil.measure.quantity import Quality, Quantity, Unit, measured, unknown


def test_unknown_has_no_value_and_says_so() -> None:
    nothing = unknown(Unit.PERSONS, age_s=20)
    assert nothing.value is None
    assert not nothing.known
    assert str(nothing) == "unknown"


@pytest.mark.parametrize(
    ("value", "sigma", "quality", "age_s"),
    [
        (0.0, None, Quality.UNKNOWN, 0.0),  # unknown is never a number
        (None, None, Quality.GOOD, 0.0),  # and a good value is one
        (math.nan, None, Quality.GOOD, 0.0),
        (math.inf, None, Quality.AT_LEAST, 0.0),
        (1.0, -0.1, Quality.GOOD, 0.0),
        (1.0, math.nan, Quality.GOOD, 0.0),
        (1.0, None, Quality.GOOD, -1.0),
    ],
)
def test_a_value_that_contradicts_itself_is_refused(
    value: float | None, sigma: float | None, quality: Quality, age_s: float
) -> None:
    with pytest.raises(MeasureRefused):
        Quantity(value, sigma, Unit.PERSONS, quality, age_s)


@settings(deadline=None)
@given(st.floats(0, 1e6), st.sampled_from(list(Unit)))
def test_a_lower_bound_is_always_said_as_one(value: float, unit: Unit) -> None:
    assert str(Quantity(value, None, unit, Quality.AT_LEAST, 0.0)).startswith("at least ")


def test_an_error_is_shown_beside_its_value() -> None:
    assert str(measured(1.84, Unit.PER_M2, sigma=0.2)) == "1.84 1/m2 (+-0.2)"


def test_every_measure_has_a_unit() -> None:
    assert set(UNITS) == set(Measure)


def test_a_measure_in_a_foreign_unit_is_refused() -> None:
    with pytest.raises(MeasureRefused, match="density is in 1/m2, got persons"):
        PlaceMeasures(PlaceId("hall"), 0.0, 1.0, {Measure.DENSITY: measured(3.0, Unit.PERSONS)})


def test_a_span_runs_forward_and_its_values_do_not_change() -> None:
    with pytest.raises(MeasureRefused):
        PlaceMeasures(PlaceId("hall"), 1.0, 1.0, {})
    values = {Measure.COUNT: measured(3.0, Unit.PERSONS)}
    span = PlaceMeasures(PlaceId("hall"), 0.0, 1.0, values)
    values.clear()
    assert span.values[Measure.COUNT].value == 3.0
