"""Redacted packets as fragments of MP4, one a picture. Public side: pure bytes in, pure bytes out.

The boxes are written here and not by a muxer, because a muxer needs the next packet to know how long this one is
shown, and so keeps every picture back by one. Boxes and fields are those of ISO/IEC 14496-12 (2022) and, for H.264
(`avc1`, `avcC`), ISO/IEC 14496-15. Nothing is written of the muxer, the host or the time of day.
"""

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final, final

from skyveil.core.errors import SettingsRefused
from skyveil.public.encode.header import StreamHeader
from skyveil.public.encode.units import annex_b_units
from skyveil.public.types import RedactedPacket

_SPS, _PPS = 7, 8
_TRACK: Final = 1
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The unit matrix of mvhd and tkhd: shown as it is."""

_PROFILES_WITH_CHROMA: Final = (100, 110, 122, 144)
"""Profiles whose avcC tells chroma format and bit depth (ISO/IEC 14496-15, 5.3.3.1.2)."""

_TFHD_BASE_IS_MOOF: Final = 0x020000
_TRUN_FIELDS: Final = 0x000F01
"""data_offset, and of the one sample duration, size, flags and composition time offset."""

_GAPS: Final = 4
"""Pictures whose distances say how long the newest is shown: the least of them, because one that is shown for too long
hides the next, and one hole would make the picture behind it as long as the hole."""

_SAMPLE_KEY: Final = 0x02000000  # sample_depends_on = 2: on no other
_SAMPLE_NOT_KEY: Final = 0x01010000  # sample_depends_on = 1, sample_is_non_sync_sample


@final
@dataclass(frozen=True, slots=True)
class Fragment:
    """One picture: `moof` and `mdat`. `pts` and `duration` are ticks of the timescale in the init segment."""

    data: bytes
    keyframe: bool
    pts: int
    duration: int


@final
class Fragmenter:
    """Makes the init segment and the fragments of one stream. One thread owns it.

    init: `ftyp` and `moov`, what a player reads first. mime: what a browser is asked whether it plays it.
    timescale: ticks a second.
    """

    def __init__(self, header: StreamHeader) -> None:
        """Raise SettingsRefused for another codec than H.264 of 8 bit, or a header without parameter sets."""
        if header.codec != "h264" or header.stream.bit_depth != 8:
            raise SettingsRefused(f"live video is H.264 of 8 bit, got {header.codec} of {header.stream.bit_depth} bit")
        units = [unit for unit in annex_b_units(header.extradata) if len(unit) >= 4]
        sps = [unit for unit in units if unit[0] & 31 == _SPS]
        pps = [unit for unit in units if unit[0] & 31 == _PPS]
        if not sps or not pps:
            raise SettingsRefused("the stream's header has no parameter sets, so no player could begin")
        self.timescale = header.stream.time_base.denominator
        self.mime = f'video/mp4; codecs="avc1.{sps[0][1:4].hex().upper()}"'
        self.init = _ftyp() + _moov(header, _avcc(sps, pps))
        self._time_base = header.stream.time_base
        self._sequence = 0
        self._gaps: deque[int] = deque(maxlen=_GAPS)
        self._last: int | None = None
        self._next_dts: int | None = None

    def fragment(self, packet: RedactedPacket) -> Fragment:
        """The packet as a fragment, which a player can show at once.

        Where pictures are missing, decoding times catch up with the times of showing in steps of one and a half
        pictures: a player that finds decoding times more than two pictures apart drops everything up to the next key
        frame (Media Source Extensions, W3C 2016, 3.5.8, coded frame processing, step 6).

        Raises SettingsRefused for a packet of another clock, one that is not shown in the order it is decoded in, or
        one before time 0: a fragment can not say so.
        """
        if packet.time_base != self._time_base:
            raise SettingsRefused(f"a packet came in {packet.time_base}, the stream is in {self._time_base}")
        if packet.pts != packet.dts or packet.pts < 0:
            raise SettingsRefused(f"live packets come in the order they are shown, from 0 on; got time {packet.pts}")
        step = self._time_base.numerator
        pts = packet.pts * step
        if self._last is not None:
            self._gaps.append(pts - self._last)
        self._last = pts
        duration = max(1, min(self._gaps, default=packet.duration * step))
        dts = pts if self._next_dts is None else min(pts, self._next_dts)
        self._next_dts = dts + max(1, duration * 3 // 2)
        sample = b"".join(len(unit).to_bytes(4) + unit for unit in annex_b_units(packet.data))
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        moof = _moof(self._sequence, dts, pts - dts, duration, len(sample), packet.keyframe)
        return Fragment(moof + _box(b"mdat", sample), packet.keyframe, pts, duration)


def picture_size(init: bytes) -> tuple[int, int]:
    """Width and height of the pictures that an init segment of ours begins; ValueError for other bytes."""
    entry = init.index(b"avc1", init.index(b"stsd")) + 4
    width, height = struct.unpack_from(">24xHH", init, entry)
    return width, height


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, (version << 24 | flags).to_bytes(4), *parts)


def _moof(sequence: int, dts: int, shown_after: int, duration: int, size: int, keyframe: bool) -> bytes:
    mfhd = _full(b"mfhd", 0, 0, sequence.to_bytes(4))
    tfhd = _full(b"tfhd", 0, _TFHD_BASE_IS_MOOF, _TRACK.to_bytes(4))
    tfdt = _full(b"tfdt", 1, 0, dts.to_bytes(8))
    flags = _SAMPLE_KEY if keyframe else _SAMPLE_NOT_KEY
    # moof, traf and trun have 8, 8 and 36 bytes beside the boxes above; the sample begins 8 bytes into mdat
    offset = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + 36 + 8
    trun = _full(b"trun", 0, _TRUN_FIELDS, struct.pack(">IIIIII", 1, offset, duration, size, flags, shown_after))
    return _box(b"moof", mfhd, _box(b"traf", tfhd, tfdt, trun))


def _ftyp() -> bytes:
    return _box(b"ftyp", b"iso6", bytes(4), b"iso6", b"avc1", b"mp41")


def _moov(header: StreamHeader, avcc: bytes) -> bytes:
    timescale = header.stream.time_base.denominator
    mvhd = struct.pack(">IIIIIHxx8x", 0, 0, timescale, 0, 0x10000, 0x100) + _MATRIX + bytes(24) + (2).to_bytes(4)
    trex = struct.pack(">IIIII", _TRACK, 1, 0, 0, 0)
    return _box(
        b"moov",
        _full(b"mvhd", 0, 0, mvhd),
        _trak(header, timescale, avcc),
        _box(b"mvex", _full(b"trex", 0, 0, trex)),
    )


def _trak(header: StreamHeader, timescale: int, avcc: bytes) -> bytes:
    shown_width = round(header.stream.width * header.stream.sample_aspect)
    size = struct.pack(">II", shown_width << 16, header.stream.height << 16)
    tkhd = struct.pack(">IIIII8xHHHxx", 0, 0, _TRACK, 0, 0, 0, 0, 0) + _MATRIX + size
    mdhd = struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0)  # language und
    hdlr = struct.pack(">I4s12x", 0, b"vide") + b"\x00"
    dinf = _box(b"dinf", _full(b"dref", 0, 0, (1).to_bytes(4), _full(b"url ", 0, 1)))
    stbl = _box(
        b"stbl",
        _full(b"stsd", 0, 0, (1).to_bytes(4), _avc1(header, avcc)),
        _full(b"stts", 0, 0, bytes(4)),
        _full(b"stsc", 0, 0, bytes(4)),
        _full(b"stsz", 0, 0, bytes(8)),
        _full(b"stco", 0, 0, bytes(4)),
    )
    minf = _box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), dinf, stbl)
    mdia = _box(b"mdia", _full(b"mdhd", 0, 0, mdhd), _full(b"hdlr", 0, 0, hdlr), minf)
    return _box(b"trak", _full(b"tkhd", 0, 3, tkhd), mdia)


def _avc1(header: StreamHeader, avcc: bytes) -> bytes:
    entry = struct.pack(
        ">6xH16xHHIIIH32xHh", 1, header.stream.width, header.stream.height, 0x480000, 0x480000, 0, 1, 0x18, -1
    )  # data reference 1; 72 dpi; one picture a sample; no name of a compressor; 24 bit; no colour table
    primaries, transfer, matrix = header.stream.color
    colr = struct.pack(">4sHHHB", b"nclx", primaries, transfer, matrix, 0x80 if header.stream.full_range else 0)
    pasp = struct.pack(">II", header.stream.sample_aspect.numerator, header.stream.sample_aspect.denominator)
    return _box(b"avc1", entry, avcc, _box(b"colr", colr), _box(b"pasp", pasp))


def _avcc(sps: list[bytes], pps: list[bytes]) -> bytes:
    profile = sps[0][1]
    tail = bytes((0xFD, 0xF8, 0xF8, 0)) if profile in _PROFILES_WITH_CHROMA else b""  # 4:2:0, 8 bit, 8 bit, none more
    return _box(
        b"avcC",
        bytes((1, *sps[0][1:4], 0xFF)),  # version, profile, constraints, level, lengths of 4 bytes
        bytes((0xE0 | len(sps),)),
        *(len(unit).to_bytes(2) + unit for unit in sps),
        bytes((len(pps),)),
        *(len(unit).to_bytes(2) + unit for unit in pps),
        tail,
    )
