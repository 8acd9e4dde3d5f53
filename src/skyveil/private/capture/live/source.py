"""Where live pictures come from: the newest ones, whatever happens in between. Private side.

Latest-only: when several pictures wait, all are decoded (the next is predicted from them), and only those of the last
moment are given; a queue would age.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Final, Protocol, final

import av

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import InputRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import FrameId, SourceId
from skyveil.private._pixels import take
from skyveil.private.capture.live.connection import DialTcp, DialUdp, wait
from skyveil.private.capture.live.decoder import LiveDecoder, Picture
from skyveil.private.capture.live.rtp import Ordered, Pictures, parsed
from skyveil.private.capture.live.rtsp import Rtsp, TransportRefused
from skyveil.private.capture.live.timeline import CLOCK_HZ, LiveTimeline
from skyveil.private.capture.orientation import orientation_of
from skyveil.private.capture.shape import Shaper
from skyveil.private.capture.video import VideoSource, open_video
from skyveil.private.frame import RawFrame

TICK_S: Final = 0.1
"""Longest time without a word from a source, so that its caller can look at orders and clocks."""
FRESH_S: Final = 0.15
"""Pictures this close before the newest one are given as well: two that arrive together are no queue yet."""
SILENT_S: Final = 5.0
"""Time without a picture after which a connection is given up."""


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """What an encoder must know of the pictures; a new one when the camera changes them."""

    width: int
    height: int
    sample_aspect: Fraction
    full_range: bool
    color: tuple[int, int, int]


@final
@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture, the moment it arrived (monotonic), and its shape."""

    raw: RawFrame
    arrival_s: float
    shape: Shape


class LiveSource(Protocol):
    """An open camera. `frames` ends only by CameraUnavailable; whoever opened it closes it."""

    @property
    def dropped(self) -> int:
        """Pictures that were not given because a newer one was there, or above the highest rate."""
        ...

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures as they arrive; None at least every `TICK_S` seconds."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@final
class Given:
    """What all sources of one camera share, over its connections: frame numbers, the clock, and the highest rate."""

    def __init__(self, spec: CameraSpec) -> None:
        self._id = SourceId(spec.id)
        self._numbers = count()
        self._shortest = 0 if spec.max_fps is None else round(0.9 * CLOCK_HZ / spec.max_fps)
        self._last_ticks: int | None = None
        self._shaper: Shaper | None = None
        self._like: tuple[int, int, str] | None = None
        self.timeline = LiveTimeline(time.monotonic())

    def arrived(self, picture: av.VideoFrame, ticks: int, clock_hz: int, *, damaged: bool) -> Arrived | None:
        """The picture as a frame of this camera; None when it comes too soon for the highest rate."""
        now_s = time.monotonic()
        at = self.timeline.place(ticks, clock_hz, now_s)
        if self._last_ticks is not None and at.ticks - self._last_ticks < self._shortest:
            return None
        self._last_ticks = at.ticks
        like = (picture.width, picture.height, picture.format.name)
        if self._shaper is None or self._like != like:
            self._shaper, self._like = Shaper(picture, orientation_of(picture), ten_bit=False), like
        shaper = self._shaper
        raw = RawFrame(shaper.shaped(picture), FrameId(self._id, next(self._numbers)), at, damaged=damaged)
        colour = shaper.colour
        color = (colour.primaries, colour.transfer, colour.matrix)
        return Arrived(raw, now_s, Shape(raw.width, raw.height, Fraction(1), colour.full_range, color))


@final
class RtspSource:
    """A camera over RTSP."""

    def __init__(self, spec: CameraSpec, given: Given, dial: DialTcp, dial_udp: DialUdp) -> None:
        """Connect; TCP first where the transport is left to us. Raises CameraUnavailable."""
        try:
            self._rtsp = Rtsp(spec, dial, dial_udp, "udp" if spec.transport == "udp" else "tcp")
        except TransportRefused:
            if spec.transport != "auto":
                raise
            self._rtsp = Rtsp(spec, dial, dial_udp, "udp")
        offer = self._rtsp.offer
        self._payload_type, self._clock_hz = offer.payload_type, offer.clock_hz
        self._ordered = Ordered()
        self._pictures = Pictures(offer.codec, offer.parameter_sets)
        self._decoder = LiveDecoder(offer.codec)
        self._given = given
        self._given.timeline.reconnected()
        self._intact_s = self._packet_s = time.monotonic()
        self._keys = 0
        self.dropped = 0

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures as they arrive; None at least every `TICK_S` seconds."""
        while True:
            there = wait(self._rtsp.connections, TICK_S)
            fresh = self._fresh(self._decoded()) if there else []
            for picture in fresh:
                arrived = self._given.arrived(picture.picture, picture.ticks, self._clock_hz, damaged=picture.damaged)
                if arrived is None:
                    self.dropped += 1
                else:
                    yield arrived
            self._give_up_when_silent()
            if not fresh:
                yield None

    def close(self) -> None:
        """Give the connection back."""
        self._rtsp.close()

    def _decoded(self) -> list[Picture]:
        """Everything that is there, decoded."""
        decoded: list[Picture] = []
        for data in self._rtsp.packets():
            packet = parsed(data, self._payload_type)
            if packet is None:
                continue
            self._packet_s = time.monotonic()
            for one, lost in self._ordered.push(packet):
                for coded in self._pictures.push(one, lost=lost):
                    self._keys += coded.key
                    decoded += self._decoder.pictures(coded)
        if any(not picture.damaged for picture in decoded):
            self._intact_s = time.monotonic()
        return decoded

    def _fresh(self, decoded: list[Picture]) -> list[Picture]:
        """The pictures of the last moment; before the first key picture there is nothing to show."""
        if not self._keys:
            return []
        newest = decoded[-1].ticks if decoded else 0
        within = FRESH_S * self._clock_hz
        fresh = [picture for picture in decoded if (newest - picture.ticks) % (1 << 32) <= within]
        self.dropped += len(decoded) - len(fresh)
        return fresh

    def _give_up_when_silent(self) -> None:
        now_s = time.monotonic()
        if now_s - self._packet_s > SILENT_S:
            raise CameraUnavailable(Cause.FROZEN)
        if now_s - self._intact_s > SILENT_S:
            raise CameraUnavailable(Cause.GARBAGE if self._keys else Cause.NO_KEY_FRAME)


@final
class FileSource:
    """A file played in a loop, at its own pace: for drills and demonstrations."""

    def __init__(self, spec: CameraSpec, given: Given) -> None:
        """Raises CameraUnavailable when it is no video."""
        self._path = Path(spec.source.path)
        self._id = SourceId(spec.id)
        self._given = given
        self._open().close()
        self.dropped = 0

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures at their times; None at least every `TICK_S` seconds."""
        shown = 0
        while True:
            start_s, source = time.monotonic(), self._open()
            self._given.timeline.reconnected()
            try:
                frames = source.frames()
                for raw in frames:
                    due_s = start_s + raw.time.seconds
                    while (left_s := due_s - time.monotonic()) > 0:
                        wait([], min(left_s, TICK_S))
                        yield None
                    ticks, damaged = round(raw.time.seconds * CLOCK_HZ), raw.damaged
                    arrived = self._given.arrived(take(raw), ticks, CLOCK_HZ, damaged=damaged)
                    shown += 1
                    if arrived is None or -left_s > 1.0:
                        self.dropped += 1
                    else:
                        yield arrived
            except InputRefused as error:
                raise CameraUnavailable(Cause.GARBAGE) from error
            finally:
                source.close()
            yield None

    def close(self) -> None:
        """Nothing stays open between two rounds."""

    def _open(self) -> VideoSource:
        try:
            return open_video(self._path, self._id)
        except InputRefused as error:
            raise CameraUnavailable(Cause.FILE_MISSING) from error


def open_live(spec: CameraSpec, given: Given, dial: DialTcp, dial_udp: DialUdp) -> LiveSource:
    """Open a camera; raises CameraUnavailable."""
    if spec.source.scheme == "file":
        return FileSource(spec, given)
    if spec.source.scheme in ("rtsp", "rtsps"):
        return RtspSource(spec, given, dial, dial_udp)
    raise CameraUnavailable(Cause.UNSUPPORTED_CODEC)
