"""Whatever a server sends over HTTP becomes pictures or a CameraUnavailable, and keeps to its limits."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraUnavailable
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live import http
from skyveil.private.capture.live.connection import Connection, UdpPair
from skyveil.private.capture.live.http import Exchange, Http
from skyveil.private.capture.live.mjpeg import JpegCutter
from skyveil.private.capture.live.playlist import playlist, variant
from skyveil.private.capture.live.transport_stream import SegmentJoiner
from tests.private.made import steady

ADDRESS = SafeUrl("http://camera:8080/live/a.m3u8")
SPEC = CameraSpec(camera_id("hall"), ADDRESS, "viewer", Secret("secret"))


class Sent:
    """A connection on which these bytes come in pieces, and then nothing more."""

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]
        self.asked = b""

    def fileno(self) -> int:
        raise AssertionError("nobody waits in this test")

    def receive(self, limit: int) -> bytes | None:
        piece = self._pieces.pop(0) if self._pieces else b""
        assert len(piece) <= limit
        return piece

    def send(self, data: bytes) -> None:
        self.asked += data

    def close(self) -> None:
        pass


class Dial:
    """Gives connections on which the same is sent."""

    def __init__(self, make: Callable[[], Sent]) -> None:
        self._make = make
        self.given: list[Sent] = []

    def tcp(self) -> Connection:
        self.given.append(self._make())
        if len(self.given) > 20:
            raise AssertionError("it asks without an end")
        return self.given[-1]

    def udp(self) -> UdpPair:
        raise AssertionError("HTTP needs no UDP")

    def idle(self) -> None:
        pass


def answer_to(data: bytes, size: int) -> tuple[Exchange | None, bytes, Dial]:
    """What becomes of an answer: the exchange unless it was refused, its body, and the connections."""
    dial = Dial(lambda: Sent(data, size))
    body = b""
    with suppress(CameraUnavailable):
        exchange = Http(SPEC, dial).asked(ADDRESS)
        while not exchange.ended:
            exchange.pump()
            body += exchange.take()
        return exchange, body, dial
    return None, body, dial


HEADS = some.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ",
        b"HTTP/1.1 302 Found\r\nLocation: b\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=",
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\n\r\n',
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n",
        b"",
    ]
)


@steady
@given(head=HEADS, rest=some.binary(max_size=300), size=some.integers(1, 64))
def test_any_answer_is_read_or_refused(head: bytes, rest: bytes, size: int) -> None:
    _, _, dial = answer_to(head + rest, size)
    for one in dial.given:
        assert one.asked.startswith(b"GET /live/") and one.asked.endswith(b"\r\n\r\n") and one.asked.count(b"GET ") == 1
        assert b"\r\nHost: camera:8080\r\n" in one.asked


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_bodies_are_read_to_their_end_and_no_further(size: int) -> None:
    for data, body, broken in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", b"hello", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"hel", True),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\nllo\r\n0\r\n\r\n", b"hello", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n9\r\nllo", b"hello", True),
    ):
        exchange, got, _ = answer_to(data, size)
        assert exchange is not None and (got, exchange.broken) == (body, broken)


def test_a_body_that_nobody_takes_waits_in_the_socket() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(8 << 20)
    exchange = Http(SPEC, Dial(lambda: Sent(data, 1 << 16))).asked(ADDRESS)
    for _ in range(10):
        exchange.pump()
    assert exchange.waiting <= http._ROOM + (1 << 16)
    assert exchange.connections == []


@steady
@given(data=some.binary(max_size=400), starts=some.booleans(), size=some.integers(1, 50))
def test_any_bytes_are_cut_into_whole_pictures(data: bytes, starts: bool, size: int) -> None:
    data = b"\xff\xd8\xff\xda\x00\x02" + data + b"\xff\xd9" if starts else data
    cutter = JpegCutter()
    for at in range(0, len(data), size):
        for picture in cutter.push(data[at : at + size]):
            assert picture in data and picture.startswith(b"\xff\xd8\xff") and picture.endswith(b"\xff\xd9")


LINES = some.lists(
    some.one_of(
        some.sampled_from(
            ["#EXTINF:", "#EXTINF:1e9,", "#EXT-X-TARGETDURATION:", "#EXT-X-MEDIA-SEQUENCE:9", "#EXT-X-MAP:URI=", "a.ts"]
        ),
        some.sampled_from(["#EXT-X-STREAM-INF:BANDWIDTH=x", "#EXT-X-ENDLIST", "#EXT-X-GAP", "//x", "http://[", "\x00"]),
        some.text(max_size=30),
    ),
    max_size=12,
)


@steady
@given(lines=LINES)
def test_any_playlist_is_read_or_refused_and_stays_on_its_server(lines: list[str]) -> None:
    text = "\n".join(("#EXTM3U", *lines)).encode("utf-8", "surrogatepass")
    with suppress(CameraUnavailable):
        chosen = variant(text, ADDRESS)
        assert chosen is None or chosen.same_server(ADDRESS)
        for segment in playlist(text, ADDRESS).segments:
            assert segment.url.same_server(ADDRESS) and 0 <= segment.seconds < 1e6


@steady
@given(data=some.binary(max_size=1000), size=some.integers(1, 300))
def test_any_segment_keeps_its_length(data: bytes, size: int) -> None:
    joiner = SegmentJoiner()
    for start in (b"G", b"x"):
        joiner.begin()
        segment = start + data
        joined = b"".join(joiner.joined(segment[at : at + size]) for at in range(0, len(segment), size))
        assert len(joined) == (len(segment) - len(segment) % 188 if start == b"G" else len(segment))
