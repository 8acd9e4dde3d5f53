"""A camera published to somebody's RTSP server: to FFmpeg as it listens, and to one that asks who we are."""

import asyncio
import base64
import re
import secrets
import socket
import struct
from contextlib import suppress
from pathlib import Path

import av
import pytest

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.encode.header import StreamHeader
from skyveil.public.restream.digest import digest
from skyveil.public.restream.push import Push, Target
from skyveil.public.types import RedactedPacket
from tests.public.notify.receiving import listening, self_signed, until
from tests.public.restream.test_restream import FPS, Running, clip

__all__ = ["clip"]
DOOR = camera_id("door")
SKY = ("sky", "plenty of goats")
DIGEST = 'Digest realm="media", nonce="n0"'
BASIC = "Basic " + base64.b64encode(b"sky:plenty of goats").decode()
Made = tuple[StreamHeader, list[RedactedPacket]]


class Publishing:
    """A push that is fed for as long as the block lasts."""

    def __init__(
        self, made: Made, target: Target, *, every_s: float = 1 / FPS, retry_s: tuple[float, ...] = (0.05,)
    ) -> None:
        self.source = Running(made)
        self.every_s = every_s
        self.push = Push(target, DOOR, retry_s=retry_s)
        self.push.begin(self.source.header)

    async def __aenter__(self) -> Push:
        self.tasks = [asyncio.create_task(self.push.run()), asyncio.create_task(self._feed())]
        return self.push

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _feed(self) -> None:
        number = 0
        while True:
            packet = self.source.packets[number % len(self.source.packets)]
            self.push.publish(self.source.timed(packet, number))
            number += 1
            await asyncio.sleep(self.every_s)


def listened(url: str, frames: int) -> tuple[tuple[int, int], int]:
    """What FFmpeg receives as a server of its own."""
    with av.open(url, options={"rtsp_flags": "listen", "listen_timeout": "20"}) as container:
        count, size = 0, (0, 0)
        for frame in container.decode(video=0):
            count, size = count + 1, (frame.width, frame.height)
            if count == frames:
                break
    return size, count


def test_ffmpeg_that_listens_is_given_the_stream(clip: Made) -> None:
    async def run() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        listening = asyncio.create_task(asyncio.to_thread(listened, f"rtsp://127.0.0.1:{port}/live/door", 30))
        async with Publishing(clip, Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"))):
            assert await listening == ((320, 240), 30)

    asyncio.run(run())


class Asking:
    """A server that asks for a login, and takes what comes."""

    def __init__(
        self, *, refuses: str = "", hangs: bool = False, login: str = DIGEST, user: tuple[str, str] = SKY
    ) -> None:
        self.refuses = refuses
        self.user = user
        self.login = login
        self.hangs = hangs
        self.logins: set[str] = set()
        self.methods: list[str] = []
        self.sdp = ""
        self.media = b""
        self.kept: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.kept = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"Content-Length: (\d+)", head)
                body = (await reader.readexactly(int(length[1]))).decode() if length else ""
                method, url = head.split(" ")[:2]
                number = re.findall(r"CSeq: (\d+)", head)[0]
                login = re.findall(r"Authorization: (.*)\r\n", head)
                self.logins |= set(login)
                proof = digest(*self.user, realm="media", nonce="n0", method=method, uri=url)
                good = f'response="{proof}"' in head if self.login == DIGEST else login == [BASIC]
                status, more = "200 OK", ""
                if not good:
                    status, more = "401 Unauthorized", f"WWW-Authenticate: {self.login}\r\n"
                elif method == self.refuses:
                    status = "403 Forbidden"
                else:
                    self.methods.append(f"{method} {url.partition('/live')[2]}")
                    self.sdp = body or self.sdp
                    more = "Session: s1;timeout=60\r\n" if method == "SETUP" else ""
                    assert method != "RECORD" or "Session: s1\r\n" in head
                writer.write(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}\r\n".encode())
                if method == "RECORD" and status == "200 OK":
                    if self.hangs:
                        await writer.wait_closed()
                    while data := await reader.read(4096):
                        self.media += data[: 100 - len(self.media)] if len(self.media) < 100 else b""
        writer.close()


def test_a_server_that_asks_is_answered_and_reached_again_when_it_comes_back(clip: Made) -> None:
    async def run() -> None:
        asking = Asking()
        async with listening(asking.serve) as port:
            target = Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), "sky", Secret("plenty of goats"))
            async with Publishing(clip, target) as push:
                await until(lambda: len(asking.media) >= 100)
                assert asking.methods == ["ANNOUNCE /door", "SETUP /door/video", "RECORD /door"]
                assert "H264/90000" in asking.sdp and push.problem() == ""
                assert asking.media[:2] == b"$\x00"
                # It begins with parameter sets, which only a key frame has before it.
                assert asking.media[16] & 31 == 7
                assert asking.kept is not None
                asking.media = b""
                asking.kept.transport.abort()
                await until(lambda: len(asking.methods) == 6 and len(asking.media) >= 100)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("password", "refuses", "says"), [("wrong", "", "401 to ANNOUNCE"), ("plenty of goats", "RECORD", "403 to RECORD")]
)
def test_a_server_that_refuses_is_a_problem_without_the_password(
    clip: Made, password: str, refuses: str, says: str
) -> None:
    async def run() -> None:
        asking = Asking(refuses=refuses)
        async with (
            listening(asking.serve) as port,
            Publishing(clip, Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), "sky", Secret(password))) as push,
        ):
            await until(lambda: says in push.problem())
            assert "goats" not in push.problem() and asking.media == b""

    asyncio.run(run())


def test_a_server_that_takes_nothing_is_left_with_a_problem_and_tried_again(clip: Made) -> None:
    async def run() -> None:
        asking = Asking(hangs=True)
        async with listening(asking.serve) as port:
            target = Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), "sky", Secret("plenty of goats"))
            async with Publishing(clip, target, every_s=0) as push:
                await until(lambda: push.problem() == "door can not be published to 127.0.0.1: it takes nothing")
                asking.hangs = False
                await until(lambda: push.problem() == "" and len(asking.media) >= 100)

    asyncio.run(run())


def test_a_name_and_password_in_any_script_log_in(clip: Made) -> None:
    """As UTF-8, which servers take them for (RFC 7616, 4); they ended every attempt."""

    async def run() -> None:
        user, password = "Jürgen 監視", "viele Zäune"
        asking = Asking(user=(user, password))
        async with listening(asking.serve) as port:
            target = Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), user, Secret(password))
            async with Publishing(clip, target) as push:
                await until(lambda: len(asking.media) >= 100)
                assert push.problem() == "" and any(f'username="{user}"' in login for login in asking.logins)

    asyncio.run(run())


def test_a_server_that_took_the_stream_is_tried_again_at_once_when_it_breaks(clip: Made) -> None:
    """However often that was; after a few breaks each next one waited 30 s."""

    async def run() -> None:
        asking = Asking()
        async with listening(asking.serve) as port:
            target = Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), "sky", Secret("plenty of goats"))
            async with Publishing(clip, target, retry_s=(0.01, 0.01, 600.0)):
                for _ in range(4):
                    await until(lambda: len(asking.media) >= 100)
                    asking.media, kept = b"", asking.kept
                    assert kept is not None
                    await _reset(kept)

    asyncio.run(run())


async def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as one that breaks, and not as a server that says goodbye."""
    taken = writer.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_a_picture_that_is_left_out_is_not_made(clip: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the first key frame has no packets, so the first packet that is sent is the first at all."""
    monkeypatch.setattr(secrets, "randbits", lambda _: 0)
    source = Running(clip)

    async def run() -> None:
        asking = Asking()
        async with listening(asking.serve) as port:
            target = Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), "sky", Secret("plenty of goats"))
            push = Push(target, DOOR)
            push.begin(source.header)
            pushing = asyncio.create_task(push.run())
            await until(lambda: "RECORD /door" in asking.methods)
            for number in (1, 2, 3, 4, 0):
                await asyncio.sleep(0.05)
                push.publish(source.packets[number])
            await until(lambda: len(asking.media) >= 100)
            assert asking.media[6:8] == b"\x00\x00"
            pushing.cancel()

    assert [packet.keyframe for packet in source.packets[:5]] == [True, False, False, False, False]
    asyncio.run(run())


def test_a_password_is_said_itself_through_tls_alone(clip: Made, tmp_path: Path) -> None:
    async def run() -> None:
        authority, tls = self_signed(tmp_path)
        inside, clear = Asking(login='Basic realm="mediamtx"'), Asking(login='Basic realm="mediamtx"')
        user, password = "sky", Secret("plenty of goats")
        async with listening(inside.serve, tls) as port:
            target = Target(SafeUrl(f"rtsps://127.0.0.1:{port}/live"), user, password, authority)
            async with Publishing(clip, target) as push:
                await until(lambda: len(inside.media) >= 100)
                assert push.problem() == "" and inside.logins == {BASIC}
        async with listening(clear.serve) as port:
            async with Publishing(clip, Target(SafeUrl(f"rtsp://127.0.0.1:{port}/live"), user, password)) as push:
                await until(lambda: "set `rtspAuthMethods: [digest]` there (MediaMTX), or use rtsps" in push.problem())
            assert clear.logins == set() and clear.media == b""

    asyncio.run(run())


@pytest.mark.parametrize("address", ["http://host/live", "file:///live", "rtsp://höst/live"])
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsRefused):
        Target(SafeUrl(address))
