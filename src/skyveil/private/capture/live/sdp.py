"""The video that a camera offers, from its session description (RFC 8866). Private side: text from a stranger."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

from skyveil.core.health import CameraUnavailable, Cause

LiveCodec: TypeAlias = Literal["h264", "hevc", "mjpeg"]

_NAMES: Final[dict[str, LiveCodec]] = {"H264": "h264", "H265": "hevc", "JPEG": "mjpeg"}
_JPEG_TYPE: Final = 26
"""The static payload type of motion JPEG (RFC 3551, table 5)."""
_LIMIT: Final = 65_536
_SETS: Final = {"hevc": ("sprop-vps", "sprop-sps", "sprop-pps"), "h264": ("sprop-parameter-sets",)}


@final
@dataclass(frozen=True, slots=True)
class Offer:
    """The first video of a session.

    control: its address, maybe relative; payload_type: of its RTP packets; clock_hz: ticks of their timestamps per
    second; parameter_sets: NAL units that the decoder needs and may not see again.
    """

    codec: LiveCodec
    control: str
    payload_type: int
    clock_hz: int
    parameter_sets: tuple[bytes, ...]


def offer(text: bytes) -> Offer:
    """The first video of the description; CameraUnavailable when there is none, or none that can be decoded."""
    if len(text) > _LIMIT:
        raise CameraUnavailable(Cause.GARBAGE)
    lines = text.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    for media in _video_sections(lines):
        found = _read(media)
        if found is not None:
            return found
    raise CameraUnavailable(Cause.UNSUPPORTED_CODEC if _video_sections(lines) else Cause.NO_VIDEO)


def _video_sections(lines: list[str]) -> list[list[str]]:
    sections: list[list[str]] = []
    inside = False
    for line in lines:
        if line.startswith("m="):
            inside = line.startswith("m=video")
            if inside:
                sections.append([])
        if inside:
            sections[-1].append(line.strip())
    return sections


def _read(media: list[str]) -> Offer | None:
    types = [int(word) for word in media[0].split()[3:] if word.isascii() and word.isdigit() and len(word) < 4]
    control = next((line.removeprefix("a=control:") for line in media if line.startswith("a=control:")), "")
    for payload_type in types:
        name, clock_hz = _mapped(media, payload_type)
        codec = _NAMES.get(name)
        if codec is not None and 1000 <= clock_hz <= 10_000_000:
            return Offer(codec, control, payload_type, clock_hz, _parameter_sets(media, payload_type, codec))
    return None


def _mapped(media: list[str], payload_type: int) -> tuple[str, int]:
    """Name and clock of a payload type."""
    for line in media:
        match = re.fullmatch(rf"a=rtpmap:{payload_type} +([\w.-]+)/(\d{{1,9}})(/.*)?", line)
        if match is not None:
            return match[1].upper(), int(match[2])
    return ("JPEG", 90_000) if payload_type == _JPEG_TYPE else ("", 0)


def _parameter_sets(media: list[str], payload_type: int, codec: LiveCodec) -> tuple[bytes, ...]:
    """The units of the format parameters; what is no base64 is left out, for they usually come in the stream too."""
    line = next((line for line in media if line.startswith(f"a=fmtp:{payload_type} ")), "")
    values = dict(part.strip().split("=", 1) for part in line.partition(" ")[2].split(";") if "=" in part)
    units: list[bytes] = []
    for name in _SETS.get(codec, ()):
        for coded in values.get(name, "").split(","):
            try:
                unit = base64.b64decode(coded, validate=True)
            except (binascii.Error, ValueError):
                continue
            if unit:
                units.append(unit)
    return tuple(units)
