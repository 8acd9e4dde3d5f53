"""From cameras' seconds to what is stored, with the database away and the process killed.

Time is a clock that the tests move; the database and the kill are real.
"""

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DataError

from skyveil.app.drawings import Drawings
from skyveil.app.heard import Heard
from skyveil.app.losses import Loss, Losses
from skyveil.app.numbers import Numbers, Telling, fair_epsilon
from skyveil.core.errors import BoundaryViolated
from skyveil.gate.grounds import Grounds
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Aggregate, Told
from skyveil.public.audience import Audience
from skyveil.public.store import open_database
from skyveil.public.store.ledger import Ledger
from skyveil.public.store.numbers import NumberStore
from skyveil.public.store.spool import Spool
from tests.public.store.databases import Server, server
from tests.public.store.made import CAMERA, COUNT, EXACT, GATE, GROUNDS, HALL, IN, STAFF, T, numbers, place

OUT = Measure.CROSSED_BACKWARD


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_s: float = T) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


OPENED: list[Spool] = []


@pytest.fixture(autouse=True)
def files_are_closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def made(engine: Engine, folder: Path, clock: Clock, *, public: bool = True) -> Numbers:
    store, spool = NumberStore(engine), Spool(folder / "numbers")
    OPENED.append(spool)
    drawings = Drawings(folder / "numbers" / "drawings.json")
    found = Numbers(store, Ledger(engine, store), spool, drawings, now=clock)
    found.configure({CAMERA: Telling(GROUNDS, public=public, epsilon=fair_epsilon(GROUNDS))})
    return found


def second(at_s: float) -> list[Aggregate]:
    """What a camera says of one second: in the hall as many as the minute's number, and one through the gate."""
    minute = int(at_s - T) // 60
    return [
        *numbers(EXACT, place(HALL, {COUNT: 10 + minute % 7}, start_s=at_s, period_s=1)),
        *numbers(EXACT, place(GATE, {IN: 1, OUT: 0}, start_s=at_s, period_s=1)),
    ]


def write(found: Numbers) -> None:
    """What its own thread does."""
    found._heard.write()


def run(found: Numbers, clock: Clock, seconds: range, *, tick_every_s: int = 5) -> None:
    for at in seconds:
        clock.now_s = T + at + 1
        for one in second(T + at):
            found.heard(one)
        write(found)
        if at % tick_every_s == 0:
            found.tick()


def stored(engine: Engine, audience: Audience, period_s: int, measure: Measure) -> dict[int, float | None]:
    """Values by minute (or whatever the period is) since T."""
    name = HALL if measure is COUNT else GATE
    found = NumberStore(engine).series(
        audience, CAMERA, name, [measure], period_s=period_s, from_s=0, to_s=T + 10 * 86400
    )
    return {
        (start_s - T) // period_s: value for one in found for start_s, value in zip(one.start_s, one.value, strict=True)
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "a.sqlite")
    yield engine
    engine.dispose()


def test_seconds_become_minutes_for_everybody_who_may_be_told(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    run(found, clock, range(186))
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == {0: 60, 1: 60, 2: 60}
    assert stored(engine, Audience.CONTROL_ROOM, 60, COUNT) == {0: 10, 1: 11, 2: 12}
    assert stored(engine, Audience.STAFF, 60, COUNT) == {0: 10, 1: 10, 2: 10}
    assert stored(engine, Audience.STAFF, 60, OUT) == {0: None, 1: None, 2: None}
    assert set(stored(engine, Audience.PUBLIC, 60, IN)) == {0, 1, 2}
    assert stored(engine, Audience.PUBLIC, 60, COUNT) == {}
    assert [one.place for one in found.newest(CAMERA)] == [GATE, HALL]
    assert found.problems() == []


def test_the_public_is_told_nothing_unless_it_is_asked_for(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock, public=False)
    run(found, clock, range(0, 966, 2))
    assert stored(engine, Audience.PUBLIC, 60, IN) == {} and stored(engine, Audience.PUBLIC, 900, COUNT) == {}
    assert stored(engine, Audience.STAFF, 60, IN)
    found.configure({})
    run(found, clock, range(1020, 1152, 2))
    assert 18 not in stored(engine, Audience.STAFF, 60, IN)
    assert 18 in stored(engine, Audience.CONTROL_ROOM, 60, IN)


def test_a_quarter_of_an_hour_an_hour_and_a_day_are_made_when_they_end(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    found = made(engine, tmp_path, clock)
    run(found, clock, range(21 * 3600 + 895, 26 * 3600, 900))
    clock.now_s = T + 26 * 3600 + 6
    found.tick()
    assert stored(engine, Audience.CONTROL_ROOM, 3600, IN) == dict.fromkeys(range(21, 26), 4.0)
    assert stored(engine, Audience.STAFF, 3600, IN) == dict.fromkeys(range(21, 26))
    assert stored(engine, Audience.STAFF, 86400, IN) == {0: 10.0}  # 12, and the second day has not ended
    assert stored(engine, Audience.CONTROL_ROOM, 86400, IN) == {}
    assert set(stored(engine, Audience.PUBLIC, 3600, IN)) == set(range(21, 26))
    assert set(stored(engine, Audience.PUBLIC, 86400, IN)) == {0}
    assert set(stored(engine, Audience.PUBLIC, 900, COUNT)) == set(range(84, 104))
    spent = Ledger(engine, NumberStore(engine)).spent(CAMERA, T)
    assert sum(one.epsilon for one in spent) == 2
    assert len(spent) == 7  # three periods in two directions, and the snapshots


def test_a_zone_that_is_drawn_anew_is_told_by_its_own_time_also_over_a_restart(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    """The hall had 8 m2 and was nobody's outside the control room until it got 50 m2 in the middle of an hour."""
    small = Grounds({}, frozenset({GATE}))
    found = made(engine, tmp_path, clock)
    found.configure({CAMERA: Telling(small, public=True)})
    run(found, clock, range(600))
    clock.now_s = T + 600
    again = made(engine, tmp_path, clock)
    run(again, clock, range(600, 2 * 3600 + 30, 20))
    staff = stored(engine, Audience.STAFF, 60, COUNT)
    assert set(staff) == set(range(10, 120))  # not the minutes of the small hall by the rights of the large one
    assert set(stored(engine, Audience.STAFF, 3600, COUNT)) == {1}  # nor is the hour that mixes both
    assert set(stored(engine, Audience.CONTROL_ROOM, 3600, COUNT)) == {0, 1}
    assert set(stored(engine, Audience.STAFF, 3600, IN)) == {0, 1}  # the gate did not change
    large = Grounds({HALL: 80.0}, frozenset({GATE}))
    clock.now_s = T + 2 * 3600 + 30
    again.configure({CAMERA: Telling(large, public=True)})
    run(again, clock, range(2 * 3600 + 30, 2 * 3600 + 190))
    assert {120, 121, 122} & set(stored(engine, Audience.STAFF, 60, COUNT)) == {121, 122}
    assert set(stored(engine, Audience.PUBLIC, 900, COUNT)) == set()  # a visit may have been in both halls


def test_starting_again_changes_nothing_that_is_stored(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    run(made(engine, tmp_path, clock), clock, range(0, 2 * 3600 + 10, 200))
    before = [stored(engine, audience, period, IN) for audience in Audience for period in (60, 3600)]
    again = made(engine, tmp_path, clock)
    again.tick()
    again.tick()
    assert [stored(engine, audience, period, IN) for audience in Audience for period in (60, 3600)] == before


def test_closing_keeps_the_minute_that_runs(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    first = made(engine, tmp_path, clock)
    run(first, clock, range(30))
    first.close()
    run(made(engine, tmp_path, clock), clock, range(30, 66))
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == {0: 60}


# --- the database goes away -------------------------------------------------------------------------------------------


@contextmanager
def sqlite_away(path: Path) -> Iterator[None]:
    """Another program holds the file."""
    engine = open_database(path)
    with engine.connect() as connection:
        connection.execute(text("BEGIN EXCLUSIVE"))
        yield
    engine.dispose()


def patient_sqlite(path: Path) -> Engine:
    engine = open_database(path)
    engine.dispose()

    def hurry(connection: object, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=20")  # type: ignore[attr-defined]

    event.listen(engine, "connect", hurry)
    return engine


def through_an_outage(engine: Engine, folder: Path, away: Callable[[], None], back: Callable[[], None]) -> None:
    """Six minutes with the database away from second 95 to second 155."""
    clock = Clock()
    found = made(engine, folder, clock)
    run(found, clock, range(95))
    away()
    run(found, clock, range(95, 155))
    assert "wait on disk" in found.problems()[0]
    assert list((folder / "numbers").glob("*.jsonl"))
    back()
    run(found, clock, range(155, 366))
    assert found.problems() == []
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == dict.fromkeys(range(6), 60.0)
    assert stored(engine, Audience.STAFF, 60, IN) == dict.fromkeys(range(6), 60.0)
    assert set(stored(engine, Audience.PUBLIC, 60, IN)) == set(range(6))
    assert [path.stem for path in (folder / "numbers").glob("*.jsonl")] == [str(T + 360)]


def test_sqlite_away_for_a_minute_loses_and_doubles_nothing(tmp_path: Path) -> None:
    engine = patient_sqlite(tmp_path / "a.sqlite")
    blocked = sqlite_away(tmp_path / "a.sqlite")
    with ExitStack() as stack:
        through_an_outage(engine, tmp_path, lambda: stack.enter_context(blocked), stack.close)
    engine.dispose()


def test_postgresql_killed_for_a_minute_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with server() as (url, control):
        engine = open_database(url)
        through_an_outage(engine, tmp_path, control.kill, control.start)
        engine.dispose()


def test_numbers_that_can_not_be_stored_for_a_day_are_deleted_and_told(tmp_path: Path) -> None:
    engine = patient_sqlite(tmp_path / "a.sqlite")
    clock = Clock()
    found = made(engine, tmp_path, clock)
    with sqlite_away(tmp_path / "a.sqlite"):
        run(found, clock, range(130))
        clock.now_s = T + 86400 + 60
        found.tick()
    assert found.losses()["number_minutes"] == 1
    assert found.problems()[-1].startswith("1 minutes of numbers were deleted")
    found.tick()
    assert set(stored(engine, Audience.STAFF, 60, IN)) == {1, 2}
    engine.dispose()


# --- what can not be stored -------------------------------------------------------------------------------------------


def failing(found: Numbers, monkeypatch: pytest.MonkeyPatch, broken: set[tuple[int, int]]) -> None:
    """Let the store refuse these periods (their start, and how long they are) for a reason of their own."""
    put = NumberStore.put

    def put_or_fail(self: NumberStore, aggregates: Iterable[Aggregate]) -> None:
        made = list(aggregates)
        if any((int(one.start_s) - T, round(one.end_s - one.start_s)) in broken for one in made):
            raise DataError("INSERT", None, Exception("out of range"))
        put(self, made)

    monkeypatch.setattr(NumberStore, "put", put_or_fail)


def test_a_minute_that_can_not_be_stored_blocks_none_and_is_set_aside_shown_and_tried_at_the_next_start(
    engine: Engine, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(engine, tmp_path, clock)
    with monkeypatch.context() as patched:
        failing(found, patched, {(60, 60)})
        run(found, clock, range(126))
        assert set(stored(engine, Audience.STAFF, 60, IN)) == {0}
        run(found, clock, range(126, 3620))
        assert set(stored(engine, Audience.STAFF, 60, IN)) == set(range(60)) - {1}
        assert set(stored(engine, Audience.STAFF, 3600, IN)) == {0}  # made without it
        assert found.problems() == ["1 minutes of numbers are set aside, because they can not be stored: see the log"]
        assert [path.name for path in (tmp_path / "numbers").glob("*.aside")] == [f"{T + 60}.aside"]
        found.close()
    again = made(engine, tmp_path, clock)
    again.tick()
    assert again.problems() == []
    assert set(stored(engine, Audience.STAFF, 60, IN)) == set(range(60))


def test_a_minute_that_is_set_aside_is_deleted_and_counted_after_a_day(
    engine: Engine, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(engine, tmp_path, clock)
    failing(found, monkeypatch, {(0, 60)})
    run(found, clock, range(80))
    clock.now_s = T + 86400 + 60
    found.tick()
    assert list((tmp_path / "numbers").glob("*.aside")) == []
    assert found.losses()["number_minutes"] == 1


def test_a_minute_whose_file_can_not_be_read_blocks_none(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    (tmp_path / "numbers" / f"{T - 60}.jsonl").mkdir()
    run(found, clock, range(80))
    assert set(stored(engine, Audience.STAFF, 60, IN)) == {0}
    assert "set aside" in found.problems()[0]
    (tmp_path / "numbers" / f"{T - 60}.aside").rmdir()


def test_an_hour_that_can_not_be_made_blocks_no_other_and_is_counted(
    engine: Engine, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(engine, tmp_path, clock)
    failing(found, monkeypatch, {(0, 3600)})
    run(found, clock, range(0, 2 * 3600 + 40, 20))
    assert set(stored(engine, Audience.STAFF, 3600, IN)) == {1}
    assert found.losses()["number_periods"] == 1
    assert found.problems() == ["1 hours or days of numbers could not be made: see the log"]


def test_numbers_that_come_too_late_are_counted_and_shown(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    run(found, clock, range(66))
    found.heard(second(T + 20)[0])
    write(found)
    assert found.losses()["late_numbers"] == 1
    assert found.problems() == ["1 numbers came after their minute was stored, and were left out"]


def test_a_clock_that_was_ahead_holds_up_nothing(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    """It was a year ahead for some minutes: nothing was made, stored or deleted for a year after that."""
    found = made(engine, tmp_path, clock)
    year = 365 * 86400
    run(found, clock, range(year, year + 70))
    run(found, clock, range(0, 3670, 10))
    assert set(stored(engine, Audience.STAFF, 60, IN)) >= set(range(60))
    assert set(stored(engine, Audience.CONTROL_ROOM, 3600, IN)) == {0}
    clock.now_s = T + 86400 + 3600
    found.tick()
    assert set(stored(engine, Audience.CONTROL_ROOM, 60, IN)) == {60, 61}  # what is older than a day is gone
    assert found.losses()["late_numbers"] == 2  # those of the second before the next tick saw it: left out, and counted


# --- a slow disk ------------------------------------------------------------------------------------------------------


def test_a_disk_that_hangs_holds_up_nobody_who_brings_numbers(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    stop = threading.Event()
    writer = threading.Thread(target=found.write_down, args=(stop,))
    with found._disk:  # whoever writes waits, as for a disk
        writer.start()
        for at in range(60):
            clock.now_s = T + at + 1
            for one in second(T + at):
                found.heard(one)
        assert [one.place for one in found.newest(CAMERA)] == [GATE, HALL]
    stop.set()
    writer.join(20)
    clock.now_s = T + 66
    found.close()
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == {0: 60.0}
    assert found.problems() == []


def test_a_minute_waits_for_numbers_that_wait_for_the_disk(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    run(found, clock, range(59))
    found.heard(second(T + 59)[1])
    clock.now_s = T + 66
    found.tick()
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == {}
    write(found)
    found.tick()
    assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == {0: 60.0}


def test_what_does_not_fit_into_the_queue_is_counted_and_shown(tmp_path: Path) -> None:
    spool, losses = Spool(tmp_path / "numbers"), Losses(lambda: 0.0)
    OPENED.append(spool)
    heard = Heard(spool, threading.Lock(), losses, limit=3)
    for at in range(5):
        heard.put(second(T + at)[1])
    heard.write()
    assert [one.start_s - T for one in spool.read(T)] == [2, 3, 4]
    assert losses.counts()["unwritten_numbers"] == 2
    assert losses.problems() == ["2 numbers were left out: the disk is too slow, or full"]


def test_a_loss_is_told_for_an_hour_and_counted_for_good() -> None:
    now_s = [0.0]
    losses = Losses(lambda: now_s[0])
    losses.add(Loss.LATE)
    now_s[0] = 3599
    assert len(losses.problems()) == 1
    now_s[0] = 3600
    assert losses.problems() == []
    assert losses.counts()["late_numbers"] == 1


def test_a_full_disk_is_told_and_costs_nothing_when_there_is_room_again(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "numbers"
    spool = Spool(folder)
    OPENED.append(spool)
    heard = Heard(spool, threading.Lock(), Losses())
    (folder / f"{T}.jsonl").symlink_to("/dev/full")
    stop, told = threading.Event(), threading.Event()

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    handler = Full()
    logging.getLogger("skyveil.app.heard").addHandler(handler)
    heard.put(second(T)[1])
    writer = threading.Thread(target=heard.run, args=(stop,))
    writer.start()
    assert told.wait(20)
    logging.getLogger("skyveil.app.heard").removeHandler(handler)
    stop.set()
    writer.join(20)
    assert "can not be written" in heard.problem()
    (folder / f"{T}.jsonl").unlink()
    spool.close()
    heard.write()
    assert len(spool.read(T)) == 1


# --- the process is killed --------------------------------------------------------------------------------------------


def killed_run(where: Path | str, folder: Path, start: int, end: int, dies_at: str) -> int:
    """Feed seconds in a process that dies at the first moment of this name; gives the second to go on with."""
    command = [sys.executable, "-m", "tests.app.numbers_feed", str(where), str(folder), str(start), str(end), dies_at]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(json.loads(done.stdout.splitlines()[-1])) + 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_process_killed_at_every_step_loses_and_doubles_nothing(kind: str, tmp_path: Path) -> None:
    with server() if kind == "postgresql" else _file(tmp_path) as (where, _):
        at, steps = 0, ["noise", "heard 130", "after put", "before done", ""]
        for number, step in enumerate(steps):
            at = killed_run(where, tmp_path, at, (number + 1) * 90, step)
        engine = open_database(where)
        minutes = len(steps) * 90 // 60
        assert stored(engine, Audience.CONTROL_ROOM, 60, IN) == dict.fromkeys(range(minutes), 60.0)
        assert stored(engine, Audience.STAFF, 60, IN) == dict.fromkeys(range(minutes), 60.0)
        assert set(stored(engine, Audience.PUBLIC, 60, IN)) == set(range(minutes))
        engine.dispose()


@contextmanager
def _file(folder: Path) -> Iterator[tuple[Path, Server | None]]:
    yield folder / "a.sqlite", None


def test_only_exact_numbers_are_heard(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    with pytest.raises(BoundaryViolated):
        found.heard(numbers(STAFF, place(HALL, {COUNT: 50}))[0])


@pytest.mark.parametrize("aside_s", [-86400, -90, 90, 86400 * 365])
def test_numbers_of_another_time_are_not_taken(engine: Engine, tmp_path: Path, clock: Clock, aside_s: int) -> None:
    found = made(engine, tmp_path, clock)
    for one in second(T + aside_s):
        found.heard(one)
    assert not found.newest(CAMERA)
    assert not list((tmp_path / "numbers").iterdir())


def test_places_that_are_not_kept_have_no_newest_numbers(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    found = made(engine, tmp_path, clock)
    for one in second(T):
        found.heard(one)
    found.keep({CAMERA: frozenset({GATE})})
    assert [one.place for one in found.newest(CAMERA)] == [GATE]
    found.keep({})
    assert not found.newest(CAMERA)


def test_staff_see_how_a_number_is_told(engine: Engine, tmp_path: Path, clock: Clock) -> None:
    run(made(engine, tmp_path, clock), clock, range(66))
    (one,) = NumberStore(engine).series(Audience.STAFF, CAMERA, GATE, [OUT], period_s=60, from_s=T, to_s=T + 60)
    assert one.told == [Told.FEWER]
