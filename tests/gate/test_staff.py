"""What the figure of a long period would tell staff of a hidden one inside it, worked out by hand case by case.

`test_release.py` has the rules of what staff are told; here is what a reader knows from each figure.
"""

import numpy as np
import pytest

from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import grounds
from skyveil.gate.staff import staff_figures
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import measured, unknown
from skyveil.public.aggregate import Figure, Number, Told

CAMERA, HALL = CameraId("north"), PlaceId("hall")
AREA_M2 = grounds({HALL: np.array([[0, 0], [10, 0], [10, 5], [0, 5]], np.float64)}).areas_m2[HALL]
T = 1_790_000_000 // 86400 * 86400
SUM, MEAN = Measure.CROSSED_FORWARD, Measure.COUNT
MINUTE, HOUR, DAY = 60, 3600, 86400
F, W, U = Told.FEWER, Told.WITHHELD, Told.UNKNOWN


def below(measure: Measure, period_s: int, *told: Told | float, start_s: int = T) -> list[Number]:
    """What staff were told of periods one after another: a rounded number, or how it was hidden."""
    figures = [
        Figure(one, unknown(measure.unit))
        if isinstance(one, Told)
        else Figure(Told.ROUNDED, measured(one, measure.unit))
        for one in told
    ]
    return [
        Number(CAMERA, HALL, measure, period_s, start_s + period_s * index, figure)
        for index, figure in enumerate(figures)
    ]


@pytest.mark.parametrize(
    ("measure", "period_s", "value", "parts", "expected"),
    [
        # A minute or an hour that nobody measured adds nothing: 8 to 12 in all are 4 in each of the others.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, F, U), W),
        (SUM, HOUR, 8, below(SUM, MINUTE, U, F, U, F), W),
        (SUM, DAY, 8, [*below(SUM, HOUR, F, F, U), *below(SUM, MINUTE, U, U, start_s=T + 2 * HOUR)], W),
        # Nor does it share in a mean: under 10 in all, of which 7.5 or more are in the other minute.
        (MEAN, HOUR, 4.5, below(MEAN, MINUTE, 10, U, F), W),
        (SUM, HOUR, 8, below(SUM, MINUTE, U, U), 10),
        # 28 to 32 in all, of which 28 to 32 are in the other minute: 0 to 4 are left, as was known.
        (SUM, HOUR, 30, below(SUM, MINUTE, 30, F), 30),
        # 8 to 12 in all. Two minutes have 8 at most, so that the third may have none; and two may have none each.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, F, F), 10),
        # 8 to 12 in all, of which 5 to 7 are in the other minute: 1 at least.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, 5), W),
        # Means of a minute lie 2.5 about what is told: 82.5 to 97.5 in all and 75 to 85 in the others leave 0 to 5.
        (MEAN, HOUR, 28, below(MEAN, MINUTE, 40, 40, F), 30),
        # Under 10 in all, of which 7.5 or more are in the other minute: 2.5 at most.
        (MEAN, HOUR, 4.5, below(MEAN, MINUTE, 10, F), W),
        # Under 10 in all, of which 5 to 7.5 are in the other minute: under 5, as was known.
        (MEAN, HOUR, 4, below(MEAN, MINUTE, 5, F), F),
        # Under 10 in all: under 5 in each, and two may have that.
        (MEAN, HOUR, 0, below(MEAN, MINUTE, F, F), F),
        # Two minutes of an hour that was not told, or of one that was: under 10 in all, whichever.
        (MEAN, DAY, 2, below(MEAN, MINUTE, F), F),
        (MEAN, DAY, 2, [*below(MEAN, MINUTE, F, F), *below(MEAN, HOUR, F)], F),
        # 10 to 15 in all, of which 7.5 to 12.5 are in the other minute: 0 to 5.
        (MEAN, DAY, 6.5, below(MEAN, MINUTE, 10, F), 5),
        # The hour was withheld and says nothing, but its minutes do: 10 to 15 in all, 7.5 at most in the other.
        (MEAN, DAY, 5, [*below(MEAN, MINUTE, F, 5), *below(MEAN, HOUR, W)], W),
        # 5 to 7 in all and 4 at most in each: 1 at least.
        (SUM, DAY, 5, [*below(SUM, MINUTE, F, F), *below(SUM, HOUR, W)], W),
        # An hour that was told and minutes of another that was not: 23 to 27 and under 5 make 23 to 31, as was known.
        (SUM, DAY, 27, [*below(SUM, HOUR, 25), *below(SUM, MINUTE, F, start_s=T + HOUR)], 25),
        (SUM, DAY, 29, [*below(SUM, HOUR, 25), *below(SUM, MINUTE, F, start_s=T + HOUR)], W),
        # 37.5 to 52.5 in three minutes, of which 35 to 45 are in the first hour: 0 to 5 are left.
        (
            MEAN,
            DAY,
            14,
            [*below(MEAN, HOUR, 20, F), *below(MEAN, MINUTE, 20, 20), *below(MEAN, MINUTE, F, start_s=T + HOUR)],
            15,
        ),
    ],
)
def test_a_long_period_is_told_unless_it_narrows_a_hidden_one(
    measure: Measure, period_s: int, value: float, parts: list[Number], expected: Told | float
) -> None:
    one = PlaceMeasures(HALL, T, T + period_s, {measure: measured(value, measure.unit)})
    for order in (parts, parts[::-1]):
        figure = staff_figures(one, AREA_M2, order)[measure]
        assert (figure.told if figure.quantity.value is None else figure.quantity.value) == expected
