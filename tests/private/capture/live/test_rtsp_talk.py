"""What is said to cameras with habits of their own."""

import pytest

from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraUnavailable
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.private.capture.live.connection import wait
from skyveil.private.capture.live.given import Given
from skyveil.private.capture.live.rtsp import Rtsp
from skyveil.private.capture.live.source import open_live
from tests.private.capture.live.talking import Talk, framed, talking


def spec_of(talk: Talk) -> CameraSpec:
    return CameraSpec(camera_id("hall"), SafeUrl(talk.url))


@pytest.mark.parametrize(("scheme", "ways"), [("rtsp", 2), ("rtsps", 1)])
def test_udp_is_tried_where_tcp_is_refused_and_never_beside_an_encrypted_connection(scheme: str, ways: int) -> None:
    with talking({"SETUP": lambda asked: [asked.answer("461 Unsupported Transport")]}, scheme=scheme) as talk:
        spec = spec_of(talk)
        with pytest.raises(CameraUnavailable):
            open_live(spec, Given(spec), talk.dial)
    asked = [one.headers["transport"] for one in talk.asked if one.method == "SETUP"]
    assert ["TCP" in one for one in asked] == [True, False][:ways]


@pytest.mark.parametrize("cut", [1, 3, 700, 1404])
def test_packets_before_the_answer_are_kept_wherever_they_are_cut(cut: int) -> None:
    packets = [bytes([number]) * 1400 for number in range(3)]
    sent = framed(0, packets[0]) + framed(7, b"of another stream") + framed(0, packets[1])
    replies = {"PLAY": lambda asked: [sent[:cut], sent[cut:] + asked.answer() + framed(0, packets[2])]}
    with talking(replies) as talk:
        rtsp = Rtsp(spec_of(talk), talk.dial, "tcp")
        found = [*rtsp.packets()]
        while len(found) < 3 and wait(rtsp.connections, 5):
            found += rtsp.packets()
        rtsp.close()
    assert found == packets
