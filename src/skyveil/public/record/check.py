"""Is the written file what was meant? Public side: opens every output again before it gets its name.

A media file is read from end to end: the number, times and content of all packets must be those that were written,
and every key frame must decode to a picture of the right size. Content is compared by hash with the packets that
came over the pipe, so a file that passes holds the encoded frames and no other. Frames between key frames are not
decoded: their bytes are already known to be the encoder's, and decoding them would cost as much as the detection.
"""

import hashlib
import io
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from skyveil.core.errors import OutputWrong
from skyveil.core.stills import unwarned
from skyveil.public.encode.header import StillImage, StreamHeader
from skyveil.public.encode.units import note_content

_ASPECT_TOLERANCE: Final = 0.01
"""Codecs write the shape of a pixel as two numbers of 8 to 16 bits."""


@final
@dataclass(frozen=True, slots=True)
class Written:
    """A checked output: its bytes and what is in it."""

    size: int
    sha256: str
    frames: int
    duration_s: float


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """What a media file must hold. `pts` and `end` in ticks of the header's time base, `pts` in any order.

    `tolerance` is how far, in seconds, the container may move a time; `content` is the hash of all picture data.
    """

    header: StreamHeader
    muxer: str
    pts: "array[int]"
    end: int
    tolerance: Fraction
    content: bytes
    audio_packets: int


def check_media(address: str, expected: Expected) -> Written:
    """Read a media file back; raises OutputWrong, which says what is not as expected."""
    with _reading(), av.open(address, "r", format=expected.muxer) as container:
        video = _video(container, expected)
        found = _Found(video, expected.header)
        sound = 0
        for packet in container.demux():
            if packet.pts is None:
                continue
            if packet.stream_index == video.index:
                found.take(packet)
            else:
                sound += 1
        found.end()
        _same("packets of sound", expected.audio_packets, sound)
        duration_s = found.compare(expected)
        aspect = Fraction(video.sample_aspect_ratio or 1) / expected.header.stream.sample_aspect
        if abs(aspect - 1) > _ASPECT_TOLERANCE:
            raise OutputWrong(f"the written file shows pixels {float(aspect):.3f} times as wide as they are")
    return _measured(address, frames=len(expected.pts), duration_s=duration_s)


def check_still(address: str, image: StillImage) -> Written:
    """Read a picture back; raises OutputWrong when it is not the one that was sent."""
    data = Path(address).read_bytes()
    _same("bytes", image.data, data)
    try:
        _same("size", (image.width, image.height), _still_size(image))
    except (OSError, ValueError) as error:
        raise OutputWrong(f"the written {image.format} can not be read: {error}") from error
    return Written(len(data), hashlib.sha256(data).hexdigest(), 1, 0.0)


def _still_size(image: StillImage) -> tuple[int, int]:
    if image.format == "heic":
        import pillow_heif  # it and Pillow cost 30 ms of CPU that a run over videos need not pay

        opened = pillow_heif.open_heif(io.BytesIO(image.data), convert_hdr_to_8bit=False)
        return int(opened.size[0]), int(opened.size[1])
    from PIL import Image

    large = image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf)
    with unwarned() if large else nullcontext(), Image.open(io.BytesIO(image.data)) as picture:
        picture.load()
        return picture.size


@final
class _Found:
    """What a media file turns out to hold, gathered packet by packet."""

    def __init__(self, video: VideoStream, header: StreamHeader) -> None:
        self._video = video
        self._header = header
        self._pts: array[int] = array("q")
        self._digest = hashlib.sha256()
        self._keys = 0
        self._pictures = 0

    def take(self, packet: "av.Packet[Stream]") -> None:
        """Note one packet of video; decode it when it is a key frame."""
        if packet.is_corrupt:
            raise OutputWrong(f"packet {len(self._pts)} of the output is cut off")
        if not self._pts and not packet.is_keyframe:
            raise OutputWrong("the output does not start with a key frame")
        self._pts.append(packet.pts or 0)
        note_content(self._digest, bytes(packet), self._header.codec, prefixed=True)
        if packet.is_keyframe:
            self._keys += 1
            self._see(self._video.codec_context.decode(packet))

    def end(self) -> None:
        """Take the pictures that the decoder still holds."""
        self._see(self._video.codec_context.decode(None))
        _same("key frames that decode", self._keys, self._pictures)

    def _see(self, pictures: list[av.VideoFrame]) -> None:
        for picture in pictures:
            _same("size", (self._header.stream.width, self._header.stream.height), (picture.width, picture.height))
            if picture.is_corrupt:
                raise OutputWrong("a key frame of the output is damaged")
        self._pictures += len(pictures)

    def compare(self, expected: Expected) -> float:
        """The media's length in seconds; OutputWrong when count, times or content differ."""
        _same("frames", len(expected.pts), len(self._pts))
        _same("content", expected.content.hex(), self._digest.hexdigest())
        base, clock = expected.header.stream.time_base, Fraction(self._video.time_base or 0)
        unit = Fraction(1, math.lcm(base.denominator, clock.denominator))
        wanted_units, got_units, allowed = int(base / unit), int(clock / unit), int(expected.tolerance / unit)
        for index, (wanted, got) in enumerate(zip(sorted(expected.pts), sorted(self._pts), strict=True)):
            if abs(wanted * wanted_units - got * got_units) > allowed:
                seconds, meant = float(got * clock), float(wanted * base)
                raise OutputWrong(f"frame {index} of the output is at {seconds} s, not at {meant} s")
        return float((expected.end - min(expected.pts)) * base)


def _video(container: InputContainer, expected: Expected) -> VideoStream:
    """The one video stream, with nothing beside it but the sound that was asked for."""
    streams = container.streams
    _same("video streams", 1, len(streams.video))
    _same("streams", 1 if expected.audio_packets == 0 else 2, len(streams))
    video = streams.video[0]
    if getattr(video, "codec_context", None) is None:  # PyAV's types promise one; a cut index leaves none
        raise OutputWrong("the written file does not say how its pictures are encoded")
    video.codec_context.thread_count = 1
    return video


def _same(what: str, expected: object, got: object) -> None:
    if expected != got:
        shown = "" if isinstance(expected, bytes) else f": expected {expected}, found {got}"
        raise OutputWrong(f"the written file has other {what} than were sent{shown}")


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (FFmpegError, OSError) as error:
        raise OutputWrong(f"the written file can not be read back: {error}") from error


def _measured(address: str, *, frames: int, duration_s: float) -> Written:
    with Path(address).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.seek(0, io.SEEK_END)
    return Written(size, sha256, frames, duration_s)
