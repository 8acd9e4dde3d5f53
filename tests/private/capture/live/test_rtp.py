"""Packets in the order in which they were sent."""

from collections.abc import Iterable

import pytest

from skyveil.private.capture.live.rtp import LATE_S, Ordered, RtpPacket


def pushed(ordered: Ordered, *numbers: int, now_s: float = 0.0) -> list[tuple[int, bool]]:
    packets = [RtpPacket(number % (1 << 16), 0, True, b"") for number in numbers]
    return told(one for packet in packets for one in ordered.push(packet, now_s))


def told(packets: Iterable[tuple[RtpPacket, bool]]) -> list[tuple[int, bool]]:
    return [(packet.sequence, lost) for packet, lost in packets]


@pytest.mark.parametrize("first", [10, (1 << 16) - 2])
def test_packets_that_are_late_by_little_come_in_their_order(first: int) -> None:
    order = [first, first + 2, first + 1, first + 3, first + 1]
    assert pushed(Ordered(wait_s=LATE_S), *order) == [((first + n) % (1 << 16), False) for n in range(4)]


def test_a_gap_becomes_a_loss_after_a_while_and_not_before() -> None:
    ordered = Ordered(wait_s=LATE_S)
    assert pushed(ordered, 1, 3, now_s=7.0) == [(1, False)]
    assert pushed(ordered, 4, 6, now_s=7.0 + LATE_S / 2) == []
    assert told(ordered.overdue(7.0 + 0.9 * LATE_S)) == [] and ordered.waiting
    # What came with the late one waits for its own time.
    assert told(ordered.overdue(7.0 + 1.1 * LATE_S)) == [(3, True), (4, False)] and ordered.waiting
    assert pushed(ordered, 2, 5, now_s=7.0 + 1.2 * LATE_S) == [(5, False), (6, False)]
    assert not ordered.waiting


def test_what_came_while_nobody_read_is_not_late() -> None:
    ordered = Ordered(wait_s=LATE_S)
    pushed(ordered, 1, 4, now_s=0.0)
    assert pushed(ordered, 3, 5, 2, now_s=9.0) == [(2, False), (3, False), (4, False), (5, False)]


def test_where_nothing_is_mixed_up_a_gap_is_a_loss_at_once() -> None:
    ordered = Ordered(wait_s=0.0)
    assert pushed(ordered, 1, 3, 5) == [(1, False)]
    assert told(ordered.overdue(0.0)) == [(3, True), (5, True)]


def test_no_more_than_some_packets_wait() -> None:
    ordered = Ordered(wait_s=LATE_S)
    found = pushed(ordered, 1, *range(3, 40))
    assert found[:2] == [(1, False), (3, True)] and found[-1] == (39, False)


def test_a_camera_that_begins_anew_is_followed() -> None:
    assert pushed(Ordered(wait_s=LATE_S), 30_000, 30_002, 5, 6) == [(30_000, False), (5, True), (6, False)]
