"""From numbers and health to messages and log: filling places, lost cameras, drills, and a database that is away."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from skyveil.app import alarms
from skyveil.app.alarms import START_S, Alarms, Watch, Watched
from skyveil.core.errors import SettingsRefused, StoreFailed
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId
from skyveil.measure.level import STANDING, Level, Thresholds
from skyveil.measure.measures import CameraMeasures, Measure
from skyveil.measure.quantity import Quality
from skyveil.public.aggregate import Aggregate
from skyveil.public.alarm.desk import Desk
from skyveil.public.alarm.event import AlarmEvent, Happened
from skyveil.public.store import open_database
from skyveil.public.store.alarm_log import AlarmLog
from tests.public.store.made import COUNT, EXACT, HALL, T, numbers, place

A, B, C = CameraId("a"), CameraId("b"), CameraId("c")


class Site:
    """Three cameras on one switch, each with a hall of 50 m2, and a clock."""

    def __init__(self, engine: Engine) -> None:
        self.now_s = float(T)
        self.newest: dict[CameraId, list[Aggregate]] = {}
        self.states = dict.fromkeys((A, B, C), CameraState.LIVE)
        self.told: list[AlarmEvent] = []
        self.log = AlarmLog(engine)
        self.alarms = self.made()

    def made(self) -> Alarms:
        made = Alarms(
            Desk(escalate_s=30), self.log, lambda camera: self.newest.get(camera, []), self.told.append,
            now=lambda: self.now_s,
        )  # fmt: skip
        watch = Watch({HALL: Watched("Main hall", STANDING)}, ("switch", "Switch"))
        made.configure(dict.fromkeys((A, B, C), watch))
        return made

    def run(self, seconds: int, densities: dict[CameraId, float]) -> None:
        for _ in range(seconds):
            self.now_s += 1
            for camera, density in densities.items():
                values = {COUNT: density * 50, Measure.DENSITY: density}
                one = place(HALL, values, start_s=self.now_s - 1, period_s=1)
                self.newest[camera] = list(numbers(EXACT, one, camera=camera))
            health = {
                camera: CameraHealth(camera, state, Cause.OK if state is CameraState.LIVE else Cause.LINK_LOST, T)
                for camera, state in self.states.items()
            }
            self.alarms.tick(health)

    def said(self) -> list[tuple[str, str]]:
        said = [(one.happened.value, one.alarm.headline) for one in self.told]
        self.told.clear()
        return said


@pytest.fixture
def site(tmp_path: Path) -> Site:
    engine = open_database(tmp_path / "a.sqlite")
    return Site(engine)


CALM = {A: 0.5, B: 0.5, C: 0.5}


def test_a_hall_that_fills_turns_orange_then_red_and_empties_again(site: Site) -> None:
    site.run(10, CALM)
    assert site.said() == []
    site.run(7, {**CALM, A: 4.2})
    assert site.said() == [("raised", "ORANGE: Main hall")]
    site.run(7, {**CALM, A: 5.5})
    assert site.said() == [("rose", "RED: Main hall")]
    (one,) = site.alarms.open()
    assert one.level is Level.RED and "density 5.5 per m2, red from 5.0" in one.reasons
    site.alarms.acknowledge(one.id, "ada")
    assert site.said() == [("acknowledged", "RED: Main hall")]
    site.run(130, CALM)
    assert site.said()[-1][0] == "cleared"
    assert site.alarms.open() == []


def test_a_switch_that_fails_is_one_alarm_and_so_is_a_camera_that_says_nothing(site: Site) -> None:
    site.run(10, CALM)
    site.states = dict.fromkeys((A, B, C), CameraState.UNREACHABLE)
    site.run(40, {})
    assert site.said() == [("raised", "UNKNOWN: Switch")]
    site.states = dict.fromkeys((A, B, C), CameraState.LIVE)
    site.run(10, CALM)
    assert site.said() == []
    site.run(60, CALM)
    assert site.said() == [("cleared", "UNKNOWN: Switch")]
    site.run(20, {A: 0.5, B: 0.5})  # C lives, but its numbers do not come
    assert site.said() == [("raised", "UNKNOWN: Main hall")]


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause.MOVED, "the camera was moved"),
        (Cause.TURNING, "the camera turns"),
        (Cause.VIEW_UNCHECKED, "whether the camera moved can not be checked"),
    ],
)
def test_a_camera_that_was_moved_is_unknown_and_says_why(site: Site, cause: Cause, words: str) -> None:
    site.run(70, CALM)
    for _ in range(3):
        site.now_s += 1
        one = place(HALL, {COUNT: 25, Measure.DENSITY: 0.5}, start_s=site.now_s - 1, period_s=1)
        site.newest[A] = list(numbers(EXACT, *CameraMeasures(A, (one,)).unknown().places, camera=A))
        site.alarms.tick({A: CameraHealth(A, CameraState.LIVE, cause, site.now_s)})
    state = site.alarms.levels(A)[HALL]
    assert (state.level, state.rank) == (Level.UNKNOWN, 2)
    assert state.reasons[0].words.startswith(words)
    assert ("raised", "UNKNOWN: Main hall") in site.said()


def test_a_clock_that_is_set_back_delays_no_alarm_and_no_escalation(site: Site) -> None:
    site.run(10, CALM)
    site.run(3, {**CALM, A: 5.5})
    site.now_s -= 3600
    site.run(7, {**CALM, A: 5.5})
    assert site.said()[-1] == ("raised", "RED: Main hall")
    site.now_s -= 3600
    site.run(32, {**CALM, A: 5.5})
    assert site.said() == [("escalated", "RED: Main hall")]


def test_a_start_is_no_alarm_for_a_minute(site: Site) -> None:
    site.run(int(START_S) - 1, {A: 0.5, B: 0.5})
    assert site.said() == []
    site.run(2, {A: 0.5, B: 0.5})
    assert site.said() == [("raised", "UNKNOWN: Main hall")]


def test_a_drill_goes_the_whole_way(site: Site) -> None:
    site.run(10, CALM)
    one = site.alarms.drill(A, HALL, "Main hall", "ada")
    site.run(31, CALM)
    site.alarms.acknowledge(one.id, "bob")
    assert site.said() == [
        ("raised", "DRILL RED: Main hall"),
        ("escalated", "DRILL RED: Main hall"),
        ("acknowledged", "DRILL RED: Main hall"),
    ]
    site.alarms.write()
    assert [(one.happened, one.drill, one.actor) for one in reversed(site.log.events())] == [
        (Happened.RAISED, True, "ada"), (Happened.ESCALATED, True, ""), (Happened.ACKNOWLEDGED, True, "bob"),
    ]  # fmt: skip
    with pytest.raises(SettingsRefused):
        site.alarms.acknowledge(one.id, "bob")


def test_alarms_go_out_while_the_log_can_not_be_written_and_are_logged_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: AlarmLog, events: object) -> None:
        raise StoreFailed("the database is away")

    site.run(10, CALM)
    with monkeypatch.context() as patched:
        patched.setattr(AlarmLog, "record", away)
        site.run(7, {**CALM, A: 5.5})
        with pytest.raises(StoreFailed):
            site.alarms.write()
    assert site.said() == [("raised", "RED: Main hall")]
    site.alarms.write()
    site.alarms.write()
    assert [one.happened for one in site.log.events()] == [Happened.RAISED]


def test_events_that_do_not_fit_any_more_are_counted_and_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "WAITING", 2)
    site.run(10, CALM)
    one = site.alarms.drill(A, HALL, "Main hall", "ada")
    site.alarms.acknowledge(one.id, "bob")
    assert site.alarms.problems() == []
    site.alarms.undelivered(site.told[0], "mail")
    assert site.alarms.lost == 1
    assert site.alarms.problems() == ["1 events of alarms were not logged: too many waited for the database"]
    site.alarms.write()
    site.alarms.undelivered(site.told[0], "mail")
    site.alarms.write()
    assert [(event.happened, event.actor) for event in reversed(site.log.events())] == [
        (Happened.RAISED, "ada"), (Happened.ACKNOWLEDGED, "bob"), (Happened.UNDELIVERED, "mail"),
    ]  # fmt: skip


def test_a_server_that_starts_again_tells_nobody_twice(site: Site) -> None:
    site.run(10, CALM)
    site.run(7, {**CALM, A: 5.5})
    site.alarms.write()
    site.said()
    site.alarms = site.made()
    site.run(20, {**CALM, A: 5.5})
    assert [one for one in site.said() if one[0] == "raised"] == []
    assert [one.level for one in site.alarms.open()] == [Level.RED]


def uncountable(site: Site, per_m2: float) -> None:
    """Twenty seconds in which people in a hall hide each other."""
    for _ in range(20):
        site.run(1, CALM)
        one = place(HALL, {COUNT: per_m2 * 50, Measure.DENSITY: per_m2}, start_s=site.now_s - 1, period_s=1)
        values = {name: replace(value, quality=Quality.AT_LEAST) for name, value in one.values.items()}
        site.newest[A] = list(numbers(EXACT, replace(one, values=values), camera=A))
        site.alarms.tick({})


def test_a_restart_lowers_no_level_while_people_can_not_be_counted(site: Site) -> None:
    site.run(10, CALM)
    site.run(7, {**CALM, A: 5.5})
    uncountable(site, 2.2)
    assert site.alarms.levels(A)[HALL].level is Level.RED
    site.alarms.write()
    site.alarms = site.made()
    uncountable(site, 2.2)
    assert site.alarms.levels(A)[HALL].level is Level.RED
    site.run(70, CALM)
    assert site.alarms.levels(A)[HALL].level is Level.GREEN and site.alarms.open() == []


def test_red_whose_numbers_stopped_is_as_urgent_after_a_restart(site: Site) -> None:
    site.run(10, CALM)
    site.run(7, {**CALM, A: 5.5})
    site.run(70, {B: 0.5, C: 0.5})
    assert site.said()[-1] == ("escalated", "UNKNOWN: Main hall")
    site.alarms.write()
    site.newest.clear()
    site.alarms = site.made()
    assert [(one.level, one.rank) for one in site.alarms.open()] == [(Level.UNKNOWN, 3)]
    site.run(100, {B: 0.5, C: 0.5})
    assert ("escalated", "UNKNOWN: Main hall") in site.said()
    assert [(one.level, one.rank) for one in site.alarms.open()] == [(Level.UNKNOWN, 3)]


def test_a_clock_that_is_set_back_makes_no_camera_wait_as_after_a_start(site: Site) -> None:
    site.run(int(START_S) + 10, CALM)
    site.now_s -= 3600
    site.newest.clear()
    site.run(int(START_S) + 20, {B: 0.5, C: 0.5})
    assert site.said() == [("raised", "UNKNOWN: Main hall")]


def test_one_person_sets_off_no_alarm_whatever_the_thresholds_are(site: Site) -> None:
    low = Thresholds(0.001, 0.002, 0.003, 0.004)
    site.alarms.configure({A: Watch({HALL: Watched("Archive", low)}, ("a", "a"))})
    site.run(20, {A: 1 / 50})
    assert site.said() == [] and site.alarms.levels(A)[HALL].level is Level.YELLOW
    site.run(20, {A: 5 / 50})
    assert site.said()[-1] == ("raised", "CRITICAL: Archive")
