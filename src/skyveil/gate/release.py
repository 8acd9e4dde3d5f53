"""The door for numbers. Gate: takes what was measured, and seals what one audience may have of it.

docs/reference/numbers.md tells for every measure who is told what, docs/concept/anonymous-numbers.md why.
"""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias, final

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.ids import CameraId
from skyveil.gate.grounds import Grounds
from skyveil.gate.laplace import Bits, discrete_laplace
from skyveil.gate.staff import STAFF_LEAST, SUMS, staff_figures
from skyveil.measure.level import LevelState
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import Quality, Quantity
from skyveil.public._seal import SEAL
from skyveil.public.aggregate import Aggregate, Figure, Told
from skyveil.public.alarm.alarm import Alarm
from skyveil.public.audience import Audience
from skyveil.public.budget import DAY_S, EPSILON_PER_VISIT_DAY, Budget, Charge

FLOW_PERIODS_S: Final = (60, 3600, DAY_S)


@final
@dataclass(frozen=True, slots=True)
class ControlRoom:
    """Everything, as it was measured. No differential privacy: who is told sees the redacted picture anyway."""


@final
@dataclass(frozen=True, slots=True)
class Staff:
    """Nothing under five, rounded to five, and no sum that gives a hidden number away. No differential privacy."""

    grounds: Grounds


@final
@dataclass(frozen=True, slots=True)
class Public:
    """Crossings of lines by minute, hour and day, and counts in zones at moments `snapshot_s` apart, with noise.

    epsilon: what one line and direction, or one zone, may tell of one visit in a day; of a line each of the three
    periods takes a third. stay_s: the longest visit that this holds for. bits: where randomness comes from, the
    system unless in a test.
    """

    grounds: Grounds
    epsilon: Fraction = Fraction(1)
    stay_s: int = 3600
    snapshot_s: int = 900
    bits: Bits = secrets.randbits

    def __post_init__(self) -> None:
        """Raise SettingsRefused for numbers that no promise could be made with."""
        if not 0 < self.epsilon <= EPSILON_PER_VISIT_DAY:
            raise SettingsRefused(f"epsilon must be above 0 and at most 2, got {self.epsilon}")
        if self.stay_s < 60 or not 60 < self.snapshot_s < 3600 or 3600 % self.snapshot_s:
            raise SettingsRefused("stay_s must be 60 or more, and snapshot_s above 60 and a whole part of an hour")


Policy: TypeAlias = ControlRoom | Staff | Public


def release(measures: CameraMeasures, policy: Policy, budget: Budget) -> tuple[Aggregate, ...]:
    """What an audience may have of the measures of a camera; nothing for a place it may not be told of.

    For staff and the public `measures` span a whole period of which `start_s` is a multiple: 60, 3600 or 86400 s, and
    for the public's counts `snapshot_s`, with the count at its end. Raises BoundaryViolated for another span.
    """
    made = (_told(measures.camera, one, policy, budget) for one in measures.places)
    return tuple(one for one in made if one is not None)


def _told(camera: CameraId, one: PlaceMeasures, policy: Policy, budget: Budget) -> Aggregate | None:
    match policy:
        case ControlRoom():
            return _sealed(Audience.CONTROL_ROOM, camera, one, _exact(one))
        case Staff(grounds=grounds) if one.place in grounds:
            start_s, period_s = _period(one, FLOW_PERIODS_S)
            below = budget.told(camera, one.place, start_s, start_s + period_s)
            figures = staff_figures(one, grounds.areas_m2.get(one.place), below)
            return _sealed(Audience.STAFF, camera, one, figures)
        case Public(grounds=grounds) if one.place in grounds:
            return _sealed(Audience.PUBLIC, camera, one, _noisy(camera, one, policy, budget))
        case _:
            return None


def _sealed(
    audience: Audience, camera: CameraId, one: PlaceMeasures, figures: Mapping[Measure, Figure]
) -> Aggregate | None:
    if not figures:
        return None
    return Aggregate(audience, camera, one.place, start_s=one.start_s, end_s=one.end_s, figures=figures, seal=SEAL)


def _exact(one: PlaceMeasures) -> dict[Measure, Figure]:
    return {
        measure: Figure(Told.EXACT if quantity.known else Told.UNKNOWN, quantity)
        for measure, quantity in one.values.items()
    }


def _period(one: PlaceMeasures, allowed_s: tuple[int, ...]) -> tuple[int, int]:
    """Start and length of a span, which must be one of the allowed periods."""
    start_s, period_s = round(one.start_s), round(one.end_s - one.start_s)
    if (start_s, start_s + period_s) != (one.start_s, one.end_s) or period_s not in allowed_s or start_s % period_s:
        raise BoundaryViolated(f"numbers for staff and the public are of whole periods, got {one.place}")
    return start_s, period_s


# --- the public -------------------------------------------------------------------------------------------------------


def _noisy(camera: CameraId, one: PlaceMeasures, policy: Public, budget: Budget) -> dict[Measure, Figure]:
    """Numbers with noise; one is missing when it was not measured, is published already, or the budget is spent."""
    start_s, period_s = _period(one, (*FLOW_PERIODS_S, policy.snapshot_s))
    figures: dict[Measure, Figure] = {}
    for measure in _asked(one, policy, period_s):
        quantity = one.values.get(measure)
        if quantity is None or quantity.value is None:
            continue
        charge = _charge(camera, one, measure, policy, start_s=start_s, period_s=period_s)
        figure = _with_noise(quantity.value, charge, policy, budget)
        if figure is not None:
            figures[measure] = figure
    return figures


def _asked(one: PlaceMeasures, policy: Public, period_s: int) -> tuple[Measure, ...]:
    if one.place in policy.grounds.lines:
        return SUMS if period_s in FLOW_PERIODS_S else ()
    return (Measure.COUNT,) if period_s == policy.snapshot_s else ()


def _charge(
    camera: CameraId, one: PlaceMeasures, measure: Measure, policy: Public, *, start_s: int, period_s: int
) -> Charge:
    """What the series costs: a visit crosses a line in one direction once, and is there at so many snapshots."""
    if measure is Measure.COUNT:
        sensitivity, epsilon = policy.stay_s // policy.snapshot_s + 1, policy.epsilon
    else:
        sensitivity, epsilon = 1, policy.epsilon / len(FLOW_PERIODS_S)
    return Charge(camera, one.place, measure, period_s, start_s, sensitivity, epsilon)


def _with_noise(exact: float, charge: Charge, policy: Public, budget: Budget) -> Figure | None:
    """The number with its noise, or None.

    Whether it is told, and as how good, depends on nobody: neither small nor uncertain numbers are left out.
    """
    scale = Fraction(charge.sensitivity) / charge.epsilon
    noise = budget.noise(charge, lambda: discrete_laplace(scale, policy.bits))
    if noise is None:
        return None
    # Not round(): it rounds halves to even, so that one visit more could change the number by two.
    value = max(0, math.floor(exact + 0.5) + noise)
    return Figure(Told.NOISY, Quantity(float(value), _sd(scale), charge.measure.unit, Quality.DEGRADED, 0.0))


def _sd(scale: Fraction) -> float:
    """Standard deviation of discrete Laplace noise: sqrt(2 p) / (1 - p) with p = exp(-1 / scale)."""
    p = math.exp(-1 / scale)
    return math.sqrt(2 * p) / (1 - p)


# --- alarms -----------------------------------------------------------------------------------------------------------


def release_alarm(camera: CameraId, measures: PlaceMeasures, state: LevelState, *, drill: bool = False) -> Alarm:
    """The level of a place, with its reasons for the control room, and the words that may leave it.

    What leaves has numbers only when at least five people are known to be there: a density and an area give a count.
    """
    count = measures.values.get(Measure.COUNT)
    many = count is not None and count.value is not None and count.value >= STAFF_LEAST
    words = tuple(reason.words for reason in state.reasons)
    return Alarm(
        camera,
        measures.place,
        state.level,
        rank=state.rank,
        since_s=state.since_s,
        reasons=words,
        notice=words if many else (),
        drill=drill,
        seal=SEAL,
    )
