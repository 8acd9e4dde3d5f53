"""Recordings and their keys are gone after their retention, whatever the clock and the camera did."""

import os
from pathlib import Path

import pytest

from skyveil.public.archive import Policy
from skyveil.public.archive.chain import day_of
from tests.public.archive.test_archive import HALL, START_S, Site, Stream

DAY_S = 86400.0
POLICY = {HALL: Policy(hours=72)}


def segments(site: Site) -> list[Path]:
    return sorted((site.data / "recordings").rglob("*.seg"))


def keys(site: Site) -> list[str]:
    return sorted(path.stem for path in (site.keys_folder / "days").rglob("*.key"))


def starts(site: Site) -> list[float]:
    return [round(one.start_s - START_S) for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "segment"]


def test_the_last_segment_of_a_camera_that_was_removed_expires_with_its_key(site: Site, stream: Stream) -> None:
    site.record(3.5, stream)
    site.clock.s += 60
    site.recorder.sweep(POLICY)
    assert site.archive.verify(HALL, site.holds) == []
    assert starts(site) == [0, 2]
    site.clock.s += 3 * DAY_S
    site.recorder.sweep(POLICY)
    assert segments(site) == [] and keys(site) == []


@pytest.mark.parametrize("later", [False, True], ids=["alone", "before a day that stays"])
def test_a_file_without_a_line_expires_by_its_own_time(site: Site, stream: Stream, later: bool) -> None:
    site.record(5, stream)
    site.recorder.close()
    stray = segments(site)[0].with_name("000000000000.seg")
    stray.write_bytes(b"nothing tells of it")
    os.utime(stray, (START_S, START_S))
    if later:
        site.record(5, stream, at_s=START_S + 3600)
        site.recorder.close()
    site.clock.s = START_S + 71 * 3600
    site.recorder.sweep(POLICY)
    assert stray.exists()
    site.clock.s = START_S + 72.5 * 3600
    site.recorder.sweep(POLICY)
    assert not stray.exists()
    assert bool(segments(site)) == later


def test_a_hold_keeps_a_file_without_a_line(site: Site, stream: Stream) -> None:
    site.record(5, stream)
    site.recorder.close()
    stray = segments(site)[0].with_name("000000000000.seg")
    stray.write_bytes(b"nothing tells of it")
    os.utime(stray, (START_S, START_S))
    hold = site.holds.ask(HALL, START_S - 10, START_S + 1, reason="accident", days=30, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.clock.s = START_S + 20 * DAY_S
    site.recorder.sweep(POLICY)
    assert stray.exists() and len(segments(site)) == 2


@pytest.mark.parametrize("again", [False, True], ids=["running", "after a restart"])
def test_a_clock_that_was_ahead_for_a_moment_keeps_nothing_for_longer(site: Site, stream: Stream, again: bool) -> None:
    ahead_s = START_S + 3650 * DAY_S
    site.record(4, stream)
    site.record(4, stream, at_s=ahead_s)
    site.record(4, stream, at_s=START_S + 60)
    site.record(4, stream, at_s=START_S + DAY_S)
    if again:
        site.recorder.close()
        site.again()
    site.record(4, stream, at_s=START_S + 2 * DAY_S)
    site.recorder.close()
    # Today has a folder already: the one ahead ends with the next day.
    assert site.archive.days(HALL) == [day_of(one) for one in (START_S, ahead_s, START_S + DAY_S, START_S + 2 * DAY_S)]
    assert site.archive.verify(HALL, site.holds) == []
    site.recorder.sweep(POLICY)
    assert len(segments(site)) == 10
    site.clock.s = START_S + 4 * DAY_S + 3600
    site.recorder.sweep(POLICY)
    site.recorder.sweep(POLICY)
    assert starts(site) == [2 * DAY_S, 2 * DAY_S + 2]
    assert keys(site) == [day_of(START_S + 2 * DAY_S)]
    assert site.archive.verify(HALL, site.holds) == []
    site.clock.s += 2 * DAY_S
    site.recorder.sweep(POLICY)
    assert segments(site) == [] and keys(site) == []


def test_a_hold_keeps_what_was_written_while_the_clock_was_ahead(site: Site, stream: Stream) -> None:
    ahead_s = START_S + 3650 * DAY_S
    site.record(4, stream, at_s=ahead_s)
    site.record(4, stream, at_s=START_S)
    site.recorder.close()
    hold = site.holds.ask(HALL, ahead_s, ahead_s + 10, reason="accident", days=30, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.clock.s = START_S + 10 * DAY_S
    site.recorder.sweep(POLICY)
    assert starts(site) == [3650 * DAY_S, 3650 * DAY_S + 2]
    assert site.archive.verify(HALL, site.holds) == []


def test_a_clock_that_was_behind_begins_no_day_twice(site: Site, stream: Stream) -> None:
    site.record(4, stream)
    site.record(4, stream, at_s=START_S - 700 * DAY_S)
    site.record(4, stream, at_s=START_S + 60)
    site.record(4, stream, at_s=START_S + DAY_S)
    site.recorder.close()
    assert len(site.archive.days(HALL)) == 3
    assert site.archive.verify(HALL, site.holds) == []
    site.recorder.sweep(POLICY)
    assert len(starts(site)) == 8


def moved(site: Site, by_s: float) -> None:
    """Somebody, or a time server, set the clock."""
    site.clock.s += by_s
    site.clock.set_s += by_s


def held(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    site.recorder.close()
    hold = site.holds.ask(HALL, START_S - 10, START_S + 10, reason="crime", days=30, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.recorder.sweep(POLICY)


def test_a_clock_that_is_ahead_for_a_while_destroys_nothing(site: Site, stream: Stream) -> None:
    held(site, stream)
    moved(site, 365 * DAY_S)
    for _ in range(50):
        site.recorder.sweep(POLICY)
        site.clock.s += 60
    assert any("the clock is 365 days, 0:00:00 ahead of what was expected" in one for one in site.recorder.problems())
    moved(site, -365 * DAY_S)
    site.recorder.sweep(POLICY)
    assert site.recorder.problems() == []
    assert len(segments(site)) == 3


@pytest.mark.parametrize("moves_s", [[365 * DAY_S], [DAY_S * 200, DAY_S * 165]], ids=["once", "twice"])
def test_a_clock_that_stays_where_it_was_set_is_believed_after_an_hour(
    site: Site, stream: Stream, moves_s: list[float]
) -> None:
    held(site, stream)
    for by_s in moves_s:
        moved(site, by_s)
        for _ in range(59):
            site.recorder.sweep(POLICY)
            site.clock.s += 60
    assert segments(site)
    site.clock.s += 120
    site.recorder.sweep(POLICY)
    assert segments(site) == [] and site.recorder.problems() == []


def test_a_clock_that_drifts_or_is_set_by_minutes_keeps_nothing(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    site.recorder.close()
    for _ in range(70):
        site.clock.s += 75 * 60
        moved(site, -300)
        site.recorder.sweep(POLICY)
        assert site.recorder.problems() == []
    assert segments(site) == []


def test_a_start_after_longer_than_the_retention_deletes_from_the_second_hour_on(site: Site, stream: Stream) -> None:
    held(site, stream)
    site.clock.s += 60 * DAY_S
    site.again(hours=72)
    assert len(segments(site)) == 3
    site.record(4, stream)
    site.recorder.close()
    # What is signed meanwhile does not make a wrong clock right for the next start.
    site.again(hours=72)
    assert len(segments(site)) == 5
    site.clock.s += 3601
    site.recorder.sweep(POLICY)
    assert site.recorder.problems() == []
    assert [one - 60 * DAY_S for one in starts(site)] == [6, 8]


def test_a_start_within_the_retention_deletes_at_once(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    site.record(6, stream, at_s=START_S + 2 * DAY_S)
    site.recorder.close()
    site.clock.s += 2 * DAY_S
    site.again(hours=72)
    assert starts(site) == [2 * DAY_S, 2 * DAY_S + 2, 2 * DAY_S + 4]


def asked(site: Site, who: str, from_s: float = -1, to_s: float = 10) -> str:
    return site.holds.ask(HALL, START_S + from_s, START_S + to_s, reason="technical", days=30, actor=who).id


def kept_by(site: Site) -> bool:
    return site.holds.keeps(HALL, START_S, START_S + 2)


def test_a_request_keeps_for_three_days_and_may_be_approved_later(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    site.recorder.close()
    hold = asked(site, "ada")
    site.clock.s = START_S + 2.9 * DAY_S
    site.recorder.sweep({HALL: Policy(hours=1)})
    assert len(segments(site)) == 3
    site.clock.s = START_S + 3.1 * DAY_S
    assert not kept_by(site)
    site.holds.decide(HALL, hold, approve=True, actor="officer")
    site.recorder.sweep({HALL: Policy(hours=1)})
    assert len(segments(site)) == 3
    site.clock.s = START_S + 31 * DAY_S
    site.recorder.sweep({HALL: Policy(hours=1)})
    assert segments(site) == []


@pytest.mark.parametrize("released", [False, True])
def test_asking_again_for_what_nobody_approved_keeps_nothing_for_longer(
    site: Site, stream: Stream, released: bool
) -> None:
    site.record(6, stream)
    site.recorder.close()
    for day in (0, 2, 4, 29, 58):
        site.clock.s = START_S + day * DAY_S + 10
        hold = asked(site, "ada", from_s=-1 - day)
        assert kept_by(site) == (day < 3)
        site.recorder.sweep(POLICY)
        if released:
            site.holds.decide(HALL, hold, approve=False, actor="officer")
    assert segments(site) == []


def test_a_request_of_another_person_span_or_after_an_approval_has_its_own_three_days(site: Site) -> None:
    asked(site, "ada")
    site.clock.s += 4 * DAY_S
    assert not kept_by(site)
    asked(site, "ada", from_s=20, to_s=30)
    assert site.holds.keeps(HALL, START_S + 21, START_S + 23) and not kept_by(site)
    other = asked(site, "eve")
    assert kept_by(site)
    site.holds.decide(HALL, other, approve=True, actor="officer")
    site.clock.s += 29 * DAY_S
    asked(site, "eve")
    site.clock.s += 2 * DAY_S
    assert site.holds.of(HALL)[2].state(site.clock.s) == "expired"
    assert kept_by(site)
