"""Generated frames that went through the gate, and the files made of them, for the tests of the public side."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from skyveil.core.ids import FrameId, SourceId
from skyveil.core.stream import StreamInfo
from skyveil.core.time import MediaTime
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import plane_array
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions
from skyveil.public.encode.header import EncodeSettings, StreamHeader
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.record.check import Written
from skyveil.public.record.writer import MediaWriter
from skyveil.public.types import RedactedFrame, RedactedPacket

SOURCE = SourceId("clip")
MS = Fraction(1, 1000)
BT709 = (1, 1, 1)
CANARY = "canary-7f3a"


def info(
    width: int = 96,
    height: int = 64,
    *,
    time_base: Fraction = MS,
    rate: Fraction | None = Fraction(25),
    sample_aspect: Fraction = Fraction(1),
    bit_depth: int = 8,
    full_range: bool = False,
) -> StreamInfo:
    return StreamInfo(width, height, time_base, rate, sample_aspect, bit_depth, full_range, BT709)


def picture(index: int, width: int, height: int, pixel_format: str) -> av.VideoFrame:
    """A soft pattern that moves, so that every encoder has something to predict."""
    made = av.VideoFrame(width, height, pixel_format)
    for number in range(len(made.planes)):
        plane = plane_array(made, number)
        y, x = np.indices(plane.shape[:2])
        wave = np.sin((x + 2 * index) / 9) + np.cos((y - index) / 7)
        peak = 900 if plane.dtype == np.uint16 else 225
        values = peak * (0.5 + 0.2 * wave)
        plane[:] = (values if plane.ndim == 2 else values[..., None]).astype(plane.dtype)
    made.metadata["comment"] = CANARY
    return made


def through_the_gate(made: av.VideoFrame, index: int, time: MediaTime) -> RedactedFrame:
    """The picture with one small box covered."""
    name = FrameId(SOURCE, index)
    tiles = (-(-made.height // 16), -(-made.width // 16))
    looked = Looked(name, 16, np.full(tiles, Why.LOOKED, np.uint8), np.zeros(tiles, np.float32), ("net@0",))
    regions = Regions(name, np.array([[8, 8, 24, 24]], np.int32), (), looked)
    return redact(RawFrame(made, name, time), regions, Solid(), max_look_age_s=1.0)


def redacted(times: Sequence[int], of: StreamInfo, pixel_format: str = "yuv420p") -> Iterator[RedactedFrame]:
    """One frame for each time, in ticks of the stream."""
    for index, ticks in enumerate(times):
        made = picture(index, of.width, of.height, pixel_format)
        yield through_the_gate(made, index, MediaTime(ticks, of.time_base))


def encoded(
    times: Sequence[int], of: StreamInfo, settings: EncodeSettings, pixel_format: str = "yuv420p"
) -> tuple[StreamHeader, list[RedactedPacket]]:
    encoder = VideoEncoder(settings, of)
    packets = [packet for frame in redacted(times, of, pixel_format) for packet in encoder.encode(frame)]
    return encoder.header, packets + encoder.end()


def recorded(path: Path, header: StreamHeader, packets: Sequence[RedactedPacket]) -> Written:
    with MediaWriter(path, header, audio=None, overwrite=False) as writer:
        for packet in packets:
            writer.write(packet)
        written = writer.finish()
        writer.output.commit()
        return written


def times_in(path: Path) -> list[Fraction]:
    """Presentation times of all decoded frames, in seconds."""
    with av.open(path) as container:
        return [
            frame.pts * frame.time_base
            for frame in container.decode(video=0)
            if frame.pts is not None and frame.time_base
        ]
