"""Density leads, other signs only escalate, and nothing unknown puts a control room at ease."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.core.errors import MeasureRefused
from skyveil.measure.level import (
    DEFAULTS,
    MOVING,
    STANDING,
    Level,
    LevelState,
    Thresholds,
    ZoneKind,
    begin,
    level_of,
    level_of_service,
    step,
)
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality, Quantity, Unit, measured, unknown

SIGNS = {
    Measure.PRESSURE_RATIO: measured(50.0, Unit.SHARE),
    Measure.OSCILLATION: measured(1.0, Unit.SHARE),
    Measure.STOP_AND_GO: measured(1.0, Unit.SHARE),
    Measure.TIME_TO_CRITICAL: measured(1.0, Unit.S),
}


def crowd(per_m2: float, *, quality: Quality = Quality.GOOD, age_s: float = 0.0) -> dict[Measure, Quantity]:
    return {Measure.VORONOI_DENSITY: Quantity(per_m2, None, Unit.PER_M2, quality, age_s)}


def run(densities: Sequence[float | None], thresholds: Thresholds = MOVING) -> list[LevelState]:
    """The states after one number a second; None where there is none."""
    state, states = begin(0.0), []
    for second, density in enumerate(densities):
        values: Mapping[Measure, Quantity] = {} if density is None else crowd(density)
        state = step(state, values, thresholds, at_s=float(second))
        states.append(state)
    return states


@pytest.mark.parametrize(
    ("kind", "per_m2", "level"),
    [
        (ZoneKind.WALKWAY, 0.99, Level.GREEN),
        (ZoneKind.WALKWAY, 1.0, Level.YELLOW),
        (ZoneKind.WALKWAY, 2.5, Level.ORANGE),
        (ZoneKind.STAIRS, 3.5, Level.RED),
        (ZoneKind.STAIRS, 5.0, Level.CRITICAL),
        (ZoneKind.STANDING, 1.99, Level.GREEN),
        (ZoneKind.QUEUE, 2.0, Level.YELLOW),
        (ZoneKind.QUEUE, 4.0, Level.ORANGE),
        (ZoneKind.STANDING, 5.0, Level.RED),
        (ZoneKind.STANDING, 6.5, Level.CRITICAL),
    ],
)
def test_density_gives_the_level_of_its_kind_of_zone(kind: ZoneKind, per_m2: float, level: Level) -> None:
    judged = level_of(crowd(per_m2), DEFAULTS[kind])
    assert judged.level is level
    said = "0.99" if per_m2 < 1 else f"{per_m2:.1f}"
    assert f"{said} per m2" in judged.reasons[0].words


def test_a_threshold_far_below_one_is_not_told_as_nothing() -> None:
    low = Thresholds(0.04, 0.08, 0.5, 1.0)
    assert level_of(crowd(0.05), low).reasons[0].words == "density 0.05 per m2, yellow from 0.04"
    assert level_of(crowd(0.0), low).reasons[0].words == "density 0.0 per m2, yellow from 0.04"
    assert level_of(crowd(3.4e-5), low).reasons[0].words == "density under 0.01 per m2, yellow from 0.04"


@settings(deadline=None)
@given(st.floats(0, 12), st.sampled_from([MOVING, STANDING]))
def test_signs_without_density_never_give_more_than_orange(per_m2: float, thresholds: Thresholds) -> None:
    plain = level_of(crowd(per_m2), thresholds).level
    signed = level_of(crowd(per_m2) | SIGNS, thresholds)
    assert signed.level is (Level.ORANGE if plain is Level.YELLOW else plain)
    assert len(signed.reasons) == 5


def test_a_hot_spot_leads_where_the_zone_as_a_whole_is_calm() -> None:
    spot = crowd(1.2) | {Measure.LOCAL_DENSITY_MAX: measured(4.0, Unit.PER_M2)}
    judged = level_of(spot, MOVING)
    assert judged.level is Level.RED
    assert judged.reasons[0].words == "hot spot 4.0 per m2, red from 3.5"


@settings(deadline=None)
@given(st.floats(0, 12), st.sampled_from(list(Level)))
def test_at_least_is_at_least_orange_and_never_below_what_was_measured(per_m2: float, last: Level) -> None:
    level = level_of(crowd(per_m2, quality=Quality.AT_LEAST), MOVING, last=last).level
    assert level is not Level.UNKNOWN
    assert level.rank >= max(Level.ORANGE.rank, last.rank)


@pytest.mark.parametrize(
    "values",
    [{}, {Measure.COUNT: measured(3, Unit.PERSONS)}, {Measure.DENSITY: unknown(Unit.PER_M2)}, crowd(0.1, age_s=15.1)],
    ids=["nothing", "a count without area", "unknown", "stale"],
)
def test_without_a_fresh_density_the_level_is_unknown_and_ranks_as_orange(values: dict[Measure, Quantity]) -> None:
    judged = level_of(values, MOVING)
    assert judged.level is Level.UNKNOWN
    assert judged.level.rank == Level.ORANGE.rank


def test_a_level_is_reached_when_it_has_held_for_five_seconds() -> None:
    states = run([0.5] * 10 + [3.6] * 10)
    assert states[14].level is Level.GREEN
    assert states[14].reasons[-1].words == "rises to red when this holds"
    assert states[15].level is Level.RED
    assert states[15].since_s == 15.0


def test_a_short_peak_raises_nothing() -> None:
    assert {state.level for state in run([0.5] * 10 + [6.0] * 5 + [0.5] * 10)[5:]} == {Level.GREEN}


def test_a_peak_raises_to_what_held_all_the_time() -> None:
    assert run([0.5] * 10 + [4.0, 2.6] * 5)[-1].level is Level.ORANGE


def test_a_level_is_left_after_a_minute_and_by_a_margin() -> None:
    states = run([3.6] * 10 + [3.3] * 100 + [3.0] * 61)
    assert {state.level for state in states[5:-1]} == {Level.RED}  # 3.3 is within 10 % of 3.5
    assert states[-1].level is Level.ORANGE


def test_nothing_is_green_before_it_was_measured_for_a_while() -> None:
    assert [state.level for state in run([0.5] * 6)] == [Level.UNKNOWN] * 5 + [Level.GREEN]


def test_an_outage_is_unknown_at_once_and_stays_as_urgent_as_what_was_last_measured() -> None:
    states = run([3.6] * 10 + [None] * 3 + [3.6] * 6)
    assert [state.level for state in states[9:]] == [Level.RED] + [Level.UNKNOWN] * 8 + [Level.RED]
    assert {state.rank for state in states[9:]} == {Level.RED.rank}
    assert states[10].reasons[0].words.startswith("the density is not known")


def test_a_zone_past_what_can_be_counted_stays_as_it_was_measured() -> None:
    state = begin(0.0)
    for second in range(10):
        state = step(state, crowd(3.6), MOVING, at_s=float(second))
    for second in range(10, 200):
        state = step(state, crowd(2.0, quality=Quality.AT_LEAST), MOVING, at_s=float(second))
    assert state.level is Level.RED


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 8)), min_size=1, max_size=60))
def test_red_was_dense_for_five_seconds_whatever_happens(densities: list[float | None]) -> None:
    """Red or critical begin only after the density has been there for `rise_s`."""
    before = Level.UNKNOWN
    for second, state in enumerate(run(densities)):
        if state.level in (Level.RED, Level.CRITICAL) and before not in (Level.RED, Level.CRITICAL, Level.UNKNOWN):
            assert all((one or 0.0) >= MOVING.red * 0.9 for one in densities[second - 5 : second + 1])
        before = state.level


@pytest.mark.parametrize("densities", [(0, 1, 2, 3), (1, 1, 2, 3), (1, 2, 4, 3)])
def test_thresholds_that_do_not_rise_are_refused(densities: tuple[float, float, float, float]) -> None:
    with pytest.raises(MeasureRefused):
        Thresholds(*densities)


@pytest.mark.parametrize(
    ("density", "kind", "level"),
    [
        (0.0, "walkway", "A"),
        (0.5, "walkway", "C"),  # 2 m2 a person
        (2.5, "walkway", "F"),
        (1.0, "queue", "B"),
        (3.0, "queue", "D"),
        (1.0, "stairs", "C"),
        (3.0, "stairs", "F"),
    ],
)
def test_levels_of_service_are_fruin_s(density: float, kind: str, level: str) -> None:
    assert level_of_service(density, ZoneKind(kind)) == level


def estimated(per_m2: float, *, boxes: float = 1.0) -> dict[Measure, Quantity]:
    """What a density network says of a zone in which boxes find fewer."""
    return {
        Measure.VORONOI_DENSITY: Quantity(boxes, None, Unit.PER_M2, Quality.AT_LEAST, 0.0),
        Measure.DENSITY: Quantity(per_m2, 0.2 * per_m2, Unit.PER_M2, Quality.ESTIMATED, 1.0),
    }


@pytest.mark.parametrize(
    ("per_m2", "level"), [(1.2, Level.ORANGE), (2.6, Level.ORANGE), (3.6, Level.RED), (5.5, Level.CRITICAL)]
)
def test_an_estimate_raises_a_level_and_never_puts_at_ease(per_m2: float, level: Level) -> None:
    judged = level_of(estimated(per_m2), MOVING)
    assert judged.level is level
    assert any("by the density network" in one.words for one in judged.reasons)


def test_a_level_does_not_fall_while_boxes_can_not_count_whatever_the_network_says() -> None:
    state = begin(0.0)
    levels = []
    for second in range(300):
        said = estimated(4.0) if second < 60 else estimated(1.0) if second < 200 else crowd(0.5)
        state = step(state, said, MOVING, at_s=float(second))
        levels.append(state.level)
    assert levels[59] is levels[199] is Level.RED
    assert levels[-1] is Level.GREEN  # boxes can count again
    alone = {Measure.DENSITY: estimated(1.0)[Measure.DENSITY]}
    assert level_of(alone, MOVING, last=Level.RED).level is Level.ORANGE


def test_the_network_is_said_to_have_seen_what_it_saw_and_not_more() -> None:
    hot = {Measure.LOCAL_DENSITY_MAX: Quantity(4.2, None, Unit.PER_M2, Quality.AT_LEAST, 0.0)}
    judged = level_of(estimated(2.6) | hot, MOVING)
    assert judged.level is Level.RED
    assert [one.words for one in judged.reasons] == [
        "hot spot 4.2 per m2, red from 3.5",
        "past what can be counted: about 2.6 per m2 by the density network, so at least orange",
    ]


def test_an_estimate_that_is_too_old_is_none() -> None:
    values = estimated(5.5) | {Measure.DENSITY: Quantity(5.5, None, Unit.PER_M2, Quality.ESTIMATED, 16.0)}
    assert level_of(values, MOVING).level is Level.ORANGE


def test_few_people_who_are_all_counted_are_no_crowd() -> None:
    def few(people: float, quality: Quality = Quality.GOOD, age_s: float = 0.0) -> Level:
        count = Quantity(people, None, Unit.PERSONS, quality, age_s)
        return level_of(SIGNS | crowd(9.0, quality=quality) | {Measure.COUNT: count}, MOVING).level

    assert few(4) is few(4, Quality.DEGRADED) is Level.YELLOW
    assert few(5) is few(4, Quality.AT_LEAST) is few(4, age_s=60.0) is Level.CRITICAL
    assert few(4, Quality.ESTIMATED) is Level.CRITICAL
