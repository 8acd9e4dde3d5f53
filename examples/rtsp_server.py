"""A small RTSP server that plays files in a loop as if they were cameras: `python examples/rtsp_server.py a.mp4 b.mp4`.

For the demo, the tests and the benchmarks; not for a real site. H.264 and H.265 in MP4 are sent as they are, over TCP
(interleaved) or UDP, with Digest authentication when a password is given, and with faults when a test asks for them.
"""

import argparse
import asyncio
import base64
import hashlib
import os
import re
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, final

import av
from av.video.stream import VideoStream

Codec = Literal["h264", "hevc"]
CLOCK_HZ: Final = 90_000
_PAYLOAD: Final = 96
_PART: Final = 1380
_PORT_ATTEMPTS: Final = 32
_BUFFER_LIMIT: Final = 2_000_000
"""Bytes waiting for one client above which pictures are left out, as real cameras do."""


@final
@dataclass(frozen=True, slots=True)
class Clip:
    """The pictures of a file: each a list of NAL units without start codes."""

    codec: Codec
    pictures: tuple[tuple[bytes, ...], ...]
    parameter_sets: tuple[bytes, ...]
    fps: Fraction


def load(path: Path) -> Clip:
    """The first video of a file; ValueError for anything but H.264 and H.265."""
    with av.open(str(path)) as container:
        stream: VideoStream = container.streams.video[0]
        name = stream.codec_context.name
        codec: Codec = "h264" if name == "h264" else "hevc"
        if name not in ("h264", "hevc"):
            raise ValueError(f"{path.name} is {name}: only h264 and hevc can be served")
        filters = av.BitStreamFilterContext(f"{codec}_mp4toannexb", stream)
        pictures = [
            _units(bytes(one)) for packet in container.demux(stream) if packet.size for one in filters.filter(packet)
        ]
        rate = stream.average_rate or Fraction(25)
    sets = tuple(unit for unit in pictures[0] if _is_parameter_set(unit, codec))
    return Clip(codec, tuple(pictures), sets, Fraction(rate))


def _units(annex_b: bytes) -> tuple[bytes, ...]:
    return tuple(unit.rstrip(b"\0") for unit in annex_b.split(b"\0\0\1") if unit.strip(b"\0"))


def _is_parameter_set(unit: bytes, codec: Codec) -> bool:
    return unit[0] & 31 in (7, 8) if codec == "h264" else (unit[0] >> 1) & 63 in (32, 33, 34)


def _is_key(unit: bytes, codec: Codec) -> bool:
    return unit[0] & 31 == 5 if codec == "h264" else 16 <= (unit[0] >> 1) & 63 <= 21


def rtp_payloads(unit: bytes, codec: Codec) -> list[bytes]:
    """One NAL unit as RTP payloads of at most 1.4 kB (RFC 6184, 5.8; RFC 7798, 4.4.3)."""
    if len(unit) <= _PART:
        return [unit]
    head = 1 if codec == "h264" else 2
    body = unit[head:]
    parts = [body[at : at + _PART] for at in range(0, len(body), _PART)]
    payloads = []
    for index, part in enumerate(parts):
        ends = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
        if codec == "h264":
            lead = bytes([(unit[0] & 0xE0) | 28, ends | (unit[0] & 31)])
        else:
            lead = bytes([(unit[0] & 0x81) | (49 << 1), unit[1], ends | ((unit[0] >> 1) & 63)])
        payloads.append(lead + part)
    return payloads


@final
@dataclass(slots=True)
class Faults:
    """What is wrong with a camera now; may be changed while it plays."""

    frozen: bool = False
    garbage: bool = False
    no_key_frames: bool = False
    no_parameter_sets: bool = False
    silent_describe: bool = False
    first_timestamp: int = 0
    """Timestamp of the first picture; changed while it plays, the camera's clock jumps."""
    first_channel: int | None = None
    """The channel of its connection on which it sends, whatever it was asked for."""
    clock_offset_s: float = 0.0
    """The camera's clock minus the true time, as its reports tell."""
    lose_every: int = 0
    """Every n-th RTP packet is left out; 0 loses none."""


@final
@dataclass(slots=True, eq=False)
class _Client:
    writer: asyncio.StreamWriter
    udp: asyncio.DatagramTransport | None = None
    reports: asyncio.DatagramTransport | None = None
    channel: int = 0
    playing: bool = False


@final
class Camera:
    """One address of the server: a clip in an endless loop. The server's thread owns it."""

    def __init__(self, clip: Clip, *, fps: float | None = None, phase: int = 0) -> None:
        self.clip = clip
        self.fps = fps or float(clip.fps)
        self.faults = Faults()
        self.pushed: dict[int, float] = {}
        """Monotonic time at which each of the last pictures was sent, by RTP timestamp."""
        self.clients: set[_Client] = set()
        self._phase = phase
        self._sequence = 0
        self._source = int.from_bytes(os.urandom(4))

    async def play(self) -> None:
        """Send pictures at their rate until cancelled."""
        start = time.monotonic()
        number = 0
        while True:
            await asyncio.sleep(max(0.0, start + number / self.fps - time.monotonic()))
            if not self.faults.frozen:
                self.push(number)
            number += 1

    def push(self, number: int) -> None:
        """Send one picture to everybody who plays."""
        units = self.clip.pictures[(number + self._phase) % len(self.clip.pictures)]
        ticks = (self.faults.first_timestamp + round(number * CLOCK_HZ / self.fps)) & 0xFFFFFFFF
        self.pushed[ticks] = time.monotonic()
        while len(self.pushed) > 1000:
            del self.pushed[next(iter(self.pushed))]
        packets = self._packets(self._faulty(units), ticks)
        for client in self.clients:
            if client.playing:
                self._send(client, packets)
                if number % max(1, round(self.fps)) == 0:
                    self._report(client, ticks)

    def _report(self, client: _Client, ticks: int) -> None:
        """Tell the time on the camera's clock, once a second (RFC 3550, 6.4.1)."""
        ntp = round((time.time() + self.faults.clock_offset_s + 2_208_988_800) * (1 << 32))
        report = struct.pack(">BBHIQIII", 0x80, 200, 6, self._source, ntp, ticks, 0, 0)
        if client.reports is not None:
            client.reports.sendto(report)
        elif client.udp is None:
            client.writer.write(struct.pack(">cBH", b"$", client.channel + 1, len(report)) + report)

    def _faulty(self, units: Sequence[bytes]) -> list[bytes]:
        kept = list(units)
        if self.faults.no_key_frames:
            kept = [unit for unit in kept if not _is_key(unit, self.clip.codec)]
        if self.faults.no_parameter_sets:
            kept = [unit for unit in kept if not _is_parameter_set(unit, self.clip.codec)]
        if self.faults.garbage:
            # The same for the same picture: one in thousands of drawn ones would be a valid picture of noise.
            kept = [unit[:1] + hashlib.shake_128(unit).digest(len(unit) - 1) for unit in kept]
        return kept

    def _packets(self, units: Sequence[bytes], ticks: int) -> list[bytes]:
        payloads = [payload for unit in units for payload in rtp_payloads(unit, self.clip.codec)]
        packets = []
        for index, payload in enumerate(payloads):
            self._sequence = (self._sequence + 1) & 0xFFFF
            if self.faults.lose_every and self._sequence % self.faults.lose_every == 0:
                continue
            marker = 0x80 if index == len(payloads) - 1 else 0
            packets.append(
                struct.pack(">BBHII", 0x80, _PAYLOAD | marker, self._sequence, ticks, self._source) + payload
            )
        return packets

    @staticmethod
    def _send(client: _Client, packets: Sequence[bytes]) -> None:
        if client.udp is not None:
            for packet in packets:
                client.udp.sendto(packet)
        elif client.writer.transport.get_write_buffer_size() < _BUFFER_LIMIT:
            client.writer.write(b"".join(struct.pack(">cBH", b"$", client.channel, len(one)) + one for one in packets))

    def sdp(self) -> str:
        """What a client is told of the pictures (RFC 8866)."""
        sets = () if self.faults.no_parameter_sets else self.clip.parameter_sets
        coded = [base64.b64encode(unit).decode() for unit in sets]
        if self.clip.codec == "h264":
            name, format_ = "H264", f"packetization-mode=1;sprop-parameter-sets={','.join(coded)}"
        else:
            names = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
            pairs = [f"{names[(unit[0] >> 1) & 63]}={text}" for unit, text in zip(sets, coded, strict=True)]
            name, format_ = "H265", ";".join(pairs) or "sprop-max-don-diff=0"
        lines = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*")
        media = (
            f"m=video 0 RTP/AVP {_PAYLOAD}",
            f"a=rtpmap:{_PAYLOAD} {name}/{CLOCK_HZ}",
            f"a=fmtp:{_PAYLOAD} {format_}",
        )
        return "\r\n".join((*lines, *media, f"a=framerate:{self.fps:g}", "a=control:track1", ""))


@final
@dataclass(slots=True)
class RtspServer:
    """Serves cameras by path. Everything runs in one event loop."""

    cameras: Mapping[str, Camera]
    user: str | None = None
    password: str | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = field(default=None, init=False)
    _players: list["asyncio.Task[None]"] = field(default_factory=list, init=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["RtspServer"]:
        """Listen on loopback and play; `port` tells where."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._players = [asyncio.create_task(camera.play()) for camera in self.cameras.values()]
        try:
            yield self
        finally:
            for player in self._players:
                player.cancel()
            self._server.close()
            self.drop()
            await asyncio.gather(*self._players, return_exceptions=True)

    def drop(self) -> None:
        """Close every connection at once, as a camera that loses power does."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, nonce = _Client(writer), os.urandom(8).hex()
        self._writers.add(writer)
        camera: Camera | None = None
        try:
            while (request := await _request(reader)) is not None:
                camera = await self._answer(request, client, nonce) or camera
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # the client went away, or speaks something else
        finally:
            self._writers.discard(writer)
            for one in self.cameras.values():
                one.clients.discard(client)
            for transport in (client.udp, client.reports):
                if transport is not None:
                    transport.close()
            with suppress(ConnectionError):
                writer.close()

    async def _answer(self, request: "_Request", client: _Client, nonce: str) -> Camera | None:
        def reply(status: str, *headers: str, body: str = "") -> None:
            lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", *headers]
            if body:
                lines.append(f"Content-Length: {len(body.encode())}")
            client.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

        if request.method == "OPTIONS":
            reply("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
            return None
        if not self._allowed(request, nonce):
            reply("401 Unauthorized", f'WWW-Authenticate: Digest realm="camera", nonce="{nonce}", algorithm=MD5')
            return None
        path = re.sub(r"^rtsps?://[^/]*", "", request.url).split("?")[0].removesuffix("/").removesuffix("/track1")
        camera = self.cameras.get(path)
        if camera is None:
            reply("404 Not Found")
            return None
        if request.method == "DESCRIBE" and camera.faults.silent_describe:
            return camera
        if request.method == "DESCRIBE":
            reply("200 OK", "Content-Type: application/sdp", f"Content-Base: {request.url}/", body=camera.sdp())
        elif request.method == "SETUP":
            reply(
                "200 OK",
                f"Transport: {await _transport(request, client, camera.faults.first_channel)}",
                "Session: 12345678;timeout=60",
            )
        elif request.method == "PLAY":
            camera.clients.add(client)
            reply("200 OK", "Session: 12345678")
            client.playing = True
        elif request.method == "TEARDOWN":
            client.playing = False
            reply("200 OK")
        else:
            reply("200 OK" if request.method == "GET_PARAMETER" else "405 Method Not Allowed")
        return camera

    def _allowed(self, request: "_Request", nonce: str) -> bool:
        if self.user is None or self.password is None:
            return True
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("authorization", "")))
        if given.get("username") != self.user or given.get("nonce") != nonce or given.get("realm") != "camera":
            return False
        first = _md5(f"{self.user}:camera:{self.password}")
        second = _md5(f"{request.method}:{given.get('uri', '')}")
        return given.get("response") == _md5(f"{first}:{nonce}:{second}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@final
@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str]


async def _request(reader: asyncio.StreamReader) -> _Request | None:
    """The next request; what a client sends on interleaved channels is left out."""
    while True:
        first = await reader.read(1)
        if not first:
            return None
        if first == b"$":
            await reader.readexactly(int.from_bytes((await reader.readexactly(3))[1:]))
            continue
        text = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = text.strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        method, url, _ = start.split(" ", 2)
        return _Request(method, url, headers)


async def _transport(request: _Request, client: _Client, first_channel: int | None) -> str:
    """Take what the client asks for: two UDP ports, or two channels of its own connection."""
    asked = request.headers.get("transport", "")
    ports = re.search(r"client_port=(\d+)-(\d+)", asked)
    if ports is None:
        channels = re.search(r"interleaved=(\d+)-(\d+)", asked)
        client.channel = int(channels[1]) if channels else 0
        client.channel = client.channel if first_channel is None else first_channel
        return f"RTP/AVP/TCP;unicast;interleaved={client.channel}-{client.channel + 1}"
    host = client.writer.get_extra_info("peername")[0]
    for _ in range(_PORT_ATTEMPTS):
        with suppress(OSError):
            client.udp = await _datagrams(0, host, int(ports[1]))
            own = int(client.udp.get_extra_info("sockname")[1])
            client.reports = await _datagrams(own + 1, host, int(ports[2]))
            return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={own}-{own + 1}"
    raise ValueError("no two neighbouring ports are free")


async def _datagrams(port: int, host: str, peer: int) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", port), remote_addr=(host, peer)
    )
    return transport


@contextmanager
def serving(
    cameras: Mapping[str, Camera],
    *,
    user: str | None = None,
    password: str | None = None,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[RtspServer]:
    """Serve in a thread of its own; call `server.drop` and change faults from outside, they are single steps."""
    server = RtspServer(cameras, user, password, port, tls)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with server.running():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="rtsp-server", daemon=True)
    thread.start()
    if not ready.wait(20):
        raise TimeoutError("the RTSP server did not start within 20 s")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def main() -> None:
    """Serve each file under /1, /2, ... until stopped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--cameras", type=int, help="number of cameras; files are used again and again")
    arguments = parser.parse_args()
    clips = [load(path) for path in arguments.files]
    count = arguments.cameras or len(clips)
    cameras = {f"/{n + 1}": Camera(clips[n % len(clips)], phase=37 * (n // len(clips))) for n in range(count)}

    async def run() -> None:
        async with RtspServer(cameras, port=arguments.port).running() as server:
            for path in cameras:
                print(f"rtsp://127.0.0.1:{server.port}{path}", flush=True)
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
