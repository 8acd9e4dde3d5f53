"""Joins segments of MPEG-TS to one stream (ISO/IEC 13818-1, 2.4.3). Private side: bytes from a stranger.

Each packet counts on from the one before it on its channel; many servers count anew in each segment, which FFmpeg takes
for a loss, and so every first picture of a segment for damaged. A real loss within a segment stays one.
"""

from typing import Final, final

import numpy as np
from numpy.typing import NDArray

_PACKET: Final = 188
_SYNC: Final = 0x47
_HAS_PAYLOAD: Final = 0x10


@final
class SegmentJoiner:
    """Lets the counters of a segment follow those of the one before. What is no MPEG-TS passes as it is."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._shift: dict[int, int] = {}
        self._rest = b""
        self._passes: bool | None = None
        """Whether the segment is no MPEG-TS; None before its first byte."""

    def begin(self) -> None:
        """A new segment begins."""
        self._shift.clear()
        self._rest, self._passes = b"", None

    def joined(self, data: bytes) -> bytes:
        """The whole packets that are there, counted on."""
        if self._passes is None and data:
            self._passes = data[0] != _SYNC
        if self._passes or not data:
            return data
        data = self._rest + data
        whole = len(data) - len(data) % _PACKET
        self._rest = data[whole:]
        packets = np.frombuffer(bytearray(data[:whole]), np.uint8).reshape(-1, _PACKET)
        channels = (packets[:, 1].astype(np.uint16) & 0x1F) << 8 | packets[:, 2]
        for channel in np.unique(channels):
            mine = np.flatnonzero(channels == channel)
            self._count_on(packets, mine, int(channel))
        return packets.tobytes()

    def _count_on(self, packets: NDArray[np.uint8], mine: NDArray[np.intp], channel: int) -> None:
        flags = packets[mine, 3]
        if channel not in self._shift:
            # Packets without a payload repeat the counter of the one before.
            following = (self._last.get(channel, int(flags[0] & 15) - 1) + bool(flags[0] & _HAS_PAYLOAD)) % 16
            self._shift[channel] = (following - int(flags[0] & 15)) % 16
        counted = (flags & 0xF0) | ((flags + self._shift[channel]) & 15)
        packets[mine, 3] = counted
        self._last[channel] = int(counted[-1] & 15)
