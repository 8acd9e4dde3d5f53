"""What is sent on by RTSP: pulled by FFmpeg, refused to others, and nobody waits for a slow client."""

import asyncio
import hashlib
import re
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import Secret
from skyveil.public.encode.header import EncodeSettings, StreamHeader
from skyveil.public.restream import server
from skyveil.public.restream.rtp import PART, Packetizer
from skyveil.public.restream.server import Access, RestreamServer
from skyveil.public.types import RedactedPacket
from tests.public.moving import encoded, info
from tests.public.notify.receiving import self_signed, until

DOOR = camera_id("door")
FPS = 25
STEP = 90_000 // FPS


@pytest.fixture(scope="module")
def clip() -> tuple[StreamHeader, list[RedactedPacket]]:
    settings = EncodeSettings(preset="ultrafast", crf=10, key_every_s=1.0, low_latency=True)
    return encoded([n * STEP for n in range(FPS * 2)], info(320, 240, time_base=Fraction(1, 90_000)), settings)


@asynccontextmanager
async def serving(
    clip: tuple[StreamHeader, list[RedactedPacket]], tls: ssl.SSLContext | None = None
) -> AsyncIterator["Running"]:
    running = Running(clip, tls)
    await running.server.start()
    player = asyncio.create_task(running.play())
    try:
        yield running
    finally:
        player.cancel()
        running.server.close()


class Running:
    def __init__(self, clip: tuple[StreamHeader, list[RedactedPacket]], tls: ssl.SSLContext | None = None) -> None:
        self.header, self.packets = clip
        self.scheme = "rtsp" if tls is None else "rtsps"
        self.seen: list[tuple[CameraId, str]] = []
        self.server = RestreamServer(
            Access("127.0.0.1", 0, "vms", Secret("plenty of goats")),
            on_play=lambda camera, address: self.seen.append((camera, address)),
            tls=tls,
        )
        self.server.begin(DOOR, self.header)
        self.sent = 0

    def push(self) -> None:
        self.server.publish(DOOR, self.timed(self.packets[self.sent % len(self.packets)], self.sent))
        self.sent += 1

    @staticmethod
    def timed(packet: RedactedPacket, number: int) -> RedactedPacket:
        return replace(packet, pts=number * STEP, dts=number * STEP)

    async def play(self) -> None:
        while True:
            self.push()
            await asyncio.sleep(1 / FPS)

    def url(self, path: str = "door", password: str = "plenty%20of%20goats") -> str:  # noqa: S107 (of this test)
        return f"{self.scheme}://vms:{password}@127.0.0.1:{self.server.port}/{path}"


def pulled(url: str, frames: int) -> tuple[tuple[int, int], list[int]]:
    """Decode so many pictures with FFmpeg's own client; size, and times in ticks of 90 kHz."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(10, 10)) as container:
        times = []
        size = (0, 0)
        for frame in container.decode(video=0):
            assert np.asarray(frame.to_ndarray()).std() > 0
            size = (frame.width, frame.height)
            if frame.pts is None:  # FFmpeg gives the first picture that it ever sees of a stream no time
                continue
            times.append(frame.pts)
            if len(times) == frames:
                break
    return size, times


def test_ffmpeg_pulls_every_picture_in_its_time(clip: tuple[StreamHeader, list[RedactedPacket]]) -> None:
    async def run() -> None:
        async with serving(clip) as running:
            await until(lambda: running.sent > 5)
            size, times = await asyncio.to_thread(pulled, running.url(), 40)
            assert size == (320, 240)
            assert {after - before for before, after in pairwise(times)} == {STEP}
            assert running.seen == [(DOOR, "127.0.0.1")]
            await until(lambda: running.server.playing() == 0)

    asyncio.run(run())


@pytest.mark.parametrize(("path", "password"), [("door", "wrong"), ("stairs", "plenty%20of%20goats")])
def test_a_wrong_password_or_another_camera_gets_nothing(
    clip: tuple[StreamHeader, list[RedactedPacket]], path: str, password: str
) -> None:
    async def run() -> None:
        async with serving(clip) as running:
            with pytest.raises(av.error.FFmpegError):
                await asyncio.to_thread(pulled, running.url(path, password), 1)
            assert running.seen == []

    asyncio.run(run())


class Client:
    """An RTSP client that says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.nonce = ""
        self.number = 0

    async def ask(
        self,
        method: str,
        url: str,
        *headers: str,
        password: str = "plenty of goats",  # noqa: S107
        signed: str = "",
    ) -> str:
        uri = signed or url
        self.number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.number}", *headers]
        if self.nonce:
            response = md5(f"{md5(f'vms:skyveil:{password}')}:{self.nonce}:{md5(f'{method}:{uri}')}")
            lines.append(
                f'Authorization: Digest username="vms", realm="skyveil", nonce="{self.nonce}", uri="{uri}", '
                f'response="{response}"'
            )
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"Content-Length: (\d+)", head)
        body = (await self.reader.readexactly(int(length[1]))).decode() if length else ""
        found = re.search(r'nonce="(\w+)"', head)
        self.nonce = found[1] if found else self.nonce
        return head + body


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def connected(running: Running) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


def test_nothing_is_told_before_a_login_and_guessing_is_slowed_down(
    clip: tuple[StreamHeader, list[RedactedPacket]],
) -> None:
    async def run() -> None:
        async with serving(clip) as running, connected(running) as client:
            url = f"rtsp://127.0.0.1:{running.server.port}/door"
            assert "200 OK" in await client.ask("OPTIONS", url)
            for method in ("DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN", "RECORD", "ANNOUNCE"):
                client.nonce = ""
                assert (await client.ask(method, url)).startswith("RTSP/1.0 401")
            answers = [(await client.ask("DESCRIBE", url, password="guess"))[9:12] for _ in range(12)]  # noqa: S106
            assert answers[:5] == ["401"] * 5 and answers[-1] == "403"
            # Also with the right one now, for a while.
            assert "403" in await client.ask("DESCRIBE", url)

    asyncio.run(run())


def test_a_client_may_sign_the_address_of_the_stream_for_its_track_and_no_other(
    clip: tuple[StreamHeader, list[RedactedPacket]],
) -> None:
    async def run() -> None:
        async with serving(clip) as running, connected(running) as client:
            host = f"rtsp://127.0.0.1:{running.server.port}"
            url, over = f"{host}/door", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
            await client.ask("DESCRIBE", url)
            for other in (host, f"{host}/stairs", f"{url}/video/video", "video"):
                assert (await client.ask("SETUP", f"{url}/video", over, signed=other)).startswith("RTSP/1.0 401")
            client.nonce = ""
            await client.ask("DESCRIBE", url)
            assert (await client.ask("SETUP", f"{url}/video", over, signed=f"{url}/")).startswith("RTSP/1.0 200")

    asyncio.run(run())


def test_only_what_can_be_done_is_done(clip: tuple[StreamHeader, list[RedactedPacket]]) -> None:
    async def run() -> None:
        async with serving(clip) as running, connected(running) as client:
            url = f"rtsp://127.0.0.1:{running.server.port}/door"
            await client.ask("DESCRIBE", url)
            assert "sprop-parameter-sets=" in await client.ask("DESCRIBE", url)
            # Nobody publishes here, and nothing goes by UDP.
            for method in ("ANNOUNCE", "RECORD", "SET_PARAMETER", "PAUSE"):
                assert (await client.ask(method, url)).startswith("RTSP/1.0 501")
            udp = await client.ask("SETUP", f"{url}/video", "Transport: RTP/AVP;unicast;client_port=5000-5001")
            assert udp.startswith("RTSP/1.0 461")
            assert (await client.ask("PLAY", url)).startswith("RTSP/1.0 455")
            tcp = await client.ask("SETUP", f"{url}/video", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3")
            assert "interleaved=2-3" in tcp
            # A second stream over one connection, or another camera than the one that was set up.
            assert (await client.ask("SETUP", f"{url}/video", "Transport: RTP/AVP/TCP;interleaved=4-5")).startswith(
                "RTSP/1.0 455"
            )
            assert (await client.ask("PLAY", url.replace("door", "stairs"))).startswith("RTSP/1.0 404")
            assert (await client.ask("PLAY", url)).startswith("RTSP/1.0 200")
            head = await client.reader.readexactly(4)
            assert head[:2] == b"$\x02"

    asyncio.run(run())


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" + bytes(600),
        b"DESCRIBE rtsp://x/door RTSP/1.0\r\nCSeq: 1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"DESCRIBE rtsp://x/door RTSP/1.0\r\nCSeq: a\r\nb\r\n\r\n",
        b"DESCRIBE rtsp://x/door RTSP/1.0\r\nContent-Length: -5\r\n\r\n",
        b"DESCRIBE  RTSP/1.0\r\n\r\n",
        b"$\x00",
        "DESCRIBE rtsp://x/dör RTSP/1.0\r\n\r\n".encode(),
        'DESCRIBE rtsp://x/door RTSP/1.0\r\nAuthorization: Digest response="ö", username="ü"\r\n\r\n'.encode(),
    ],
)
def test_who_speaks_something_else_is_let_go_and_others_play_on(
    clip: tuple[StreamHeader, list[RedactedPacket]], said: bytes
) -> None:
    async def run() -> None:
        async with serving(clip) as running, connected(running) as client:
            client.writer.write(said)
            client.writer.write_eof()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readuntil(b"RTSP/1.0 200")
            assert (await asyncio.to_thread(pulled, running.url(), 3))[0] == (320, 240)

    asyncio.run(run())


def test_a_slow_client_goes_on_at_a_key_frame_and_a_stuck_one_is_let_go(
    clip: tuple[StreamHeader, list[RedactedPacket]],
) -> None:
    async def run() -> None:
        async with serving(clip) as running, connected(running) as client:
            url = f"rtsp://127.0.0.1:{running.server.port}/door"
            await client.ask("DESCRIBE", url)
            await client.ask("SETUP", f"{url}/video", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            await client.ask("PLAY", url)
            (ours,) = running.server._clients
            most = 0
            while ours.writer.transport.get_write_buffer_size() <= 1 << 20:
                running.push()
                await asyncio.sleep(0)
            for _ in range(400):
                running.push()
                most = max(most, ours.writer.transport.get_write_buffer_size())
            assert most < (1 << 20) + 300_000
            assert ours.media.skipping
            for _ in range(1000):
                running.push()
            await until(lambda: not running.server._clients)

    asyncio.run(run())


def test_strangers_keep_nobody_out_who_logs_in(
    clip: tuple[StreamHeader, list[RedactedPacket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CLIENTS", 4)

    async def run() -> None:
        async with serving(clip) as running, AsyncExitStack() as stack:
            url = f"rtsp://127.0.0.1:{running.server.port}/door"

            async def known() -> Client:
                client = await stack.enter_async_context(connected(running))
                await client.ask("DESCRIBE", url)
                assert "200 OK" in await client.ask("DESCRIBE", url)
                return client

            first = await known()
            assert running.server.problem() == ""
            strangers = [await stack.enter_async_context(connected(running)) for _ in range(8)]
            for stranger in strangers[:5]:
                assert await stranger.reader.read() == b""
            assert running.server.problem() == (
                "more than 4 connect to what is sent on by RTSP: keep strangers from its port"
            )
            # A VMS comes in, and who was in stays.
            assert (await asyncio.to_thread(pulled, running.url(), 3))[0] == (320, 240)
            others = [await known() for _ in range(3)]
            for client in (first, *others):
                assert "200 OK" in await client.ask("GET_PARAMETER", url)
            # Where all have logged in, it is full.
            last = await stack.enter_async_context(connected(running))
            assert await last.reader.read() == b""
            for client in (first, *others):
                client.writer.transport.abort()
            await until(lambda: running.server.problem() == "")

    asyncio.run(run())


def test_strangers_that_begin_no_tls_are_counted_and_keep_nobody_out(
    clip: tuple[StreamHeader, list[RedactedPacket]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They were seen by nobody, for a minute each, and could use up the descriptors of the server."""
    monkeypatch.setattr(server, "CLIENTS", 4)

    complaints: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told.get("exception")))
        async with serving(clip, self_signed(tmp_path)[1]) as running, AsyncExitStack() as stack:
            strangers = [await stack.enter_async_context(connected(running)) for _ in range(8)]
            for stranger in strangers[:4]:
                with suppress(ConnectionError):
                    assert await stranger.reader.read() == b""
            assert "more than 4 connect" in running.server.problem()
            for _ in range(3):  # the greeting of TLS comes with the connection, and nothing of it may be missed
                assert (await asyncio.to_thread(pulled, running.url(), 3))[0] == (320, 240)

    asyncio.run(run())
    assert not any(isinstance(one, AttributeError) for one in complaints)


def test_who_begins_tls_and_goes_no_further_is_let_go(
    clip: tuple[StreamHeader, list[RedactedPacket]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "LOGIN_S", 0.2)

    async def run() -> None:
        async with serving(clip, self_signed(tmp_path)[1]) as running:
            for said in (b"", b"\x16\x03\x01\x02\x00\x01", b"DESCRIBE rtsp://door RTSP/1.0\r\n\r\n"):
                async with connected(running) as stranger, asyncio.timeout(5):
                    stranger.writer.write(said)
                    with suppress(ConnectionError):
                        await stranger.reader.read()
            assert (await asyncio.to_thread(pulled, running.url(), 3))[0] == (320, 240)

    asyncio.run(run())


def test_a_camera_that_begins_anew_or_is_taken_away_ends_who_plays(
    clip: tuple[StreamHeader, list[RedactedPacket]],
) -> None:
    async def run() -> None:
        async with serving(clip) as running:
            playing = asyncio.create_task(asyncio.to_thread(pulled, running.url(), 100_000))
            await until(lambda: running.server.playing() == 1)
            running.server.remove(DOOR)
            size, _ = await playing  # FFmpeg tells the end of the stream
            assert size in ((320, 240), (0, 0))
            assert running.server.cameras() == set()

    asyncio.run(run())


def test_a_large_unit_goes_in_parts_and_comes_back_whole(clip: tuple[StreamHeader, list[RedactedPacket]]) -> None:
    header, packets = clip
    packetizer = Packetizer(header)
    packetizer.sequence = 0xFFFE
    unit = bytes((0x65,)) + bytes(range(256)) * 20
    packet = replace(packets[0], data=b"\0\0\0\1" + unit, keyframe=False)
    made = list(packetizer.packets(packet))
    heads = [struct.unpack(">BBHII", one[:12]) for one in made]
    assert all(len(one) <= PART + 14 for one in made)
    assert [head[2] for head in heads] == [0xFFFE, 0xFFFF, 0, 1]
    assert [head[1] >> 7 for head in heads] == [0, 0, 0, 1]
    assert len({head[3:] for head in heads}) == 1
    parts = [one[12:] for one in made]
    assert [part[1] >> 6 for part in parts] == [2, 0, 0, 1]
    assert bytes((parts[0][0] & 0xE0 | parts[0][1] & 31,)) + b"".join(part[2:] for part in parts) == unit
