"""Many short spans of a place as one long one. Measure."""

import math
from collections.abc import Sequence
from typing import Final

from skyveil.core.errors import MeasureRefused
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import Quality, Quantity, unknown, worst

SUMS: Final = frozenset({Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD})
"""Events: they add up."""
PEAKS: Final = frozenset({Measure.LOCAL_DENSITY_MAX, Measure.PRESSURE_RATIO, Measure.STOP_AND_GO, Measure.OSCILLATION})
"""What matters at its worst: the largest counts. Of TIME_TO_CRITICAL the smallest does; others are means over time."""
COVERED: Final = 0.9
"""Share of a span that must have been measured for its value to be as good as its parts were."""


def rolled_up(parts: Sequence[PlaceMeasures], *, start_s: float, end_s: float) -> PlaceMeasures:
    """The measures of one place from `start_s` to `end_s`, made from those of spans inside, in any order.

    Spans without a value are left out; where they are many, the quality says so. The error of a sum takes its parts'
    errors as independent, that of a mean as the same throughout. Raises MeasureRefused for no parts or another place's.
    """
    if not parts or any(one.place != parts[0].place for one in parts):
        raise MeasureRefused("spans of exactly one place can be rolled up")
    measures = sorted({measure for part in parts for measure in part.values})
    values = {measure: _value(measure, parts, end_s - start_s) for measure in measures}
    return PlaceMeasures(parts[0].place, start_s, end_s, values)


def _value(measure: Measure, parts: Sequence[PlaceMeasures], length_s: float) -> Quantity:
    known = [
        (part.values[measure], value, part.end_s - part.start_s)
        for part in parts
        if measure in part.values and (value := part.values[measure].value) is not None
    ]
    if not known:
        return unknown(measure.unit)
    lengths = [one_s for _, _, one_s in known]
    quality = worst(quantity.quality for quantity, _, _ in known)
    if quality is Quality.GOOD and math.fsum(lengths) < COVERED * length_s:
        quality = Quality.DEGRADED
    value = _combined(measure, [value for _, value, _ in known], lengths)
    return Quantity(value, _sigma(measure, [one for one, _, _ in known]), measure.unit, quality, 0.0)


def _combined(measure: Measure, values: Sequence[float], lengths_s: Sequence[float]) -> float:
    if measure in SUMS:
        return math.fsum(values)
    if measure in PEAKS:
        return max(values)
    if measure is Measure.TIME_TO_CRITICAL:
        return min(values)
    return math.fsum(v * s for v, s in zip(values, lengths_s, strict=True)) / math.fsum(lengths_s)


def _sigma(measure: Measure, quantities: Sequence[Quantity]) -> float | None:
    sigmas = [one.sigma for one in quantities if one.sigma is not None]
    if len(sigmas) < len(quantities):
        return None
    return math.hypot(*sigmas) if measure in SUMS else math.fsum(sigmas) / len(sigmas)
