"""The units inside a packet of H.264, H.265 or AV1. Public side: pure functions over encoded bytes."""

from collections.abc import Iterator
from typing import Protocol

from skyveil.core.settings import Codec

_START = b"\x00\x00\x01"
_H264_SEI = 6
_AV1_DELIMITER = b"\x12\x00"


class Digest(Protocol):
    """A hash that takes bytes, as those of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


def annex_b_units(data: bytes) -> list[bytes]:
    """The NAL units between the start codes of an Annex B packet (ITU-T H.264, B.1)."""
    return [unit.rstrip(b"\x00") for unit in data.split(_START)[1:]]


def prefixed_units(data: bytes) -> Iterator[bytes]:
    """The NAL units of a packet of an MP4 or Matroska file: four bytes of length before each.

    A length that runs past the end gives a short last unit.
    """
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def without_banner(data: bytes) -> bytes:
    """The Annex B packet of H.264 without SEI units.

    x264 puts its version and options, number of threads among them, into the first packet. Nothing else we ask of it
    needs an SEI.
    """
    units = annex_b_units(data)
    if not any(unit and unit[0] & 31 == _H264_SEI for unit in units):
        return data
    return b"".join(b"\x00" + _START + unit for unit in units if unit and unit[0] & 31 != _H264_SEI)


def note_content(digest: Digest, data: bytes, codec: Codec, *, prefixed: bool) -> None:
    """Feed the picture data of one packet to `digest`, the same bytes whichever way the container frames them.

    `prefixed` says that the packet was read back from a container. Start codes, lengths and the temporal delimiter
    of AV1 are framing: muxers replace or drop them.
    """
    if codec == "av1":
        digest.update(data.removeprefix(_AV1_DELIMITER))
        return
    for unit in prefixed_units(data) if prefixed else annex_b_units(data):
        digest.update(unit)
