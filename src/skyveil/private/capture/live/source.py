"""Where live pictures come from: the newest ones, whatever happens in between. Private side.

When several pictures wait, all are decoded (the next is predicted from them), and only those of the last moment are
given; a queue would age.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, final

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import InputRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import SourceId
from skyveil.private._pixels import take
from skyveil.private.capture.live.connection import Dial, wait
from skyveil.private.capture.live.decoder import LiveDecoder
from skyveil.private.capture.live.entrance import Entrance
from skyveil.private.capture.live.given import SILENT_S, TICK_S, Arrived, Given, LiveSource
from skyveil.private.capture.live.hls import HlsFeed
from skyveil.private.capture.live.http import Http
from skyveil.private.capture.live.mjpeg import MjpegSource
from skyveil.private.capture.live.rtp import LATE_S, Ordered, Pictures, RtpPacket, parsed
from skyveil.private.capture.live.rtsp import Rtsp, TransportRefused
from skyveil.private.capture.live.stream import BodyFeed, StreamSource
from skyveil.private.capture.live.timeline import CLOCK_HZ
from skyveil.private.capture.video import VideoSource, open_video

CATCH_UP_S: Final = 0.5
"""Longest time spent on decoding what waited, before the caller is heard again: the watchdog allows 5 s."""


@final
class RtspSource:
    """A camera over RTSP."""

    def __init__(self, spec: CameraSpec, given: Given, dial: Dial) -> None:
        """Connect; TCP first where the transport is left to us. Raises CameraUnavailable."""
        way: Literal["tcp", "udp"] = "udp" if spec.transport == "udp" else "tcp"
        try:
            self._rtsp = Rtsp(spec, dial, way)
        except TransportRefused:
            if spec.transport != "auto" or spec.source.scheme == "rtsps":
                raise  # UDP is under no TLS
            way = "udp"
            self._rtsp = Rtsp(spec, dial, way)
        offer = self._rtsp.offer
        self._payload_type, self._clock_hz = offer.payload_type, offer.clock_hz
        self._ordered = Ordered(wait_s=LATE_S if way == "udp" else 0.0)
        self._pictures = Pictures(offer.codec, offer.parameter_sets)
        self._decoder = LiveDecoder(offer.codec)
        self._given = given
        self._given.timeline.reconnected()
        self._intact_s = self._packet_s = time.monotonic()
        self._keys = 0
        self._entrance = Entrance(given, self._clock_hz)
        self._behind = True  # what came with the answer to PLAY is in no socket to wait for

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures as they arrive; None at least every `TICK_S` seconds."""
        while True:
            there = self._behind or wait(self._rtsp.connections, 0)
            if not there:
                self._entrance.lag.waited()
                there = wait(self._rtsp.connections, TICK_S)
            fresh: list[Arrived | None] = [*self._decoded()] if there or self._ordered.waiting else []
            self._given.clock_offset_s = self.clock_offset_s
            # Before they are looked at, for however long that takes: what comes meanwhile is read afterwards.
            self._give_up_when_silent()
            yield from fresh or [None]
            fresh = []  # else these pictures would be kept while the next ones are decoded

    @property
    def dropped(self) -> int:
        """Pictures that were not given."""
        return self._entrance.dropped

    @property
    def clock_offset_s(self) -> float | None:
        """The camera's clock minus ours, once it told its own."""
        return self._rtsp.clock_offset_s

    def close(self) -> None:
        """Give the connection back."""
        self._rtsp.close()

    def _decoded(self) -> list[Arrived]:
        """Everything that is there, decoded: of it the pictures of the last moment.

        After a while it stops and gives nothing, so that who watches this process hears of it while it catches up.
        """
        intact, until_s = False, time.monotonic() + CATCH_UP_S
        self._behind = False
        for data in self._rtsp.packets():
            packet = parsed(data, self._payload_type)
            if packet is None:
                continue
            self._packet_s = time.monotonic()
            intact |= self._put(self._ordered.push(packet, self._packet_s))
            if self._packet_s > until_s:
                self._behind = True
                break
        else:
            intact |= self._put(self._ordered.overdue(time.monotonic()))
        if intact:
            self._intact_s = time.monotonic()
        return [] if self._behind else self._entrance.taken()

    def _put(self, packets: Iterable[tuple[RtpPacket, bool]]) -> bool:
        """Let in what these packets hold; whether one of its pictures is intact."""
        intact = False
        for packet, lost in packets:
            for coded in self._pictures.push(packet, lost=lost):
                self._keys += coded.key
                for picture in self._decoder.pictures(coded):
                    intact = intact or not picture.damaged
                    # Before the first key picture there is nothing to show.
                    if self._keys:
                        self._entrance.put(picture, self._packet_s)
        return intact

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


def open_live(spec: CameraSpec, given: Given, dial: Dial) -> LiveSource:
    """Open a camera; raises CameraUnavailable."""
    match spec.source.scheme:
        case "file":
            return FileSource(spec, given)
        case "rtsp" | "rtsps":
            return RtspSource(spec, given, dial)
        case "http" | "https":
            return _open_http(spec, given, dial)
        case _:
            raise CameraUnavailable(Cause.UNSUPPORTED_STREAM)


def _open_http(spec: CameraSpec, given: Given, dial: Dial) -> LiveSource:
    """What a camera answers says by its first bytes what it is."""
    http = Http(spec, dial)
    answer = http.asked(spec.source)
    try:
        beginning = answer.beginning(16)
        kind = "" if answer.head is None else answer.head.kind
        if kind.startswith("multipart/") or beginning.startswith(b"\xff\xd8\xff"):
            return MjpegSource(given, answer)
        if beginning.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U"):
            return StreamSource(spec, given, dial, HlsFeed(http, answer))
        if kind.startswith(("text/", "application/json")):
            raise CameraUnavailable(Cause.NO_VIDEO)
        return StreamSource(spec, given, dial, BodyFeed(http, spec.source, answer))
    except BaseException:
        answer.close()
        http.close()
        raise
