"""The segments of an HLS playlist as one stream of bytes, near the live edge (RFC 8216, 6.3). Private side.

The next segment is fetched while the one before it plays. Every connection is to the camera's own host.
"""

import time
from collections import deque
from dataclasses import replace
from typing import Final, final

from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import SafeUrl
from skyveil.private.capture.live.connection import Connection
from skyveil.private.capture.live.given import SILENT_S
from skyveil.private.capture.live.http import Exchange, Http
from skyveil.private.capture.live.playlist import PLAYLIST_LIMIT, Playlist, Segment, playlist, variant
from skyveil.private.capture.live.transport_stream import SegmentJoiner

_BEHIND: Final = 3
"""Segments behind the newest one at which to start (RFC 8216, 6.3.3)."""
_MOST_WAITING: Final = 6
"""Segments that may wait; with more we have fallen behind, and go back to the live edge."""
_ROOM: Final = 1 << 20
_MOST_FAILURES: Final = 3


@final
class HlsFeed:
    """A media playlist and its segments. One thread owns it."""

    def __init__(self, http: Http, answer: Exchange) -> None:
        """`answer` brings the playlist, or a master playlist that names it; raises CameraUnavailable."""
        self.paced = True
        self._http = http
        text, self._url = answer.whole(PLAYLIST_LIMIT), answer.url
        chosen = variant(text, self._url)
        if chosen is not None:
            again = http.asked(chosen)
            text, self._url = again.whole(PLAYLIST_LIMIT), again.url
        self._list = Playlist((), 1.0, ends=False)
        self._queue: deque[Segment] = deque()
        self._last: int | None = None
        self._asked: Exchange | None = None
        self._asked_for: Segment | SafeUrl | None = None
        """What is being fetched: a segment, the header of one, or None for the playlist."""
        self._header: SafeUrl | None = None
        self._begun = self._boundary = False
        self._buffer = bytearray()
        self._joiner = SegmentJoiner()
        self._failures = 0
        self._news_s = self._refresh_s = 0.0
        self._take_over(playlist(text, self._url))
        self._is_file = self._list.ends

    @property
    def connections(self) -> list[Connection]:
        """What to wait for."""
        return [] if self._asked is None or len(self._buffer) >= _ROOM else self._asked.connections

    @property
    def patience_s(self) -> float:
        """Segments come one at a time, and may be late."""
        return SILENT_S + 3 * self._list.target_s

    @property
    def ended(self) -> bool:
        """Whether the next segment belongs to another stream."""
        return self._boundary and not self._buffer

    def pump(self) -> None:
        """Go on with what is fetched, or begin the next."""
        if len(self._buffer) >= _ROOM:
            return
        if self._asked is None:
            self._begin_next()
        if self._asked is None:
            return
        try:
            self._asked.pump()
        except CameraUnavailable as error:
            self._skip(error)
            return
        if self._asked_for is not None:
            self._buffer += self._joiner.joined(self._asked.take())
        elif self._asked.waiting > PLAYLIST_LIMIT:
            raise CameraUnavailable(Cause.GARBAGE)
        if self._asked.ended:
            self._fetched(self._asked)

    def take(self, limit: int) -> bytes:
        """What was read."""
        taken = bytes(self._buffer[:limit])
        del self._buffer[: len(taken)]
        return taken

    def follow(self) -> None:
        """Begin the next stream: after a discontinuity, or the first one again of a playlist that is complete."""
        self._boundary = self._begun = False
        self._header = None
        if self._list.ends and not self._queue:
            if not self._is_file:
                raise CameraUnavailable(Cause.LINK_LOST)
            self._queue.extend(self._list.segments)

    def close(self) -> None:
        """Give connections back."""
        if self._asked is not None:
            self._asked.close()
        self._http.close()

    def _begin_next(self) -> None:
        now_s = time.monotonic()
        if not self._list.ends and now_s >= self._refresh_s:
            self._refresh_s = now_s + self._list.target_s
            self._ask(self._url, None)
        elif self._boundary:
            return
        elif self._queue:
            self._begin_segment(self._queue[0])
        elif self._list.ends:
            self._boundary = True
        elif now_s - self._news_s > max(SILENT_S, 3 * self._list.target_s):
            raise CameraUnavailable(Cause.FROZEN)

    def _begin_segment(self, segment: Segment) -> None:
        if self._begun and (segment.begins or segment.header != self._header):
            self._boundary = True
        elif segment.header is not None and self._header is None:
            self._header = segment.header
            self._ask(segment.header, segment.header)
        else:
            self._queue.popleft()
            self._begun = True
            self._ask(segment.url, segment)

    def _ask(self, url: SafeUrl, what: Segment | SafeUrl | None) -> None:
        self._asked, self._asked_for = self._http.asked(url), what
        if what is not None:
            self._joiner.begin()

    def _fetched(self, answer: Exchange) -> None:
        self._asked = None
        answer.close()
        if answer.broken:
            raise CameraUnavailable(Cause.LINK_LOST)
        self._failures = 0
        if self._asked_for is None:
            self._take_over(playlist(answer.take(), self._url))

    def _skip(self, error: CameraUnavailable) -> None:
        """Leave out a segment that is gone already; raise when it is more than that."""
        self._failures += 1
        if error.cause is not Cause.NO_VIDEO or self._asked_for is None or self._failures > _MOST_FAILURES:
            raise error
        if self._asked is not None:
            self._asked.close()
        self._asked = None
        if self._queue:
            self._queue[0] = replace(self._queue[0], begins=True)

    def _take_over(self, got: Playlist) -> None:
        """Queue the segments that are new."""
        now_s = time.monotonic()
        newest = got.segments[-1].number if got.segments else None
        if newest is not None and self._last is not None and newest < self._last:
            self._last = None  # the camera counts anew
        new = [one for one in got.segments if self._last is None or one.number > self._last]
        if new and (self._last is None or new[0].number > self._last + 1):
            new[0] = replace(new[0], begins=True)
        started = self._last is not None
        self._queue.extend(new)
        if not got.ends and len(self._queue) > (_MOST_WAITING if started else _BEHIND):
            edge = list(self._queue)[-_BEHIND:]
            self._queue = deque((replace(edge[0], begins=True), *edge[1:]))
        if new:
            self._last, self._news_s = new[-1].number, now_s
        self._list = got
        self._refresh_s = now_s + (got.target_s if new else got.target_s / 2)
