"""The public's budget, on both databases: it is never overspent, and noise is drawn once."""

import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from skyveil.core.errors import StoreFailed
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.public.audience import Audience
from skyveil.public.budget import Charge
from skyveil.public.store.draw_mark import DrawMark
from skyveil.public.store.ledger import Ledger
from skyveil.public.store.numbers import NumberStore
from skyveil.public.store.tables import ledger as ledger_table
from skyveil.public.store.tables import noise as noise_table
from tests.public.store.conftest import Database
from tests.public.store.made import CAMERA, GATE, GROUNDS, IN, PUBLIC, T, numbers, place


def charge(
    start_s: int = T,
    *,
    period_s: int = 60,
    name: str = "gate",
    epsilon: Fraction = Fraction(1, 3),
    sensitivity: int = 1,
) -> Charge:
    return Charge(CAMERA, PlaceId(name), IN, period_s, start_s, sensitivity, epsilon)


def ledger_of(database: Database, mark: Path | None = None) -> Ledger:
    return Ledger(database.engine, NumberStore(database.engine), mark=DrawMark(mark))


def never() -> int:
    raise AssertionError("noise was drawn a second time")


def test_noise_is_drawn_once_and_a_series_is_charged_once_a_day(database: Database) -> None:
    ledger = ledger_of(database)
    assert ledger.noise(charge(), lambda: 7) == 7
    assert ledger.noise(charge(), never) == 7
    assert ledger_of(database).noise(charge(), never) == 7
    assert [ledger.noise(charge(T + 60 * n), lambda n=n: n) for n in range(1, 5)] == [1, 2, 3, 4]  # type: ignore[misc]
    assert [(one.epsilon, one.sensitivity, one.mechanism) for one in ledger.spent(CAMERA, T + 5)] == [
        (Fraction(1, 3), 1, "discrete-laplace")
    ]
    assert ledger.spent(CAMERA, T + 86400) == [] and ledger.spent(CameraId("south"), T) == []


def test_the_release_after_the_last_that_the_budget_allows_is_refused(database: Database) -> None:
    ledger = ledger_of(database)
    series = [charge(period_s=period_s, name=name) for name in ("a", "b", "c") for period_s in (60, 3600, 86400)]
    given = [ledger.noise(one, lambda: 1) for one in series]
    assert given == [1] * 6 + [None] * 3  # 6/3 is all of 2, and 7/3 is not within it
    assert sum(one.epsilon for one in ledger.spent(CAMERA, T)) == 2
    assert ledger.noise(charge(T + 86400, name="c"), lambda: 5) == 5  # another day
    assert ledger.noise(series[0], never) == 1  # what was granted stays


def test_other_terms_begin_with_another_day(database: Database) -> None:
    ledger = ledger_of(database)
    assert ledger.noise(charge(), lambda: 1) == 1
    assert ledger.noise(charge(T + 60, epsilon=Fraction(1, 4)), never) is None
    assert ledger.noise(charge(T + 60, sensitivity=2), never) is None
    # Noise that was drawn before is not told with another scale either.
    assert ledger.noise(charge(epsilon=Fraction(1, 4)), never) is None
    assert ledger.noise(charge(), never) == 1
    assert ledger.noise(charge(T + 86400, epsilon=Fraction(1, 4)), lambda: 3) == 3


def test_storing_a_number_forgets_its_noise_and_it_is_never_drawn_again(database: Database) -> None:
    store = NumberStore(database.engine)
    ledger = Ledger(database.engine, store)
    made = numbers(PUBLIC, place(GATE, {IN: 40}), budget=ledger)
    again = numbers(PUBLIC, place(GATE, {IN: 40}), budget=ledger)
    assert made == again  # a repeated query gives the same number, before it is stored
    store.put(made)
    with database.engine.connect() as connection:
        assert connection.execute(select(noise_table.c.noise)).scalars().all() == [None]
    assert numbers(PUBLIC, place(GATE, {IN: 40}), budget=ledger) == ()
    assert numbers(PUBLIC, place(GATE, {IN: 41}), budget=ledger) == ()  # nor for another value, which would tell both
    (stored,) = store.series(Audience.PUBLIC, CAMERA, GATE, [IN], period_s=60, from_s=T, to_s=T + 60)
    assert stored.value == [made[0].figures[IN].quantity.value]


PROGRAM = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.public.budget import Charge
from skyveil.public.store import open_database
from skyveil.public.store.ledger import Ledger
from skyveil.public.store.numbers import NumberStore

where, start_s, killed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
engine = open_database(where if "://" in where else Path(where))
charge = Charge(CameraId("north"), PlaceId("gate"), Measure.CROSSED_FORWARD, 60, start_s, 1, Fraction(1, 3))

def draw():
    if killed == "drawing":
        os.kill(os.getpid(), signal.SIGKILL)
    return 99

print(Ledger(engine, NumberStore(engine)).noise(charge, draw), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("killed", ["drawing", "stored"])
def test_a_process_that_is_killed_never_makes_a_second_draw_count(database: Database, killed: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(database.where), str(T), killed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    ledger = ledger_of(database)
    if killed == "drawing":  # nothing was stored, so nothing can have been told: this is the first draw that counts
        assert done.stdout == "" and ledger.spent(CAMERA, T) == []
        assert ledger.noise(charge(), lambda: 5) == 5
    else:
        assert done.stdout == "99\n"
        assert ledger.noise(charge(), never) == 99
    assert [one.epsilon for one in ledger.spent(CAMERA, T)] == [Fraction(1, 3)]


def test_many_who_ask_at_once_get_one_draw_and_stay_within_the_budget(database: Database) -> None:
    """Each with a ledger of its own, as processes have."""
    given: list[int | None] = []
    ready = threading.Barrier(8)

    def ask(number: int) -> None:
        ledger = ledger_of(database)
        ready.wait()
        given.append(ledger.noise(charge(), lambda: number))
        ledger.noise(charge(name=f"line-{number}"), lambda: 1)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(given) == 8 and len(set(given)) == 1
    assert len(ledger_of(database).spent(CAMERA, T)) == 6


# --- a database from a backup -----------------------------------------------------------------------------------------


def rolled_back(database: Database, *, to_serial: int) -> None:
    """Take away what a backup from before the later draws has not got."""
    with database.engine.begin() as connection:
        connection.execute(delete(noise_table).where(noise_table.c.serial > to_serial))
        connection.execute(delete(ledger_table))


def test_after_a_restore_nothing_is_published_of_the_days_before_and_all_of_the_next(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "noise.mark"
    ledger = ledger_of(database, path)
    assert [ledger.noise(charge(T + 60 * n), lambda: 7) for n in range(4)] == [7] * 4
    rolled_back(database, to_serial=2)
    for one in (ledger, ledger_of(database, path)):  # a server that goes on, and one that begins
        # What was drawn after the backup, with whatever value; what it has and may be published since; what is new.
        assert [one.noise(charge(T + 60 * n), never) for n in (3, 0, 9)] == [None] * 3
        assert one.noise(charge(T - 86400), never) is None
        assert "older than what was published" in one.problem()
        assert one.spent(CAMERA, T) == []
    next_day = [ledger.noise(charge(T + 86400 + 60 * n), lambda: 5) for n in range(2)]
    assert next_day == [5, 5] and ledger.problem() == ""
    for one in (ledger, ledger_of(database, path)):
        assert one.noise(charge(T + 86400), never) == 5
        # The database is as new as the mark again, and what was published is forgotten all the same.
        assert [one.noise(charge(T + 60 * n), never) for n in (3, 0, 9)] == [None] * 3


def test_a_kill_between_the_draw_and_the_mark_loses_no_number(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "noise.mark"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("skyveil.public.store.draw_mark.write_durably", full)
        with pytest.raises(OSError, match="No space"):
            ledger_of(database, path).noise(charge(), lambda: 7)
    assert not path.exists()
    assert ledger_of(database, path).noise(charge(), never) == 7
    assert DrawMark(path).serial == 1


def test_what_the_clean_up_takes_away_is_no_restore(database: Database, tmp_path: Path) -> None:
    store = NumberStore(database.engine)
    ledger = ledger_of(database, tmp_path / "noise.mark")
    assert ledger.noise(charge(), lambda: 7) == 7
    store.sweep(T + 10 * 86400)
    assert ledger.noise(charge(T + 10 * 86400), lambda: 3) == 3
    assert ledger.noise(charge(T + 10 * 86400 + 60), lambda: 4) == 4


@pytest.mark.parametrize("text", [b"", b"[]", b'{"serial": 1}', b'{"serial": "x", "day": 1}', b"\xff"])
def test_a_mark_that_is_damaged_is_told_left_alone_and_never_taken_for_none(
    database: Database, tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "noise.mark"
    path.write_bytes(text)
    ledger = ledger_of(database, path)
    assert [ledger.noise(charge(start_s), never) for start_s in (T, T + 86400)] == [None, None]
    assert ledger.spent(CAMERA, T) == []
    assert ledger.problem() == (
        "noise.mark can not be read, so what was published is not known and the public is told nothing: "
        "remove it on a later day and start again"
    )
    with pytest.raises(StoreFailed, match=r"noise\.mark can not be read"):
        DrawMark(path).reach(9, day=9)
    with pytest.raises(StoreFailed, match=r"noise\.mark can not be read"):
        DrawMark(path).close()
    assert path.read_bytes() == text
    path.unlink()
    assert ledger_of(database, path).noise(charge(T + 86400), lambda: 7) == 7


def test_the_ledger_names_places_and_terms_and_nothing_else(database: Database) -> None:
    del database
    assert sorted(ledger_table.columns.keys()) == [
        "camera", "day", "epsilon", "measure", "mechanism", "period_s", "place", "sensitivity",
    ]  # fmt: skip
    assert sorted(noise_table.columns.keys()) == [
        "camera",
        "measure",
        "noise",
        "period_s",
        "place",
        "serial",
        "start_s",
    ]
    assert Measure.COUNT and GATE in GROUNDS
