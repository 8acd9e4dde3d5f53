"""Packets in, pictures out, and none of them lost in silence. Private side.

FFmpeg reports damage in four ways: the reader fails, a packet is flagged, the decoder raises, or a picture is flagged.
Any of them makes suspect everything that may be predicted from it, so the frames from there on count as damaged until
a key frame decodes intact. A packet that should have become a picture in that stretch and did not is delivered
without one, so that number and times of the frames stay. See docs/adr/0003-decoding.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import av
from av.codec.context import Flags, ThreadType
from av.container import InputContainer
from av.error import EOFError as NothingMore
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

MAX_PIXELS: Final = 1 << 27
"""Largest picture that is decoded, 134 million pixels: 16K fits, a forged header does not take all memory."""

_READ_ATTEMPTS: Final = 16
"""Failures of the reader in a row, without one packet between them, after which the rest of a file is given up."""

_MAX_WAITING: Final = 512
"""Packets that may wait for their picture; a decoder holds back 16 reordered ones at most (H.264, A.3.1)."""

# fmt: off
_TELLS_KEYS: Final = frozenset({
    "av1", "flv", "h263", "h264", "hevc", "libdav1d", "libvpx", "libvpx-vp9", "mpeg1video", "mpeg2video",
    "mpeg4", "msmpeg4", "msmpeg4v2", "rv30", "rv40", "theora", "vc1", "vp6", "vp6f", "vp8", "vp9", "vvc",
    "wmv1", "wmv2", "wmv3",
})
# fmt: on
"""Decoders that say which pictures are key frames. Others never do (CineForm, QuickTime Animation, Flash Screen
Video), and what the container says of their packets is believed."""

_GUESS_TIMES: Final = 0x0001
"""AVFMT_FLAG_GENPTS, which PyAV sets: its guesses are wrong for H.264 in AVI (times in the order of decoding)."""


@final
@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame as the file times it (None: not at all), with its picture unless it did not decode."""

    pts: int | None
    picture: av.VideoFrame | None
    damaged: bool


@final
class Decoding:
    """One walk through the packets of a video stream."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self.packets = 0
        """Packets read so far."""
        self.reader_gave_up = False
        """Whether the file could not be read to its end."""
        self.read_until: int | None = None
        """Media time up to which packets were read, empty ones included."""
        self._waiting: dict[int, tuple[int, int]] = {}  # packet number -> its place: clock, and time on that clock
        self._clock = 0  # counts the restarts of the file's clock, as where two recordings were joined
        self._last_dts: int | None = None
        self._suspect_from: int | None = None  # number of the first packet that may be damaged
        self._lost_from = 0  # packets from here on were on their way when the damage was noticed
        self._last_fault = -1
        self._tells_keys = stream.codec_context.name in _TELLS_KEYS
        self._keys: set[int] = set()  # numbers of key packets whose pictures are to come, where the decoder tells none
        self._size: tuple[int, int] | None = None
        self._cut_tail = False
        container.flags &= ~_GUESS_TIMES
        _configure(stream)

    @property
    def cut_tail(self) -> bool:
        """Whether the last packet read was incomplete, as at the end of a file that was cut."""
        return self._cut_tail

    def frames(self) -> Iterator[Decoded]:
        """All frames in the order they are shown."""
        for packet in self._read():
            yield from self._step(packet)
        yield from self._step(None)
        yield from self._missing_before(None)

    def _read(self) -> Iterator["Packet[VideoStream]"]:
        failures = 0
        reader = self._container.demux(self._stream)
        while failures < _READ_ATTEMPTS:
            try:
                packet = next(reader, None)
            except FFmpegError:
                failures += 1
                self._fault(self.packets)
                reader = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            self._note_reached(packet)
            if packet.size:  # an empty one stands for a repeated frame (AVI), or closes the stream
                failures = 0
                yield packet
        self.reader_gave_up = True

    def _note_reached(self, packet: "Packet[VideoStream]") -> None:
        starts = packet.dts if packet.pts is None else packet.pts
        if starts is not None:
            ends = starts + (packet.duration or 0)
            self.read_until = ends if self.read_until is None else max(self.read_until, ends)

    def _step(self, packet: "Packet[VideoStream] | None") -> Iterator[Decoded]:
        """What the decoder gives for one packet, or for the end of the stream (None)."""
        number = self.packets
        if packet is not None:
            self._expect(packet, number)
        try:
            pictures = self._stream.decode(packet)
        except NothingMore:
            return
        except FFmpegError:
            self._fault(number)
            if packet is not None and packet.pts is None:
                yield Decoded(packet.dts, None, True)
            return
        for picture in pictures:
            yield from self._delivered(picture)
        if len(self._waiting) > _MAX_WAITING:
            yield from self._missing(next(iter(self._waiting)))

    def _expect(self, packet: "Packet[VideoStream]", number: int) -> None:
        """Number the packet, so that its picture can be told, and wait for a picture at its time.

        A packet without a time (H.264 in AVI) is not waited for: its picture is timed by the packet that pushes it
        out of the decoder, which leaves a hole for every packet that fails, in the place of that packet.
        """
        self.packets += 1
        if number == 0 and not packet.is_keyframe:
            self._suspect_from = 0  # what it was predicted from lies before the beginning of the file
        self._cut_tail = packet.is_corrupt
        packet.opaque = number
        if packet.is_keyframe and not self._tells_keys:
            self._keys.add(number)
        if packet.dts is not None:
            self._clock += self._last_dts is not None and packet.dts < self._last_dts
            self._last_dts = packet.dts
        if packet.pts is not None:
            self._waiting[number] = (self._clock, packet.pts)
        if packet.is_corrupt:
            self._fault(number)

    def _delivered(self, picture: av.VideoFrame) -> Iterator[Decoded]:
        number = picture.opaque if isinstance(picture.opaque, int) else self.packets - 1
        pts = picture.dts if picture.pts is None else picture.pts
        clock, _ = self._waiting.pop(number, (self._clock, 0))
        if picture.is_corrupt:
            self._fault(number)
        elif number == 0 and not picture.key_frame and self._suspect_from is None and self._tells_keys:
            self._suspect_from = 0  # the container called it a key frame, the decoder knows better
        resized = self._size not in (None, (picture.width, picture.height))
        self._size = (picture.width, picture.height)
        if pts is not None:
            # At a change of size FFmpeg's H.264 and MPEG-2 decoders let go of the last picture of the old size.
            yield from self._missing_before((clock, pts), taken=resized)
        key = picture.key_frame if self._tells_keys else number in self._keys
        self._keys.discard(number)
        if self._suspect_from is not None and key and number > self._last_fault:
            self._suspect_from = None
        damaged = picture.is_corrupt or (self._suspect_from is not None and number >= self._suspect_from)
        yield Decoded(pts, picture, damaged)

    def _fault(self, number: int) -> None:
        """Note that packet `number` is damaged."""
        if self._suspect_from is None:
            self._suspect_from = number
            self._lost_from = min(self._waiting, default=number)
        self._last_fault = max(self._last_fault, number)

    def _missing_before(self, place: tuple[int, int] | None, *, taken: bool = False) -> Iterator[Decoded]:
        """The frames whose turn to be shown is over before `place` (None: all), and that never came."""
        over = [number for number, waiting in self._waiting.items() if place is None or waiting < place]
        for number in sorted(over, key=self._waiting.__getitem__):
            yield from self._missing(number, taken=taken)

    def _missing(self, number: int, *, taken: bool = False) -> Iterator[Decoded]:
        """A frame without a picture when damage took it; nothing when its packet never was one (a second field)."""
        _, time = self._waiting.pop(number)
        if taken or (self._suspect_from is not None and number >= self._lost_from):
            yield Decoded(time, None, True)


def _configure(stream: VideoStream) -> None:
    context = stream.codec_context
    # One thread: threads cost 17 % more CPU on H.264 (0.54 against 0.46 ms a frame) and their errors come late.
    context.thread_type = ThreadType.NONE
    context.thread_count = 1
    context.copy_opaque = True
    # Deliver what precedes the first key frame or misses its reference: flagged, and so covered.
    context.flags |= int(Flags.output_corrupt)
    context.options = {"max_pixels": str(MAX_PIXELS), "err_detect": "crccheck"}
