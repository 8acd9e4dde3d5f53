"""Coded streams with messages planted beside the picture, made by hand."""

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

CAPTION = b"VAPTION CANARY"
"""What the captions say; even parity is not asked for here. Its length is even: captions come in pairs of bytes."""
NOTE = b"NOTE CANARY: the person in the blue coat"
START = b"\x00\x00\x00\x01"


def moving_pictures(count: int, width: int, height: int) -> Iterator[av.VideoFrame]:
    """A textured square that moves over a textured ground, so that the coder predicts from earlier pictures."""
    random = np.random.default_rng(11)
    ground = random.integers(60, 120, (height, width), dtype=np.uint8)
    square = random.integers(130, 230, (24, 24), dtype=np.uint8)
    for index in range(count):
        luma = ground.copy()
        luma[20:44, 4 + 2 * index : 28 + 2 * index] = square
        chroma = np.full((height // 2, width), 128, np.uint8)
        picture = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")
        picture.pts = index
        yield picture


def coded(coder: str, *, count: int = 30, options: dict[str, str]) -> bytes:
    """A raw stream (Annex B) of `moving_pictures`."""
    encoder = av.CodecContext.create(coder, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 96, 64, "yuv420p"
    encoder.framerate, encoder.options = Fraction(25), options
    made = [bytes(packet) for picture in moving_pictures(count, 96, 64) for packet in encoder.encode(picture)]
    return b"".join(made + [bytes(packet) for packet in encoder.encode(None)])


def decoded(stream: bytes, container: str) -> Iterator[av.VideoFrame]:
    with av.open(io.BytesIO(stream), mode="r", format=container) as source:
        source.streams.video[0].codec_context.thread_count = 1
        yield from source.decode(source.streams.video[0])


def h264_with_messages() -> bytes:
    """An H.264 stream with captions (ATSC A/53) and an unregistered message before every picture."""
    stream = coded("libx264", options={"preset": "ultrafast", "aud": "1"})
    delimiter = START + b"\x09"
    planted = _h264_message(4, _captions()) + _h264_message(5, bytes(range(16)) + NOTE)
    pieces = stream.split(delimiter)
    # A delimiter is two bytes: its type, taken away by the split, and the kinds of slice that follow.
    return pieces[0] + b"".join(delimiter + piece[:1] + planted + piece[1:] for piece in pieces[1:])


def _captions() -> bytes:
    """Caption data as of ATSC A/53 part 4: country, provider, GA94, type 3, then triples of a flag and two bytes."""
    pairs = [CAPTION[index : index + 2] for index in range(0, len(CAPTION), 2)]
    triples = b"".join(b"\xfc" + pair for pair in pairs)
    return b"\xb5\x00\x31GA94\x03" + bytes([0x40 | len(pairs), 0xFF]) + triples + b"\xff"


def _h264_message(kind: int, payload: bytes) -> bytes:
    """A supplemental enhancement message in a unit of its own (ITU-T H.264, 7.3.2.3)."""
    return START + b"\x06" + _escaped(bytes([kind, len(payload)]) + payload + b"\x80")


def h265_with_timecode() -> bytes:
    """An H.265 stream that tells the hour in every picture (ITU-T H.265, D.2.27)."""
    stream = coded("libx265", options={"preset": "ultrafast", "x265-params": "log-level=none:aud=1:pools=1"})
    delimiter = START + b"\x46\x01"
    bits = "01" + "1" + "1" + "00000" + "1" + "0" + "0" + f"{7:09b}" + f"{56:06b}" + f"{34:06b}" + f"{12:05b}" + "00000"
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
    planted = START + b"\x4e\x01" + _escaped(bytes([136, len(payload)]) + payload + b"\x80")
    pieces = stream.split(delimiter)
    return pieces[0] + b"".join(delimiter + piece[:1] + planted + piece[1:] for piece in pieces[1:])


def _escaped(unit: bytes) -> bytes:
    """The unit with a 3 after every two zeros that a small byte follows, so that no start code appears in it."""
    out = bytearray()
    zeros = 0
    for byte in unit:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
