"""Motion JPEG over RTP to JPEG files (RFC 2435). Private side: bytes from a stranger."""

import struct
from typing import Final, final

_LARGEST_TYPE: Final = 1

# RFC 2435, appendix A: the tables that quality 50 stands for, in zigzag order (ITU-T T.81, K.1 and K.2).
_LUMA: Final = bytes((
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
))  # fmt: skip
_CHROMA: Final = bytes((
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, *([99] * 49),
))  # fmt: skip
# ITU-T T.81, K.3 to K.6: number of codes of each length, and their values.
_DC_LUMA: Final = (bytes.fromhex("00010501010101010100000000000000"), bytes(range(12)))
_DC_CHROMA: Final = (bytes.fromhex("00030101010101010101010000000000"), bytes(range(12)))
_AC_LUMA: Final = (
    bytes.fromhex("0002010303020403050504040000017d"),
    bytes.fromhex(
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
        "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
        "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
)
_AC_CHROMA: Final = (
    bytes.fromhex("00020102040403040705040400010277"),
    bytes.fromhex(
        "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a"
        "434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8"
        "a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
)


@final
class JpegPictures:
    """Joins payloads to JPEG files."""

    def __init__(self) -> None:
        self._header = b""
        self._scan: list[bytes] = []
        self._at = 0
        self._tables: dict[int, bytes] = {}

    def push(self, payload: bytes) -> bool:
        """Take one payload; whether it could be read and follows the one before."""
        if len(payload) < 8:
            return False
        offset = int.from_bytes(payload[1:4])
        kind, quality, width, height = payload[4:8]
        rest, restart = payload[8:], 0
        if kind & 0x40:
            if len(rest) < 4:
                return False
            restart, rest = int.from_bytes(rest[:2]), rest[4:]
        if kind & 0x3F > _LARGEST_TYPE or not width or not height:
            return False
        if offset == 0:
            tables = self._quantisation(quality, rest)
            if tables is None:
                return False
            if quality >= 128:
                rest = rest[4 + int.from_bytes(rest[2:4]) :]
            self._header = _file_header(kind & 0x3F, 8 * width, 8 * height, tables, restart)
            self._scan, self._at = [], 0
        if not self._header or offset != self._at:
            return False
        self._scan.append(rest)
        self._at += len(rest)
        return True

    def ended(self) -> bytes | None:
        """The picture, and begin the next; None when it has no beginning."""
        header, scan = self._header, b"".join(self._scan)
        self._header, self._scan, self._at = b"", [], 0
        return header + scan + b"\xff\xd9" if header and scan else None

    def _quantisation(self, quality: int, rest: bytes) -> bytes | None:
        """The two tables of 64 bytes: told in the first packet, or computed (RFC 2435, 4.2)."""
        if quality >= 128:
            if len(rest) < 4:
                return None
            size = int.from_bytes(rest[2:4])
            told = rest[4 : 4 + size]
            if size == 0:
                return self._tables.get(quality)
            if rest[1] or size not in (64, 128) or len(told) != size:
                return None
            tables = told if size == 128 else told + told
            self._tables[quality] = tables
            return tables
        bounded = min(max(quality, 1), 99)
        scale = 5000 // bounded if bounded < 50 else 200 - 2 * bounded
        return bytes(min(max((value * scale + 50) // 100, 1), 255) for value in _LUMA + _CHROMA)


def _file_header(kind: int, width: int, height: int, tables: bytes, restart: int) -> bytes:
    """Everything before the scan of a baseline JPEG file; type 0 is 4:2:2, type 1 is 4:2:0 (RFC 2435, 4.1)."""
    luma = 0x21 if kind == 0 else 0x22
    segments = [b"\xff\xd8"]
    segments += [_segment(0xDB, bytes([index]) + tables[64 * index : 64 * index + 64]) for index in (0, 1)]
    if restart:
        segments.append(_segment(0xDD, struct.pack(">H", restart)))
    segments.append(_segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + bytes((1, luma, 0, 2, 17, 1, 3, 17, 1))))
    for place, (counts, values) in ((0x00, _DC_LUMA), (0x10, _AC_LUMA), (0x01, _DC_CHROMA), (0x11, _AC_CHROMA)):
        segments.append(_segment(0xC4, bytes([place]) + counts + values))
    segments.append(_segment(0xDA, bytes((3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0))))
    return b"".join(segments)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
