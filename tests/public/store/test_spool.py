"""What waits for the database waits on disk, whole."""

import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from skyveil.core.errors import BoundaryViolated, StoreFailed
from skyveil.public.aggregate import Aggregate
from skyveil.public.store.spool import Spool
from tests.public.store.made import COUNT, EXACT, HALL, STAFF, T, numbers, place


def second(at_s: float, count: float = 7) -> Aggregate:
    return numbers(EXACT, place(HALL, {COUNT: count}, start_s=at_s, period_s=1))[0]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "numbers")) as made:
        yield made


def test_a_minute_is_read_as_it_was_written_also_by_another_process(spool: Spool, tmp_path: Path) -> None:
    made = [second(T + n, n) for n in range(0, 130, 10)]
    for one in made:
        spool.add(one)
    again = Spool(tmp_path / "numbers")
    assert again.waiting() == [T, T + 60, T + 120]
    assert again.minutes(T + 120) == [T, T + 60]
    assert [one for minute in again.waiting() for one in again.read(minute)] == made
    assert (tmp_path / "numbers").stat().st_mode & 0o077 == 0


def test_a_minute_that_is_done_is_gone_and_nothing_is_added_to_one_that_was_taken(spool: Spool) -> None:
    spool.add(second(T))
    assert spool.minutes(T + 65) == [T]
    assert not spool.add(second(T + 59))
    assert len(spool.read(T)) == 1
    spool.done(T)
    spool.done(T)
    assert spool.add(second(T + 60))
    assert spool.waiting() == [T + 60]
    spool.clock_was_set_back()
    assert spool.add(second(T))


def test_a_minute_that_is_set_aside_waits_no_more_until_it_is_put_back(spool: Spool) -> None:
    spool.add(second(T))
    spool.set_aside(T)
    assert (spool.waiting(), spool.aside()) == ([], [T])
    spool.put_back()
    assert (spool.waiting(), spool.aside(), spool.read(T)) == ([T], [], [second(T)])
    spool.set_aside(T)
    spool.done(T)
    assert spool.aside() == []


def test_a_torn_line_costs_that_line_only(spool: Spool, tmp_path: Path) -> None:
    spool.add(second(T))
    spool.close()
    path = tmp_path / "numbers" / f"{T}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"camera":"nor')
    with closing(Spool(tmp_path / "numbers")) as again:
        again.add(second(T + 2))
        assert again.read(T) == [second(T), second(T + 2)]


def test_a_disk_that_fills_up_in_a_line_costs_that_line_only_and_says_so(spool: Spool, tmp_path: Path) -> None:
    spool.add(second(T))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "numbers" / f"{T}.jsonl").stat().st_size + 9, before[1]))
    try:
        with pytest.raises(StoreFailed, match="can not be written to disk"):
            spool.add(second(T + 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    spool.add(second(T + 2))
    assert spool.read(T) == [second(T), second(T + 2)]


def test_only_exact_numbers_that_the_gate_released_are_spooled(spool: Spool) -> None:
    with pytest.raises(BoundaryViolated, match="numbers for staff"):
        spool.add(numbers(STAFF, place(HALL, {COUNT: 50}))[0])
    with pytest.raises(BoundaryViolated, match="expected an Aggregate"):
        spool.add(place(HALL, {COUNT: 50}))  # type: ignore[arg-type]


def test_a_folder_that_can_not_be_made_and_a_disk_that_is_full_are_told(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="can not be made"):
        Spool(tmp_path / "file")
    (tmp_path / "numbers" / f"{T}.jsonl").symlink_to("/dev/full")
    with pytest.raises(StoreFailed, match="can not be written"):
        spool.add(second(T))
