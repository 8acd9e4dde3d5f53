"""What is said to cameras with habits of their own."""

import itertools
import socket
import struct
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from examples.rtsp_server import load, rtp_payloads
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live import rtsp as rtsp_session
from skyveil.private.capture.live.connection import wait
from skyveil.private.capture.live.given import Given
from skyveil.private.capture.live.rtcp import sender_time_s
from skyveil.private.capture.live.rtp import parsed
from skyveil.private.capture.live.rtsp import Rtsp
from skyveil.private.capture.live.source import open_live
from tests.private.capture.live.talking import SDP, Asked, Talk, framed, nonce_of, talking
from tests.private.capture.live.test_rtsp_source import first, made


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


def alive(talk: Talk, signs: int) -> list[Asked]:
    """What the camera is asked after PLAY, until so many signs of life were answered with 200."""
    rtsp = Rtsp(replace(spec_of(talk), username="viewer", password=Secret("hunter2")), talk.dial, "tcp")
    until_s = time.monotonic() + 10
    while talk.alive < signs and time.monotonic() < until_s:
        list(rtsp.packets())
        wait(rtsp.connections, 0.02)
    rtsp.close()
    assert talk.alive >= signs
    return talk.asked[3:]


def test_a_login_that_expired_is_proven_anew_and_the_session_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp_session, "_LEAST_ALIVE_S", 0.0)

    def proven(asked: Asked) -> list[bytes]:
        if nonce_of(asked) == "fresh":
            talk.alive += 1
            return [asked.answer()]
        return [asked.answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="c", nonce="fresh", stale=true')]

    with talking({"GET_PARAMETER": proven}) as talk:
        assert nonce_of(alive(talk, 2)[0]) == ""


@pytest.mark.parametrize(("challenge", "signs"), [('Digest realm="c", nonce="other"', 2), ("Negotiate", 1)])
def test_a_sign_of_life_is_proven_once_and_refused_without_harm(
    challenge: str, signs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp_session, "_LEAST_ALIVE_S", 3600.0)
    refused = {"GET_PARAMETER": lambda asked: [asked.answer("401 Unauthorized", f"WWW-Authenticate: {challenge}")]}
    with talking(refused) as talk:
        rtsp = Rtsp(replace(spec_of(talk), username="viewer", password=Secret("hunter2")), talk.dial, "tcp")
        monkeypatch.setattr(rtsp, "_alive_s", -3600.0)  # one is due
        until_s = time.monotonic() + 10
        while len(talk.asked) < 3 + signs and time.monotonic() < until_s:
            list(rtsp.packets())
            wait(rtsp.connections, 0.02)
        while wait(rtsp.connections, 0.2):
            list(rtsp.packets())
        rtsp.close()
    assert talk.methods().count("GET_PARAMETER") == signs


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "501 Not Implemented"])
def test_a_camera_that_refuses_a_sign_of_life_gets_another(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp_session, "_LEAST_ALIVE_S", 0.0)

    def known(asked: Asked) -> list[bytes]:
        talk.alive += 1
        return [asked.answer()]

    with talking({"GET_PARAMETER": lambda asked: [asked.answer(status)], "OPTIONS": known}) as talk:
        asked = [one.method for one in alive(talk, 3)]
    assert asked.index("OPTIONS") >= 1 and "GET_PARAMETER" not in asked[asked.index("OPTIONS") :]


def test_over_tcp_the_picture_behind_a_lost_packet_needs_no_other(tmp_path: Path) -> None:
    clip = load(made(tmp_path / "camera.mp4", frames=6))
    numbers = itertools.count(1)
    packets = [
        (index, struct.pack(">BBHII", 0x80, 96 | 0x80 * (unit is units[-1]), next(numbers), 4500 * index, 1) + payload)
        for index, units in enumerate(clip.pictures)
        for unit in units
        for payload in rtp_payloads(unit, clip.codec)
    ]
    sent = b"".join(framed(0, packet) for index, packet in packets if index != 4)
    with talking({"PLAY": lambda asked: [asked.answer() + sent]}) as talk:
        spec = spec_of(talk)
        with closing(open_live(spec, Given(spec), talk.dial)) as source:
            found = first(source, 5)
    assert [one.raw.damaged for one in found] == [False] * 4 + [True]


@pytest.mark.parametrize("length", ["9" * 5000, "1048577", "-1", "\u0661", ""])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    described = {"DESCRIBE": lambda asked: [asked.answer("200 OK", f"Content-Length: {length}")]}
    with talking(described) as talk, pytest.raises(CameraUnavailable) as refused:
        Rtsp(spec_of(talk), talk.dial, "tcp")
    assert refused.value.cause is Cause.GARBAGE


@pytest.mark.parametrize(
    ("told", "base"),
    [
        ("Content-Base: {origin}/live/", "{origin}/live/"),
        ("Content-Base: /live/", "{origin}/live/"),
        ("Content-Base: live/", "{origin}/a/live/"),
        ("Content-Location: live", "{origin}/a/live"),
        # Another host's address is said over the camera's own connection.
        ("Content-Base: rtsp://192.0.2.9/live", "rtsp://192.0.2.9/live"),
        ("Date: today", "{origin}/a/1?b=/c"),
    ],
)
def test_streams_lie_below_what_the_camera_tells(told: str, base: str) -> None:
    def described(asked: Asked) -> list[bytes]:
        return [asked.answer("200 OK", told.format(origin=talk.url[:-2]), body=SDP)]

    with talking({"DESCRIBE": described}) as talk:
        spec = CameraSpec(camera_id("hall"), SafeUrl(f"{talk.url[:-2]}/a/1?b=/c"))
        Rtsp(spec, talk.dial, "tcp").close()
    base = base.format(origin=talk.url[:-2])
    asked = {one.method: one.url for one in talk.asked}
    assert (asked["SETUP"], asked["PLAY"]) == (f"{base.rstrip('/')}/track1", base)


def test_by_udp_an_empty_packet_goes_first_so_that_firewalls_let_the_answer_in() -> None:
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
        for end in ends:
            end.bind(("127.0.0.1", 0))
            end.settimeout(10)
        ports = "-".join(str(end.getsockname()[1]) for end in ends)
        setup = {"SETUP": lambda asked: [asked.answer("200 OK", f"Transport: RTP/AVP;unicast;server_port={ports}")]}
        talk = stack.enter_context(talking(setup))
        Rtsp(replace(spec_of(talk), transport="udp"), talk.dial, "udp").close()
        sent = [end.recv(100) for end in ends]
    packet = parsed(sent[0], 0)
    assert packet is not None and packet.payload == b"" and sender_time_s(sent[1]) is None
