"""What staff are told: nothing under five, rounded to five, and no sum that tells a hidden number. Gate.

This is a threshold, not differential privacy: it hides a few people in a place from a look at a dashboard, and nobody
from someone who knows everybody else.
"""

import math
from collections.abc import Sequence
from typing import Final

from skyveil.gate.differencing import ANYTHING, Known, narrows
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import Quantity
from skyveil.public.aggregate import Figure, Number, Told, hidden

STAFF_LEAST: Final = 5
STAFF_STEP: Final = 5

SUMS: Final = (Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD)
"""Whole numbers that add up over time."""
MEANS: Final = (Measure.COUNT, Measure.QUEUE_LENGTH)
"""Persons at a time; over a period their mean. Occupancy is none of them: it is the count again, a little later."""
_FLOWS: Final = {
    Measure.FLOW_FORWARD: Measure.CROSSED_FORWARD,
    Measure.FLOW_BACKWARD: Measure.CROSSED_BACKWARD,
}
_STEPS: Final = {Measure.SPEED: (Measure.COUNT, 0.1), Measure.QUEUE_WAIT: (Measure.QUEUE_LENGTH, 30.0)}
"""Means over people: told in these steps where the number of people is told."""


def staff_figures(one: PlaceMeasures, area_m2: float | None, below: Sequence[Number]) -> dict[Measure, Figure]:
    """The figures of a place; `below` is what staff were told of shorter periods inside its span."""
    period_s = one.end_s - one.start_s
    figures = {
        measure: _persons(measure, one.values[measure], below, period_s)
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
    for measure, (counted, step) in _STEPS.items():
        if measure in one.values and counted in figures:
            figures[measure] = _stepped(one.values[measure], figures[counted], step)
    return figures


def _persons(measure: Measure, quantity: Quantity, below: Sequence[Number], period_s: float) -> Figure:
    """A number of persons, rounded or hidden."""
    if quantity.value is None:
        return hidden(Told.UNKNOWN, quantity)
    if quantity.value < STAFF_LEAST:
        figure = hidden(Told.FEWER, quantity)
    else:
        rounded = _rounded(quantity.value, STAFF_STEP)
        figure = Figure(Told.ROUNDED, Quantity(rounded, None, quantity.unit, quantity.quality, quantity.age_s))
    return hidden(Told.WITHHELD, quantity) if _tells(measure, figure, below, period_s) else figure


def _beside(count: Figure | None, queue: Figure) -> Figure:
    """The length of a queue where the count is told: where all stand it is the count."""
    if queue.told is Told.ROUNDED and (count is None or count.told is not Told.ROUNDED):
        return hidden(Told.WITHHELD, queue.quantity)
    return queue


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


def _tells(measure: Measure, figure: Figure, below: Sequence[Number], period_s: float) -> bool:
    """Whether the figure of a long period would tell a hidden one of a short period inside it."""
    parts = _known_parts(measure, below, period_s)
    return narrows(_known(measure, figure, _minutes(parts), parts))


def _known_parts(measure: Measure, below: Sequence[Number], period_s: float) -> tuple[Known, ...]:
    """What is known of the longest periods below, each with its own parts; periods nobody measured are none."""
    known = [one for one in below if one.measure is measure and one.figure.told is not Told.UNKNOWN]
    shorter = [one for one in known if one.period_s < period_s]
    if not shorter:
        return ()
    longest_s = max(one.period_s for one in shorter)
    tops = [one for one in shorter if one.period_s == longest_s]
    spans = {one.start_s for one in tops}
    loose = [one for one in shorter if one.start_s // longest_s * longest_s not in spans]
    found = []
    for top in tops:
        parts = _known_parts(measure, [one for one in shorter if top.start_s <= one.start_s < top.end_s], longest_s)
        found.append(_known(measure, top.figure, max(1, _minutes(parts)), parts))
    return (*found, *_known_parts(measure, loose, longest_s))


def _minutes(parts: Sequence[Known]) -> int:
    return sum(_minutes(part.parts) if part.parts else 1 for part in parts)


def _known(measure: Measure, figure: Figure, minutes: int, parts: tuple[Known, ...]) -> Known:
    """What a reader knows from a figure: of a sum the sum itself, of a mean the sum of its minutes' means."""
    whole = measure in SUMS
    half, most = (STAFF_STEP // 2, STAFF_LEAST - 1) if whole else (STAFF_STEP / 2, STAFF_LEAST)
    times = 1 if whole else minutes
    match figure.told, figure.quantity.value:
        case Told.ROUNDED, float() | int() as value:
            low, high = max(STAFF_LEAST, value - half), value + half
            return Known(low * times, high * times, parts=parts)
        case Told.FEWER, _:
            return Known(0.0, float(most * times), secret=True, parts=parts)
        case _:
            return Known(ANYTHING.low, ANYTHING.high, parts=parts)
