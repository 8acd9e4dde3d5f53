"""One stored segment: encrypted records, the first the init segment, each next one a fragment. Public side.

A record is `length (4 bytes) | AES-256-GCM of: wall time (8), media time (8), duration (4), key frame (1), data`. The
nonce is the segment's number and the record's index, so none is used twice under a day's key; camera, day, number and
index are authenticated with it, so no record can be moved.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skyveil.core.ids import CameraId

SUFFIX: Final = ".seg"
_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">dqIB")
_TAG: Final = 16
_RECORD_LIMIT: Final = 64 << 20


def file_name(number: int) -> str:
    """The name of a segment's file; names sort as numbers do."""
    return f"{number:012d}{SUFFIX}"


def numbers(folder: Path) -> list[int]:
    """The numbers of the segment files of a day, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


@final
@dataclass(frozen=True, slots=True)
class Record:
    """A fragment and its times; the init segment stands in the first with duration 0."""

    wall_s: float
    pts: int
    duration: int
    keyframe: bool
    data: bytes


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Which segment: what nonces and authenticated data are made of."""

    camera: CameraId
    day: str
    number: int

    @property
    def file(self) -> str:
        """Its file name."""
        return file_name(self.number)

    def nonce(self, index: int) -> bytes:
        """The nonce of a record."""
        return struct.pack(">QI", self.number, index)

    def about(self, index: int) -> bytes:
        """What is authenticated with a record."""
        return f"{self.camera}/{self.day}/{self.number}/{index}".encode()


def sealed(record: Record, place: Place, index: int, key: AESGCM) -> bytes:
    """A record as it is stored."""
    plain = _HEAD.pack(record.wall_s, record.pts, record.duration, record.keyframe) + record.data
    box = key.encrypt(place.nonce(index), plain, place.about(index))
    return _LENGTH.pack(len(box)) + box


def opened(data: bytes, place: Place, key: AESGCM) -> tuple[list[Record], int]:
    """The records that are whole, in order, and how many bytes they take; what follows them is cut or damaged."""
    records: list[Record] = []
    at = 0
    while at + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        end = at + _LENGTH.size + size
        if not _HEAD.size + _TAG <= size <= _RECORD_LIMIT or end > len(data):
            break
        index = len(records)
        try:
            plain = key.decrypt(place.nonce(index), data[at + _LENGTH.size : end], place.about(index))
        except InvalidTag:
            break
        wall_s, pts, duration, keyframe = _HEAD.unpack_from(plain)
        records.append(Record(wall_s, pts, duration, bool(keyframe), plain[_HEAD.size :]))
        at = end
    return records, at
