"""What a camera's process does with pictures, step by step: what leaves, when, and what never does."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from skyveil.app.live import Live
from skyveil.core.camera import CameraSpec
from skyveil.core.health import Cause
from skyveil.core.ids import FrameId, SourceId, camera_id
from skyveil.core.secret import SafeUrl
from skyveil.core.settings import Mask
from skyveil.core.time import MediaTime
from skyveil.private._pixels import plane_array
from skyveil.private.capture.live.given import Arrived, Shape
from skyveil.private.frame import RawFrame
from skyveil.public.encode.header import StreamHeader
from skyveil.public.live.fragments import Fragmenter
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Message
from tests.app.live_stand_in import Nets

STEP = 9_000
BRIGHT = 200


def arrived(number: int, *, width: int = 96, height: int = 64, damaged: bool = False) -> Arrived:
    """A bright picture of a camera with 10 pictures a second."""
    picture = av.VideoFrame(width, height, "yuv420p")
    for plane in range(3):
        plane_array(picture, plane)[:] = BRIGHT if plane == 0 else 128
    time = MediaTime(number * STEP, Fraction(1, 90_000))
    raw = RawFrame(picture, FrameId(SourceId("hall"), number), time, damaged=damaged)
    return Arrived(raw, number / 10, Shape(width, height, Fraction(1), full_range=False, color=(1, 1, 1)))


def live(nets: Nets, hindsight: int = 2) -> Live:
    return Live(CameraSpec(camera_id("hall"), SafeUrl("rtsp://127.0.0.1/1"), hindsight=hindsight), nets)


def brightness(said: list[Message]) -> list[int]:
    """The mean luma of every picture that left."""
    header = next(one for one in said if isinstance(one, StreamHeader))
    fragmenter = Fragmenter(header)
    media = fragmenter.init + b"".join(fragmenter.fragment(one).data for one in said if isinstance(one, RedactedPacket))
    with av.open(io.BytesIO(media), "r") as container:
        return [
            round(float(np.asarray(frame.to_ndarray(format="yuv420p"))[: frame.height].mean()))
            for frame in container.decode(container.streams.video[0])
        ]


@pytest.mark.parametrize("hindsight", [0, 2, 4])
def test_a_picture_leaves_as_soon_as_its_hindsight_is_there_and_not_before(hindsight: int) -> None:
    one = live(Nets(""), hindsight)
    for number in range(12):
        list(one.seen(arrived(number)))
        left = [left.pts // STEP for left in one.left()]
        assert left == ([number - hindsight] if number >= hindsight else [])


def test_pictures_are_covered_wholly_while_the_networks_fail_and_shown_again_after() -> None:
    nets = Nets("raises")
    one = live(nets)
    said: list[Message] = []
    for number in range(30):
        nets.fault = "raises" if number < 10 else ""
        said += one.seen(arrived(number))
        assert one.trouble == (Cause.DETECTOR_FAILED if number < 9 else one.trouble)
    left = one.left()
    assert all(frame.whole for frame in left if frame.pts < 10 * STEP)
    assert one.trouble is None and not left[-1].whole
    shown = brightness(said)
    assert max(shown[:8]) < 40 and min(shown[-8:]) > BRIGHT - 10


def test_new_masks_cover_pictures_that_were_waiting_already() -> None:
    one = live(Nets(""))
    said: list[Message] = []
    for number in range(8):
        if number == 6:
            one.mask((Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),))
        said += one.seen(arrived(number))
    shown = brightness(said)
    assert min(shown[:4]) > BRIGHT - 10 and set(shown[4:]) == {76}


def test_pictures_of_another_size_begin_a_stream_and_those_that_waited_never_leave() -> None:
    one = live(Nets(""))
    said: list[Message] = []
    for number in range(5):
        said += one.seen(arrived(number))
    for number in range(5, 10):
        said += one.seen(arrived(number, width=128, height=96))
    assert [one.stream.width for one in said if isinstance(one, StreamHeader)] == [96, 128]
    assert [left.pts // STEP for left in one.left()] == [0, 1, 2, 5, 6, 7]


def test_a_damaged_picture_is_covered_wholly() -> None:
    one = live(Nets(""))
    for number in range(8):
        list(one.seen(arrived(number, damaged=number == 4)))
    assert [left.whole for left in one.left()] == [number == 4 for number in range(6)]
