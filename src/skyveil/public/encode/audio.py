"""Decoded sound to encoded packets, for `--keep-audio` only. Public side: no tags, no clock but the media's."""

from fractions import Fraction
from typing import Final, final

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.error import FFmpegError

from skyveil.core.errors import SettingsRefused
from skyveil.public.encode.header import AudioCodec, AudioHeader, AudioPacket

RATE: Final = 48000
"""Samples per second of every output: what AAC and Opus both take."""
_TICK: Final = Fraction(1, RATE)

GAP_SAMPLES: Final = RATE // 20
"""A step in time of 50 ms or more is a gap of the input; less is a container's rounding, and evened out."""

BIT_RATE_PER_CHANNEL: Final = 80_000

_ENCODERS: Final[dict[AudioCodec, str]] = {"aac": "aac", "opus": "libopus"}


@final
class AudioEncoder:
    """Encodes one stream of sound, mono or stereo. One thread owns it; `end` closes it."""

    def __init__(self, codec: AudioCodec, *, channels: int) -> None:
        """Open the encoder; SettingsRefused when it does not exist."""
        if codec not in _ENCODERS:
            raise SettingsRefused(f"unknown codec of sound {codec!r}: choose {', '.join(_ENCODERS)}")
        layout = "mono" if channels == 1 else "stereo"
        self._context = _opened(codec, layout)
        self._next: int | None = None
        self._layout = layout
        self._resampler = self._new_resampler()
        self._kind: tuple[str, str, int] | None = None
        self.header = AudioHeader(codec, RATE, 1 if channels == 1 else 2, self._context.extradata or b"")

    def encode(self, frame: av.AudioFrame) -> list[AudioPacket]:
        """The packets that are ready after this frame. Sound that changes in the middle, as from stereo to mono, is
        resampled anew from there on."""
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        packets: list[AudioPacket] = []
        if self._kind not in (None, kind):
            packets = self._packets(self._resampler.resample(None))
            self._resampler = self._new_resampler()
        self._kind = kind
        return packets + self._packets(self._resampler.resample(frame))

    def _new_resampler(self) -> av.AudioResampler:
        size = self._context.frame_size
        return av.AudioResampler(format=self._context.format, layout=self._layout, rate=RATE, frame_size=size)

    def end(self) -> list[AudioPacket]:
        """The packets that the resampler and the encoder still held."""
        return self._packets([*self._resampler.resample(None), None])

    def _packets(self, frames: list[av.AudioFrame] | list[av.AudioFrame | None]) -> list[AudioPacket]:
        packets = [packet for frame in frames for packet in self._context.encode(self._steady(frame))]
        return [
            AudioPacket(bytes(packet), packet.pts or 0, packet.duration or 0, self.header.time_base)
            for packet in packets
        ]

    def _steady(self, frame: av.AudioFrame | None) -> av.AudioFrame | None:
        """The frame where the one before it ended, unless there is a real gap: containers round times."""
        if frame is None:
            return None
        # What needs no resampling keeps the clock of its file, such as milliseconds.
        due = round((frame.pts or 0) * (frame.time_base or _TICK) * RATE)
        if self._next is not None and due - self._next < GAP_SAMPLES:
            due = self._next
        frame.pts, frame.time_base, self._next = due, _TICK, due + frame.samples
        return frame


def _opened(codec: AudioCodec, layout: str) -> AudioCodecContext:
    try:
        context = av.CodecContext.create(_ENCODERS[codec], "w")
        if not isinstance(context, AudioCodecContext):
            raise SettingsRefused(f"this PyAV has no audio encoder for {codec}")
        context.sample_rate, context.layout = RATE, layout
        context.format = "fltp" if codec == "aac" else "flt"
        context.bit_rate = BIT_RATE_PER_CHANNEL * (1 if layout == "mono" else 2)
        context.flags |= Flags.global_header | Flags.bitexact
        context.open()
    except (FFmpegError, ValueError) as error:
        raise SettingsRefused(f"this PyAV can not encode {codec} sound: {error}") from error
    return context
