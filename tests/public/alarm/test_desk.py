"""The alarm desk: what is raised, who is told, and what happens when nobody answers."""

from collections.abc import Sequence
from datetime import time
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release import release_alarm
from skyveil.measure.level import Level, LevelState, Reason
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import measured
from skyveil.public.alarm.alarm import Alarm
from skyveil.public.alarm.desk import AGAIN_S, DRILL_S, GROWS_S, Desk
from skyveil.public.alarm.event import AlarmEvent, Happened
from skyveil.public.alarm.outages import BACK_S, OFTEN_BACK_S, SPAN_S, Outage, Outages, outages_of
from skyveil.public.alarm.quiet import QuietHours

HALL = PlaceId("hall")
T = 1_790_000_000.0
NOON, MIDNIGHT = 1_789_992_000.0, 1_790_035_200.0
"""2026-09-21, 12:00 and 24:00 UTC."""
NIGHT = QuietHours(time(22), time(6), ZoneInfo("UTC"))


def alarm(
    level: Level, *, camera: str = "north", last: Level = Level.GREEN, many: int = 50, drill: bool = False
) -> tuple[str, Alarm]:
    reason = Reason(Measure.DENSITY, 5.2, 5.0, "density 5.2 per m2, red from 5.0")
    state = LevelState(level, last, T, (reason,))
    measures = PlaceMeasures(HALL, T, T + 1, {Measure.COUNT: measured(many, Measure.COUNT.unit)})
    return "Main hall", release_alarm(CameraId(camera), measures, state, drill=drill)


def out(*cameras: str, group: str = "") -> list[Outage]:
    return [Outage(CameraId(one), group or one, group.title() or one, "the connection was lost") for one in cameras]


def desk(quiet: QuietHours | None = None) -> Desk:
    numbers = count(1)
    return Desk(escalate_s=120, quiet=quiet, new_id=lambda: f"alarm-{next(numbers)}")


def said(events: Sequence[AlarmEvent]) -> list[tuple[str, str, bool]]:
    return [(one.happened.value, one.alarm.level.value, one.told) for one in events]


def test_orange_opens_an_alarm_and_what_is_below_does_not() -> None:
    one = desk()
    assert one.update([alarm(Level.YELLOW)], [], at_s=T) == [] and one.alarms() == []
    assert said(one.update([alarm(Level.ORANGE)], [], at_s=T + 1)) == [("raised", "orange", True)]
    assert one.update([alarm(Level.ORANGE)], [], at_s=T + 2) == []
    assert said(one.update([alarm(Level.RED)], [], at_s=T + 3)) == [("rose", "red", True)]
    assert said(one.update([alarm(Level.ORANGE)], [], at_s=T + 4)) == [("fell", "orange", False)]
    assert said(one.update([alarm(Level.GREEN)], [], at_s=T + 5)) == [("cleared", "orange", True)]
    assert one.alarms() == []


def test_an_alarm_gives_its_reasons_in_words_and_numbers() -> None:
    (event,) = desk().update([alarm(Level.RED)], [], at_s=T)
    assert event.alarm.headline == "RED: Main hall"
    assert event.alarm.reasons == ("density 5.2 per m2, red from 5.0",) == event.alarm.words
    (few,) = desk().update([alarm(Level.RED, many=4)], [], at_s=T)
    assert few.alarm.reasons and not few.alarm.words


def test_unknown_ranks_as_orange_and_as_what_was_last_measured() -> None:
    one = desk()
    (event,) = one.update([alarm(Level.UNKNOWN)], [], at_s=T)
    assert (event.happened, event.alarm.rank) == (Happened.RAISED, 2)
    (event,) = desk().update([alarm(Level.UNKNOWN, last=Level.CRITICAL)], [], at_s=T)
    assert event.alarm.rank == 4


def test_the_outage_of_one_switch_is_one_alarm() -> None:
    one = desk()
    lost = ["a", "b", "c"]
    levels = [alarm(Level.UNKNOWN, camera=name) for name in lost]
    events = one.update(levels, out(*lost, group="platform"), at_s=T)
    assert said(events) == [("raised", "unknown", True)]
    assert events[0].alarm.reasons == ("3 cameras without numbers: a, b, c", "the connection was lost")
    assert events[0].alarm.name == "Platform" and events[0].alarm.place == ""
    assert one.update(levels, out(*lost, group="platform"), at_s=T + 1) == []
    back = [alarm(Level.GREEN, camera=name) for name in lost]
    assert one.update(back, [], at_s=T + 2) == []
    assert one.alarms()[0].reasons[1:] == ("back, but not for long enough yet",)
    assert said(one.update(back, [], at_s=T + 2 + BACK_S)) == [("cleared", "unknown", True)]


def test_a_place_that_was_red_when_its_camera_went_out_stays_an_alarm() -> None:
    one = desk()
    one.update([alarm(Level.RED)], [], at_s=T)
    events = one.update([alarm(Level.UNKNOWN, last=Level.RED)], out("north", group="platform"), at_s=T + 1)
    assert [event.alarm.name for event in events] == ["Platform"]
    assert sorted((found.name, found.rank) for found in one.alarms()) == [("Main hall", 3), ("Platform", 2)]


def test_more_cameras_that_go_out_open_an_outage_again_that_was_taken_on() -> None:
    one = desk()
    (event,) = one.update([], out("a", group="g"), at_s=T)
    assert one.update([], out("a", "b", group="g"), at_s=T + 1) == []  # nobody has taken it on yet
    one.acknowledge(event.alarm.id, "ada", at_s=T + 2)
    assert one.update([], out("a", "b", group="g"), at_s=T + 3) == []
    (grew,) = one.update([], out("a", "b", "c", group="g"), at_s=T + 4)
    assert (grew.happened, grew.told, grew.alarm.acknowledged_by) == (Happened.GREW, True, "")


def test_more_cameras_that_go_out_before_anybody_has_come_are_told_in_one_message() -> None:
    one = desk()
    one.update([], out("a", group="g"), at_s=T)
    lost = ["a"]
    for second, name in enumerate("bcdefgh", start=1):
        lost.append(name)
        assert one.update([], out(*lost, group="g"), at_s=T + second) == []
    (grew,) = one.update([], out(*lost, group="g"), at_s=T + GROWS_S)
    assert (grew.happened, grew.told, len(grew.alarm.cameras)) == (Happened.GREW, True, 8)
    assert one.update([], out(*lost, group="g"), at_s=T + 3 * GROWS_S) == []


def test_another_camera_that_goes_out_is_told_though_as_many_were_out_before() -> None:
    one = desk()
    (event,) = one.update([], out("broken", group="g"), at_s=T)
    one.acknowledge(event.alarm.id, "ada", at_s=T + 1)
    (grew,) = one.update([], out("broken", "b", group="g"), at_s=T + 60)
    one.acknowledge(grew.alarm.id, "ada", at_s=T + 61)
    assert one.update([], out("broken", group="g"), at_s=T + 62) == []
    assert one.update([], out("broken", group="g"), at_s=T + 62 + BACK_S) == []
    (again,) = one.update([], out("broken", "c", group="g"), at_s=T + 300)
    assert (again.happened, again.told, again.alarm.acknowledged_s) == (Happened.GREW, True, None)


def test_a_camera_that_goes_out_after_a_restart_opens_an_outage_again_that_was_taken_on_before() -> None:
    one = desk()
    (event,) = one.update([], out("a", group="g"), at_s=T)
    one.acknowledge(event.alarm.id, "ada", at_s=T + 1)
    begun = desk()
    begun.restore(one.alarms(), at_s=T + 5)
    assert begun.update([], out("a", group="g"), at_s=T + 20) == []
    (grew,) = begun.update([], out("a", "b", group="g"), at_s=T + 21)
    assert (grew.happened, grew.told, grew.alarm.acknowledged_by) == (Happened.GREW, True, "")


def test_who_took_on_orange_has_not_taken_on_red() -> None:
    one = desk()
    (event,) = one.update([alarm(Level.ORANGE)], [], at_s=T)
    taken = one.acknowledge(event.alarm.id, "ada", at_s=T + 1)
    assert (taken.happened, taken.actor, taken.alarm.acknowledged_by) == (Happened.ACKNOWLEDGED, "ada", "ada")
    (rose,) = one.update([alarm(Level.RED)], [], at_s=T + 2)
    assert rose.alarm.acknowledged_s is None and rose.alarm.id == event.alarm.id
    with pytest.raises(SettingsRefused, match="no such open alarm"):
        one.acknowledge("alarm-9", "ada", at_s=T)


def test_red_that_nobody_takes_on_is_escalated_again_and_again() -> None:
    one, red = desk(), [alarm(Level.RED)]
    one.update(red, [], at_s=T)
    assert one.update(red, [], at_s=T + 119) == []
    assert said(one.update(red, [], at_s=T + 120)) == [("escalated", "red", True)]
    (second,) = one.update(red, [], at_s=T + 240)
    assert second.alarm.step == 2
    one.acknowledge(second.alarm.id, "ada", at_s=T + 250)
    assert one.update(red, [], at_s=T + 999) == []
    orange = desk()
    orange.update([alarm(Level.ORANGE)], [], at_s=T)
    assert orange.update([alarm(Level.ORANGE)], [], at_s=T + 999) == []


def test_quiet_hours_hold_back_orange_but_never_red() -> None:
    one = desk(NIGHT)
    assert said(one.update([alarm(Level.ORANGE)], [], at_s=MIDNIGHT)) == [("raised", "orange", False)]
    assert said(one.update([alarm(Level.RED)], [], at_s=MIDNIGHT + 1)) == [("rose", "red", True)]
    other = desk(NIGHT)
    unknown = alarm(Level.UNKNOWN, last=Level.RED)
    assert said(other.update([unknown], [], at_s=MIDNIGHT)) == [("raised", "unknown", True)]


def test_other_quiet_hours_and_times_hold_from_now_on() -> None:
    one = desk()
    one.adjust(escalate_s=10, quiet=QuietHours(time(0), time(23, 59), ZoneInfo("UTC")))
    (event,) = one.update([alarm(Level.ORANGE)], [], at_s=T)
    assert not event.told
    one.adjust(escalate_s=10, quiet=None)
    (event,) = one.update([alarm(Level.ORANGE)], [], at_s=T + 1)
    assert (event.happened, event.told) == (Happened.TOLD, True)
    assert one.update([alarm(Level.RED)], [], at_s=T + 2)[0].happened is Happened.ROSE
    assert [each.happened for at_s in (3, 14) for each in one.update([alarm(Level.RED)], [], at_s=T + at_s)] == [
        Happened.ESCALATED
    ]


def test_what_is_still_there_when_quiet_hours_end_is_told_then() -> None:
    one, orange = desk(NIGHT), [alarm(Level.ORANGE)]
    one.update(orange, [], at_s=MIDNIGHT)
    assert one.update(orange, [], at_s=MIDNIGHT + 6 * 3600 - 1) == []
    assert said(one.update(orange, [], at_s=MIDNIGHT + 6 * 3600)) == [("told", "orange", True)]
    gone = desk(NIGHT)
    gone.update(orange, [], at_s=MIDNIGHT)
    assert said(gone.update([alarm(Level.GREEN)], [], at_s=MIDNIGHT + 60)) == [("cleared", "orange", False)]


@pytest.mark.parametrize(
    ("start", "end", "at_s", "quiet"),
    [
        (22, 6, MIDNIGHT, True),
        (22, 6, NOON, False),
        (11, 13, NOON, True),
        (12, 13, NOON, True),
        (11, 12, NOON, False),
        (13, 12, NOON, False),
    ],
)
def test_quiet_hours_may_go_over_midnight(start: int, end: int, at_s: float, quiet: bool) -> None:
    assert QuietHours(time(start), time(end), ZoneInfo("UTC")).holds(at_s) is quiet


def test_quiet_hours_are_those_of_the_place() -> None:
    assert QuietHours(time(14), time(15), ZoneInfo("Europe/Zurich")).holds(NOON)
    assert not QuietHours(time(12), time(13), ZoneInfo("Europe/Zurich")).holds(NOON)


def test_quiet_hours_without_a_length_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="quiet hours"):
        QuietHours(time(6), time(6), ZoneInfo("UTC"))


def test_an_alarm_is_taken_on_once() -> None:
    one = desk()
    (raised,) = one.update([alarm(Level.RED)], [], at_s=T)
    one.acknowledge(raised.alarm.id, "ada", at_s=T + 1)
    with pytest.raises(SettingsRefused, match="taken on already, by ada"):
        one.acknowledge(raised.alarm.id, "bob", at_s=T + 2)
    assert [found.acknowledged_by for found in one.alarms()] == ["ada"]


def test_a_drill_goes_the_whole_way_and_ends_when_it_is_taken_on_or_forgotten() -> None:
    one = desk(NIGHT)
    event = one.drill(*alarm(Level.RED, drill=True), "ada", at_s=MIDNIGHT)
    assert (event.happened, event.told, event.alarm.drill, event.actor) == (Happened.RAISED, True, True, "ada")
    assert event.alarm.headline == "DRILL RED: Main hall"
    one.update([alarm(Level.GREEN)], [], at_s=MIDNIGHT + 1)
    (escalated,) = one.update([], [], at_s=MIDNIGHT + 121)
    assert escalated.happened is Happened.ESCALATED and escalated.alarm.drill
    with pytest.raises(SettingsRefused, match="a drill is open at this place"):
        one.drill(*alarm(Level.RED, drill=True), "ada", at_s=MIDNIGHT + 125)
    one.acknowledge(event.alarm.id, "bob", at_s=MIDNIGHT + 130)
    assert one.alarms() == []
    one.drill(*alarm(Level.RED, drill=True), "ada", at_s=T)
    ended = one.update([], [], at_s=T + DRILL_S)
    assert [(found.happened, found.alarm.drill) for found in ended] == [(Happened.CLEARED, True)]
    with pytest.raises(SettingsRefused, match="a drill"):
        one.drill(*alarm(Level.RED), "ada", at_s=T)


def test_the_most_urgent_comes_first() -> None:
    one = desk()
    one.update([alarm(Level.ORANGE, camera="a"), alarm(Level.CRITICAL, camera="b")], [], at_s=T)
    (_, event) = one.update(
        [
            alarm(Level.ORANGE, camera="a"),
            alarm(Level.CRITICAL, camera="b"),
            alarm(Level.RED, camera="c"),
            alarm(Level.RED, camera="d"),
        ],
        [],
        at_s=T + 1,
    )
    one.acknowledge(one.alarms()[1].id, "ada", at_s=T + 2)
    assert [(found.camera, found.rank) for found in one.alarms()] == [("b", 4), ("d", 3), ("c", 3), ("a", 2)]
    assert event.alarm.camera == "d"


def test_only_alarms_of_the_gate_come_to_the_desk() -> None:
    with pytest.raises(BoundaryViolated):
        desk().update([("Main hall", LevelState(Level.RED, Level.RED, T))], [], at_s=T)  # type: ignore[list-item]


# --- cameras that come and go -----------------------------------------------------------------------------------------


def flapping(one: Desk, *, seconds: int, out_s: int, back_s: int, quiet_s: int = 0) -> list[tuple[float, str]]:
    """What is told of a camera that is out and back in turn, and then back; with the second of each."""
    events = []
    for second in range(seconds + quiet_s):
        lost = second < seconds and second % (out_s + back_s) < out_s
        level = alarm(Level.UNKNOWN if lost else Level.GREEN)
        events += [(second, event) for event in one.update([level], out("north") if lost else [], at_s=T + second)]
    return [(second, event.happened.value) for second, event in events if event.told]


@pytest.mark.parametrize(("out_s", "back_s"), [(1, 1), (5, 30), (50, 9), (3, 59)])
def test_a_camera_that_comes_and_goes_is_one_alarm_which_is_told_at_once(out_s: int, back_s: int) -> None:
    one = desk()
    assert flapping(one, seconds=1800, out_s=out_s, back_s=back_s) == [(0, "raised")]
    (open_now,) = one.alarms()
    assert open_now.reasons[-1].startswith("comes and goes: out ")


def test_one_that_was_out_often_must_be_back_for_longer() -> None:
    one = desk()
    told = flapping(one, seconds=4 * 300, out_s=20, back_s=280, quiet_s=700)
    # Each of the first two is over after a minute; the third is told as what it is, and then nothing until it is over.
    assert told == [
        (0, "raised"), (20 + BACK_S, "cleared"), (300, "raised"), (320 + BACK_S, "cleared"),
        (600, "raised"), (920 + OFTEN_BACK_S, "cleared"),
    ]  # fmt: skip
    assert one.alarms() == []
    (again,) = one.update([alarm(Level.UNKNOWN)], out("north"), at_s=T + 900 + SPAN_S)
    assert again.alarm.reasons == ("1 camera without numbers: north", "the connection was lost")


def test_a_camera_that_comes_and_goes_and_was_taken_on_stays_taken_on() -> None:
    one = desk()
    (raised,) = one.update([], out("a", group="g"), at_s=T)
    one.acknowledge(raised.alarm.id, "ada", at_s=T + 1)
    for second in range(2, 200):
        assert one.update([], out("a", group="g") if second % 2 else [], at_s=T + second) == []
    (grew,) = one.update([], out("a", "b", group="g"), at_s=T + 200)
    assert grew.happened is Happened.GREW


def test_a_zone_without_numbers_is_part_of_the_outage_until_its_camera_is_back_for_long() -> None:
    one, unknown = desk(), [alarm(Level.UNKNOWN)]
    one.update(unknown, out("north"), at_s=T)
    assert one.update(unknown, [], at_s=T + 1) == []
    assert said(one.update([alarm(Level.UNKNOWN, last=Level.RED)], [], at_s=T + 2)) == [("raised", "unknown", True)]
    after = one.update(unknown, [], at_s=T + 1 + BACK_S)
    assert [(event.happened.value, event.alarm.name) for event in after] == [
        ("fell", "Main hall"),
        ("cleared", "north"),
    ]


def test_an_outage_that_was_open_is_told_once_over_a_restart() -> None:
    one = desk()
    one.update([], out("a", "b", group="g"), at_s=T)
    begun = desk()
    begun.restore(one.alarms(), at_s=T + 5)
    assert begun.update([], [], at_s=T + 6) == []  # cameras start
    assert begun.update([], out("a", group="g"), at_s=T + 20) == []
    assert begun.update([], [], at_s=T + 21) == []
    assert said(begun.update([], [], at_s=T + 21 + BACK_S)) == [("cleared", "unknown", True)]


def test_what_nobody_has_taken_on_is_told_again_after_a_restart() -> None:
    one, levels = desk(NIGHT), [alarm(Level.ORANGE, camera="a"), alarm(Level.ORANGE, camera="b")]
    silent, _ = one.update(levels, [], at_s=MIDNIGHT)
    assert not silent.told
    one.acknowledge(one.alarms()[1].id, "ada", at_s=MIDNIGHT + 1)
    begun = desk()
    begun.restore(one.alarms(), at_s=MIDNIGHT + 5)
    assert begun.update(levels, [], at_s=MIDNIGHT + 4 + AGAIN_S) == []
    (told,) = begun.update(levels, [], at_s=MIDNIGHT + 5 + AGAIN_S)
    assert (told.happened, told.alarm.camera, told.told) == (Happened.TOLD, "a", True)
    assert begun.update(levels, [], at_s=MIDNIGHT + 999) == []
    quiet = desk(NIGHT)
    quiet.restore(one.alarms(), at_s=MIDNIGHT + 5)
    assert quiet.update(levels, [], at_s=MIDNIGHT + 999) == []
    assert said(quiet.update(levels, [], at_s=MIDNIGHT + 6 * 3600)) == [("told", "orange", True)]


def test_an_open_alarm_has_the_name_that_its_place_has_now() -> None:
    one = desk()
    one.update([alarm(Level.RED)], [], at_s=T)
    one.update([("West hall", alarm(Level.RED)[1])], [], at_s=T + 1)
    assert [found.name for found in one.alarms()] == ["West hall"]


def test_a_clock_that_was_set_back_keeps_no_outage_open_for_ever() -> None:
    outages = Outages()
    outages.update(out("a"), at_s=T)
    outages.update([], at_s=T + 1)
    assert outages.update([], at_s=T - 86400)
    assert outages.update([], at_s=T - 86400 + BACK_S) == []


def test_an_outage_is_of_what_its_camera_hangs_on() -> None:
    a, b = CameraId("a"), CameraId("b")
    assert outages_of({b: "x", a: "y"}, {a: ("a", "Hall"), b: ("g", "Group")}) == [
        Outage(a, "a", "Hall", "y"),
        Outage(b, "g", "Group", "x"),
    ]
