"""What the figure of a long period would tell staff of a hidden one inside it, worked out by hand case by case.

`test_release.py` has the rules of what staff are told; here is what a reader knows from each figure.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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


WITHHELD_AS_LOW = [*below(SUM, MINUTE, 30, 30, 30, 30, F), *below(SUM, HOUR, W)]
WITHHELD_AS_HIGH = [*below(SUM, MINUTE, F, F, F, F), *below(SUM, HOUR, W)]
WITHHELD_AT_AN_END = [*below(SUM, MINUTE, 30, 30, 30, 30, 30, F), *below(SUM, HOUR, W)]
WITHHELD_WHATEVER = [*below(SUM, MINUTE, 30, 30, F), *below(SUM, HOUR, W)]
WITHHELD_MEAN = [*below(MEAN, MINUTE, 10, 10, 10, F, F), *below(MEAN, HOUR, W)]


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
        # 112 to 132 in all. 110 would leave 0 of the hidden minute and is not told; nor is 115, which who is denied 110
        # can not tell from it. 130 leaves 0 to 4.
        (SUM, HOUR, 112, below(SUM, MINUTE, 30, 30, 30, 30, F), W),
        (SUM, HOUR, 115, below(SUM, MINUTE, 30, 30, 30, 30, F), W),
        (SUM, HOUR, 120, below(SUM, MINUTE, 30, 30, 30, 30, F), 120),
        (SUM, HOUR, 130, below(SUM, MINUTE, 30, 30, 30, 30, F), 130),
        # 28 to 36 in all: 35 would leave 1 at least, and 30 is next to it.
        (SUM, HOUR, 30, below(SUM, MINUTE, 30, F), W),
        # 8 to 12 in all. Two minutes have 8 at most, so that the third may have none; and two may have none each.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, F, F), 10),
        # 16 at most: 15 would leave 1 at least in each, and 10 is next to it.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, F, F, F), W),
        (SUM, HOUR, 7, below(SUM, MINUTE, F, F, F, F), 5),
        # 8 to 12 in all, of which 5 to 7 are in the other minute: 1 at least.
        (SUM, HOUR, 8, below(SUM, MINUTE, F, 5), W),
        (SUM, HOUR, 4, below(SUM, MINUTE, F, 5), W),
        # Nothing is hidden; but what these minutes can not add up to is of others, and not told.
        (SUM, HOUR, 7, below(SUM, MINUTE, 5), 5),
        (SUM, HOUR, 8, below(SUM, MINUTE, 5), W),
        # Means of a minute lie 2.5 about what is told: 82.5 to 97.5 in all and 75 to 85 in the others leave 0 to 5.
        (MEAN, HOUR, 28, below(MEAN, MINUTE, 40, 40, F), 30),
        # 37.5 to 52.5 in all leave 0 to 5, but 22.5 to 37.5 would leave 2.5 at most.
        (MEAN, HOUR, 14, below(MEAN, MINUTE, 20, 20, F), W),
        # Under 10 in all, of which 7.5 or more are in the other minute: 2.5 at most.
        (MEAN, HOUR, 4.5, below(MEAN, MINUTE, 10, F), W),
        # Under 10 in all, of which 5 to 7.5 are in the other minute: under 5, as was known; but 10 or more leave 2.5.
        (MEAN, HOUR, 4, below(MEAN, MINUTE, 5, F), W),
        # Under 15 in all, of which 10 to 15 are in the others: under 5, as was known. 15 and more leave 0 to 5.
        (MEAN, HOUR, 4, below(MEAN, MINUTE, 5, 5, F), F),
        # Under 10 in all: under 5 in each, and two may have that.
        (MEAN, HOUR, 0, below(MEAN, MINUTE, F, F), F),
        # Two minutes of an hour that was not told, or of one that was: under 5 in the mean, whichever.
        (MEAN, DAY, 2, below(MEAN, MINUTE, F), F),
        (MEAN, DAY, 2, [*below(MEAN, MINUTE, F, F), *below(MEAN, HOUR, F)], F),
        # 37.5 to 62.5 in five minutes, of which 30 to 50 are in the others: 0 to 5.
        (MEAN, DAY, 8.5, below(MEAN, MINUTE, 10, 10, 10, 10, F), 10),
        # Each hour is half of the mean, however many of its minutes were measured: 15 to 25 in both leave 2.5 at least.
        (
            MEAN,
            DAY,
            8,
            [*below(MEAN, HOUR, 10, F), *below(MEAN, MINUTE, 10, 10, 10), *below(MEAN, MINUTE, F, start_s=T + HOUR)],
            W,
        ),
        # The hour was withheld and says nothing, but its minutes do: 10 to 15 in all, 7.5 at most in the other.
        (MEAN, DAY, 5, [*below(MEAN, MINUTE, F, 5), *below(MEAN, HOUR, W)], W),
        # 5 to 7 in all and 4 at most in each: 1 at least.
        (SUM, DAY, 5, [*below(SUM, MINUTE, F, F), *below(SUM, HOUR, W)], W),
        # 52.5 to 87.5 in seven minutes: only 10 can be told of their mean, and it is.
        (MEAN, HOUR, 9, below(MEAN, MINUTE, 20, 20, 20, F, F, F, F), 10),
        # The hour was 112 to 117, for from 120 on it would have been told: 160 to 169 in both.
        # 160 would leave 2 at most.
        (SUM, DAY, 168, [*WITHHELD_AS_LOW, *below(SUM, HOUR, 50, start_s=T + HOUR)], 170),
        (SUM, DAY, 173, [*WITHHELD_AS_LOW, *below(SUM, HOUR, 50, start_s=T + HOUR)], W),
        # The hour was 8 to 16, for up to 7 it would have been told: 56 to 68 in both.
        (SUM, DAY, 60, [*WITHHELD_AS_HIGH, *below(SUM, HOUR, 50, start_s=T + HOUR)], 60),
        (SUM, DAY, 50, [*WITHHELD_AS_HIGH, *below(SUM, HOUR, 50, start_s=T + HOUR)], W),
        # Nothing would have been told of 56 to 68, so it may be any of them: with 92 to 108, 148 to 176 in all.
        # 175 would leave 1 at least, and 170 is next to it.
        (SUM, DAY, 165, [*WITHHELD_WHATEVER, *below(SUM, HOUR, 25, 25, 25, 25, start_s=T + HOUR)], 165),
        (SUM, DAY, 172, [*WITHHELD_WHATEVER, *below(SUM, HOUR, 25, 25, 25, 25, start_s=T + HOUR)], W),
        # The hour was 138 to 147 or 158 to 164, which is no interval, so nothing is told of the day.
        (SUM, DAY, 190, [*WITHHELD_AT_AN_END, *below(SUM, HOUR, 50, start_s=T + HOUR)], W),
        # Everything would have been told, so it was withheld for another reason: 0 to 12, and 48 to 64 in both.
        (
            SUM,
            DAY,
            55,
            [*below(SUM, MINUTE, F, F, F), *below(SUM, HOUR, W), *below(SUM, HOUR, 50, start_s=T + HOUR)],
            55,
        ),
        # A mean of 4.5 to 7.5, for from 7.5 on it would have been told; with 12.5 to 17.5, under 12.5.
        (MEAN, DAY, 12.4, [*WITHHELD_MEAN, *below(MEAN, HOUR, 15, start_s=T + HOUR)], 10),
        (MEAN, DAY, 12.6, [*WITHHELD_MEAN, *below(MEAN, HOUR, 15, start_s=T + HOUR)], W),
        # Hours that were told and a minute of another that was not: 92 to 112 in all. 90 would leave 0, and 95 is next.
        (SUM, DAY, 100, [*below(SUM, HOUR, 25, 25, 25, 25), *below(SUM, MINUTE, F, start_s=T + 4 * HOUR)], 100),
        (SUM, DAY, 97, [*below(SUM, HOUR, 25, 25, 25, 25), *below(SUM, MINUTE, F, start_s=T + 4 * HOUR)], W),
    ],
)
def test_a_long_period_is_told_unless_it_narrows_a_hidden_one(
    measure: Measure, period_s: int, value: float, parts: list[Number], expected: Told | float
) -> None:
    one = PlaceMeasures(HALL, T, T + period_s, {measure: measured(value, measure.unit)})
    for order in (parts, parts[::-1]):
        figure = staff_figures(one, AREA_M2, order)[measure]
        assert (figure.told if figure.quantity.value is None else figure.quantity.value) == expected


def hour_of(minutes: Sequence[int], hour: int) -> tuple[list[Number], dict[int, Figure]]:
    """What staff are told of minutes, and what they would be told of the hour for every sum that these can have."""
    singles = [_figure(T + HOUR * hour, MINUTE, minute, []) for minute in minutes]
    told = [
        Number(CAMERA, HALL, SUM, MINUTE, T + HOUR * hour + MINUTE * index, one) for index, one in enumerate(singles)
    ]
    sums = {sum(way) for way in itertools.product(*map(could_be, singles))}
    return told, {total: _figure(T + HOUR * hour, HOUR, total, told) for total in sums}


def _figure(start_s: int, period_s: int, crossed: int, told: list[Number]) -> Figure:
    one = PlaceMeasures(HALL, start_s, start_s + period_s, {SUM: measured(crossed, SUM.unit)})
    return staff_figures(one, None, told)[SUM]


def could_be(figure: Figure) -> range:
    """What a number can have been that is told like this."""
    value = figure.quantity.value
    return range(5) if value is None else range(max(5, int(value) - 2), int(value) + 3)


few_or_many = st.one_of(st.integers(0, 4), st.integers(0, 4), st.integers(5, 30))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(few_or_many, min_size=1, max_size=4), min_size=1, max_size=2))
@example([[4, 4]])  # withheld, and who is denied the hour must not know that nobody came in neither minute
@example([[4, 4, 2, 26], [11, 1, 14, 1]])  # an hour that is withheld is not just anything
@example([[6, 4, 4, 3], [25, 3, 3, 2, 3]])  # nor is it what would have been told of it
@example([[32, 32, 32, 32, 32, 4], [4]])
@example([[28, 20, 3, 1], [1]])
@example([[0, 9], [12, 2, 0, 4]])
def test_nothing_that_staff_are_told_or_denied_narrows_a_hidden_number(hours: list[list[int]]) -> None:
    """All ways are tried that minutes can have been, given what staff see of them, of their hours and of the day."""
    told: list[Number] = []
    ways: list[list[tuple[int, ...]]] = []
    for index, minutes in enumerate(hours):
        of_minutes, of_hour = hour_of(minutes, index)
        seen = of_hour[sum(minutes)]
        told += [*of_minutes, Number(CAMERA, HALL, SUM, HOUR, T + HOUR * index, seen)]
        possible = itertools.product(*(could_be(one.figure) for one in of_minutes))
        ways.append([way for way in possible if of_hour[sum(way)] == seen])
    sums = [{sum(way) for way in of_hour} for of_hour in ways]
    days = {total: _figure(T, DAY, total, told) for total in {sum(some) for some in itertools.product(*sums)}}
    day = days[sum(map(sum, hours))]
    for index, minutes in enumerate(hours):
        others = {sum(some) for some in itertools.product(*sums[:index], *sums[index + 1 :])}
        left = [way for way in ways[index] if any(days[sum(way) + other] == day for other in others)]
        for place, minute in enumerate(minutes):
            if minute < 5:
                assert {way[place] for way in left} == set(range(5))
        if next(one.figure.told for one in told if (one.period_s, one.start_s) == (HOUR, T + HOUR * index)) is F:
            assert {sum(way) for way in left} == sums[index]
