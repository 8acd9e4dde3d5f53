"""Sends redacted streams on to programs that ask for them by RTSP, such as a VMS. Public side.

Read-only and over TCP alone (RFC 2326, 10.12): one connection, one stream, no port to open. Everybody logs in with
Digest (RFC 7616; MD5, which is what RTSP clients know). A session is its connection: no other one can take it over.
"""

import asyncio
import hmac
import logging
import re
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from skyveil.core.ids import CameraId
from skyveil.core.secret import Secret
from skyveil.public.encode.header import StreamHeader
from skyveil.public.restream.digest import digest, fields
from skyveil.public.restream.interleaved import Interleaved
from skyveil.public.restream.rtp import TRACK, Packetizer
from skyveil.public.types import RedactedPacket
from skyveil.public.web.throttle import Throttle

log: Final = logging.getLogger(__name__)
CLIENTS: Final = 256
LOGIN_S: Final = 10.0
"""In which a new connection must play."""
_HEAD_LIMIT: Final = 8 << 10
_GOP_LIMIT: Final = 600
_METHODS: Final = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
_REALM: Final = "skyveil"


@final
@dataclass(frozen=True, slots=True)
class Access:
    """Where to listen, and who may look."""

    bind: str
    port: int
    username: str
    password: Secret


@final
@dataclass(slots=True)
class _Stream:
    """One camera's stream."""

    packetizer: Packetizer
    gop: "deque[list[bytes]]" = field(default_factory=lambda: deque(maxlen=_GOP_LIMIT))
    whole: bool = False
    """Whether `gop` begins with a key frame."""
    ticks: int = 0
    """RTP time of the newest key frame."""
    clients: "set[_Client]" = field(default_factory=set)


@final
@dataclass(slots=True, eq=False)
class _Client:
    """One connection."""

    media: Interleaved
    address: str
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    known: bool = False
    """Whether it logged in."""
    camera: CameraId | None = None
    playing: bool = False

    @property
    def writer(self) -> asyncio.StreamWriter:
        """Where answers go."""
        return self.media.writer


@final
@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def camera(self) -> str:
        """The first part of the path."""
        return self.url.partition("://")[2].partition("/")[2].partition("/")[0].partition("?")[0]


@final
class RestreamServer:
    """Streams by camera, and who plays them. Only the event loop's thread touches it."""

    def __init__(
        self,
        access: Access,
        *,
        on_play: Callable[[CameraId, str], None],
        tls: ssl.SSLContext | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        """`on_play` is told who begins to look at what, with the address that asks."""
        self._access = access
        self._on_play = on_play
        self._tls = tls
        self._throttle = throttle or Throttle()
        self._streams: dict[CameraId, _Stream] = {}
        self._clients: dict[_Client, None] = {}
        """The oldest first."""
        self._full = False
        self._server: asyncio.Server | None = None
        self.port = access.port

    async def start(self) -> None:
        """Listen; raises OSError."""
        access = self._access
        self._server = await asyncio.start_server(self._serve, access.bind, access.port, limit=_HEAD_LIMIT)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        for client in tuple(self._clients):
            client.writer.transport.abort()

    # --- what cameras give ------------------------------------------------------------------------------------------

    def begin(self, camera: CameraId, header: StreamHeader) -> None:
        """A stream begins, or begins anew; who played the old one asks again."""
        self.remove(camera)
        self._streams[camera] = _Stream(Packetizer(header))

    def publish(self, camera: CameraId, packet: RedactedPacket) -> None:
        """A picture of a camera; nothing happens for one that did not begin."""
        stream = self._streams.get(camera)
        if stream is None:
            return
        packets = list(stream.packetizer.packets(packet))
        if packet.keyframe:
            stream.gop.clear()
            stream.whole, stream.ticks = True, stream.packetizer.timestamp(packet)
        elif len(stream.gop) == _GOP_LIMIT:
            stream.whole = False
        stream.gop.append(packets)
        for client in stream.clients:
            client.media.give(packets, keyframe=packet.keyframe)

    def remove(self, camera: CameraId) -> None:
        """A camera is sent on no more."""
        stream = self._streams.pop(camera, None)
        for client in tuple(stream.clients) if stream is not None else ():
            client.writer.transport.abort()

    def cameras(self) -> set[CameraId]:
        """The cameras that are sent on now."""
        return set(self._streams)

    def playing(self) -> int:
        """How many play."""
        return sum(len(stream.clients) for stream in self._streams.values())

    def problem(self) -> str:
        """What keeps clients out; empty when nothing does. Any thread may ask."""
        told = f"more than {CLIENTS} connect to what is sent on by RTSP: keep strangers from its port"
        return told if self._full else ""

    # --- who asks ---------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        client = _Client(Interleaved(writer), str(peer[0]) if isinstance(peer, tuple) else "")
        if not self._room():
            writer.transport.abort()
            return
        self._clients[client] = None
        connection = writer.transport  # the writer has another one once TLS stands
        try:
            async with asyncio.timeout(LOGIN_S) as patience:
                if self._tls is not None:
                    # Here and not in `start_server`, which tells us of nobody before, and so of no stranger that says
                    # nothing. Nothing is read yet: this runs in the round in which the connection came.
                    await _start_tls(writer, self._tls)
                while (request := await _request(reader)) is not None:
                    self._answer(request, client)
                    if client.playing:
                        patience.reschedule(None)
                    await writer.drain()
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # the client went away, took too long or speaks something else
        finally:
            self._clients.pop(client, None)
            self._full = self._full and len(self._clients) > CLIENTS // 2
            for stream in self._streams.values():
                stream.clients.discard(client)
            connection.abort()

    def _room(self) -> bool:
        """Whether there is room for one more; where there was none, the oldest that did not log in goes."""
        if len(self._clients) < CLIENTS:
            return True
        if not self._full:
            self._full = True
            log.warning("%s", self.problem())
        stranger = next((client for client in self._clients if not client.known), None)
        if stranger is None:
            return False
        del self._clients[stranger]
        stranger.writer.transport.abort()
        return True

    def _answer(self, request: _Request, client: _Client) -> None:
        def reply(status: str, *headers: str, body: str = "") -> None:
            lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", "Server: skyveil", *headers]
            if body:
                lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            client.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii"))

        if request.method == "OPTIONS":
            reply("200 OK", f"Public: {_METHODS}")
            return
        if self._throttle.wait_s(client.address):
            reply("403 Forbidden")
            return
        if not self._allowed(request, client):
            reply("401 Unauthorized", f'WWW-Authenticate: Digest realm="{_REALM}", nonce="{client.nonce}"')
            return
        stream = self._streams.get(CameraId(request.camera))
        session = f"Session: {client.session}"
        match request.method:
            case "DESCRIBE" if stream is not None:
                reply("200 OK", f"Content-Base: {request.url.rstrip('/')}/", body=stream.packetizer.sdp(request.camera))
            case "SETUP" if stream is not None and client.camera is None:
                asked = re.search(
                    r"RTP/AVP/TCP[^,]*interleaved=(\d{1,3})-(\d{1,3})", request.headers.get("transport", "")
                )
                if asked is None or int(asked[1]) > 255 or int(asked[2]) > 255:
                    reply("461 Unsupported Transport")
                    return
                client.camera, client.media.channel = CameraId(request.camera), int(asked[1])
                reply("200 OK", f"Transport: RTP/AVP/TCP;unicast;interleaved={asked[1]}-{asked[2]}", session)
            case "PLAY" if stream is not None and client.camera == request.camera:
                first = stream.packetizer.sequence - sum(map(len, stream.gop)) & 0xFFFF
                begins = f";seq={first};rtptime={stream.ticks}" if stream.whole else ""
                reply("200 OK", session, "Range: npt=0.000-", f"RTP-Info: url={request.url}{begins}")
                if not client.playing:
                    self._play(stream, client)
            case "GET_PARAMETER":
                reply("200 OK", session)
            case "TEARDOWN":
                reply("200 OK", session)
                client.writer.close()
            case "DESCRIBE" | "SETUP" | "PLAY":
                reply("404 Not Found" if stream is None else "455 Method Not Valid in This State")
            case _:
                reply("501 Not Implemented")

    def _play(self, stream: _Stream, client: _Client) -> None:
        """Begin with the pictures since the last key frame, so that there is one at once."""
        client.playing = True
        client.media.skipping = not stream.whole
        for index, packets in enumerate(stream.gop if stream.whole else ()):
            client.media.give(packets, keyframe=index == 0)
        stream.clients.add(client)
        assert client.camera is not None  # noqa: S101 (checked by the caller)
        self._on_play(client.camera, client.address)

    def _allowed(self, request: _Request, client: _Client) -> bool:
        given, access = fields(request.headers.get("authorization", "")), self._access
        if not given:
            return False
        uri = given.get("uri", "")
        password = access.password.reveal()
        expected = digest(access.username, password, realm=_REALM, nonce=client.nonce, method=request.method, uri=uri)
        good = (
            hmac.compare_digest(expected.encode(), given.get("response", "").encode())
            and hmac.compare_digest(access.username.encode(), given.get("username", "").encode())
            and given.get("nonce") == client.nonce
            and _same_place(uri, request.url)
        )
        if good:
            client.known = True
            self._throttle.succeeded(client.address)
        elif given.get("nonce") == client.nonce:
            self._throttle.failed(client.address)
        return good


async def _start_tls(writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    """TLS from here on; raises ConnectionAbortedError where the connection was aborted meanwhile."""
    connection = writer.transport
    try:
        await writer.start_tls(context)
    except AttributeError as error:
        # What Python 3.11 makes of it; the writer would then complain once more when it is thrown away.
        vars(writer)["_transport"] = connection
        raise ConnectionAbortedError from error


async def _request(reader: asyncio.StreamReader) -> _Request | None:
    """The next request, past the reports that clients send between; None at the end. Raises ValueError for others."""
    while (first := await reader.read(1)) == b"$":
        head = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(head[1:]))
    if not first:
        return None
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode("utf-8").lstrip("\r\n")
    line, *lines = text.rstrip().split("\r\n")
    method, url, version = line.split(" ")
    if version != "RTSP/1.0":
        raise ValueError("this is no RTSP")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    await reader.readexactly(min(int(headers.get("content-length", "0")), _HEAD_LIMIT))
    if not headers.get("cseq", "0").isdigit() or not url.isascii() or not url.isprintable():
        raise ValueError("this is no RTSP")
    return _Request(method, url, headers)


def _same_place(uri: str, url: str) -> bool:
    """Whether a signed address is that of the request; live555 and VLC sign the stream's address for its track."""
    signed, asked = uri.rstrip("/"), url.rstrip("/")
    return bool(uri) and asked in (signed, f"{signed}/{TRACK}")
