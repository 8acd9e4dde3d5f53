"""What staff are told: nothing under five, rounded to five, and no sum that tells a hidden number. Gate.

This is a threshold, not differential privacy: it hides a few people in a place from a look at a dashboard, and nobody
from someone who knows everybody else.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from skyveil.gate.differencing import ANYTHING, Known, narrows, reach
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import Quantity
from skyveil.public.aggregate import Figure, Number, Told, hidden

STAFF_LEAST: Final = 5
STAFF_STEP: Final = 5
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600

SUMS: Final = (Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD)
"""Whole numbers that add up over time."""
MEANS: Final = (Measure.COUNT, Measure.QUEUE_LENGTH)
"""Persons at a time; over a period their mean. Occupancy is none of them: it is the count again, a little later."""
_FLOWS: Final = {
    Measure.FLOW_FORWARD: Measure.CROSSED_FORWARD,
    Measure.FLOW_BACKWARD: Measure.CROSSED_BACKWARD,
}
_ROUNDED: Final = {Measure.SPEED: (Measure.COUNT, 0.1), Measure.QUEUE_WAIT: (Measure.QUEUE_LENGTH, 30.0)}
"""Means over people: told in these steps where the number of people is told."""


def staff_figures(one: PlaceMeasures, area_m2: float | None, below: Sequence[Number]) -> dict[Measure, Figure]:
    """The figures of a place; `below` is what staff were told of shorter periods inside its span."""
    period_s = one.end_s - one.start_s
    figures = {
        measure: _persons(measure, one.values[measure], _parts(measure, below, period_s))
        for measure in (*SUMS, *MEANS)
        if measure in one.values
    }
    queue = figures.get(Measure.QUEUE_LENGTH)
    if queue is not None:
        figures[Measure.QUEUE_LENGTH] = _beside(figures.get(Measure.COUNT), queue)
    for measure, counted in _FLOWS.items():
        if counted in figures:
            figures[measure] = _derived(figures[counted], measure, period_s)
    if area_m2 is not None and Measure.COUNT in figures:
        figures[Measure.DENSITY] = _derived(figures[Measure.COUNT], Measure.DENSITY, area_m2)
    for measure, (counted, step) in _ROUNDED.items():
        if measure in one.values and counted in figures:
            figures[measure] = _stepped(one.values[measure], figures[counted], step)
    return figures


def _persons(measure: Measure, quantity: Quantity, parts: tuple[Known, ...]) -> Figure:
    """A number of persons, rounded or hidden."""
    if quantity.value is None:
        return hidden(Told.UNKNOWN, quantity)
    step = _step(quantity.value)
    if step not in _steps(measure, parts)[1]:
        return hidden(Told.WITHHELD, quantity)
    if step == 0:
        return hidden(Told.FEWER, quantity)
    rounded = float(step * STAFF_STEP)
    return Figure(Told.ROUNDED, Quantity(rounded, None, quantity.unit, quantity.quality, quantity.age_s))


def _step(persons: float) -> int:
    """Which figure tells so many: 0 is fewer than five, others are fives."""
    return 0 if persons < STAFF_LEAST else round(_rounded(persons, STAFF_STEP) / STAFF_STEP)


def _beside(count: Figure | None, queue: Figure) -> Figure:
    """The length of a queue where the count is told, else what that says of it: where all stand it is the count."""
    if queue.told not in {Told.ROUNDED, Told.FEWER} or (count is not None and count.told is Told.ROUNDED):
        return queue
    return hidden(Told.FEWER if count is not None and count.told is Told.FEWER else Told.WITHHELD, queue.quantity)


def _rounded(value: float, step: float) -> float:
    return float(math.floor(value / step + 0.5) * step)


def _derived(persons: Figure, measure: Measure, divisor: float) -> Figure:
    """A rate or density made from the number that is told, so that it tells nothing else."""
    told = persons.quantity
    value = None if told.value is None else told.value / divisor
    return Figure(persons.told, Quantity(value, None, measure.unit, told.quality, told.age_s))


def _stepped(quantity: Quantity, persons: Figure, step: float) -> Figure:
    if quantity.value is None:
        return hidden(Told.UNKNOWN, quantity)
    if persons.told is not Told.ROUNDED:
        return hidden(persons.told if persons.told is not Told.UNKNOWN else Told.WITHHELD, quantity)
    value = _rounded(quantity.value, step)
    return Figure(Told.ROUNDED, Quantity(value, None, quantity.unit, quantity.quality, quantity.age_s))


# --- sums -------------------------------------------------------------------------------------------------------------


_LARGE: Final = 1e9
"""More persons than any number tells of."""
_NO_INTERVAL: Final = Known(_LARGE, 0.0)
_SLACK: Final = 1e-9
"""Sums of means are as exact as floating point, and end before the next figure begins."""


def _steps(measure: Measure, parts: tuple[Known, ...], weight: float = 1.0) -> tuple[range, range]:
    """The figures of a period that its parts leave possible, and those of them that are told.

    What narrows a hidden part is not told. Whoever is denied it knows that it is one of those, so the next figure that
    narrows nothing is not told either: what is not told leaves every hidden part as it was, too. Which figures these
    are depends on what was told of the parts alone.
    """
    low, high = (min(bound, _LARGE) / weight for bound in reach(parts))
    possible = range(_step(low + _SLACK), _step(high - _SLACK) + 1)

    def tells(step: int) -> bool:
        return narrows(replace(_range(measure, step, weight), parts=parts))

    first = next((step for step in possible if not tells(step)), None)
    if first is None:
        return possible, range(0)
    last = next(step for step in reversed(possible) if not tells(step))
    return possible, range(
        first if first == possible.start else first + 1, last + 1 if last + 1 == possible.stop else last
    )


def _parts(measure: Measure, below: Sequence[Number], period_s: float, weight: float = 1.0) -> tuple[Known, ...]:
    """What is known of the hours of a day or the minutes of an hour, each with its own parts.

    weight: of the whole, which for a mean its parts share. Periods that nobody measured add nothing, and are none.
    """
    part_s = _HOUR_S if period_s > _HOUR_S else _MINUTE_S
    periods: dict[int, list[Number]] = defaultdict(list)
    for one in below:
        if one.measure is measure and one.period_s < period_s and one.figure.told is not Told.UNKNOWN:
            periods[one.start_s // part_s].append(one)
    share = weight if measure in SUMS else weight / max(1, len(periods))
    return tuple(_known(measure, numbers, part_s, share) for numbers in periods.values())


def _known(measure: Measure, numbers: Sequence[Number], period_s: int, weight: float) -> Known:
    """What a reader knows of a period from its figure, if it has one, and from those of shorter ones inside it."""
    parts = _parts(measure, numbers, period_s, weight)
    figure = next((one.figure for one in numbers if one.period_s == period_s), None)
    if figure is None:
        return replace(ANYTHING, parts=parts)
    if figure.told is Told.WITHHELD:
        return replace(_denied(measure, parts, weight), parts=parts)
    return replace(_range(measure, _step(figure.quantity.value or 0.0), weight), parts=parts)


def _denied(measure: Measure, parts: tuple[Known, ...], weight: float) -> Known:
    """What a reader knows of a number that was withheld: it is under, or over, those that would be told.

    Where it may be either it is no interval, and nothing that it is part of is told.
    """
    possible, told = _steps(measure, parts, weight)
    under, over = told.start > possible.start, told.stop < possible.stop
    if not told or not (under or over):
        return ANYTHING
    if under and over:
        return _NO_INTERVAL
    if under:
        return replace(ANYTHING, high=_range(measure, told.start - 1, weight).high)
    return replace(ANYTHING, low=_range(measure, told.stop, weight).low)


def _range(measure: Measure, step: int, weight: float) -> Known:
    """What a figure tells by itself."""
    half, most = (STAFF_STEP // 2, STAFF_LEAST - 1) if measure in SUMS else (STAFF_STEP / 2, STAFF_LEAST)
    if step == 0:
        return Known(0.0, most * weight, secret=True)
    value = step * STAFF_STEP
    return Known(max(STAFF_LEAST, value - half) * weight, (value + half) * weight)
