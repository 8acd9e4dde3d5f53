"""One HTML page about a run, to look at. Public side: its pictures are made from the redacted OUTPUT files only.

The page is complete in itself: styles inline, pictures as data, no script, and a policy that forbids the browser to
fetch anything. Suspects are listed by time and box, never shown.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from skyveil.core.errors import OutputRefused
from skyveil.public.record.output import OutputFile
from skyveil.public.record.report_page import Curve, Picture, Shown, page_of
from skyveil.public.record.result import Result
from skyveil.public.wire import Suspect

SHEET_FILES: Final = 60
"""Files of a run that get pictures; the others are listed. 60 files with 6 pictures are about 5 MB."""
SHEET_PICTURES: Final = 6
_FEW_PICTURES: Final = 3
"""Fewer key frames than this show too little of a video: it is shorter than half a minute then."""
_PICTURE_WIDTH_PX: Final = 320
_CURVE_POINTS: Final = 600
_CURVE_WIDTH: Final = 600.0
_CURVE_HEIGHT: Final = 80.0
_OURS: Final = b"<title>Skyveil report</title>"
_HEAD_BYTES: Final = 2048
_CURVE_TOPS: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run as the page tells it: done with a result, or not, with the reason."""

    name: str
    result: Result | None
    output: Path | None = None
    suspects: tuple[Suspect, ...] = ()
    note: str = ""


def write_report(path: Path, entries: Sequence[Entry], *, overwrite: bool) -> None:
    """Write the page in one step, over an older one; over anything else only with `overwrite`. Raises OutputRefused."""
    if not overwrite and not _is_none_or_ours(path):
        raise OutputRefused(f"{path}: exists and is no report of skyveil; move it away or use --overwrite")
    page = render(entries)
    with OutputFile(path, overwrite=True) as output:
        output.write(page.encode("utf-8", "backslashreplace"))
        output.commit()


def _is_none_or_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _OURS in file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def render(entries: Sequence[Entry]) -> str:
    """The page as text."""
    shown = [_shown(entry, with_pictures=index < SHEET_FILES) for index, entry in enumerate(entries)]
    return page_of(shown)


def contact_sheet(output: Path) -> tuple[Picture, ...]:
    """Small pictures of a redacted file, spread over its length; empty when none decodes.

    Key frames are nearly free, but they lie ten seconds apart: a short file is decoded from its beginning to its end.
    """
    try:
        with av.open(str(output)) as container:
            stream = container.streams.video[0]
            pictures = _at_key_frames(container, stream)
            if len(pictures) < _FEW_PICTURES and (container.duration or 0) > 0 and stream.frames != len(pictures):
                pictures = _on_the_way(container, stream)
            return tuple(pictures[time_s] for time_s in sorted(pictures))
    except (FFmpegError, IndexError, ValueError):
        return ()


def _wanted(container: InputContainer) -> Iterator[int]:
    """Where the pictures of the sheet should be, in microseconds of media time."""
    for index in range(SHEET_PICTURES):
        yield (container.start_time or 0) + (container.duration or 0) * index // SHEET_PICTURES


def _at_key_frames(container: InputContainer, stream: VideoStream) -> dict[float, Picture]:
    """The key frames before the times wanted, by their own time. Each is decoded once: several times may share one."""
    stream.codec_context.skip_frame = "NONKEY"
    pictures: dict[float, Picture] = {}
    begun: set[int | None] = set()
    for index, time in enumerate(_wanted(container) if container.duration else (0,)):
        if index:
            container.seek(time)
            key = next(container.demux(stream), None)
            if key is None or key.pts in begun:
                continue
            container.seek(time)
        frame = next(container.decode(stream), None)
        if frame is not None:
            begun.add(frame.pts)
            pictures[frame.time or 0.0] = _picture(frame)
    return pictures


def _on_the_way(container: InputContainer, stream: VideoStream) -> dict[float, Picture]:
    """The first frame at or after each time wanted on which others build: half of the decoding leaves out the rest."""
    container.seek(container.start_time or 0)
    stream.codec_context.skip_frame = "NONREF"
    wanted = list(_wanted(container))
    pictures: dict[float, Picture] = {}
    for frame in container.decode(stream):
        time_s = frame.time or 0.0
        if time_s * av.time_base >= wanted[0]:
            pictures[time_s] = _picture(frame)
            wanted = [time for time in wanted if time > time_s * av.time_base]
            if not wanted:
                break
    return pictures


def curve_top(shares: Sequence[float]) -> float:
    """The covered share at the top of the curve, so that a video of little cover does not look like one of none."""
    return next(top for top in _CURVE_TOPS if top >= max(shares, default=0.0))


def curve_points(shares: Sequence[float], *, top: float) -> str:
    """The points of an SVG polyline of the covered share over time: at most 600, each the highest of its part."""
    step = max(1, -(-len(shares) // _CURVE_POINTS))
    peaks = [max(shares[start : start + step]) for start in range(0, len(shares), step)]
    peaks = peaks * 2 if len(peaks) == 1 else peaks
    width = _CURVE_WIDTH / max(1, len(peaks) - 1)
    return " ".join(f"{index * width:.1f},{_CURVE_HEIGHT * (1 - peak / top):.1f}" for index, peak in enumerate(peaks))


def _shown(entry: Entry, *, with_pictures: bool) -> Shown:
    """What the page shows of one file."""
    pictures = contact_sheet(entry.output) if with_pictures and entry.output is not None else ()
    shares = () if entry.result is None else entry.result.finished.covered_share_per_s
    top = curve_top(shares)
    curve = Curve(curve_points(shares, top=top) if shares else "", _CURVE_WIDTH, _CURVE_HEIGHT, top)
    return Shown(_printable(entry.name), entry.note, entry.result, pictures, curve, entry.suspects)


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)


def _picture(frame: VideoFrame) -> Picture:
    return Picture(frame.time or 0.0, _jpeg_address(frame))


def _jpeg_address(frame: VideoFrame) -> str:
    """The frame, made small, as a JPEG in a data address."""
    width = min(_PICTURE_WIDTH_PX, frame.width) + min(_PICTURE_WIDTH_PX, frame.width) % 2
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    context = av.CodecContext.create("mjpeg", "w")
    if not isinstance(context, VideoCodecContext):
        raise OutputRefused("this PyAV has no JPEG encoder")
    context.width, context.height = width, height
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    context.options = {"qmin": "4", "qmax": "6"}
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts = 0
    small.time_base = Fraction(1, 25)
    data = b"".join(bytes(packet) for packet in (*context.encode(small), *context.encode(None)))
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
