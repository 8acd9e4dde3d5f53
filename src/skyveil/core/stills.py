"""The formats of pictures, and how first bytes tell them from video. Core: both sides of the wall must agree."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, Literal, TypeAlias

StillFormat: TypeAlias = Literal["jpeg", "png", "webp", "tiff", "heic"]
"""What a picture is written as."""

_HEAD_BYTES: Final = 256
_MOTION_BYTES: Final = 1 << 20
"""How much of a JPEG is looked at: room for the first pictures of a Motion JPEG stream."""

_SIGNATURES: Final[tuple[tuple[bytes, StillFormat], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "png"),
    (b"GIF89a", "png"),
    (b"BM", "png"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)
"""First bytes of a picture, and the format it is written in again: GIF and BMP become PNG, which loses nothing."""

_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})

_filtering = threading.Lock()


@contextmanager
def unwarned() -> Iterator[None]:
    """Read a picture without Pillow's warnings: of odd metadata, and of sizes that are allowed here.

    One thread at a time, because the filter is the whole process's.
    """
    with _filtering, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def still_format_of(file: BinaryIO) -> StillFormat | None:
    """The format in which the picture in `file`, open at its start, is written again; None when it is none we know."""
    head = file.read(_HEAD_BYTES)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _iso_still(head)
    if head[:2] == b"BM" and head[6:10] != bytes(4):
        return None  # two letters alone are too little: the reserved words of a BMP are zero
    known = next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)
    return None if known == "jpeg" and _motion_jpeg(head + file.read(_MOTION_BYTES)) else known


def _iso_still(head: bytes) -> StillFormat | None:
    """HEIC is written as HEIC, AVIF as PNG; any other file of that family is video."""
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, min(int.from_bytes(head[:4]), 256), 4)}
    if head[8:12] in _AVIF_BRANDS or (head[8:12] == b"mif1" and brands & _AVIF_BRANDS):
        return "png"
    return "heic" if head[8:12] in _HEIC_BRANDS else None


def _motion_jpeg(head: bytes) -> bool:
    """Whether one JPEG follows on the heels of another, and not as the second view of one picture (CIPA DC-007)."""
    return b"\xff\xd9\xff\xd8\xff" in head and b"MPF\x00" not in head
