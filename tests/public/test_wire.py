import io
import json
import struct
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.core import errors
from skyveil.core.errors import BoundaryViolated, InputRefused, SkyveilError, WorkerFailed
from skyveil.core.health import CameraState, Cause
from skyveil.core.kinds import Kind
from skyveil.core.stream import StreamInfo
from skyveil.gate.release_rulers import release_camera, release_progress
from skyveil.measure.calibration import Fit
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.measures import Measure, PlaceMeasures
from skyveil.measure.quantity import unknown
from skyveil.measure.rulers import RulerCamera
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.ruler_report import RulerState
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import (
    Calibrated,
    Failed,
    Finished,
    Message,
    ModelUsed,
    Progress,
    Suspect,
    Suspects,
    Walled,
    WireReader,
    WireWriter,
)
from skyveil.public.wire.bodies import PACKET_LIMIT, STILL_LIMIT, TEXT_LIMIT
from skyveil.public.wire.cameras import Dial, DialPorts, Epoch, Pulse, ViewSeen
from skyveil.public.wire.pipe import VERSION
from tests.measure.cameras import HUNG
from tests.public.store.made import COUNT, EXACT, HALL, STAFF, T, numbers, place

HEADER = StreamHeader(
    "h264",
    StreamInfo(96, 64, Fraction(1, 90_000), Fraction(30_000, 1001), Fraction(4, 3), 8, False, (1, 1, 1)),
    b"\x00\x01\xff",
)
FINISHED = Finished(
    frames=3,
    damaged=1,
    whole=2,
    duration_s=0.12,
    source_fps=25.0,
    covered_share_per_s=(0.0, 0.5, 1.0),
    gaps=((1.5, 2.5),),
    models=(ModelUsed("centerface", "0" * 64),),
    precision="f32",
    dropped=("audio aac", "subtitle mov_text"),
    timings_s=(("decode", 0.5),),
)
NUMBERS = b'{"camera":"c","place":"p","start_s":%b,"end_s":%b,"figures":[%b]}'
MESSAGES: tuple[Message, ...] = (
    HEADER,
    RedactedPacket(b"bytes", -40, -80, 40, Fraction(1, 1000), True),
    StillImage("webp", 640, 480, b"picture"),
    AudioHeader("opus", 48_000, 2, b"OpusHead"),
    AudioPacket(b"sound", -312, 960, Fraction(1, 48_000)),
    Progress(17, 400),
    Suspects((Suspect(0.5, 1.5, (-3, 4, 10, 20), Kind.FACE),)),
    FINISHED,
    replace(FINISHED, models=(), precision=""),
    Failed("InputRefused", "clip.mp4: no video stream"),
    Walled(("no files",), ("landlock: kernel 5.10",)),
    Dial(3, "udp"),
    DialPorts(3, 5004, 5005),
    Pulse(CameraState.COVERED, Cause.DETECTOR_LATE, 9.5, 0.25, 1000, 3, 7, 400_000_000, 21, -1.5),
    Epoch(-90_000, 1_790_000_000.25),
    *numbers(EXACT, place(HALL, {COUNT: 12.5, Measure.SPEED: 1.25}, start_s=T + 0.5, period_s=1)),
    Calibrated(calibration_text(HUNG[0].given)),
    ViewSeen((((0, 0), (10_000, 512)), ((17, 9_999),))),
    ViewSeen(()),
    release_progress(RulerState.COLLECTING, 34),
    release_camera(RulerCamera(6.0, 35.0, -1.0, 64.0, Fit(60, 11.2, None, 0.16, 0.07)), size_wh=(1920, 1080)),
    *numbers(EXACT, PlaceMeasures(HALL, T, T + 1, {COUNT: unknown(COUNT.unit, age_s=3.5)})),
)


def sent(*messages: Message) -> bytes:
    pipe = io.BytesIO()
    writer = WireWriter(pipe)
    for message in messages:
        writer.send(message)
    return pipe.getvalue()


def read(data: bytes) -> list[Message]:
    return list(WireReader(io.BytesIO(data)))


def framed(number: int, body: bytes, version: int = VERSION) -> bytes:
    return struct.pack("!IBB", len(body) + 2, version, number) + body


class OneByteAtATime(io.RawIOBase):
    """A pipe that gives and takes less than it is asked for."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def read(self, size: int = -1, /) -> bytes:
        part, self.data = bytes(self.data[:1]), self.data[1:]
        return part

    def write(self, data: object, /) -> int:
        assert isinstance(data, memoryview)
        self.data += data[:1]
        return 1


def test_every_message_comes_back_as_it_was_sent() -> None:
    assert read(sent(*MESSAGES)) == list(MESSAGES)


@pytest.mark.parametrize(
    "scenes",
    [
        b"[[],[],[]]", b"[[%b]]" % b",".join([b"[1,2]"] * 97), b"[[[1,2,3]]]", b"[[[1]]]", b"[[[1.5,2]]]",
        b"[[[-1,2]]]", b"[[[1,10001]]]", b'[["face"]]', b'"face"', b"[[[true,2]]]",
    ],
)  # fmt: skip
def test_a_view_is_two_lists_of_96_places_and_can_hold_nothing_else(scenes: bytes) -> None:
    with pytest.raises(WorkerFailed, match="scenes"):
        read(framed(18, b'{"scenes":%b}' % scenes))
    with pytest.raises(WorkerFailed, match="over the limit"):
        read(framed(18, b" " * 5000))


def test_a_pipe_that_gives_and_takes_single_bytes_changes_nothing() -> None:
    pipe = OneByteAtATime()
    for message in MESSAGES:
        WireWriter(pipe).send(message)  # type: ignore[arg-type]  # a RawIOBase is what an unbuffered pipe is
    assert list(WireReader(pipe)) == list(MESSAGES)  # type: ignore[arg-type]


def test_the_pipe_may_end_between_messages_only() -> None:
    data = sent(*MESSAGES)
    assert read(b"") == []
    ends = {len(sent(*MESSAGES[:count])) for count in range(len(MESSAGES) + 1)}
    for cut in set(range(len(data))) - ends:
        with pytest.raises(WorkerFailed, match="stopped inside a message"):
            read(data[:cut])


@given(
    data=st.binary(max_size=300),
    times=st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1)),
    base=st.fractions(min_value=Fraction(1, 10**6), max_value=100, max_denominator=10**6),
    keyframe=st.booleans(),
)
def test_any_packet_comes_back(data: bytes, times: tuple[int, int, int], base: Fraction, keyframe: bool) -> None:
    packet = RedactedPacket(data, *times, base, keyframe)
    assert read(sent(packet)) == [packet]


@settings(max_examples=400)
@given(st.binary(max_size=400))
def test_garbage_is_a_failed_worker_and_nothing_else(data: bytes) -> None:
    try:
        read(data)
    except WorkerFailed:
        return


@settings(max_examples=400)
@given(st.integers(1, 19), st.binary(max_size=200))
def test_a_garbage_body_is_a_failed_worker_and_nothing_else(number: int, body: bytes) -> None:
    try:
        read(framed(number, body))
    except WorkerFailed:
        return


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_JSON_MESSAGES = [message for message in MESSAGES if not isinstance(message, RedactedPacket | StillImage | AudioPacket)]


@settings(max_examples=400)
@given(st.sampled_from(_JSON_MESSAGES), st.data())
def test_one_field_of_a_wrong_kind_is_a_failed_worker_or_a_valid_message(message: Message, data: st.DataObject) -> None:
    whole = sent(message)
    fields = json.loads(whole[6:])
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(_json)
    try:
        (back,) = read(framed(whole[5], json.dumps(fields).encode()))
    except WorkerFailed:
        return
    assert read(sent(back)) == [back]


@settings(max_examples=300)
@given(st.data())
def test_flipped_bytes_are_a_failed_worker_or_valid_messages(data: st.DataObject) -> None:
    changed = bytearray(sent(*MESSAGES))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(changed))
    except WorkerFailed:
        return


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (framed(6, b"{}", version=2), "version 2"),
        (framed(99, b"{}"), "unknown type 99"),
        (struct.pack("!IBB", 2 + PACKET_LIMIT + 1, 1, 2), "over the limit"),
        (struct.pack("!IBB", 2 + STILL_LIMIT + 1, 1, 3), "over the limit"),
        (struct.pack("!IBB", 2 + TEXT_LIMIT + 1, 1, 8), "over the limit"),
        (struct.pack("!IBB", 1, 1, 6), "over the limit"),
        (framed(6, b"[" * 100_000), "not JSON"),
        (framed(6, b'{"frames":1' + b"0" * 5000 + b"}"), "not JSON"),
        (framed(6, b'{"frames":NaN,"expected":null}'), "not JSON"),
        (framed(6, b'{"frames":1,"frames":2}'), "not JSON"),
        (framed(6, b"\xff"), "not JSON"),
        (framed(6, b"[]"), "not an object"),
        (framed(6, b'{"frames":true,"expected":null}'), "frames"),
        (framed(6, b'{"frames":1,"expected":null,"x":0}'), "unknown fields"),
        (framed(6, b'{"expected":null}'), "left out"),
        (framed(9, b'{"error":"SystemExit","message":""}'), "error"),
        (framed(9, b'{"error":"InputRefused","message":"a\\nb"}'), "message"),
        (framed(2, struct.pack("!qqqIIB", 0, 0, 0, 1, 0, 1)), "time base"),
        (framed(2, struct.pack("!qqqIIB", 0, 0, 0, 1, 1, 2)), "flag"),
        (framed(2, struct.pack("!qqqIIB", 0, 0, -1, 1, 1, 1)), "duration"),
        (framed(5, struct.pack("!qqII", 0, -1, 1, 1)), "duration"),
        (framed(3, struct.pack("!BII", 77, 1, 1)), "format"),
        (framed(3, struct.pack("!BII", 0, 0, 1)), "size"),
        (framed(3, b""), "at least 9"),
        (framed(15, b'{"camera":"../x"}'), "camera"),
        (framed(15, NUMBERS % (b"5", b"5", b"")), "end_s"),
        (framed(15, NUMBERS % (b"5", b"90000", b"")), "end_s"),
        (framed(15, NUMBERS % (b"5", b"6", b'["count",1,null,"good"]')), "figures"),
        (framed(15, NUMBERS % (b"5", b"6", b'["face",1,null,"good",0]')), "figures"),
        (framed(15, NUMBERS % (b"5", b"6", b'["count",1,null,"unknown",0]')), "figures"),
        (framed(15, NUMBERS % (b"5", b"6", b'["count",null,null,"good",0]')), "figures"),
        (framed(15, NUMBERS % (b"5", b"6", b'["count",1,-1,"good",0]')), "figures"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(data: bytes, complaint: str) -> None:
    with pytest.raises(WorkerFailed, match=complaint):
        read(data)


@pytest.mark.parametrize(
    "message",
    [
        Progress(-1),
        Suspects((Suspect(1.0, 0.5, (0, 0, 1, 1), Kind.FACE),)),
        Suspects((Suspect(0.0, 0.5, (5, 0, 1, 1), Kind.FACE),)),
        Failed("KeyError", "x"),
        RedactedPacket(b"", 2**63, 0, 0, Fraction(1), False),
        RedactedPacket(bytes(PACKET_LIMIT + 1), 0, 0, 0, Fraction(1), False),
        AudioHeader("opus", 1, 2, b""),
    ],
)
def test_a_message_that_breaks_a_rule_is_not_sent(message: Message) -> None:
    pipe = io.BytesIO()
    with pytest.raises(WorkerFailed):
        WireWriter(pipe).send(message)
    assert pipe.getvalue() == b""


@pytest.mark.parametrize("share", [1.1, -0.1, float("nan"), float("inf")])
def test_a_covered_share_is_a_share(share: float) -> None:
    broken = Finished(
        **{**{name: getattr(FINISHED, name) for name in FINISHED.__slots__}, "covered_share_per_s": (share,)}
    )
    with pytest.raises(WorkerFailed):
        sent(broken)


@pytest.mark.parametrize("dropped", ["/home/somebody", "a\nb", "x" * 81, "naïve", ""])
def test_labels_hold_no_path_and_no_free_text(dropped: str) -> None:
    broken = Finished(**{**{name: getattr(FINISHED, name) for name in FINISHED.__slots__}, "dropped": (dropped,)})
    with pytest.raises(WorkerFailed, match="dropped"):
        sent(broken)


def test_numbers_for_another_audience_never_come_from_a_camera() -> None:
    with pytest.raises(BoundaryViolated, match="numbers for staff"):
        sent(*numbers(STAFF, place(HALL, {COUNT: 12})))


def test_every_error_of_the_tree_crosses_and_is_raised_again() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SkyveilError)]
    for kind in kinds:
        (back,) = read(sent(Failed.of(kind("what happened"))))
        assert isinstance(back, Failed)
        raised = back.raised()
        assert type(raised) is kind
        assert str(raised) == "what happened"


def test_an_error_crosses_without_the_path_and_in_one_line() -> None:
    failed = Failed.of(InputRefused("/home/somebody/secret.mp4: not media\n1/2 and/or " + "x" * 2000))
    assert failed.message.startswith("(path): not media 1/2 and/or x")
    assert len(failed.message) == 1000
    assert read(sent(failed)) == [failed]
