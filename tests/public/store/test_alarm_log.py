"""The alarm log, on both databases."""

from dataclasses import replace

from skyveil.measure.level import Level
from skyveil.public.alarm.event import AlarmEvent, Happened
from skyveil.public.store.alarm_log import AlarmLog
from tests.public.alarm.test_desk import T, alarm, desk, out
from tests.public.store.conftest import Database


def test_what_happened_is_read_newest_first(database: Database) -> None:
    log = AlarmLog(database.engine)
    log.record([])
    one = desk()
    log.record(one.update([alarm(Level.RED)], out("b"), at_s=T))
    log.record([one.acknowledge("alarm-1", "ada", at_s=T + 5)])
    found = log.events()
    assert [(event.happened, event.actor) for event in found] == [
        (Happened.ACKNOWLEDGED, "ada"), (Happened.RAISED, ""), (Happened.RAISED, ""),
    ]  # fmt: skip
    assert found[2].words == ("Main hall", "density 5.2 per m2, red from 5.0") and found[2].level is Level.RED
    assert [event.id for event in log.events(alarm="alarm-1")] == [found[0].id, found[2].id]
    assert [event.id for event in log.events(before=found[0].id, limit=1)] == [found[1].id]
    assert [event.id for event in log.events(of={"north"}, limit=2)] == [found[0].id, found[2].id]
    assert log.events(of=set()) == []
    assert log.events(from_s=T + 5) == found[:1]
    log.prune(T + 1)
    assert log.events() == found[:1]


def test_the_log_says_of_fewer_than_five_people_no_more_than_messages_do(database: Database) -> None:
    log = AlarmLog(database.engine)
    log.record(desk().update([alarm(Level.RED, many=4)], [], at_s=T))
    assert [event.words for event in log.events()] == [("Main hall",)]


def test_a_server_that_starts_again_knows_what_is_open_and_who_has_it(database: Database) -> None:
    log, first = AlarmLog(database.engine), desk()
    log.record(first.update([alarm(Level.RED, camera=name) for name in ("a", "b", "c")], [], at_s=T))
    log.record([first.acknowledge("alarm-2", "ada", at_s=T + 5)])
    log.record(first.update([alarm(Level.RED, camera="a"), alarm(Level.RED, camera="b")], [], at_s=T + 6))
    log.record(first.update([alarm(Level.RED, camera=name) for name in "ab"], [], at_s=T + 130))
    log.record([first.drill(*alarm(Level.RED, drill=True), "ada", at_s=T + 131)])
    again = desk()
    again.restore(AlarmLog(database.engine).open(), at_s=T + 139)
    found = {str(one.camera): one for one in again.alarms()}
    assert set(found) == {"a", "b"}
    assert (found["b"].acknowledged_by, found["b"].acknowledged_s) == ("ada", T + 5)
    assert (found["a"].acknowledged_by, found["a"].step, found["a"].name) == ("", 1, "Main hall")
    assert again.update([alarm(Level.RED, camera=name) for name in "ab"], [], at_s=T + 140) == []  # told already
    (rose, _) = again.update([alarm(Level.CRITICAL, camera="b"), alarm(Level.RED, camera="a")], out("c"), at_s=T + 150)
    log.record([rose])
    assert {one.camera: one.acknowledged_by for one in log.open()} == {"a": "", "b": ""}


def test_a_name_that_is_too_long_is_cut(database: Database) -> None:
    log = AlarmLog(database.engine)
    (event,) = desk().update([alarm(Level.RED)], [], at_s=T)
    log.record([replace(event, actor="x" * 100)])
    assert log.events()[0].actor == "x" * 64
    assert isinstance(event, AlarmEvent)


def test_words_come_back_as_they_were_whatever_they_hold(database: Database) -> None:
    log = AlarmLog(database.engine)
    (event,) = desk().update([alarm(Level.RED)], [], at_s=T)
    odd = replace(event.alarm, name="Hall 1; east", words=('a "quoted"; word', "東; 西"))
    log.record([replace(event, alarm=odd)])
    assert log.events()[0].words == ("Hall 1; east", 'a "quoted"; word', "東; 西")
    (again,) = log.open()
    assert (again.name, again.words) == ("Hall 1; east", ('a "quoted"; word', "東; 西"))


def test_a_message_that_was_never_taken_is_logged_and_does_not_bring_the_alarm_back_as_it_was(
    database: Database,
) -> None:
    log, one = AlarmLog(database.engine), desk()
    (raised,) = one.update([alarm(Level.ORANGE)], [], at_s=T)
    (rose,) = one.update([alarm(Level.RED)], [], at_s=T + 5)
    late = AlarmEvent(T + 6, Happened.UNDELIVERED, raised.alarm, told=False, actor="mail")
    log.record([raised, rose, late])
    assert (log.events()[0].happened, log.events()[0].actor) == (Happened.UNDELIVERED, "mail")
    assert [found.level for found in log.open()] == [Level.RED]


def test_an_outage_is_logged_with_its_cameras_and_read_by_its_group(database: Database) -> None:
    log = AlarmLog(database.engine)
    log.record(desk().update([alarm(Level.RED, camera="platform")], out("b", "a", group="platform"), at_s=T))
    (outage,) = log.events(of={"a"}, groups={"platform"})  # not the alarm of a camera that is called like the group
    assert outage.cameras == ("a", "b")
    assert outage.seen_by({"a"}).words[1] == "2 cameras without numbers: a and 1 more"
    assert outage.seen_by(()).words[1] == "2 cameras without numbers"
    assert [one.cameras for one in log.open() if not one.place] == [("a", "b")]
