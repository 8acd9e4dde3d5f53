"""How a camera's process is started, and how its silence is counted."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from skyveil.app.process import kept_waiting_s
from skyveil.app.running import Running, Starts, started


@contextmanager
def running() -> Iterator[Running]:
    process = started((sys.executable, "-c", "input()"), now_s=100.0)
    try:
        yield process
    finally:
        process.close()


def test_a_process_that_waits_for_a_processor_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    waited_s = 7.0
    monkeypatch.setattr("skyveil.app.running.kept_waiting_s", lambda pid: waited_s)
    with running() as process:
        assert process.silent_s(100.9) == pytest.approx(0.9)  # since its start, before it was heard
        process.heard_s = 200.0
        assert process.silent_s(201.0) == pytest.approx(1.0)
        waited_s += 8.0
        assert process.silent_s(210.0) == pytest.approx(2.0)
        assert process.silent_s(214.0) == pytest.approx(6.0)  # it waits no more: it hangs or was stopped
        process.heard_s = 214.0
        assert process.silent_s(216.0) == pytest.approx(2.0)  # what it waited before it was heard counts no more


def test_where_the_kernel_does_not_say_what_a_process_waited_all_its_silence_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[float | None] = [None, 500.0, None, 501.0]
    monkeypatch.setattr("skyveil.app.running.kept_waiting_s", lambda pid: said.pop(0))
    with running() as process:
        assert process.silent_s(103.0) == pytest.approx(3.0)
        assert process.silent_s(104.0) == pytest.approx(4.0)  # what it waited before is nothing of this silence
        assert process.silent_s(105.0) == pytest.approx(5.0)
        assert process.silent_s(106.0) == pytest.approx(5.0)


def test_how_long_a_process_waited_is_read_of_the_kernel() -> None:
    with running() as process:
        waited_s = kept_waiting_s(process.popen.pid)
        assert waited_s is not None and waited_s >= 0
    assert kept_waiting_s(process.popen.pid) is None  # gone: as where the kernel does not say


def test_so_many_start_at_a_time_and_the_others_say_that_they_wait() -> None:
    starts, said = Starts(2), []

    def turn(name: str, wanted: bool = True) -> "threading.Event":
        has, go = threading.Event(), threading.Event()

        def start() -> None:
            with starts.turn(wanted=lambda: wanted, waits=lambda: said.append(name)) as mine:
                has.set()
                assert go.wait(10)
                mine.end()
                mine.end()  # once is enough

        threading.Thread(target=start).start()
        assert name == "three" or has.wait(10)
        ends[name] = go
        return has

    ends: dict[str, threading.Event] = {}
    turn("one"), turn("two")
    assert not said
    three = turn("three")
    turn("four", wanted=False)  # stopped while it waits: it goes on without a turn
    assert not three.is_set()
    assert set(said) == {"three", "four"}
    ends["four"].set()
    ends["one"].set()
    assert three.wait(10)
    ends["two"].set()
    ends["three"].set()


def test_a_start_that_fails_gives_its_turn_back() -> None:
    starts = Starts(1)
    for _ in range(3):
        with (
            pytest.raises(OSError, match="no"),
            starts.turn(wanted=lambda: True, waits=lambda: pytest.fail("nobody else starts")),
        ):
            raise OSError("no")
