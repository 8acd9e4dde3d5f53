"""Redacted H.264 as RTP packets. Public side: pure bytes in, pure bytes out (RFC 3550, 5.1; RFC 6184, 5.4 to 5.8)."""

import base64
import secrets
import struct
from collections.abc import Iterator
from typing import Final, final

from skyveil.core.errors import SettingsRefused
from skyveil.public.encode.header import StreamHeader
from skyveil.public.encode.units import annex_b_units
from skyveil.public.types import RedactedPacket

CLOCK_HZ: Final = 90_000
PAYLOAD: Final = 96
"""First of the numbers for formats that SDP tells (RFC 3551, 6)."""
PART: Final = 1400
"""Bytes of one payload: fits an Ethernet frame with the headers of every layer."""
TRACK: Final = "video"
"""The address of the pictures below that of their stream."""
_SPS, _PPS = 7, 8
_FU_A: Final = 28


@final
class Packetizer:
    """Packets of one stream. One thread owns it."""

    def __init__(self, header: StreamHeader) -> None:
        """Raise SettingsRefused for another codec than H.264."""
        if header.codec != "h264":
            raise SettingsRefused(f"what is sent on by RTSP is H.264, got {header.codec}")
        units = annex_b_units(header.extradata)
        self._sets = [unit for unit in units if unit and unit[0] & 31 in (_SPS, _PPS)]
        self._source = secrets.randbits(32)
        self._offset = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        """Of the next packet."""

    def packets(self, packet: RedactedPacket) -> Iterator[bytes]:
        """A picture as RTP packets, the last one marked; parameter sets come before a key frame.

        Nothing is made or numbered before it is taken.
        """
        units = [unit for unit in annex_b_units(packet.data) if unit]
        payloads = [part for unit in (*(self._sets if packet.keyframe else ()), *units) for part in _parts(unit)]
        ticks = self.timestamp(packet)
        for index, payload in enumerate(payloads):
            marked = 0x80 if index == len(payloads) - 1 else 0
            head = struct.pack(">BBHII", 0x80, PAYLOAD | marked, self.sequence, ticks, self._source)
            self.sequence = (self.sequence + 1) & 0xFFFF
            yield head + payload

    def timestamp(self, packet: RedactedPacket) -> int:
        """The RTP time of a picture; begins anywhere, as RFC 3550 asks."""
        return (round(packet.pts * packet.time_base * CLOCK_HZ) + self._offset) & 0xFFFFFFFF

    def sdp(self, name: str) -> str:
        """What a client is told of the stream (RFC 8866; RFC 6184, 8.1)."""
        sps = next((unit for unit in self._sets if unit[0] & 31 == _SPS), b"")
        sets = ",".join(base64.b64encode(unit).decode() for unit in self._sets)
        lines = (
            "v=0",
            "o=- 0 0 IN IP4 0.0.0.0",
            f"s={name}",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=range:npt=now-",
            "a=control:*",
            f"m=video 0 RTP/AVP {PAYLOAD}",
            f"a=rtpmap:{PAYLOAD} H264/{CLOCK_HZ}",
            f"a=fmtp:{PAYLOAD} packetization-mode=1;profile-level-id={sps[1:4].hex()};sprop-parameter-sets={sets}",
            f"a=control:{TRACK}",
        )
        return "".join(f"{line}\r\n" for line in lines)


def _parts(unit: bytes) -> list[bytes]:
    """A NAL unit as payloads: itself, or fragments of type FU-A."""
    if len(unit) <= PART:
        return [unit]
    body = unit[1:]
    parts = [body[at : at + PART] for at in range(0, len(body), PART)]
    made = []
    for index, part in enumerate(parts):
        ends = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
        made.append(bytes((unit[0] & 0xE0 | _FU_A, ends | unit[0] & 31)) + part)
    return made
