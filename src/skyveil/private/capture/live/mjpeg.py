"""Motion JPEG over HTTP (multipart/x-mixed-replace) to JPEG files. Private side: bytes from a stranger.

Cameras disagree on boundaries: with and without the two dashes, quoted, missing, with lengths that are wrong. So none
is read: a JPEG says itself where it ends (ITU-T T.81, B.1), and whatever stands between two of them is left out.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, final

from skyveil.core.health import CameraUnavailable, Cause
from skyveil.private.capture.live.connection import wait
from skyveil.private.capture.live.decoder import LiveDecoder
from skyveil.private.capture.live.given import SILENT_S, TICK_S, Arrived, Given, Lag
from skyveil.private.capture.live.http import Exchange
from skyveil.private.capture.live.rtp import PICTURE_LIMIT, Coded
from skyveil.private.capture.live.timeline import CLOCK_HZ

_START: Final = b"\xff\xd8\xff"
_SCAN: Final = 0xDA
_END: Final = 0xD9
_BARE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length: TEM, restarts, and the start of an image."""
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


@final
class JpegCutter:
    """Cuts bytes into JPEG files."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = -1
        """Where reading goes on: a marker, or within a scan; -1 outside of a picture."""
        self._in_scan = False

    def push(self, data: bytes) -> list[bytes]:
        """The pictures that these bytes complete; CameraUnavailable for one beyond all limits."""
        self._buffer += data
        pictures: list[bytes] = []
        while self._began() and (end := self._read()) is not None:
            if end:
                pictures.append(bytes(self._buffer[:end]))
            # After what is no picture after all, the search goes on behind its first byte.
            del self._buffer[: max(end, 1)]
            self._at = -1
        if len(self._buffer) > PICTURE_LIMIT:
            raise CameraUnavailable(Cause.GARBAGE)
        return pictures

    def _began(self) -> bool:
        """Whether a picture begins at the start of the buffer."""
        if self._at < 0:
            start = self._buffer.find(_START)
            if start < 0:
                del self._buffer[: max(0, len(self._buffer) - len(_START) + 1)]
                return False
            del self._buffer[:start]
            self._at, self._in_scan = 2, False
        return True

    def _read(self) -> int | None:
        """Where the picture ends; 0 when it is none, None when more bytes are needed."""
        while True:
            if self._in_scan:
                found = _MARKER_IN_SCAN.search(self._buffer, self._at)
                if found is None:
                    self._at = max(self._at, len(self._buffer) - 1)
                    return None
                self._at, self._in_scan = found.start(), False
            if len(self._buffer) < self._at + 4:
                return self._at + 2 if self._buffer[self._at : self._at + 2] == b"\xff\xd9" else None
            lead, marker = self._buffer[self._at : self._at + 2]
            if lead != 0xFF or marker == 0:
                return 0
            if marker == _END:
                return self._at + 2
            if marker == 0xFF or marker in _BARE:
                self._at += 1 if marker == 0xFF else 2
                continue
            self._at += 2 + int.from_bytes(self._buffer[self._at + 2 : self._at + 4])
            self._in_scan = marker == _SCAN


@final
class MjpegSource:
    """A camera that sends one JPEG after another over HTTP. They have no times: the moment of arrival is theirs."""

    def __init__(self, given: Given, answer: Exchange) -> None:
        self._given = given
        self._answer = answer
        self._cutter = JpegCutter()
        self._decoder = LiveDecoder("mjpeg")
        given.timeline.reconnected()
        self._intact_s = time.monotonic()
        self._lag = Lag()
        self.dropped = 0

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures as they arrive; None at least every `TICK_S` seconds."""
        while True:
            if not wait(self._answer.connections, 0):
                self._lag.waited()
                wait(self._answer.connections, TICK_S)
            self._answer.pump()
            cut = self._cutter.push(self._answer.take())
            arrived = self._shown(cut[-1]) if cut else None
            self.dropped += len(cut) - (arrived is not None)
            if arrived is not None:
                arrived = replace(arrived, behind=self._lag.took(len(cut)))
            yield arrived
            if self._answer.ended:
                raise CameraUnavailable(Cause.LINK_LOST)
            if time.monotonic() - self._intact_s > SILENT_S:
                raise CameraUnavailable(Cause.GARBAGE)

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()

    def _shown(self, data: bytes) -> Arrived | None:
        """The picture; None when it can not be decoded, or comes too soon for the highest rate."""
        ticks = round(time.monotonic() * CLOCK_HZ) % (1 << 32)
        for picture in self._decoder.pictures(Coded(data, ticks, key=True, damaged=False)):
            self._intact_s = time.monotonic()
            return self._given.arrived(picture.picture, ticks, CLOCK_HZ, damaged=picture.damaged)
        return None
