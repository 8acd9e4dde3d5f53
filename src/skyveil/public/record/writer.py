"""Encoded packets to a container file. Public side: muxes what the worker sent, in its `.part`, and nothing else.

The containers get no tags, no creation time and no name of the muxer's host. Times are the input's: the container's
clock is the stream's own where it has one (MP4, MOV), milliseconds where it has none (Matroska, WebM). No container
shows what is before time 0, so a stream that starts there is moved, sound and all, to start at 0.
"""

import hashlib
import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from skyveil.core.errors import OutputRefused, SettingsRefused
from skyveil.core.settings import Codec
from skyveil.public.encode.header import AudioCodec, AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.encode.units import note_content
from skyveil.public.record.check import Expected, Written, check_media, check_still
from skyveil.public.record.output import OutputFile
from skyveil.public.types import RedactedPacket


@final
@dataclass(frozen=True, slots=True)
class Container:
    """One container format: FFmpeg's muxer, what it may hold, and whether its clock is the stream's own."""

    muxer: str
    codecs: frozenset[Codec]
    audio: AudioCodec
    own_clock: bool


_EVERY: Final[frozenset[Codec]] = frozenset({"h264", "h265", "av1"})
_MP4: Final = Container("mp4", _EVERY, "aac", own_clock=True)

CONTAINERS: Final = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", frozenset({"h264", "h265"}), "aac", own_clock=True),
    ".mkv": Container("matroska", _EVERY, "opus", own_clock=False),
    ".webm": Container("webm", frozenset({"av1"}), "opus", own_clock=False),
}
"""By the suffix of the output, lower case."""

_ENCODER_NAMES: Final[dict[Codec | AudioCodec, str]] = {
    "h264": "libx264", "h265": "libx265", "av1": "libsvtav1", "aac": "aac", "opus": "libopus",
}  # fmt: skip
_BIT_EXACT: Final = 0x400  # AVFMT_FLAG_BITEXACT: no version of the muxer, no random ids


def container_for(path: Path, codec: Codec) -> Container:
    """The container that the suffix of `path` names; SettingsRefused when there is none or it can not hold `codec`."""
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise SettingsRefused(f"{path.name}: no container for {path.suffix!r}, choose one of {', '.join(CONTAINERS)}")
    if codec not in container.codecs:
        able = ", ".join(suffix for suffix, other in CONTAINERS.items() if codec in other.codecs)
        raise SettingsRefused(f"{path.name}: {path.suffix} can not hold {codec}, choose one of {able}")
    return container


@final
class MediaWriter:
    """Writes one video file. A context manager: leaving it without `output.commit()` leaves nothing on the disk.

    One thread owns it. Memory grows by 8 bytes a frame (the times, for the check) and by what the muxer holds back.
    """

    def __init__(self, path: Path, header: StreamHeader, *, audio: AudioHeader | None, overwrite: bool) -> None:
        """Make the `.part`; raises SettingsRefused or OutputRefused when the target can not be."""
        self._container = container_for(path, header.codec)
        if header.codec == "av1" and header.stream.sample_aspect != 1 and not self._container.own_clock:
            # neither SVT-AV1 nor, through PyAV, the Matroska muxer says that pixels are not square
            raise SettingsRefused(f"{path.name}: pixels are not square, which av1 keeps in .mp4 only; choose .mp4")
        if audio is not None and audio.codec != self._container.audio:
            raise SettingsRefused(f"{path.name}: {path.suffix} takes {self._container.audio} sound, got {audio.codec}")
        self._header = header
        self._digest = hashlib.sha256()
        self._pts = array("q")
        self._newest = 0, 0
        self._moved_s = Fraction(0)
        self.output = OutputFile(path, overwrite=overwrite)
        try:
            with _muxing(path):
                self._muxer, self._video, self._audio = _opened(self.output.address, self._container, header, audio)
        except BaseException:
            self.output.discard()
            raise
        self._audio_packets = 0

    def write(self, packet: RedactedPacket) -> None:
        """Mux one packet of video; packets come in decoding order."""
        if packet.time_base != self._header.stream.time_base:
            raise SettingsRefused(
                f"a packet came in {packet.time_base}, the stream is in {self._header.stream.time_base}"
            )
        note_content(self._digest, packet.data, self._header.codec, prefixed=False)
        if not self._pts:
            self._moved_s = max(0, -packet.pts) * packet.time_base
        moved = int(self._moved_s / packet.time_base)
        pts, dts = packet.pts + moved, packet.dts + moved
        if not self._pts or pts > self._newest[0]:
            self._newest = pts, packet.duration
        self._pts.append(pts)
        self._mux(self._video, packet.data, pts, dts, packet.duration, packet.time_base, packet.keyframe)

    def write_audio(self, packet: AudioPacket) -> None:
        """Mux one packet of sound; SettingsRefused when the file has no sound, or no picture came before it."""
        if self._audio is None:
            raise SettingsRefused("a packet of sound came for a file without sound")
        if not self._pts:
            raise SettingsRefused("a packet of sound came before the first picture, which sets the clock")
        self._audio_packets += 1
        pts = packet.pts + round(self._moved_s / packet.time_base)
        self._mux(self._audio, packet.data, pts, pts, packet.duration, packet.time_base, True)

    def finish(self) -> Written:
        """Complete, flush and check the `.part`; OutputWrong when the check finds something else."""
        with _muxing(self.output.path):
            self._muxer.close()
        self.output.flush()
        return check_media(self.output.address, self._expected())

    def _expected(self) -> Expected:
        return Expected(
            header=self._header,
            muxer=self._container.muxer,
            pts=self._pts,
            end=sum(self._newest),
            tolerance=Fraction(0) if self._container.own_clock else Fraction(1, 1000),
            content=self._digest.digest(),
            audio_packets=self._audio_packets,
        )

    def _mux(
        self, stream: Stream, data: bytes, pts: int, dts: int, duration: int, time_base: Fraction, keyframe: bool
    ) -> None:
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = time_base
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        packet.is_keyframe = keyframe
        with _muxing(self.output.path):
            self._muxer.mux_one(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.output.empty()  # else the muxer would still move a long file about before it is removed
            with suppress(FFmpegError, OSError):
                self._muxer.close()
        finally:
            self.output.discard()


def write_still(output: OutputFile, image: StillImage) -> Written:
    """Write, flush and check one picture; it still has no name then. Raises OutputRefused or OutputWrong."""
    output.write(image.data)
    output.flush()
    return check_still(output.address, image)


@contextmanager
def _muxing(path: Path) -> Iterator[None]:
    """Turn errors of the muxer into OutputRefused: they are those of the disk."""
    try:
        yield
    except (FFmpegError, OSError) as error:
        raise OutputRefused(f"{path}: can not be written: {error.strerror or error}") from error


def _opened(
    address: str, container: Container, header: StreamHeader, audio: AudioHeader | None
) -> tuple[OutputContainer, Stream, Stream | None]:
    muxer = av.open(address, "w", format=container.muxer, options=_muxer_options(container, header))
    muxer.flags |= _BIT_EXACT
    with av.open(io.BytesIO(), "w", format="matroska") as pattern:
        video = _video_stream(muxer, pattern, header, mp4=container.own_clock)
        sound = None if audio is None else _audio_stream(muxer, pattern, audio)
    muxer.start_encoding()
    return muxer, video, sound


def _muxer_options(container: Container, header: StreamHeader) -> dict[str, str]:
    options = {"avoid_negative_ts": "disabled"}
    if container.own_clock:
        clock = str(header.stream.time_base.denominator)
        options |= {"movflags": "+faststart", "video_track_timescale": clock, "movie_timescale": clock}
    return options


def _video_stream(muxer: OutputContainer, pattern: OutputContainer, header: StreamHeader, *, mp4: bool) -> Stream:
    """A stream of the muxer for packets that are encoded already.

    PyAV makes such a stream only from a template; `pattern` never writes, its stream lends the codec, and no encoder
    is opened. The parameters that the muxer writes are those of the context.
    """
    template = pattern.add_stream(_ENCODER_NAMES[header.codec])
    stream = muxer.add_stream_from_template(template, opaque=True)
    context = stream.codec_context
    if not isinstance(context, VideoCodecContext):
        raise SettingsRefused(f"this PyAV can not write {header.codec}")
    context.width, context.height = header.stream.width, header.stream.height
    context.pix_fmt = "yuv420p10le" if header.stream.bit_depth == 10 else "yuv420p"
    context.sample_aspect_ratio = header.stream.sample_aspect
    context.color_range = 2 if header.stream.full_range else 1
    context.color_primaries, context.color_trc, context.colorspace = header.stream.color
    context.extradata = header.extradata
    context.time_base = stream.time_base = header.stream.time_base
    if header.codec == "h265" and mp4:
        context.codec_tag = "hvc1"  # the tag that Apple's players take; the parameter sets are in the header only
    return stream


def _audio_stream(muxer: OutputContainer, pattern: OutputContainer, header: AudioHeader) -> Stream:
    template = pattern.add_stream(_ENCODER_NAMES[header.codec], rate=header.sample_rate)
    stream = muxer.add_stream_from_template(template, opaque=True)
    context = stream.codec_context
    if not isinstance(context, AudioCodecContext):
        raise SettingsRefused(f"this PyAV can not write {header.codec}")
    context.layout = "mono" if header.channels == 1 else "stereo"
    context.extradata = header.extradata
    context.time_base = stream.time_base = header.time_base
    return stream
