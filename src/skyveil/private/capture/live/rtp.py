"""RTP packets to whole coded pictures: H.264 (RFC 6184), H.265 (RFC 7798). Private side: bytes from a stranger.

The marker bit ends a picture, so it can be decoded at once; a parser that waits for the next picture costs one frame
of delay. A picture that lost a packet is given as damaged, and so is every one after it until a key picture is whole.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from skyveil.private.capture.live.jpeg import JpegPictures
from skyveil.private.capture.live.sdp import LiveCodec

PICTURE_LIMIT: Final = 16 << 20
"""Bytes of the largest coded picture; a forged stream does not take all memory."""
_UNITS_LIMIT: Final = 4096
LATE_S: Final = 0.1
"""Longest wait for a packet that may be late (UDP), which is more than a network of cameras mixes up."""
_REORDER: Final = 32
"""Most packets that wait for one that is late."""
_WRAP: Final = 1 << 16
_START: Final = b"\0\0\0\1"


@final
@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet of the video, without its header."""

    sequence: int
    ticks: int
    marker: bool
    payload: bytes


@final
@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture: Annex B for H.264 and H.265, a JPEG file for MJPEG. `ticks` is the RTP timestamp, 32 bits."""

    data: bytes
    ticks: int
    key: bool
    damaged: bool


def parsed(data: bytes, payload_type: int) -> RtpPacket | None:
    """The packet in `data` (RFC 3550, 5.1); None for another stream's, and for what is no RTP."""
    if len(data) < 12 or data[0] >> 6 != 2 or data[1] & 0x7F != payload_type:
        return None
    start = 12 + 4 * (data[0] & 15)
    if data[0] & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    if start > end:
        return None
    sequence, ticks = struct.unpack_from(">HI", data, 2)
    return RtpPacket(sequence, ticks, bool(data[1] & 0x80), data[start:end])


@final
class Ordered:
    """Puts packets into the order in which they were sent, and waits a little for those that are late."""

    def __init__(self, *, wait_s: float) -> None:
        """wait_s: how long a gap may become whole; 0 where nothing is mixed up on its way (TCP)."""
        self._wait_s = wait_s
        self._next: int | None = None
        self._early: dict[int, tuple[RtpPacket, float]] = {}
        """Packets behind a gap by sequence, with when they came, in that order."""

    @property
    def waiting(self) -> bool:
        """Whether there are packets behind a gap: `overdue` gives them."""
        return bool(self._early)

    def push(self, packet: RtpPacket, now_s: float) -> Iterator[tuple[RtpPacket, bool]]:
        """The packets whose turn it is, each with whether some were lost before it; now is monotonic."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next) % _WRAP
        if ahead >= _WRAP // 2:
            if ahead < _WRAP - 1024:  # not late by a little: the camera began anew
                self._early.clear()
                yield from self._ready(packet, lost=True)
            return
        self._early.setdefault(packet.sequence, (packet, now_s))
        if ahead == 0:
            yield from self._ready(self._early.pop(packet.sequence)[0], lost=False)
        elif ahead >= _REORDER or len(self._early) >= _REORDER:
            yield from self._ready(self._nearest(), lost=True)

    def overdue(self, now_s: float) -> Iterator[tuple[RtpPacket, bool]]:
        """The packets that waited long enough for those before them, which are lost now.

        To be asked when all that came was pushed: what is late may have come while nobody read.
        """
        while self._early and now_s - next(iter(self._early.values()))[1] >= self._wait_s:
            yield from self._ready(self._nearest(), lost=True)

    def _nearest(self) -> RtpPacket:
        """The packet right behind the gap, which waits no more."""
        return self._early.pop(min(self._early, key=lambda one: (one - (self._next or 0)) % _WRAP))[0]

    def _ready(self, packet: RtpPacket, *, lost: bool) -> Iterator[tuple[RtpPacket, bool]]:
        yield packet, lost
        self._next = (packet.sequence + 1) % _WRAP
        while (following := self._early.pop(self._next, None)) is not None:
            yield following[0], False
            self._next = (self._next + 1) % _WRAP


@final
class Pictures:
    """Joins packets in order to coded pictures."""

    def __init__(self, codec: LiveCodec, parameter_sets: tuple[bytes, ...]) -> None:
        self._codec: LiveCodec = codec
        self._sets = parameter_sets
        self._jpeg = JpegPictures() if codec == "mjpeg" else None
        self._units: list[bytes] = []
        self._fragment: list[bytes] = []
        self._ticks: int | None = None
        self._size = 0
        self._damaged = False
        self._suspect = True
        """Whether what a picture is predicted from may be missing: true until a key picture is whole."""

    def push(self, packet: RtpPacket, *, lost: bool) -> Iterator[Coded]:
        """The pictures that this packet completes, usually none or one."""
        if lost:
            self._damaged = True
            self._fragment.clear()
        if self._ticks is not None and packet.ticks != self._ticks:
            # The marker of the picture before was lost, or never set.
            yield from self._ended()
            self._damaged = lost
        self._ticks = packet.ticks
        self._size += len(packet.payload)
        if self._size > PICTURE_LIMIT or len(self._units) > _UNITS_LIMIT:
            self._damaged = True
            self._units.clear()
            self._fragment.clear()
            self._size = 0
        elif self._jpeg is not None:
            self._damaged |= not self._jpeg.push(packet.payload)
        elif packet.payload:
            self._damaged |= not (self._h264 if self._codec == "h264" else self._h265)(packet.payload)
        if packet.marker:
            yield from self._ended()
            self._ticks = None

    def _ended(self) -> Iterator[Coded]:
        ticks, damaged = self._ticks or 0, self._damaged or bool(self._fragment)
        units, self._units = self._units, []
        self._fragment.clear()
        self._damaged, self._size = False, 0
        if self._jpeg is not None:
            data = self._jpeg.ended()
            if data is not None and not damaged:
                yield Coded(data, ticks, key=True, damaged=False)
            return
        if not any(self._is_picture(unit) for unit in units):
            self._keep_sets(units)
            if damaged:
                self._suspect = True
            return
        key = any(self._is_key(unit) for unit in units)
        self._suspect = damaged or (self._suspect and not key)
        self._keep_sets(units)
        if key and not any(self._is_set(unit) for unit in units):
            units = [*self._sets, *units]
        yield Coded(b"".join(_START + unit for unit in units), ticks, key=key, damaged=self._suspect)

    def _keep_sets(self, units: list[bytes]) -> None:
        """Parameter sets of the stream replace those that were told before it."""
        sets = tuple(unit for unit in units if self._is_set(unit))
        if sets:
            kinds = {self._kind(unit) for unit in sets}
            self._sets = (*(unit for unit in self._sets if self._kind(unit) not in kinds), *sets)

    def _kind(self, unit: bytes) -> int:
        return unit[0] & 31 if self._codec == "h264" else (unit[0] >> 1) & 63

    def _is_set(self, unit: bytes) -> bool:
        return self._kind(unit) in ((7, 8) if self._codec == "h264" else (32, 33, 34))

    def _is_picture(self, unit: bytes) -> bool:
        return 1 <= self._kind(unit) <= 5 if self._codec == "h264" else self._kind(unit) < 32

    def _is_key(self, unit: bytes) -> bool:
        return self._kind(unit) == 5 if self._codec == "h264" else 16 <= self._kind(unit) <= 21

    def _h264(self, payload: bytes) -> bool:
        """Take one payload (RFC 6184, 5.4); whether it could be read."""
        kind = payload[0] & 31
        if 1 <= kind <= 23:
            self._units.append(payload)
            return True
        if kind == 24:
            return self._aggregate(payload[1:])
        if kind == 28 and len(payload) > 2:
            head = bytes([(payload[0] & 0xE0) | (payload[1] & 31)])
            return self._part(head, payload[2:], starts=bool(payload[1] & 0x80), ends=bool(payload[1] & 0x40))
        return False

    def _h265(self, payload: bytes) -> bool:
        """Take one payload (RFC 7798, 4.4); whether it could be read."""
        kind = (payload[0] >> 1) & 63
        if len(payload) < 3:
            return False
        if kind < 48:
            self._units.append(payload)
            return True
        if kind == 48:
            return self._aggregate(payload[2:])
        if kind == 49 and len(payload) > 3:
            head = bytes([(payload[0] & 0x81) | ((payload[2] & 63) << 1), payload[1]])
            return self._part(head, payload[3:], starts=bool(payload[2] & 0x80), ends=bool(payload[2] & 0x40))
        return False

    def _aggregate(self, rest: bytes) -> bool:
        """Several units, each behind two bytes of length."""
        while len(rest) >= 2:
            size = int.from_bytes(rest[:2])
            if not 1 <= size <= len(rest) - 2:
                return False
            self._units.append(rest[2 : 2 + size])
            rest = rest[2 + size :]
        return not rest

    def _part(self, head: bytes, part: bytes, *, starts: bool, ends: bool) -> bool:
        """A fragment of a unit."""
        if starts:
            self._fragment = [head]
        elif not self._fragment:
            return False
        self._fragment.append(part)
        if ends:
            self._units.append(b"".join(self._fragment))
            self._fragment = []
        return True
