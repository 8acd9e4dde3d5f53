from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.private.capture.timeline import Timeline

MILLISECOND = Fraction(1, 1000)

REPAIRS = [
    # what the file says, what the frames get; a usual step is 40 ms
    ([0, 40, 80], [0, 40, 80]),
    ([7, 8, 3_000, 90_000], [7, 8, 3_000, 90_000]),  # a variable rate is kept, a long pause too
    ([None, None, None], [0, 40, 80]),  # no times at all
    ([None, 100, 140], [60, 100, 140]),  # the first one missing
    ([0, None, 80], [0, 40, 80]),
    ([0, None, 20, 40], [0, 10, 20, 40]),  # missing between close neighbours
    ([0, 40, 40, 120], [0, 40, 80, 120]),  # repeated
    ([0, 40, 40, 40, 80, 120, 160, 200], [0, 40, 80, 120, 130, 140, 160, 200]),  # more than fit: then it catches up
    ([40, 40, 40, 40], [40, 80, 120, 160]),  # a clock that stands
    ([0, 80, 40, 120], [0, 80, 100, 120]),  # slightly back
    ([0, 40, 900_000, 120, 160], [0, 40, 80, 120, 160]),  # a damaged time leaps away
    ([50_000, 50_040, 0, 40], [50_000, 50_040, 50_080, 50_120]),  # the clock starts again
    ([-80, -40, 0], [-80, -40, 0]),  # times before zero are as good as others
]


@pytest.mark.parametrize(("given_times", "expected"), REPAIRS)
def test_only_impossible_times_are_repaired(given_times: list[int | None], expected: list[int]) -> None:
    timeline = Timeline(MILLISECOND, Fraction(25))
    following = [*given_times[1:], None]
    assert [timeline.place(*pair) for pair in zip(given_times, following, strict=True)] == expected
    assert timeline.repaired == sum(a != b for a, b in zip(given_times, expected, strict=True)) or 50_120 in expected


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), max_size=60))
def test_times_always_ascend_strictly(times: list[int | None]) -> None:
    timeline = Timeline(Fraction(1, 90_000), None)
    placed = [timeline.place(*pair) for pair in zip(times, [*times[1:], None], strict=False)]
    assert placed == sorted(set(placed))


@given(st.lists(st.integers(0, 10_000), max_size=60, unique=True).map(sorted))
def test_ascending_times_are_never_touched(times: list[int]) -> None:
    timeline = Timeline(MILLISECOND, Fraction(25))
    assert [timeline.place(*pair) for pair in zip(times, [*times[1:], None], strict=False)] == times
