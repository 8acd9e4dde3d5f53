"""A camera that the machine is too slow for, on a clock of its own: fewer pictures leave, and none gets old.

What decoding, looks and pictures cost is made up, and moves the clock; entrance, watch, gate and encoder are real.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import av
import numpy as np
import pytest

from skyveil.app.live import Live
from skyveil.core.camera import CameraSpec
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.private._pixels import plane_array
from skyveil.private.capture.live.decoder import Picture
from skyveil.private.capture.live.entrance import Entrance
from skyveil.private.capture.live.given import Given
from skyveil.private.capture.live.timeline import LiveTimeline
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.pyramid import Area
from skyveil.private.frame import RawFrame
from skyveil.public.wire import Message
from tests.app.live_stand_in import Nets

FPS = 10
COSTS_S: Mapping[str, float] = {"look": 0.075, "leaves": 0.011, "decoded": 0.007}
"""What one camera of the bench takes of a core to itself (docs/reference/live.md)."""


@dataclass
class Machine:
    """So many cameras on a core: each finds everything to last so many times as long."""

    cameras: float
    now_s: float = 100.0
    looked_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def spend(self, what: str) -> None:
        self.now_s += COSTS_S[what] * self.cameras


class SlowNets(Nets):
    """Networks whose looks take their time."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("two people")
        self._machine = machine

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        self._machine.spend("look")
        self._machine.looked_s.append(raw.time.seconds)
        return super().persons(raw, area, scale=scale, threshold=threshold)


def picture(number: int) -> Picture:
    made = av.VideoFrame(96, 64, "yuv420p")
    for plane in range(3):
        plane_array(made, plane)[:] = 128
    plane_array(made, 0)[:, number % 90 : number % 90 + 6] = 220  # something always moves
    return Picture(made, number * 90_000 // FPS, damaged=False)


@dataclass
class Shown:
    """What left: media times, how old each was then, seconds; and whether all of it was covered."""

    at_s: list[float] = field(default_factory=list)
    old_s: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    dropped: int = 0
    came: int = 0
    waiting: int = 0


def played(machine: Machine, *, seconds: float, hindsight: int = 2) -> Shown:
    """Let a camera run for so long."""
    spec = CameraSpec(camera_id("hall"), SafeUrl("rtsp://127.0.0.1/1"), hindsight=hindsight)
    began_s, found = machine.now_s, Shown()
    given = Given(spec)
    given.timeline = LiveTimeline(began_s)
    one, entrance = Live(spec, SlowNets(machine), now=machine), Entrance(given, 90_000)

    def leaves(_: Message) -> None:
        machine.spend("leaves")

    while machine.now_s < began_s + seconds:
        if machine.now_s < began_s + found.came / FPS:
            entrance.lag.waited()
            machine.now_s = began_s + found.came / FPS
        while began_s + found.came / FPS <= machine.now_s:
            entrance.put(picture(found.came), began_s + found.came / FPS)
            machine.spend("decoded")
            found.came += 1
        for arrived in entrance.taken():
            for message in one.seen(arrived):
                leaves(message)
            for left in one.left():
                found.at_s.append(left.pts / 90_000)
                found.old_s.append(machine.now_s - left.arrival_s)
                found.whole.append(left.whole)
    found.dropped = one.dropped + entrance.dropped
    found.waiting = len(one._arrivals)
    return found


def settled(shown: Shown) -> Shown:
    """What left after the first third."""
    begin = next(n for n, at_s in enumerate(shown.at_s) if at_s > shown.at_s[-1] / 3)
    return replace(shown, at_s=shown.at_s[begin:], old_s=shown.old_s[begin:], whole=shown.whole[begin:])


def fps(shown: Shown) -> float:
    return (len(shown.at_s) - 1) / (shown.at_s[-1] - shown.at_s[0])


@pytest.mark.parametrize(
    ("cameras", "least_fps", "oldest_s"),
    [
        (1, 9.9, 0.35),  # time to spare: all are shown, as old as hindsight asks for
        (2, 9.9, 0.45),
        (3, 9.9, 0.9),  # looks come less often, and all are shown
        (3.5, 7.0, 1.1),
        (4, 4.5, 1.2),
        (5, 3.0, 1.4),
        (6, 1.0, 1.1),  # each picture is a look: no more can be shown
    ],
)
def test_fewer_pictures_leave_the_slower_the_machine_is_and_none_gets_old(
    cameras: float, least_fps: float, oldest_s: float
) -> None:
    shown = settled(played(Machine(cameras), seconds=24))
    assert fps(shown) > least_fps
    assert np.percentile(shown.old_s, 95) < oldest_s
    assert not any(shown.whole)


def test_what_is_shown_falls_step_by_step() -> None:
    found = [fps(settled(played(Machine(cameras), seconds=18))) for cameras in (3.0, 3.5, 4.0, 4.5, 5.0)]
    assert all(0.5 * before < after < before for before, after in pairwise(found))


def test_pictures_that_leave_between_two_looks_are_evenly_apart() -> None:
    steps = np.diff(settled(played(Machine(4.5), seconds=24)).at_s)
    assert steps.max() < 1.6 * steps.min()


@pytest.mark.parametrize("cameras", [4, 6, 8])
def test_all_pictures_that_came_are_told_as_shown_or_left_out(cameras: float) -> None:
    shown = played(Machine(cameras), seconds=12)
    assert shown.dropped > 0
    assert len(shown.at_s) + shown.dropped + shown.waiting == shown.came


def test_without_hindsight_only_pictures_that_were_looked_at_leave() -> None:
    machine = Machine(4)
    shown = settled(played(machine, seconds=12, hindsight=0))
    assert set(np.round(shown.at_s, 3)) <= set(np.round(machine.looked_s, 3))
    assert np.percentile(shown.old_s, 95) < 0.8
