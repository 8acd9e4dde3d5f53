"""What an encoded stream is, in numbers. Public side: no pixels, no people, no names of files or hosts."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.settings import Codec
from skyveil.core.stills import StillFormat
from skyveil.core.stream import StreamInfo

AudioCodec: TypeAlias = Literal["aac", "opus"]

PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""The names of x264 and x265, cheapest first; AV1 takes them too, or a number of its own."""

AV1_PRESETS: Final = dict(zip(PRESETS, (12, 11, 10, 9, 8, 7, 5, 4, 3, 2), strict=True))
"""Preset of SVT-AV1 (0 slowest to 13 fastest) that stands for each name."""

CRF: Final[dict[Codec, tuple[int, int]]] = {"h264": (23, 51), "h265": (26, 51), "av1": (32, 63)}
"""Default and highest constant rate factor of each codec; the defaults look alike, 23 is x264's own (20 costs 15 % more
CPU and 43 % more bytes at `ultrafast`). The lowest is 1: 0 is lossless, which few players read."""

SIZE_LIMIT_PX: Final = 16384
"""Longest side of a picture: 8K has 8192, and no encoder here takes more than this."""


@final
@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """How to encode: `preset` and `crf` None stand for `fast` and the codec's default.

    `threads` = 1 costs the least CPU (x264 `ultrafast`, 768x432, ms of CPU a frame: 0.87 with 1, 0.94 with 2, 0.93 with
    its own choice of 3) and makes the output the same on every machine: x264 plans a frame differently for each number.
    `key_every_s` is the longest media time between key frames: what a player must decode to seek, and what a new viewer
    of a live camera waits for. `low_latency` gives every frame's packet at once; with H.264 `crf` is then a constant
    quantiser, so that a busy scene gets more bytes and not a worse picture. For each picture of a street at 1280x720
    and 10 fps (23, x264 with AVX2): `ultrafast` 2.5 ms, 14 kB, 43.1 dB of luma; `superfast` 5.1 ms, 11 kB, 43.9 dB.
    With a constant rate factor `ultrafast` took 3.3 ms, 18 kB, 44.6 dB.
    """

    codec: Codec = "h264"
    preset: str | None = None
    crf: int | None = None
    threads: int = 1
    key_every_s: float = 10.0
    low_latency: bool = False

    def __post_init__(self) -> None:
        """Raise SettingsRefused for a codec, preset, crf or thread count that does not exist."""
        if self.codec not in CRF:
            raise SettingsRefused(f"unknown codec {self.codec!r}: choose {', '.join(CRF)}")
        if self.preset is not None and self.preset not in PRESETS and not self._is_av1_number(self.preset):
            numbers = " or 0 to 13" if self.codec == "av1" else ""
            raise SettingsRefused(
                f"unknown preset {self.preset!r} for {self.codec}: choose {', '.join(PRESETS)}{numbers}"
            )
        if self.crf is not None and not 1 <= self.crf <= CRF[self.codec][1]:
            raise SettingsRefused(f"crf of {self.codec} must be 1 to {CRF[self.codec][1]}, got {self.crf}")
        if not 1 <= self.threads <= 64:
            raise SettingsRefused(f"encoder threads must be 1 to 64, got {self.threads}")

    def _is_av1_number(self, preset: str) -> bool:
        return self.codec == "av1" and preset.isascii() and preset.isdigit() and int(preset) <= 13


@final
@dataclass(frozen=True, slots=True)
class StreamHeader:
    """One encoded video stream: what a muxer writes before the first packet."""

    codec: Codec
    stream: StreamInfo
    extradata: bytes


@final
@dataclass(frozen=True, slots=True)
class AudioHeader:
    """One audio stream, encoded anew; `time_base` is one sample."""

    codec: AudioCodec
    sample_rate: int
    channels: int
    extradata: bytes

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the packets."""
        return Fraction(1, self.sample_rate)


@final
@dataclass(frozen=True, slots=True)
class AudioPacket:
    """Encoded sound; made only by `skyveil.public.encode.audio`, and only when the operator asked to keep it."""

    data: bytes
    pts: int
    duration: int
    time_base: Fraction


@final
@dataclass(frozen=True, slots=True)
class StillImage:
    """A redacted picture as the bytes of an image file."""

    format: StillFormat
    width: int
    height: int
    data: bytes
