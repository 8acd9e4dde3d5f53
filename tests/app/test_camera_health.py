"""What a camera's process says of its camera, from when its pictures left and whether they were covered."""

import io
import socket
import time
from collections.abc import Iterator

import pytest

from skyveil.app.camera import CameraProcess
from skyveil.app.control import Control
from skyveil.app.live import Left, Live
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraState, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.public.wire import WireWriter
from tests.app.live_stand_in import Nets


@pytest.fixture
def channel() -> Iterator[socket.socket]:
    mine, parents = socket.socketpair()
    with mine, parents:
        yield mine


@pytest.mark.parametrize(
    ("covered_ago_s", "state", "cause"),
    [
        ([7, 6, 5, 4, 3, 2, 1, 0], CameraState.COVERED, Cause.DETECTOR_LATE),
        ([3, 2, 1, 0], CameraState.LIVE, Cause.OK),  # not for long
        ([60], CameraState.STARTING, Cause.CONNECTING),  # the link was lost, and there is no picture yet
        ([60, 0], CameraState.LIVE, Cause.OK),  # what was covered before says nothing of the first picture after
        ([60, 8, 1, 0], CameraState.LIVE, Cause.OK),
    ],
)
def test_only_pictures_that_keep_coming_covered_say_that_the_detector_is_too_slow(
    covered_ago_s: list[float], state: CameraState, cause: Cause, channel: socket.socket
) -> None:
    spec = CameraSpec(camera_id("hall"), SafeUrl("rtsp://127.0.0.1/1"))
    live = Live(spec, Nets("nobody"))
    process = CameraProcess(spec, live, Control(channel), WireWriter(io.BytesIO()), None)
    now_s = time.monotonic()
    live._left = [Left(0, now_s - ago_s, now_s - ago_s, whole=True) for ago_s in covered_ago_s]
    process._note()
    process._judge()
    assert (process._state, process._cause) == (state, cause)
