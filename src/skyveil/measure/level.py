"""From numbers to a level that a control room acts on: green to critical. Measure.

Density leads. Crowd pressure, stop-and-go, collective oscillation and the trend towards the critical density only raise
yellow to orange; red and critical are reached by density alone: on harmless walking in a laboratory the usual absolute
limits of pressure and trend were passed in 80 to 85 % of all seconds. A value that is only "at least" gives at least
orange, and never less than what was last measured. One that a density network estimated gives at least orange as well:
it may raise a level, but ends none while anything of the zone is past counting. Fewer than five people who are all
counted are no crowd, and raise no alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import inf
from types import MappingProxyType
from typing import Final, final

from skyveil.core.errors import MeasureRefused
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality, Quantity


@final
class Level(StrEnum):
    """How a place is. UNKNOWN ranks as orange: who sees nothing must not be at ease."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """0 green, 1 yellow, 2 orange and unknown, 3 red, 4 critical."""
        return 2 if self is Level.UNKNOWN else RISING.index(self)


RISING: Final = (Level.GREEN, Level.YELLOW, Level.ORANGE, Level.RED, Level.CRITICAL)
"""The levels by rank."""


@final
class ZoneKind(StrEnum):
    """What people do in a zone. On walkways and stairs they move, in queues and before a stage they stand."""

    WALKWAY = "walkway"
    STAIRS = "stairs"
    QUEUE = "queue"
    STANDING = "standing"


@final
@dataclass(frozen=True, slots=True)
class Thresholds:
    """Densities from which on a zone has a level, persons per m2, and how long they must hold, seconds.

    rise_s: how long a density must be there before its level is; fall_s: how long it must be gone before its level is
    left; margin: share by which the density must fall below a threshold to count as gone; stale_s: age from which on
    the level is UNKNOWN. pressure_ratio, oscillation, stop_and_go, critical_in_s: from where on these signs raise
    yellow to orange.
    """

    yellow: float
    orange: float
    red: float
    critical: float
    rise_s: float = 5.0
    fall_s: float = 60.0
    margin: float = 0.1
    stale_s: float = 15.0
    pressure_ratio: float = 3.0
    oscillation: float = 0.5
    stop_and_go: float = 0.4
    critical_in_s: float = 300.0

    def __post_init__(self) -> None:
        """Raise MeasureRefused unless the densities rise and times and shares are in range."""
        if not all(low < high for low, high in pairwise((0.0, *self.densities))):
            raise MeasureRefused("thresholds must rise from yellow to critical and be above 0 per m2")
        if min(self.rise_s, self.fall_s, self.stale_s) < 0 or not 0 <= self.margin < 1:
            raise MeasureRefused("hold times must be 0 s or more and the margin 0 to 1")

    @property
    def densities(self) -> tuple[float, float, float, float]:
        """From where on yellow, orange, red and critical begin, persons per m2."""
        return self.yellow, self.orange, self.red, self.critical


MOVING: Final = Thresholds(yellow=1.0, orange=2.5, red=3.5, critical=5.0)
"""Fruin (1993): 3.57 per m2 involuntary contact; the flow of walking people peaks at 2 to 3 per m2 (Still)."""
STANDING: Final = Thresholds(yellow=2.0, orange=4.0, red=5.0, critical=6.5)
"""Green Guide: 4.7 per m2 at most on a standing terrace; Fruin (1993): 5.55 dangerous forces, 7.1 critical; Still: 4
per m2 as in a queue, 5 "uncomfortable, above it dangerous"."""

CROWD_FROM: Final = 5
"""People from which on a zone may be orange or more, whatever its thresholds are: an alarm that one person sets off
would tell that somebody came. It is the number from which on staff are told counts (`gate.staff`)."""

DEFAULTS: Final[Mapping[ZoneKind, Thresholds]] = MappingProxyType(
    {ZoneKind.WALKWAY: MOVING, ZoneKind.STAIRS: MOVING, ZoneKind.QUEUE: STANDING, ZoneKind.STANDING: STANDING}
)
"""Thresholds by kind. Stairs have those of walkways: no source gives safety limits of their own."""


@final
@dataclass(frozen=True, slots=True)
class Reason:
    """Why a level is what it is: what was measured, from where on it counts, and the same in words and numbers."""

    measure: Measure
    value: float | None
    limit: float | None
    words: str


@final
@dataclass(frozen=True, slots=True)
class Judged:
    """What the numbers of one moment say, before any waiting."""

    level: Level
    reasons: tuple[Reason, ...]


def level_of(
    values: Mapping[Measure, Quantity],
    thresholds: Thresholds,
    *,
    current: Level = Level.GREEN,
    last: Level = Level.GREEN,
) -> Judged:
    """What one moment's numbers say of a zone.

    current: the level the zone has; its densities count as reached until they are left by the margin. last: the last
    level that was measured, below which "at least" never falls.
    """
    known = [(one, values[one]) for one in _DENSITIES if one in values and values[one].known]
    fresh = [(one, quantity) for one, quantity in known if quantity.age_s <= thresholds.stale_s]
    if not fresh:
        return Judged(Level.UNKNOWN, (_not_known(known),))
    measure, density = max(fresh, key=lambda one: one[1].value or 0.0)
    value = density.value or 0.0
    level = _by_density(value, thresholds, current)
    reasons = [_of_density(measure, value, level, thresholds)]
    estimated = [one for one in fresh if one[1].quality is Quality.ESTIMATED]
    at_least = any(quantity.quality is Quality.AT_LEAST for _, quantity in fresh)
    if estimated or at_least:
        level = max(level, Level.ORANGE, last if at_least else Level.ORANGE, key=lambda one: one.rank)
        reasons.append(_past_counting(*estimated[0]) if estimated else _past_counting(measure, density))
    signs = _signs(values, thresholds)
    if signs and level is Level.YELLOW:
        level = Level.ORANGE
    few = _few(values.get(Measure.COUNT), thresholds)
    if few is not None and level.rank > Level.YELLOW.rank and not estimated and not at_least:
        return Judged(Level.YELLOW, (*reasons, *signs, few))
    return Judged(level, (*reasons, *signs))


_DENSITIES: Final = (Measure.VORONOI_DENSITY, Measure.DENSITY, Measure.LOCAL_DENSITY_MAX)


def _by_density(value: float, thresholds: Thresholds, current: Level) -> Level:
    held = -1 if current is Level.UNKNOWN else current.rank
    level = Level.GREEN
    for rank, limit in enumerate(thresholds.densities, start=1):
        if value >= (limit * (1 - thresholds.margin) if rank <= held else limit):
            level = RISING[rank]
    return level


def _few(count: Quantity | None, thresholds: Thresholds) -> Reason | None:
    """Why a zone with so few people has no alarm; None for more, and where not all are counted or it is long ago."""
    if count is None or count.value is None or count.value >= CROWD_FROM or count.age_s > thresholds.stale_s:
        return None
    if count.quality not in (Quality.GOOD, Quality.DEGRADED):
        return None
    words = f"fewer than {CROWD_FROM} people, all of them counted, are no crowd: at most {Level.YELLOW}"
    return Reason(Measure.COUNT, count.value, CROWD_FROM, words)


def _of_density(measure: Measure, value: float, level: Level, thresholds: Thresholds) -> Reason:
    name = "hot spot" if measure is Measure.LOCAL_DENSITY_MAX else "density"
    if level is Level.GREEN:
        limit = thresholds.yellow
        return Reason(measure, value, limit, f"{name} {_said(value)} per m2, {Level.YELLOW} from {_said(limit)}")
    limit = thresholds.densities[level.rank - 1]
    return Reason(measure, value, limit, f"{name} {_said(value)} per m2, {level} from {_said(limit)}")


def _past_counting(measure: Measure, density: Quantity) -> Reason:
    value = density.value or 0.0
    said = f"at least {value:.1f} per m2"
    if density.quality is Quality.ESTIMATED:
        said = f"about {value:.1f} per m2 by the density network"
    return Reason(measure, value, None, f"past what can be counted: {said}, so at least {Level.ORANGE}")


def _said(per_m2: float) -> str:
    """A density: one digit behind the point, and two that count below one, so that no threshold is told as 0.0."""
    if per_m2 >= 1 or per_m2 == 0:
        return f"{per_m2:.1f}"
    return f"{per_m2:.2g}" if per_m2 >= 0.01 else "under 0.01"


def _not_known(known: list[tuple[Measure, Quantity]]) -> Reason:
    if not known:
        return Reason(Measure.DENSITY, None, None, "the density is not known: no picture, or no calibration")
    age_s = min(quantity.age_s for _, quantity in known)
    return Reason(known[0][0], None, None, f"the last number is {age_s:.0f} s old")


def _signs(values: Mapping[Measure, Quantity], thresholds: Thresholds) -> list[Reason]:
    """What else speaks for danger; none of it is measured where few people are."""
    found = []
    for measure, limit, words in (
        (Measure.PRESSURE_RATIO, thresholds.pressure_ratio, "crowd pressure {:.1f} times this zone's normal"),
        (Measure.OSCILLATION, thresholds.oscillation, "the crowd sways as one: {:.2f} of its motion in one period"),
        (Measure.STOP_AND_GO, thresholds.stop_and_go, "people stop and go together: {:.2f} of 1"),
    ):
        value = _value(values, measure)
        if value is not None and value >= limit:
            found.append(Reason(measure, value, limit, f"{words.format(value)}, a sign from {limit:.2g}"))
    left_s = _value(values, Measure.TIME_TO_CRITICAL)
    if left_s is not None and left_s <= thresholds.critical_in_s:
        words = f"critical in about {left_s:.0f} s if it goes on, a sign from {thresholds.critical_in_s:.0f} s"
        found.append(Reason(Measure.TIME_TO_CRITICAL, left_s, thresholds.critical_in_s, words))
    return found


def _value(values: Mapping[Measure, Quantity], measure: Measure) -> float | None:
    quantity = values.get(measure)
    return None if quantity is None or quantity.quality is Quality.AT_LEAST else quantity.value


@final
@dataclass(frozen=True, slots=True)
class LevelState:
    """The level of a zone and what it waits for; made by `begin` and `step` only.

    last: the last level that was measured. since_s: when the level began. held: for yellow to critical, whether it is
    reached; turning_s: since when the numbers say otherwise, None while they agree. measured_since_s: since when
    numbers come without a break, None while they do not.
    """

    level: Level
    last: Level
    since_s: float
    reasons: tuple[Reason, ...] = ()
    held: tuple[bool, bool, bool, bool] = (False, False, False, False)
    turning_s: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    measured_since_s: float | None = None

    @property
    def rank(self) -> int:
        """How urgent: that of the level, and of an unknown one at least that of what was last measured."""
        return max(self.level.rank, self.last.rank) if self.level is Level.UNKNOWN else self.level.rank


def begin(at_s: float, *, last: Level = Level.GREEN) -> LevelState:
    """A zone of which nothing is known yet; last: what was measured before, which is left as any level is."""
    first, second, third, fourth = (rank <= last.rank for rank in range(1, 5))
    return LevelState(Level.UNKNOWN, last, at_s, held=(first, second, third, fourth))


def step(state: LevelState, values: Mapping[Measure, Quantity], thresholds: Thresholds, *, at_s: float) -> LevelState:
    """The state after the numbers of the moment `at_s`, on any clock in seconds; set back, waits begin anew.

    A level is reached when the numbers have said so for `rise_s` without a break, and left when they have said less
    for `fall_s`. A zone without numbers is UNKNOWN at once, and stays so until numbers have come for `rise_s` again.
    """
    current = state.last if state.level is Level.UNKNOWN else state.level
    judged = level_of(values, thresholds, current=current, last=state.last)
    if judged.level is Level.UNKNOWN:
        since_s = state.since_s if state.level is Level.UNKNOWN else at_s
        return LevelState(Level.UNKNOWN, state.last, since_s, judged.reasons, held=state.held)
    began_s = at_s if state.measured_since_s is None else min(state.measured_since_s, at_s)
    held, turning_s = _turned(state, judged.level, thresholds, at_s)
    reached = max((rank for rank, one in enumerate(held, start=1) if one), default=0)
    level = RISING[reached] if at_s - began_s >= thresholds.rise_s else Level.UNKNOWN
    if state.level is not Level.UNKNOWN:
        level = RISING[reached]
    last = state.last if level is Level.UNKNOWN else level
    since_s = state.since_s if level is state.level else at_s
    return LevelState(level, last, since_s, _told(level, judged), held, turning_s, began_s)


_Held = tuple[bool, bool, bool, bool]
_Since = tuple[float | None, float | None, float | None, float | None]


def _turned(state: LevelState, level: Level, thresholds: Thresholds, at_s: float) -> tuple[_Held, _Since]:
    """Which levels are reached now, and since when the numbers say otherwise of each."""
    held: list[bool] = []
    since_s: list[float | None] = []
    for rank, (was, turning_s) in enumerate(zip(state.held, state.turning_s, strict=True), start=1):
        says = level.rank >= rank
        began_s = None if says is was else (at_s if turning_s is None else min(turning_s, at_s))
        wait_s = thresholds.rise_s if says else thresholds.fall_s
        turns = began_s is not None and at_s - began_s >= wait_s
        held.append(says if turns else was)
        since_s.append(None if turns else began_s)
    return (held[0], held[1], held[2], held[3]), (since_s[0], since_s[1], since_s[2], since_s[3])


def _told(level: Level, judged: Judged) -> tuple[Reason, ...]:
    """The reasons, with one more where the level waits for numbers to hold."""
    if level is judged.level or level is Level.UNKNOWN:
        return judged.reasons
    way = "rises" if judged.level.rank > level.rank else "falls"
    waits = Reason(Measure.DENSITY, None, None, f"{way} to {judged.level} when this holds")
    return (*judged.reasons, waits)


_SPACE_M2: Final = {
    ZoneKind.WALKWAY: (3.24, 2.32, 1.39, 0.93, 0.46),
    ZoneKind.QUEUE: (1.21, 0.93, 0.65, 0.28, 0.19),
    ZoneKind.STANDING: (1.21, 0.93, 0.65, 0.28, 0.19),
    ZoneKind.STAIRS: (1.85, 1.39, 0.93, 0.65, 0.37),
}
"""Space per person, m2, above which a level of service holds, A to E (Fruin 1971)."""


def level_of_service(density: float, kind: ZoneKind) -> str:
    """Fruin's level of service, A to F, of a density in persons per m2; a measure of comfort, not of danger."""
    space_m2 = 1 / density if density > 0 else inf
    return next((name for name, least in zip("ABCDE", _SPACE_M2[kind], strict=True) if space_m2 > least), "F")
