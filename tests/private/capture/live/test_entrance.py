"""What waits at the entrance of a camera: the pictures of the last second, in bounded memory, at their own times."""

import av
import pytest

from skyveil.core.camera import CameraSpec
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.private.capture.live.decoder import Picture
from skyveil.private.capture.live.entrance import FRESH_S, Entrance
from skyveil.private.capture.live.given import Arrived, Given
from skyveil.private.capture.live.timeline import CLOCK_HZ, LiveTimeline

FPS = 10
WRAPS = (1 << 32) - 3 * CLOCK_HZ // FPS
"""The clock of the camera begins anew after the third picture."""


def entrance(max_fps: float | None = None) -> Entrance:
    given = Given(CameraSpec(camera_id("hall"), SafeUrl("rtsp://127.0.0.1/1"), max_fps=max_fps))
    given.timeline = LiveTimeline(1000.0)
    return Entrance(given, CLOCK_HZ)


def picture(number: int, *, size: tuple[int, int] = (96, 64)) -> Picture:
    ticks = (WRAPS + number * CLOCK_HZ // FPS) % (1 << 32)
    return Picture(av.VideoFrame(*size, "yuv420p"), ticks, damaged=False)


def after(door: Entrance, *groups: range) -> list[list[Arrived]]:
    """What is taken after each group of pictures that came meanwhile, all decoded when the last of them is there."""
    taken = []
    for numbers in groups:
        for number in numbers:
            door.put(picture(number), 1000 + numbers[-1] / FPS)
        taken.append(door.taken())
    return taken


def test_the_newest_of_those_that_waited_is_known() -> None:
    (taken,) = after(entrance(), range(4))
    assert [one.newer for one in taken] == [True, True, True, False]


def test_who_finds_several_time_after_time_is_behind_until_one_comes_alone() -> None:
    taken = after(entrance(), range(1), range(1, 4), range(4, 7), range(7, 8), range(8, 10), range(10, 12))
    assert [{one.behind for one in some} for some in taken] == [{False}, {False}, {True}, {False}, {False}, {True}]


def test_who_waits_for_pictures_that_come_in_bursts_is_not_behind() -> None:
    door = entrance()
    for group in (range(10), range(10, 20), range(20, 30)):
        (taken,) = after(door, group)
        assert not any(one.behind for one in taken)
        door.lag.waited()


def test_nothing_that_was_taken_is_given_again_and_an_empty_entrance_says_nothing_of_who_takes() -> None:
    door = entrance()
    after(door, range(2))
    assert door.taken() == []
    assert [one.behind for one in after(door, range(2, 4))[0]] == [True, True]


def test_pictures_of_the_last_second_are_given_and_older_ones_left_out() -> None:
    door = entrance()
    (taken,) = after(door, range(40))
    assert [one.raw.id.index for one in taken] == list(range(11))
    assert taken[-1].raw.time.seconds - taken[0].raw.time.seconds == pytest.approx(FRESH_S)
    assert door.dropped == 29


def test_each_picture_that_waited_keeps_the_time_at_which_it_came() -> None:
    door = entrance()
    before, waited = after(door, range(1), range(1, 11))
    arrivals = [one.arrival_s for one in (*before, *waited)]
    assert arrivals == pytest.approx([1000 + number / FPS for number in range(11)])
    times = [one.raw.time.seconds - before[0].raw.time.seconds for one in waited]
    assert times == pytest.approx([number / FPS for number in range(1, 11)], abs=1e-4)


def test_large_pictures_that_wait_take_bounded_memory() -> None:
    door = entrance()
    for number in range(10):
        door.put(picture(number, size=(4096, 2160)), 1000 + number / FPS)
    assert len(door.taken()) == 7 and door.dropped == 3


def test_pictures_above_the_highest_rate_are_left_out_and_make_nobody_late() -> None:
    door = entrance(max_fps=5.0)
    first, second = after(door, range(2), range(2, 4))
    assert [one.newer for one in (*first, *second)] == [False, False]
    assert not second[0].behind and door.dropped == 2
