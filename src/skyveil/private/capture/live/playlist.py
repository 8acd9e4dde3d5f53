"""Playlists of HTTP Live Streaming (RFC 8216). Private side: text from a stranger."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import SafeUrl

PLAYLIST_LIMIT: Final = 1 << 19
_MOST_SEGMENTS: Final = 10_000
_LONGEST_S: Final = 60.0
_CODECS: Final = ("avc1", "avc3", "hvc1", "hev1")
_ATTRIBUTE: Final = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')


@final
@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of media. begins: whether it does not follow the one before it; header: what must be read before it."""

    number: int
    url: SafeUrl
    seconds: float
    begins: bool
    header: SafeUrl | None


@final
@dataclass(frozen=True, slots=True)
class Playlist:
    """The segments that are there now, oldest first. ends: none will follow."""

    segments: tuple[Segment, ...]
    target_s: float
    ends: bool


def variant(text: bytes, url: SafeUrl) -> SafeUrl | None:
    """The media playlist of most bits a second whose codec is read; None when `text` is a media playlist itself."""
    lines = _lines(text)
    offers: list[tuple[int, SafeUrl]] = []
    told = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#EXT-X-STREAM-INF:"):
            told = True
            attributes = _attributes(line)
            codecs = [one.strip() for one in attributes.get("CODECS", "").split(",") if one.strip()]
            bits = attributes.get("BANDWIDTH", "")
            if following and (not codecs or any(one.startswith(_CODECS) for one in codecs)):
                offers.append((int(bits) if re.fullmatch(r"[0-9]{1,12}", bits) else 0, _joined(url, following)))
    if told and not offers:
        raise CameraUnavailable(Cause.UNSUPPORTED_CODEC)
    return max(offers, key=lambda one: one[0])[1] if offers else None


def playlist(text: bytes, url: SafeUrl) -> Playlist:
    """The media playlist; CameraUnavailable for what is none, is encrypted, or lies on another host."""
    lines = _lines(text)
    segments = tuple(_segments(lines, url))
    target = next((line.partition(":")[2] for line in lines if line.startswith("#EXT-X-TARGETDURATION:")), "")
    target_s = _seconds(target) or max((one.seconds for one in segments), default=1.0)
    return Playlist(segments, min(max(target_s, 0.2), _LONGEST_S), "#EXT-X-ENDLIST" in lines)


def _segments(lines: list[str], url: SafeUrl) -> Iterator[Segment]:
    number, seconds, begins = 0, 0.0, False
    header: SafeUrl | None = None
    missing = False
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA-SEQUENCE" and re.fullmatch(r"[0-9]{1,15}", value):
            number = int(value)
        elif name == "#EXTINF":
            seconds = _seconds(value.partition(",")[0])
        elif name == "#EXT-X-DISCONTINUITY":
            begins = True
        elif name == "#EXT-X-GAP":
            missing = True
        elif name == "#EXT-X-MAP":
            header = _header(_attributes(line), url)
        elif name == "#EXT-X-BYTERANGE" or (name == "#EXT-X-KEY" and _attributes(line).get("METHOD") != "NONE"):
            raise CameraUnavailable(Cause.UNSUPPORTED_STREAM)
        elif line and not line.startswith("#"):
            if not missing:
                yield Segment(number, _joined(url, line), seconds, begins, header)
            number, begins, missing = number + 1, missing, False


def _header(attributes: dict[str, str], url: SafeUrl) -> SafeUrl:
    if "BYTERANGE" in attributes or "URI" not in attributes:
        raise CameraUnavailable(Cause.UNSUPPORTED_STREAM)
    return _joined(url, attributes["URI"])


def _lines(text: bytes) -> list[str]:
    if len(text) > PLAYLIST_LIMIT or not text.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U"):
        raise CameraUnavailable(Cause.GARBAGE)
    lines = [line.strip() for line in text.decode("utf-8", "replace").split("\n")]
    if sum(not line.startswith("#") for line in lines) > _MOST_SEGMENTS:
        raise CameraUnavailable(Cause.GARBAGE)
    return [line for line in lines if line]


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{0,9})?", text.strip()) else 0.0


def _joined(url: SafeUrl, reference: str) -> SafeUrl:
    """The address of something that a playlist names; it must lie on the same server."""
    try:
        joined = url.joined(reference)
    except SettingsRefused as error:
        raise CameraUnavailable(Cause.GARBAGE) from error
    if not joined.same_server(url):
        raise CameraUnavailable(Cause.ELSEWHERE)
    return joined
