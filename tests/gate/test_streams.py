"""Real streams: what rides beside the picture stays behind, and the decoder never sees the paint."""

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
import pytest

from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import look
from tests.gate.bitstreams import CAPTION, NOTE, coded, decoded, h264_with_messages, h265_with_timecode
from tests.gate.pictures import looked_at, planes_of, raw_frame, regions_of

CAPTION_ON_THE_WIRE = b"".join(b"\xfc" + CAPTION[index : index + 2] for index in range(0, len(CAPTION), 2))
TELL_ALL = {"preset": "ultrafast", "a53cc": "1", "udu_sei": "1"}
"""An encoder that would pass on whatever rides on a frame."""


def packets(frames: Iterable[av.VideoFrame], options: dict[str, str]) -> bytes:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 96, 64, "yuv420p"
    encoder.framerate, encoder.thread_count, encoder.options = Fraction(25), 1, options
    made = [bytes(packet) for frame in frames for packet in encoder.encode(frame)]
    return b"".join(made + [bytes(packet) for packet in encoder.encode(None)])


def redacted(stream: bytes, container: str) -> list[av.VideoFrame]:
    return [
        redact(
            raw_frame(picture, index),
            regions_of(looked_at(96, 64, index), boxes=[(20, 20, 44, 44)], index=index),
            Solid(),
            max_look_age_s=1.0,
        ).picture
        for index, picture in enumerate(decoded(stream, container))
    ]


def test_captions_and_messages_of_the_input_are_found_in_no_packet() -> None:
    stream = h264_with_messages()
    for options in ({"preset": "ultrafast", "a53cc": "0"}, TELL_ALL):
        frames = redacted(stream, "h264")
        assert [len(frame.side_data) for frame in frames] == [0] * 30
        out = packets(frames, options)
        assert CAPTION_ON_THE_WIRE not in out
        assert NOTE not in out


def test_the_same_messages_pass_when_the_decoded_frame_itself_is_encoded() -> None:
    out = packets(decoded(h264_with_messages(), "h264"), TELL_ALL)
    assert CAPTION_ON_THE_WIRE in out
    assert NOTE in out


def test_the_hour_in_the_input_is_on_no_redacted_frame() -> None:
    stream = h265_with_timecode()
    assert all(frame.side_data.get("S12M_TIMECODE") for frame in decoded(stream, "hevc"))
    assert [len(frame.side_data) for frame in redacted(stream, "hevc")] == [0] * 30


@pytest.mark.parametrize(("coder", "container"), [("libx264", "h264"), ("libx265", "hevc")])
def test_painting_never_reaches_the_pictures_that_the_decoder_predicts_from(coder: str, container: str) -> None:
    options = {"preset": "medium", "x265-params": "log-level=none:pools=1"} if coder == "libx265" else {"bf": "2"}
    stream = coded(coder, options=options)
    untouched = [[plane.copy() for plane in planes_of(picture)] for picture in decoded(stream, container)]
    for index, picture in enumerate(decoded(stream, container)):
        raw = raw_frame(picture, index)
        assert all(np.array_equal(now, clean) for now, clean in zip(look(raw), untouched[index], strict=True))
        hidden = regions_of(looked_at(96, 64, index), boxes=[(0, 0, 96, 64)], index=index)
        redact(raw, hidden, Solid(), max_look_age_s=1.0)
        assert all(np.array_equal(now, clean) for now, clean in zip(planes_of(picture), untouched[index], strict=True))
    assert len(untouched) == 30


def test_painting_in_place_would_have_changed_later_pictures() -> None:
    """The danger is real with this clip: without a copy the paint shows in pictures that are decoded later."""
    stream = coded("libx264", options={"bf": "0"})
    untouched = [[plane.copy() for plane in planes_of(picture)] for picture in decoded(stream, "h264")]
    changed = 0
    for index, picture in enumerate(decoded(stream, "h264")):
        changed += any(
            not np.array_equal(now, clean) for now, clean in zip(planes_of(picture), untouched[index], strict=True)
        )
        if index % 5 == 0:
            for plane in planes_of(picture):
                plane[:] = 16
    assert changed > 10
