"""Who is told what of a number."""

import copy
import pickle  # noqa: TID251 (that it fails is what is tested)
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import grounds
from skyveil.gate.release import ControlRoom, Policy, Public, Staff, release, release_alarm
from skyveil.measure.level import Level, LevelState, Reason
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import Quality, Quantity, measured, unknown
from skyveil.public._seal import _Seal
from skyveil.public.aggregate import Aggregate, Figure, Number, Told, released
from skyveil.public.alarm.alarm import Alarm, sealed_alarm
from skyveil.public.audience import Audience
from skyveil.public.budget import Charge

CAMERA, HALL, GATE, DESK = CameraId("north"), PlaceId("hall"), PlaceId("gate"), PlaceId("desk")
GROUNDS = grounds(
    {HALL: np.array([[0, 0], [10, 0], [10, 5], [0, 5]], np.float64), DESK: np.eye(3)[:, :2]}, frozenset({GATE})
)
T = 1_790_000_000 // 86400 * 86400
COUNT, IN, OUT = Measure.COUNT, Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD


@dataclass
class Purse:
    """A budget that allows `left` numbers, and remembers; with `always`, noise of a test's choice."""

    left: int = 100
    always: int | None = None
    below: list[Number] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    drawn: dict[Charge, int] = field(default_factory=dict)

    def noise(self, charge: Charge, draw: Callable[[], int]) -> int | None:
        if charge not in self.drawn:
            if len(self.charges) >= self.left:
                return None
            self.charges.append(charge)
            self.drawn[charge] = draw() if self.always is None else self.always
        return self.drawn[charge]

    def told(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> Sequence[Number]:
        return [one for one in self.below if one.place == place and start_s <= one.start_s < end_s]


def place(
    name: PlaceId, values: dict[Measure, float | Quantity], *, start_s: int = T, period_s: int = 60
) -> PlaceMeasures:
    made = {key: value if isinstance(value, Quantity) else measured(value, key.unit) for key, value in values.items()}
    return PlaceMeasures(name, start_s, start_s + period_s, made)


def told(policy: Policy, one: PlaceMeasures, purse: Purse | None = None) -> dict[Measure, tuple[Told, float | None]]:
    found = release(CameraMeasures(CAMERA, (one,)), policy, purse or Purse())
    return {
        measure: (figure.told, figure.quantity.value)
        for aggregate in found
        for measure, figure in aggregate.figures.items()
    }


@pytest.mark.parametrize("policy", [ControlRoom(), Staff(GROUNDS), Public(GROUNDS)])
def test_a_policy_can_not_be_changed_afterwards(policy: Policy) -> None:
    assert not hasattr(policy, "__dict__")
    for name in ("grounds", "epsilon"):
        with pytest.raises((FrozenInstanceError, TypeError)):  # a TypeError where there is no field at all
            setattr(policy, name, None)


def test_what_the_public_is_told_begins_with_one_epsilon_an_hour_and_quarters_of_it() -> None:
    policy = Public(GROUNDS)
    assert (policy.epsilon, policy.stay_s, policy.snapshot_s, policy.bits) == (Fraction(1), 3600, 900, secrets.randbits)


def test_a_place_of_which_nothing_is_told_is_not_told_at_all() -> None:
    for policy, values in ((ControlRoom(), {}), (Staff(GROUNDS), {Measure.PRESSURE: 1.0}), (public(), {IN: 3.0})):
        one = place(HALL, dict(values))
        assert release(CameraMeasures(CAMERA, (one,)), policy, Purse()) == ()


# --- the control room -------------------------------------------------------------------------------------------------


def test_the_control_room_is_told_everything_as_it_was_measured() -> None:
    one = place(DESK, {COUNT: 3, Measure.PRESSURE: unknown(Measure.PRESSURE.unit)}, start_s=T + 1, period_s=1)
    assert told(ControlRoom(), one) == {COUNT: (Told.EXACT, 3), Measure.PRESSURE: (Told.UNKNOWN, None)}


# --- staff ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, (Told.FEWER, None)),  # nobody looks like four people
        (4, (Told.FEWER, None)),
        (4.9, (Told.FEWER, None)),
        (5, (Told.ROUNDED, 5)),
        (7, (Told.ROUNDED, 5)),
        (8, (Told.ROUNDED, 10)),
        (12.5, (Told.ROUNDED, 15)),
        (123, (Told.ROUNDED, 125)),
    ],
)
def test_staff_are_told_nothing_under_five_and_the_rest_in_fives(
    count: float, expected: tuple[Told, float | None]
) -> None:
    found = told(Staff(GROUNDS), place(HALL, {COUNT: count}))
    assert found[COUNT] == expected
    assert found[Measure.DENSITY] == (expected[0], None if expected[1] is None else expected[1] / 50)


def test_what_would_tell_the_count_is_made_from_what_is_told_or_not_told() -> None:
    values: dict[Measure, float | Quantity] = {
        COUNT: 23, Measure.DENSITY: 0.46, Measure.VORONOI_DENSITY: 0.47, Measure.LOCAL_DENSITY_MAX: 2.0,
        Measure.SPEED: 1.234, Measure.QUEUE_LENGTH: 3, Measure.QUEUE_WAIT: 100, Measure.PRESSURE: 0.01,
        Measure.MEAN_STAY: 50, Measure.WRONG_WAY_SHARE: 0.1,
    }  # fmt: skip
    assert told(Staff(GROUNDS), place(HALL, values)) == {
        COUNT: (Told.ROUNDED, 25),
        Measure.DENSITY: (Told.ROUNDED, 0.5),
        Measure.SPEED: (Told.ROUNDED, pytest.approx(1.2)),
        Measure.QUEUE_LENGTH: (Told.FEWER, None),
        Measure.QUEUE_WAIT: (Told.FEWER, None),
    }


def test_occupancy_is_not_told_because_it_is_the_count_again() -> None:
    for count, occupancy in ((4.9, 5.1), (23, 23), (4, 4)):
        found = told(Staff(GROUNDS), place(HALL, {COUNT: count, Measure.OCCUPANCY: occupancy}))
        assert set(found) == {COUNT, Measure.DENSITY}
    assert told(Staff(GROUNDS), place(HALL, {Measure.OCCUPANCY: 50})) == {}


QUEUE = Measure.QUEUE_LENGTH


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({COUNT: 23, QUEUE: 20}, (Told.ROUNDED, 20)),
        ({COUNT: 23, QUEUE: 4}, (Told.FEWER, None)),
        ({COUNT: 4, QUEUE: 4}, (Told.FEWER, None)),
        ({COUNT: 4.9, QUEUE: 5.2}, (Told.FEWER, None)),  # means of unequal parts of a minute
        # Nothing of the queue but what the count says: not even whether the queue is under five.
        ({COUNT: unknown(COUNT.unit), QUEUE: 4}, (Told.WITHHELD, None)),
        ({QUEUE: 4}, (Told.WITHHELD, None)),
        ({COUNT: unknown(COUNT.unit), QUEUE: 6}, (Told.WITHHELD, None)),
        ({QUEUE: 6}, (Told.WITHHELD, None)),
        ({COUNT: 23, QUEUE: unknown(QUEUE.unit)}, (Told.UNKNOWN, None)),
        ({COUNT: 4, QUEUE: unknown(QUEUE.unit)}, (Told.UNKNOWN, None)),
    ],
)
def test_a_queue_is_told_where_the_count_is(
    values: dict[Measure, float | Quantity], expected: tuple[Told, float | None]
) -> None:
    found = told(Staff(GROUNDS), place(HALL, {**values, Measure.QUEUE_WAIT: 100}))
    assert found[QUEUE] == expected
    assert found[Measure.QUEUE_WAIT][0] is (Told.WITHHELD if expected[0] is Told.UNKNOWN else expected[0])


def test_a_queue_does_not_tell_the_hour_that_was_withheld_of_the_count() -> None:
    """All stand, so the queue is the count; of the queue alone no minute was told, so that its hour would be."""
    one = place(HALL, {COUNT: 23, QUEUE: 23}, period_s=3600)
    below = minutes([41, 4.5], COUNT, HALL)
    assert told(Staff(GROUNDS), one, Purse(below=below))[COUNT] == (Told.WITHHELD, None)
    assert told(Staff(GROUNDS), one, Purse(below=below))[QUEUE] == (Told.WITHHELD, None)


def test_flow_is_told_as_the_rounded_crossings_are() -> None:
    found = told(Staff(GROUNDS), place(GATE, {IN: 33, Measure.FLOW_FORWARD: 0.55, OUT: 2, Measure.FLOW_BACKWARD: 0.03}))
    assert found[Measure.FLOW_FORWARD] == (Told.ROUNDED, 35 / 60)
    assert found[Measure.FLOW_BACKWARD] == (Told.FEWER, None)


def test_what_is_not_measured_is_unknown_and_what_is_too_small_a_place_is_not_told() -> None:
    found = told(Staff(GROUNDS), place(HALL, {COUNT: unknown(COUNT.unit), Measure.SPEED: unknown(Measure.SPEED.unit)}))
    assert set(found.values()) == {(Told.UNKNOWN, None)}
    without_count = told(Staff(GROUNDS), place(HALL, {COUNT: unknown(COUNT.unit), Measure.SPEED: 1.0}))
    assert without_count[Measure.SPEED] == (Told.WITHHELD, None)
    assert told(Staff(GROUNDS), place(DESK, {COUNT: 50})) == {}
    assert told(Staff(GROUNDS), place(HALL, {Measure.PRESSURE: 1.0})) == {}


def test_a_line_has_no_density_and_a_speed_without_a_count_is_not_told() -> None:
    assert told(Staff(GROUNDS), place(GATE, {COUNT: 23})) == {COUNT: (Told.ROUNDED, 25)}
    assert told(Staff(GROUNDS), place(HALL, {Measure.SPEED: 1.0})) == {}


def minutes(values: Sequence[float | None], measure: Measure, name: PlaceId, *, start_s: int = T) -> list[Number]:
    """What staff are told of minutes, one after another."""
    found = []
    for number, value in enumerate(values):
        quantity = unknown(measure.unit) if value is None else measured(value, measure.unit)
        one = place(name, {measure: quantity}, start_s=start_s + 60 * number)
        (aggregate,) = release(CameraMeasures(CAMERA, (one,)), Staff(GROUNDS), Purse())
        found.append(Number(CAMERA, name, measure, 60, start_s + 60 * number, aggregate.figures[measure]))
    return found


def hour(values: Sequence[float | None], measure: Measure = IN) -> tuple[Told, float | None]:
    """What staff are told of an hour of which these minutes were measured, or were not."""
    name = GATE if measure is IN else HALL
    known = [value for value in values if value is not None]
    whole = sum(known) if measure is IN else sum(known) / len(known)
    return told(
        Staff(GROUNDS), place(name, {measure: whole}, period_s=3600), Purse(below=minutes(values, measure, name))
    )[measure]


def test_an_hour_is_told_unless_it_tells_a_hidden_minute() -> None:
    assert hour([1] * 60) == (Told.ROUNDED, 60)
    assert hour([20] * 60) == (Told.ROUNDED, 1200)
    assert hour([0, 1] + [0] * 58) == (Told.FEWER, None)
    assert hour([7]) == (Told.ROUNDED, 5)
    assert hour([20, 3]) == (Told.WITHHELD, None)
    assert hour([4, 4]) == (Told.WITHHELD, None)


def test_a_minute_that_nobody_measured_hides_no_other() -> None:
    assert hour([4, 4, None]) == (Told.WITHHELD, None)
    assert hour([None, 20, None, 3]) == (Told.WITHHELD, None)
    assert hour([1, None] * 30) == (Told.ROUNDED, 30)


def test_an_hour_s_mean_is_told_unless_it_tells_a_hidden_minute() -> None:
    assert hour([6, 7, 30] * 20, COUNT) == (Told.ROUNDED, 15)
    assert hour([4, 6] * 30, COUNT) == (Told.ROUNDED, 5)
    assert hour([41, 4.5], COUNT) == (Told.WITHHELD, None)


def test_an_hour_of_one_direction_does_not_depend_on_the_other() -> None:
    below = [*minutes([20, 20], IN, GATE), *minutes([20, 3], OUT, GATE)]
    one = place(GATE, {IN: 40}, period_s=3600)
    assert told(Staff(GROUNDS), one, Purse(below=below))[IN] == (Told.ROUNDED, 40)


def test_a_day_does_not_tell_an_hour_that_was_hidden() -> None:
    hours = [Number(CAMERA, GATE, IN, 3600, T, Figure(Told.ROUNDED, measured(100, IN.unit)))]
    hours.append(Number(CAMERA, GATE, IN, 3600, T + 3600, Figure(Told.FEWER, unknown(IN.unit))))
    day = place(GATE, {IN: 103}, period_s=86400)
    assert told(Staff(GROUNDS), day, Purse(below=hours))[IN] == (Told.WITHHELD, None)
    hours += [Number(CAMERA, GATE, IN, 3600, T + 3600 * n, hours[1].figure) for n in range(2, 24)]
    assert told(Staff(GROUNDS), day, Purse(below=hours))[IN] == (Told.ROUNDED, 105)


def test_a_day_does_not_tell_a_minute_of_an_hour_that_was_withheld() -> None:
    below = minutes([22, 4], IN, GATE)
    withheld = Number(CAMERA, GATE, IN, 3600, T, Figure(Told.WITHHELD, unknown(IN.unit)))
    other = Number(CAMERA, GATE, IN, 3600, T + 3600, Figure(Told.ROUNDED, measured(50, IN.unit)))
    day = place(GATE, {IN: 78}, period_s=86400)
    for hours in ([withheld, other], [other], [withheld, other, *minutes([0] * 60, IN, GATE, start_s=T + 3600)]):
        assert told(Staff(GROUNDS), day, Purse(below=[*below, *hours]))[IN] == (Told.WITHHELD, None)


@pytest.mark.parametrize(("start_s", "period_s"), [(T + 1, 60), (T, 61), (T + 60, 3600), (T, 900), (T, 1)])
def test_staff_and_the_public_are_told_whole_periods_only(start_s: int, period_s: int) -> None:
    one = place(GATE, {IN: 9}, start_s=start_s, period_s=period_s)
    for policy in (Staff(GROUNDS), Public(GROUNDS, snapshot_s=1800)):
        with pytest.raises(BoundaryViolated, match="whole periods"):
            told(policy, one)


# --- the public -------------------------------------------------------------------------------------------------------


def public(stay_s: int = 3600) -> Public:
    return Public(GROUNDS, stay_s=stay_s, bits=random.Random(3).getrandbits)  # noqa: S311 (a test repeats)


@pytest.mark.parametrize("period_s", [60, 3600, 86400])
def test_crossings_cost_a_third_of_epsilon_at_each_period(period_s: int) -> None:
    purse = Purse()
    found = told(public(), place(GATE, {IN: 5, OUT: 0, COUNT: 3, Measure.FLOW_FORWARD: 1.0}, period_s=period_s), purse)
    assert set(found) == {IN, OUT} and {how for how, _ in found.values()} == {Told.NOISY}
    assert [(one.measure, one.period_s, one.sensitivity, one.epsilon) for one in purse.charges] == [
        (measure, period_s, 1, Fraction(1, 3)) for measure in (IN, OUT)
    ]


@pytest.mark.parametrize(("stay_s", "sensitivity"), [(3600, 5), (899, 1), (900, 2), (60, 1), (7200, 9)])
def test_a_snapshot_counts_a_visit_as_often_as_it_is_there(stay_s: int, sensitivity: int) -> None:
    purse = Purse()
    found = told(public(stay_s=stay_s), place(HALL, {COUNT: 40, IN: 3}, period_s=900), purse)
    assert set(found) == {COUNT}
    assert [(one.sensitivity, one.epsilon) for one in purse.charges] == [(sensitivity, Fraction(1))]


def test_zones_have_snapshots_only_and_lines_have_none() -> None:
    assert told(public(), place(HALL, {COUNT: 40}, period_s=60)) == {}
    assert told(public(), place(GATE, {IN: 40}, period_s=900)) == {}
    assert told(public(), place(DESK, {COUNT: 40}, period_s=900)) == {}


def test_the_noise_is_that_of_the_charge_and_is_not_drawn_again() -> None:
    purse, one = Purse(), place(GATE, {IN: 500})
    first = told(public(), one, purse)
    assert told(public(), one, purse) == first
    noise = next(iter(purse.drawn.values()))
    assert first[IN] == (Told.NOISY, 500 + noise)
    (figure,) = release(CameraMeasures(CAMERA, (one,)), public(), purse)[0].figures.values()
    # Canonne, Kamath, Steinke 2020: variance 2 p / (1 - p)^2, here with scale 3.
    assert figure.quantity.sigma == pytest.approx(4.2, abs=0.05)


def test_the_noise_is_made_of_the_bits_of_the_policy() -> None:
    purses = [Purse(), Purse()]
    for purse in purses:
        policy = public()
        for minute in range(10):
            told(policy, place(GATE, {IN: 500}, start_s=T + 60 * minute), purse)
    assert purses[0].drawn == purses[1].drawn and len(set(purses[0].drawn.values())) > 2


def test_a_negative_number_is_told_as_none_and_a_small_one_is_told() -> None:
    for noise, expected in ((-7, 0.0), (0, 3.0), (2, 5.0)):
        assert told(public(), place(GATE, {IN: 3}), Purse(always=noise))[IN] == (Told.NOISY, expected)


def test_one_visit_more_changes_the_number_by_one_at_most() -> None:
    for value in (0.0, 0.5, 1.5, 2.49, 2.5):
        found = []
        for more in (0.0, 1.0):
            one = place(HALL, {COUNT: value + more}, period_s=900)
            found.append(told(public(), one, Purse(always=0))[COUNT][1])
        assert found[0] is not None and found[1] is not None and found[1] - found[0] == 1


def test_how_good_a_public_number_is_said_to_be_depends_on_nobody() -> None:
    seen = set()
    for quality in (Quality.GOOD, Quality.DEGRADED, Quality.AT_LEAST):
        one = place(HALL, {COUNT: Quantity(9, 1.0, COUNT.unit, quality, 3.0)}, period_s=900)
        (aggregate,) = release(CameraMeasures(CAMERA, (one,)), public(), Purse())
        quantity = aggregate.figures[COUNT].quantity
        seen.add((quantity.quality, quantity.sigma, quantity.age_s))
    assert len(seen) == 1


def test_nothing_is_told_or_charged_when_the_budget_is_spent_or_nothing_was_measured() -> None:
    purse = Purse(left=1)
    assert set(told(public(), place(GATE, {IN: 5, OUT: 5}), purse)) == {IN}
    assert told(public(), place(GATE, {IN: 5}, start_s=T + 60), purse) == {}
    nothing = Purse()
    assert told(public(), place(GATE, {IN: unknown(IN.unit)}), nothing) == {} and not nothing.charges


@pytest.mark.parametrize("epsilon", [Fraction(0), Fraction(-1), Fraction(21, 10)])
def test_an_epsilon_that_promises_nothing_is_refused(epsilon: Fraction) -> None:
    with pytest.raises(SettingsRefused, match="epsilon"):
        Public(GROUNDS, epsilon=epsilon)


@pytest.mark.parametrize(("stay_s", "snapshot_s"), [(59, 900), (3600, 60), (3600, 3600), (3600, 700)])
def test_times_that_promise_nothing_are_refused(stay_s: int, snapshot_s: int) -> None:
    with pytest.raises(SettingsRefused, match="snapshot_s"):
        Public(GROUNDS, stay_s=stay_s, snapshot_s=snapshot_s)


# --- alarms and seals -------------------------------------------------------------------------------------------------

RED = LevelState(Level.RED, Level.RED, 5.0, (Reason(Measure.DENSITY, 5.2, 5.0, "density 5.2 per m2"),))


@pytest.mark.parametrize(
    ("values", "notice"),
    [
        ({COUNT: 5}, ("density 5.2 per m2",)),
        ({COUNT: 4}, ()),
        ({COUNT: unknown(COUNT.unit)}, ()),
        ({}, ()),
    ],
)
def test_words_that_leave_the_control_room_tell_no_count_under_five(
    values: dict[Measure, float | Quantity], notice: tuple[str, ...]
) -> None:
    alarm = release_alarm(CAMERA, place(HALL, values), RED)
    assert sealed_alarm(alarm) is alarm
    assert (alarm.level, alarm.rank, alarm.since_s, alarm.drill) == (Level.RED, 3, 5.0, False)
    assert alarm.reasons == ("density 5.2 per m2",) and alarm.notice == notice
    assert "5.2" not in repr(alarm)


def an_aggregate() -> Aggregate:
    return release(CameraMeasures(CAMERA, (place(HALL, {COUNT: 3}),)), ControlRoom(), Purse())[0]


def test_a_sink_takes_what_was_released_for_its_audience_only() -> None:
    one = an_aggregate()
    assert released(one, Audience.CONTROL_ROOM) is one
    with pytest.raises(BoundaryViolated, match="numbers for control_room were about to reach staff, public"):
        released(one, Audience.STAFF, Audience.PUBLIC)
    for thing in (None, 5, object.__new__(Aggregate), place(HALL, {COUNT: 3})):
        with pytest.raises(BoundaryViolated, match="expected an Aggregate"):
            released(thing, *Audience)
    for other in (None, object.__new__(Alarm), RED):
        with pytest.raises(BoundaryViolated, match="expected an Alarm"):
            sealed_alarm(other)


def test_a_seal_of_one_s_own_making_is_refused() -> None:
    with pytest.raises(BoundaryViolated, match=r"made by gate\.release only"):
        Aggregate(Audience.PUBLIC, CAMERA, HALL, start_s=0, end_s=1, figures={}, seal=_Seal())
    with pytest.raises(BoundaryViolated, match=r"made by gate\.release only"):
        Alarm(
            CAMERA, HALL, Level.RED, rank=3, since_s=0, reasons=(), notice=(), drill=False, seal=_Seal()
        )  # fmt: skip


@pytest.mark.parametrize("escape", [pickle.dumps, copy.copy, copy.deepcopy])
def test_neither_can_be_pickled_copied_changed_or_subclassed(escape: Callable[[object], object]) -> None:
    for thing in (an_aggregate(), release_alarm(CAMERA, place(HALL, {}), RED)):
        with pytest.raises(BoundaryViolated, match="pickled or copied"):
            escape(thing)
        with pytest.raises(BoundaryViolated, match="can not be set"):
            setattr(thing, "place", "other")  # noqa: B010 (the type forbids it)
        with pytest.raises(BoundaryViolated, match="can not be deleted"):
            delattr(thing, "place")
        with pytest.raises(BoundaryViolated, match="subclassed"):
            type("Open", (type(thing),), {})
        assert not hasattr(thing, "__dict__")


def test_figures_can_not_be_changed_and_say_what_they_are() -> None:
    one = an_aggregate()
    with pytest.raises(TypeError):
        one.figures[COUNT] = Figure(Told.EXACT, measured(1, COUNT.unit))  # type: ignore[index]
    assert one == an_aggregate() and hash(one) == hash(an_aggregate())
    assert one != release(CameraMeasures(CAMERA, (place(HALL, {COUNT: 4}),)), ControlRoom(), Purse())[0]
    assert "3" not in repr(one).replace("1789", "")
    for how, quantity in ((Told.FEWER, measured(3, COUNT.unit)), (Told.EXACT, unknown(COUNT.unit))):
        with pytest.raises(BoundaryViolated, match="has a value or lacks one"):
            Figure(how, quantity)
