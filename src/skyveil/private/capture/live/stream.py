"""Video in a container that comes as a stream of bytes: a body over HTTP, or the segments of a playlist. Private side.

FFmpeg takes the container apart and decodes, as for files: damaged pictures are flagged, interlaced ones made whole. It
asks for bytes when it needs them; while it waits, orders and clocks are looked at (`Dial.idle`).
"""

import time
from collections.abc import Iterator
from typing import Final, Protocol, final

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import InputRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import SourceId
from skyveil.core.secret import SafeUrl
from skyveil.private._pixels import take
from skyveil.private.capture.live.connection import Connection, Dial, wait
from skyveil.private.capture.live.given import SILENT_S, TICK_S, Arrived, Given
from skyveil.private.capture.live.http import Exchange, Http
from skyveil.private.capture.live.timeline import CLOCK_HZ
from skyveil.private.capture.video import VideoSource, open_stream
from skyveil.private.frame import RawFrame

LATE_S: Final = 0.5
"""A picture that is later than this against the one that came soonest is left out: what waits would age."""
_LEAP_S: Final = 10.0
"""A picture so far from its time was timed by another clock: from it on, time is counted anew."""
_GIVE_IN_S: Final = 3.0
"""Pictures that have been late for so long are not caught up with: the source itself stood still."""
_DRIFT: Final = 1e-3
"""How fast a camera's clock may run against ours, seconds a second; crystals are within 1e-4."""


class Feed(Protocol):
    """Bytes of one stream after another, read as far as there is room."""

    paced: bool
    """Whether pictures wait for their time: they come ahead of it. Otherwise they are shown as they come."""

    @property
    def connections(self) -> list[Connection]:
        """What to wait for; nothing while there is no room."""
        ...

    @property
    def patience_s(self) -> float:
        """How long it may rightly give no picture."""
        ...

    @property
    def ended(self) -> bool:
        """Whether this stream was taken to its end; `follow` begins the next one."""
        ...

    def pump(self) -> None:
        """Read what is there and has room; raises CameraUnavailable."""
        ...

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes of what was read, maybe none."""
        ...

    def follow(self) -> None:
        """Begin the next stream; CameraUnavailable when there is none."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


@final
class BodyFeed:
    """The body of one answer. One of known length is a file: it plays at its own pace, again and again."""

    def __init__(self, http: Http, url: SafeUrl, answer: Exchange) -> None:
        self._http, self._url, self._answer = http, url, answer
        self.paced = answer.head is not None and answer.head.length is not None

    @property
    def connections(self) -> list[Connection]:
        """What to wait for."""
        return self._answer.connections

    @property
    def patience_s(self) -> float:
        """A body flows, or is silent."""
        return SILENT_S

    @property
    def ended(self) -> bool:
        """Whether all of it was taken."""
        return self._answer.ended and not self._answer.waiting

    def pump(self) -> None:
        """Read what is there."""
        self._answer.pump()

    def take(self, limit: int) -> bytes:
        """What was read."""
        return self._answer.take(limit)

    def follow(self) -> None:
        """Ask for the file again. A stream without an end that ended is a fault."""
        if not self.paced or self._answer.broken:
            raise CameraUnavailable(Cause.LINK_LOST)
        self._answer.close()
        self._answer = self._http.asked(self._url)

    def close(self) -> None:
        """Give connections back."""
        self._answer.close()
        self._http.close()


@final
class Pace:
    """How long a picture must wait, by the times that its stream tells."""

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits
        self._offset_s: float | None = None
        self._before_s = 0.0
        self._late_since_s: float | None = None

    def begin(self) -> None:
        """The stream's clock begins anew."""
        self._offset_s = self._late_since_s = None

    def left_s(self, media_s: float, now_s: float) -> float:
        """Seconds from `now_s` until the picture of `media_s` is due; below `-LATE_S` it is to be left out."""
        if self._offset_s is None:
            self._offset_s, self._before_s = now_s - media_s, now_s
        if not self._waits:
            # The picture that came soonest sets the pace, and is slowly forgotten: clocks run differently.
            slower_s = self._offset_s + _DRIFT * (now_s - self._before_s)
            self._offset_s, self._before_s = min(slower_s, now_s - media_s), now_s
            return self._offset_s + media_s - now_s
        left_s = self._offset_s + media_s - now_s
        if left_s >= -LATE_S:
            self._late_since_s = None
        elif self._late_since_s is None:
            self._late_since_s = now_s
        elif now_s - self._late_since_s > _GIVE_IN_S:
            left_s = -_LEAP_S
        if abs(left_s) < _LEAP_S:
            return left_s
        self._offset_s, self._late_since_s = now_s - media_s, None
        return 0.0


@final
class StreamSource:
    """A camera whose pictures come in a container."""

    def __init__(self, spec: CameraSpec, given: Given, dial: Dial, feed: Feed) -> None:
        self._id = SourceId(spec.id)
        self._given = given
        self._dial = dial
        self._feed = feed
        self._pace = Pace(waits=feed.paced)
        self._intact_s = time.monotonic()
        self._seen = False
        self.dropped = 0

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures at their times; None at least every `TICK_S` seconds, or `Dial.idle` is called."""
        while True:
            try:
                video = open_stream(self, self._id)
                try:
                    yield from self._played(video)
                finally:
                    video.close()
            except InputRefused as error:
                raise CameraUnavailable(Cause.GARBAGE if self._seen else Cause.UNSUPPORTED_STREAM) from error
            yield None
            self._feed.follow()

    def read(self, limit: int) -> bytes:
        """Bytes for FFmpeg, waiting for the first; empty at the end of a stream."""
        while not (data := self._feed.take(limit)):
            if self._feed.ended:
                return b""
            wait(self._feed.connections, TICK_S)
            self._feed.pump()
            self._give_up_when_silent()
            self._dial.idle()
        return data

    def close(self) -> None:
        """Give the connections back."""
        self._feed.close()

    def _played(self, video: VideoSource) -> Iterator[Arrived | None]:
        self._given.timeline.reconnected()
        self._pace.begin()
        for raw in video.frames():
            while (left_s := self._pace.left_s(raw.time.seconds, time.monotonic())) > 0:
                wait(self._feed.connections, min(left_s, TICK_S))
                self._feed.pump()
                yield None
            if not raw.damaged:
                self._intact_s, self._seen = time.monotonic(), True
            self._give_up_when_silent()
            arrived = self._arrived(raw)
            if arrived is None or left_s < -LATE_S:
                self.dropped += 1
            else:
                yield arrived

    def _arrived(self, raw: RawFrame) -> Arrived | None:
        ticks, damaged = round(raw.time.seconds * CLOCK_HZ) % (1 << 32), raw.damaged
        return self._given.arrived(take(raw), ticks, CLOCK_HZ, damaged=damaged)

    def _give_up_when_silent(self) -> None:
        if time.monotonic() - self._intact_s > self._feed.patience_s:
            raise CameraUnavailable(Cause.GARBAGE if self._seen else Cause.NO_KEY_FRAME)
