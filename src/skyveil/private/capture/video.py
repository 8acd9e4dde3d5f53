"""A video file as a source of raw frames. Private side.

Opens only containers that hold their media themselves: a playlist or a link could name other files and hosts.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Final, final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from skyveil.core.errors import InputRefused
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.stream import StreamInfo
from skyveil.core.time import MediaTime
from skyveil.private.capture.containers import ByteReader, open_container, open_streamed
from skyveil.private.capture.decoding import Decoded, Decoding
from skyveil.private.capture.interlace import deinterlaced
from skyveil.private.capture.orientation import orientation_of
from skyveil.private.capture.refusal import refuse_unless_file, shown, translated
from skyveil.private.capture.shape import Shaper
from skyveil.private.capture.source import Gap, SourceInfo
from skyveil.private.capture.timeline import Timeline
from skyveil.private.frame import RawFrame

_MICROSECOND: Final = Fraction(1, 1_000_000)
_GAP_STEPS: Final = 1.5
"""Frames further apart than this many usual steps leave out at least one."""

_FROM_ZERO: Final = ("matroska,webm", "nut", "asf")
_MKVMERGE_TAG: Final = "_STATISTICS_WRITING_APP"


def open_video(path: Path, source_id: SourceId, *, ten_bit: bool = False) -> "VideoSource":
    """Open the first video stream of the file at `path`; raises InputRefused."""
    refuse_unless_file(path)
    container = open_container(path, doing="reading the video")
    try:
        return VideoSource(path, source_id, container, ten_bit=ten_bit)
    except BaseException:
        container.close()
        raise


def open_stream(reader: ByteReader, source_id: SourceId) -> "VideoSource":
    """Open the first video stream of what `reader` reads, once; raises InputRefused."""
    name = Path("stream")
    container = open_streamed(reader, name)
    try:
        return VideoSource(name, source_id, container, ten_bit=False)
    except BaseException:
        container.close()
        raise


@final
class VideoSource:
    """One open video file. Its first picture is decoded at once, to know what it shows and that it can be shown."""

    def __init__(self, path: Path, source_id: SourceId, container: InputContainer, *, ten_bit: bool) -> None:
        self._path = path
        self._source_id = source_id
        self._container = container
        self._gaps: list[Gap] = []
        self._truncated = False
        with translated(path, doing="reading the video"):
            self._stream = _first_video(path, container)
            self._time_base = self._stream.time_base or _MICROSECOND
            self._timeline = Timeline(self._time_base, self._stream.average_rate)
            self._decoding = Decoding(container, self._stream)
            self._decoded, first = self._begin()
            orientation = orientation_of(first)
            self._shaper = Shaper(first, orientation, ten_bit=ten_bit)
            self.info: Final = self._described(swapped=orientation.transposed)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Stretches without frames, in seconds of media time; complete when `frames` has ended."""
        return tuple(self._gaps)

    @property
    def truncated(self) -> bool:
        """Whether the file ended early; known when `frames` has ended."""
        return self._truncated

    def frames(self) -> Iterator[RawFrame]:
        """All frames, upright, in the order and at the times they are shown; may be walked once."""
        timed = self._timed()
        for index in count():
            with translated(self._path, doing="decoding the video"):
                step = next(timed, None)
            if step is None:
                break
            frame, ticks = step
            picture = self._shaped(frame)
            damaged = frame.damaged or picture is None
            time = MediaTime(ticks, self._time_base)
            identity = FrameId(self._source_id, index)
            yield RawFrame(picture or self._shaper.black(), identity, time, damaged=damaged)
        self._note_end()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _begin(self) -> tuple[Iterator[Decoded], av.VideoFrame]:
        """All frames, and the first picture among them."""
        frames = deinterlaced(self._decoding.frames())
        leading: list[Decoded] = []
        for frame in frames:
            leading.append(frame)
            if frame.picture is not None:
                return chain(leading, frames), frame.picture
        raise InputRefused(f"{shown(self._path)}: no frame could be decoded: the file is damaged or holds no pictures")

    def _timed(self) -> Iterator[tuple[Decoded, int]]:
        """Every frame with its final time."""
        before: Decoded | None = None
        for frame in self._decoded:
            if before is not None:
                yield before, self._placed(before, frame.pts)
            before = frame
        if before is not None:
            yield before, self._placed(before, None)

    def _placed(self, frame: Decoded, following: int | None) -> int:
        """The time of `frame`; a leap beside damage is a gap, a leap between intact frames is a variable rate."""
        last = self._timeline.last
        ticks = self._timeline.place(frame.pts, following)
        if last is not None and frame.damaged and ticks - last > _GAP_STEPS * self._timeline.step:
            self._gaps.append((self._seconds(last + self._timeline.step), self._seconds(ticks)))
        return ticks

    def _shaped(self, frame: Decoded) -> av.VideoFrame | None:
        """The picture in the video's shape; None when there is none, or FFmpeg can not convert it."""
        if frame.picture is None:
            return None
        try:
            return self._shaper.shaped(frame.picture)
        except FFmpegError:
            return None

    def _note_end(self) -> None:
        """Compare how far reading got with how far the header says the video goes."""
        reached, declared = self._decoding.read_until, self._declared_end()
        short = reached is not None and declared is not None and declared - reached > _GAP_STEPS * self._timeline.step
        self._truncated = short or self._decoding.reader_gave_up or self._decoding.cut_tail
        if short and reached is not None and declared is not None:
            self._gaps.append((self._seconds(reached), self._seconds(declared)))

    def _declared_end(self) -> int | None:
        """Media time at which the video should end, when the file says so of this very stream."""
        start = 0 if _counts_from_zero(self._container, self._stream) else self._stream.start_time or 0
        if self._container.format.name == "asf" and len(self._container.streams) > 1:
            return None  # FFmpeg gives each stream the duration of the longest
        if self._stream.duration is not None:
            # FFmpeg shortens the duration of a cut AVI to what is there, but not the number of frames.
            frames = self._stream.frames if self._container.format.name == "avi" else 0
            return start + max(self._stream.duration, frames * self._timeline.step)
        said_s = _matroska_duration_s(self._stream.metadata.get("DURATION", ""))
        if said_s is None and len(self._container.streams) == 1 and self._container.duration is not None:
            said_s = self._container.duration * _MICROSECOND
        return None if said_s is None else start + round(said_s / self._time_base)

    def _seconds(self, ticks: int) -> float:
        return float(ticks * self._time_base)

    def _described(self, *, swapped: bool) -> SourceInfo:
        shaper, stream = self._shaper, self._stream
        colour = shaper.colour
        aspect = stream.sample_aspect_ratio or Fraction(1)
        rate = stream.average_rate or None
        duration_s = self._duration_s()
        guessed = round(duration_s * rate) if duration_s is not None and rate else None
        return SourceInfo(
            kind="video",
            stream=StreamInfo(
                width=shaper.width,
                height=shaper.height,
                time_base=self._time_base,
                average_rate=rate,
                sample_aspect=1 / aspect if swapped else aspect,
                bit_depth=shaper.bit_depth,
                full_range=colour.full_range,
                color=(colour.primaries, colour.transfer, colour.matrix),
            ),
            expected_frames=stream.frames or guessed,
            duration_s=duration_s,
            dropped=_dropped(self._container, stream),
            still_format=None,
        )

    def _duration_s(self) -> float | None:
        if self._stream.duration is not None:
            return self._seconds(self._stream.duration)
        return None if self._container.duration is None else float(self._container.duration * _MICROSECOND)


def _first_video(path: Path, container: InputContainer) -> VideoStream:
    """The first stream of moving pictures; the others are not even read."""
    chosen = next((stream for stream in container.streams.video if not _is_cover(stream)), None)
    if chosen is None:
        raise InputRefused(f"{shown(path)} holds no video stream: only video and pictures are redacted")
    if chosen.codec_context is None:
        raise InputRefused(f"{shown(path)}: no decoder for its video is built in: convert it to H.264 first")
    for other in container.streams:
        if other.index != chosen.index:
            other.discard = Discard.all
    return chosen


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _dropped(container: InputContainer, chosen: VideoStream) -> tuple[str, ...]:
    """What the file holds beside `chosen`, in words."""
    words = [_word_for(stream) for stream in container.streams if stream.index != chosen.index]
    chapters = len(container.chapters())
    return (*words, *([f"chapters {chapters}"] if chapters else []))


def _word_for(stream: Stream) -> str:
    if stream.type == "video":
        return f"cover picture {stream.index + 1}" if _is_cover(stream) else f"video stream {stream.index + 1}"
    if stream.type in ("audio", "subtitle") and stream.codec_context is not None:
        return f"{stream.type} {stream.codec_context.codec.canonical_name}"
    return f"{stream.type} stream {stream.index + 1}"


def _counts_from_zero(container: InputContainer, stream: Stream) -> bool:
    """Whether the durations that a file tells are those from time 0 to the end, and not from its first frame.

    FFmpeg writes Matroska, NUT and ASF so. mkvmerge, known by its statistics, counts from the first frame.
    """
    counted = any(key.startswith(_MKVMERGE_TAG) for key in stream.metadata)
    return container.format.name in _FROM_ZERO and not counted


def _matroska_duration_s(tag: str) -> Fraction | None:
    """Seconds of a `01:02:03.456` statistics tag; None when it is none."""
    parts = tag.strip("\x00 ").split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds
