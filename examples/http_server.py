"""A small HTTP server that plays a file as if it were a camera: `python examples/http_server.py a.mp4`.

For the tests and for trying things out; not for a real site. Motion JPEG, HLS (TS and fragmented MP4), and endless or
whole files, with Basic or Digest authentication and TLS when asked for, and with the faults that a test asks for.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

import av

Scheme = Literal["basic", "digest-md5", "digest-sha256"]
_REALM: Final = "camera"
_HASHES: Final = {"digest-md5": "md5", "digest-sha256": "sha256"}


@final
@dataclass(slots=True)
class HttpFaults:
    """What is wrong with a server now; may be changed while it plays."""

    frozen: bool = False
    gone: bool = False
    """Every address answers 404."""


# --- what is served ---------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class MjpegPage:
    """JPEGs in a loop. `head` stands before each: real cameras write it in many ways."""

    pictures: Sequence[bytes]
    fps: float = 20.0
    kind: str = "multipart/x-mixed-replace; boundary=frame"
    head: Callable[[bytes], bytes] = lambda jpeg: (
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
    )
    tail: bytes = b"\r\n"

    def answer(self, to: "Handler") -> None:
        """Send pictures until the client leaves."""
        to.begin(self.kind)
        start_s = time.monotonic()
        for number in range(1 << 60):
            jpeg = self.pictures[number % len(self.pictures)]
            to.pause(start_s + number / self.fps)
            to.wfile.write(self.head(jpeg) + jpeg + self.tail)


@final
@dataclass(frozen=True, slots=True)
class BodyPage:
    """Bytes: at once with their length, or endless, in pieces that come `seconds` apart."""

    pieces: Sequence[bytes]
    kind: str
    seconds: float | None = None
    chunked: bool = False

    def answer(self, to: "Handler") -> None:
        """Send them."""
        if self.seconds is None:
            to.begin(self.kind, length=sum(map(len, self.pieces)))
            for piece in self.pieces:
                to.wfile.write(piece)
            return
        to.begin(self.kind, chunked=self.chunked)
        start_s = time.monotonic()
        for number, piece in enumerate(self.pieces):
            to.pause(start_s + number * self.seconds)
            to.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece)
        if self.chunked:
            to.wfile.write(b"0\r\n\r\n")


@final
@dataclass(frozen=True, slots=True)
class RedirectPage:
    """Points elsewhere."""

    to: str
    status: int = 302

    def answer(self, to: "Handler") -> None:
        """Send the address."""
        to.send_response(self.status)
        to.send_header("Location", self.to)
        to.send_header("Content-Length", "0")
        to.end_headers()


@final
@dataclass(frozen=True, slots=True)
class TextPage:
    """A text that is made anew each time."""

    text: Callable[[], str]
    kind: str = "application/vnd.apple.mpegurl"

    def answer(self, to: "Handler") -> None:
        """Send it."""
        data = self.text().encode()
        to.begin(self.kind, length=len(data))
        to.wfile.write(data)


Page: TypeAlias = MjpegPage | BodyPage | RedirectPage | TextPage


def hls(name: str, segments: Sequence[bytes], *, seconds: float, header: bytes | None = None) -> dict[str, Page]:
    """A live playlist of four segments at `/NAME/live.m3u8` in an endless loop, a complete one at `/NAME/whole.m3u8`
    and a master playlist at `/NAME/master.m3u8`."""
    start_s, count = time.monotonic(), len(segments)
    begin = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, round(seconds))}"]
    before = [] if header is None else ['#EXT-X-MAP:URI="header"']

    def listed(first: int, last: int) -> Iterator[str]:
        yield from (*begin, f"#EXT-X-MEDIA-SEQUENCE:{first}", *before)
        for number in range(first, last):
            if number and number % count == 0:
                yield "#EXT-X-DISCONTINUITY"
            yield from (f"#EXTINF:{seconds:.3f},", f"segment{number % count}")

    def live() -> str:
        made = count + int((time.monotonic() - start_s) / seconds)
        return "\n".join([*listed(made - 4, made), ""])

    variants = (
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS="av01.0.04M.08"\nnone.m3u8\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.42c01e,mp4a.40.2"\n/{name}/live.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42c01e"\nnone.m3u8\n'
    )
    pages: dict[str, Page] = {
        f"/{name}/live.m3u8": TextPage(live),
        f"/{name}/whole.m3u8": TextPage(lambda: "\n".join([*listed(0, count), "#EXT-X-ENDLIST", ""])),
        f"/{name}/master.m3u8": TextPage(lambda: variants),
    }
    pages |= {f"/{name}/segment{n}": BodyPage((one,), "video/mp2t") for n, one in enumerate(segments)}
    return pages if header is None else {**pages, f"/{name}/header": BodyPage((header,), "video/mp4")}


# --- files in pieces --------------------------------------------------------------------------------------------------


def ts_segments(path: Path, *, gops: int = 1, starts_s: float = 0.0) -> list[bytes]:
    """The first video of a file as MPEG-TS, cut before every so many key frames; its clock begins at `starts_s`."""
    segments: list[bytes] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet in packets:
            moved = round(starts_s / packet.time_base)
            packet.pts, packet.dts = (packet.pts or 0) + moved, (packet.dts or 0) + moved
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe][::gops]
        for start, end in zip(keys, [*keys[1:], len(packets)], strict=True):
            target = io.BytesIO()
            with av.open(target, "w", format="mpegts", options={"mpegts_copyts": "1"}) as made:
                copied = made.add_stream_from_template(stream)
                for packet in packets[start:end]:
                    packet.stream = copied
                    made.mux(packet)
            segments.append(target.getvalue())
    return segments


def mp4_fragments(path: Path) -> tuple[bytes, list[bytes]]:
    """The first video of a file as fragmented MP4: its header, and a fragment for each group of pictures."""
    target = io.BytesIO()
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path)) as container, av.open(target, "w", format="mp4", options=flags) as made:
        stream = container.streams.video[0]
        copied = made.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = copied
                made.mux(packet)
    header, *fragments = re.split(rb"(?=.{4}moof)", target.getvalue(), flags=re.DOTALL)
    return header, fragments


def jpegs(path: Path) -> list[bytes]:
    """Every picture of a file as a JPEG file."""
    found: list[bytes] = []
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = frame.reformat(format="yuvj420p")
            if not encoder.is_open:
                encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
                encoder.time_base = Fraction(1, 25)
            found += [bytes(packet) for packet in encoder.encode(picture)]
    return found


# --- the server -------------------------------------------------------------------------------------------------------


@final
class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: "HttpServer"

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        """Answer one request."""
        self.server.requests.append(self.path)
        self.pause(0.0)
        page = None if self.server.faults.gone else self.server.pages.get(self.path)
        if not self._allowed():
            self._refuse()
        elif page is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            with suppress(ConnectionError, ssl.SSLError):
                page.answer(self)

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""

    def begin(self, kind: str, *, length: int | None = None, chunked: bool = False) -> None:
        """Send the head of an answer."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def pause(self, until_s: float) -> None:
        """Wait until so late (monotonic), and as long as the server is frozen; ConnectionError when it stops."""
        while self.server.faults.frozen or time.monotonic() < until_s:
            left_s = 0.02 if self.server.faults.frozen else until_s - time.monotonic()
            if self.server.stopping.wait(max(0.0, left_s)):
                raise ConnectionAbortedError
        if self.server.stopping.is_set():
            raise ConnectionAbortedError

    def _refuse(self) -> None:
        nonce = os.urandom(8).hex()
        self.server.nonces[nonce] = 0
        self.send_response(401)
        if self.server.scheme == "basic":
            self.send_header("WWW-Authenticate", f'Basic realm="{_REALM}"')
        else:
            algorithm = "MD5" if self.server.scheme == "digest-md5" else "SHA-256"
            self.send_header(
                "WWW-Authenticate", f'Digest realm="{_REALM}", qop="auth", algorithm={algorithm}, nonce="{nonce}"'
            )
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"denied")

    def _allowed(self) -> bool:
        if self.server.login is None:
            return True
        user, password = self.server.login
        told = self.headers.get("Authorization", "")
        if self.server.scheme == "basic":
            return told == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        given = dict(re.findall(r'(\w+)="?((?:\\.|[^",])+)"?', told))
        nonce, uses = given.get("nonce", ""), int(given.get("nc", "0"), 16)
        if uses <= self.server.nonces.get(nonce, 1 << 32) or given.get("username") != user:
            return False  # an answer that was used before is a replay
        self.server.nonces[nonce] = uses

        def digest(text: str) -> str:
            return hashlib.new(_HASHES[self.server.scheme], text.encode(), usedforsecurity=False).hexdigest()

        first, second = digest(f"{user}:{_REALM}:{password}"), digest(f"GET:{self.path}")
        return given.get("response") == digest(f"{first}:{nonce}:{given['nc']}:{given['cnonce']}:auth:{second}")


@final
class HttpServer(ThreadingHTTPServer):
    """Serves pages by path on loopback, a thread for each connection."""

    daemon_threads = True

    def __init__(
        self,
        pages: Mapping[str, Page],
        *,
        login: tuple[str, str] | None = None,
        scheme: Scheme = "digest-md5",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.pages = dict(pages)
        self.login = login
        self.scheme: Scheme = scheme
        self.tls = tls
        self.faults = HttpFaults()
        self.requests: list[str] = []
        """Every path that was asked for."""
        self.connections = 0
        self.nonces: dict[str, int] = {}
        self.stopping = threading.Event()
        self.address: Final = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.server_port}"

    def finish_request(self, request: "socket.socket | tuple[bytes, socket.socket]", client_address: str) -> None:
        """Answer one connection, in its own thread, under TLS when asked for."""
        if self.tls is None or isinstance(request, tuple):
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves, or does not trust us, is no error here."""


@contextmanager
def http_serving(
    pages: Mapping[str, Page],
    *,
    login: tuple[str, str] | None = None,
    scheme: Scheme = "digest-md5",
    tls: ssl.SSLContext | None = None,
    port: int = 0,
) -> Iterator[HttpServer]:
    """Serve in threads of their own."""
    with HttpServer(pages, login=login, scheme=scheme, tls=tls, port=port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="http-server", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join(20)


def main() -> None:
    """Serve a file as motion JPEG, HLS and as it is, until stopped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="H.264 in MP4")
    parser.add_argument("--port", type=int, default=8555)
    arguments = parser.parse_args()
    path: Path = arguments.file
    header, fragments = mp4_fragments(path)
    with av.open(str(path)) as container:
        seconds = float((container.duration or av.time_base) / av.time_base)
    pages: dict[str, Page] = {
        "/mjpeg": MjpegPage(jpegs(path), fps=10.0),
        "/file.mp4": BodyPage((header, *fragments), "video/mp4"),
        **hls("hls", fragments, seconds=seconds / len(fragments), header=header),
    }
    with http_serving(pages, port=arguments.port) as server, suppress(KeyboardInterrupt):
        for name in ("/mjpeg", "/file.mp4", "/hls/master.m3u8"):
            print(server.address + name, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
