"""Redacted frames to encoded packets. Public side: takes nothing but RedactedFrame, writes nothing.

The stream says nothing of the input or the host: no caption or unregistered SEI, no encoder banner (x264's tells the
number of threads), no clock but the media's.
"""

import dataclasses
import os
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from typing import Final, final

import av
import cv2
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.settings import Codec
from skyveil.core.stream import StreamInfo
from skyveil.public.encode.header import AV1_PRESETS, CRF, EncodeSettings, StreamHeader
from skyveil.public.encode.units import without_banner
from skyveil.public.types import RedactedFrame, RedactedPacket, sealed

ENCODERS: Final[dict[Codec, str]] = {"h264": "libx264", "h265": "libx265", "av1": "libsvtav1"}

_RANGE_LIMITED, _RANGE_FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_RATES: Final = (Fraction(1), Fraction(240))
"""Nominal frame rates that every encoder accepts. Rate control reads them; times never come from them."""

_CV_CPU_AVX512: Final = 10
"""CV_CPU_AVX_512F. With AVX-512, x264's macroblock tree gives other bytes from run to run for the same frames (13 of 24
runs at 320x192, `veryfast`, one thread; none of 24 with AVX2, or without the tree), which would break that equal
frames make equal packets. Fast presets have no tree, but cost less with AVX2 (1280x720, a Xeon with AVX-512, ms of CPU
a frame: `ultrafast` 3.3 in place of 3.9, `superfast` 6.0 in place of 6.8); `fast` costs up to 3 % less there, and 15 to
18 % more on another machine."""

_TOO_FEW_FOR_X265: Final = 2
"""x265 learns from the third frame how far decoding runs ahead; with fewer its decoding times are memory that nobody
wrote (seen: -4602725391856369812). So few frames are never reordered, so they are decoded when they are shown."""


@final
class VideoEncoder:
    """Encodes the frames of one stream in order. One thread owns it; `end` closes it."""

    def __init__(self, settings: EncodeSettings, info: StreamInfo) -> None:
        """Open the encoder; SettingsRefused when it does not take the size or settings."""
        self._context = _opened(settings, info)
        self._pixel_format = self._context.pix_fmt
        self._codec = settings.codec
        self._clock = _Clock(info.time_base, _nominal_rate(info), key_every_s=settings.key_every_s)
        self.header = StreamHeader(settings.codec, info, self._context.extradata or b"")

    def encode(self, frame: RedactedFrame) -> list[RedactedPacket]:
        """The packets that are ready after this frame, in decoding order; often none or one.

        Raises BoundaryViolated for anything but a RedactedFrame of this stream, later than the one before it.
        """
        picture = self._plain(sealed(frame))
        ticks = frame.time.ticks
        picture.pts = ticks
        picture.time_base = self.header.stream.time_base
        picture.pict_type = PictureType.I if self._clock.next_is_key(ticks) else PictureType.NONE
        return self._packets(picture)

    def end(self) -> list[RedactedPacket]:
        """The packets that the encoder still held."""
        packets = self._packets(None)
        if self._clock.frames <= _TOO_FEW_FOR_X265:
            return [dataclasses.replace(packet, dts=packet.pts) for packet in packets]
        return packets

    def _plain(self, frame: RedactedFrame) -> av.VideoFrame:
        """The picture, checked to be one of this stream.

        Its side data is not asked for: PyAV then ties frame and container together, and a picture stays in memory until
        the collector comes by (seen: 800 MB at 1080p). The gate makes frames without any, and tests say so.
        """
        picture, header = frame.picture, self.header
        if (frame.width, frame.height) != (
            header.stream.width,
            header.stream.height,
        ) or frame.time.time_base != header.stream.time_base:
            raise BoundaryViolated(f"frame {frame.id.index} is not of this stream: {frame.width}x{frame.height}")
        if picture.format.name != self._pixel_format:
            raise BoundaryViolated(
                f"frame {frame.id.index} is not of this stream: {picture.format.name}, not {self._pixel_format}"
            )
        return picture

    def _packets(self, picture: av.VideoFrame | None) -> list[RedactedPacket]:
        return [self._packet(packet) for packet in self._context.encode(picture)]

    def _packet(self, packet: "av.Packet[VideoStream]") -> RedactedPacket:
        if packet.pts is None or packet.dts is None:
            raise BoundaryViolated("the encoder gave a packet without a time")
        data = bytes(packet)
        return RedactedPacket(
            data=without_banner(data) if self._codec == "h264" and packet.is_keyframe else data,
            pts=packet.pts,
            dts=packet.dts,
            duration=self._clock.duration(packet.pts),
            time_base=self.header.stream.time_base,
            keyframe=packet.is_keyframe,
        )


_HOLE: Final = 4
"""A gap so many times as long as the one before it is a hole."""


@final
class _Clock:
    """Times of the frames that went in: how long each is shown, and when a key frame is due."""

    def __init__(self, time_base: Fraction, rate: Fraction, *, key_every_s: float) -> None:
        self._gap = self._gap_before = max(1, round(1 / (rate * time_base)))
        self._key_every = Fraction(key_every_s) / time_base
        self.frames = 0
        self._last: int | None = None
        self._last_key: int | None = None
        self._told: int | None = None
        self._durations: OrderedDict[int, int] = OrderedDict()

    def next_is_key(self, ticks: int) -> bool:
        """Note a frame; whether it must be a key frame. Raises BoundaryViolated when time does not go forward."""
        if self._last is not None:
            if ticks <= self._last:
                raise BoundaryViolated(f"frame times must ascend, got {ticks} after {self._last}")
            self._gap_before, self._gap = self._gap, ticks - self._last
            if self._last != self._told:  # a packet that left already asks no more
                self._durations[self._last] = self._gap
        self._last = ticks
        self.frames += 1
        due = self._last_key is None or ticks - self._last_key >= self._key_every
        if due:
            self._last_key = ticks
        return due

    def duration(self, ticks: int) -> int:
        """Ticks until the next frame; for the newest frame, as long as the one before it.

        A live camera that stood still left a hole, which the picture after it does not fill once more.
        """
        hole = self._gap > _HOLE * self._gap_before
        self._told = ticks if ticks == self._last else self._told
        return self._durations.pop(ticks, self._gap_before if hole else self._gap)


def _nominal_rate(info: StreamInfo) -> Fraction:
    rate = info.average_rate or Fraction(25)
    return min(max(rate, _RATES[0]), _RATES[1]).limit_denominator(1001)


def _opened(settings: EncodeSettings, info: StreamInfo) -> VideoCodecContext:
    context = av.CodecContext.create(ENCODERS[settings.codec], "w")
    if not isinstance(context, VideoCodecContext):
        raise SettingsRefused(f"this PyAV has no video encoder {ENCODERS[settings.codec]}")
    context.width, context.height = info.width, info.height
    context.pix_fmt = "yuv420p10le" if info.bit_depth == 10 else "yuv420p"
    context.time_base, context.framerate = info.time_base, _nominal_rate(info)
    context.sample_aspect_ratio = info.sample_aspect
    context.color_range = _RANGE_FULL if info.full_range else _RANGE_LIMITED
    context.color_primaries, context.color_trc, context.colorspace = info.color
    context.gop_size = max(1, int(_nominal_rate(info) * Fraction(settings.key_every_s)))
    context.thread_count = settings.threads
    context.flags |= Flags.global_header | Flags.bitexact
    context.options = _OPTIONS[settings.codec](settings)
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings on stderr otherwise; 1 leaves errors
    try:
        context.open()
    except FFmpegError as error:
        raise SettingsRefused(
            f"{settings.codec} can not encode {info.width}x{info.height} with these settings: choose another codec"
        ) from error
    return context


def _h264(settings: EncodeSettings) -> dict[str, str]:
    preset = settings.preset or "fast"
    return {
        "preset": preset,
        **({"tune": "zerolatency"} if settings.low_latency else {}),
        **({"x264-params": "asm=avx2"} if cv2.checkHardwareSupport(_CV_CPU_AVX512) else {}),
        # A constant quantiser needs no second, smaller picture to guess what a frame will cost: a fifth of the CPU.
        "qp" if settings.low_latency else "crf": str(settings.crf or CRF["h264"][0]),
        "a53cc": "0",
        "udu_sei": "0",
        "forced-idr": "1",
    }


def _h265(settings: EncodeSettings) -> dict[str, str]:
    pools = "none" if settings.threads == 1 else str(settings.threads)
    return {
        "preset": settings.preset or "fast",
        "crf": str(settings.crf or CRF["h265"][0]),
        "a53cc": "0",
        "udu_sei": "0",
        "forced-idr": "1",
        "x265-params": f"log-level=none:info=0:pools={pools}:frame-threads=1",
    }


def _av1(settings: EncodeSettings) -> dict[str, str]:
    preset = settings.preset or "fast"
    return {
        "preset": str(AV1_PRESETS.get(preset, preset)),
        "crf": str(settings.crf or CRF["av1"][0]),
        "svtav1-params": f"lp={settings.threads}",
    }


_OPTIONS: Final[dict[Codec, Callable[[EncodeSettings], dict[str, str]]]] = {"h264": _h264, "h265": _h265, "av1": _av1}
