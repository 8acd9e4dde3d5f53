"""Publishes a redacted stream to an RTSP server that the operator has: ANNOUNCE, SETUP, RECORD over TCP. Public side.

RFC 2326 (10.3, 10.4, 10.11), as FFmpeg and MediaMTX speak it. One connection for each camera.
"""

import asyncio
import base64
import logging
import random
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from skyveil.core.challenge import challenges
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.encode.header import StreamHeader
from skyveil.public.restream.digest import digest, fields
from skyveil.public.restream.interleaved import Interleaved
from skyveil.public.restream.rtp import TRACK, Packetizer
from skyveil.public.types import RedactedPacket

log: Final = logging.getLogger(__name__)
SCHEMES: Final = ("rtsp", "rtsps")
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_TIMEOUT_S: Final = 10.0
_HEAD_LIMIT: Final = 16 << 10


@final
@dataclass(frozen=True, slots=True)
class Target:
    """A server to publish to: a camera goes to `address/CAMERA`."""

    address: SafeUrl
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Raise SettingsRefused for another scheme than rtsp or rtsps."""
        if self.address.scheme not in SCHEMES or not self.address.reveal().isascii():
            raise SettingsRefused("streams are published to rtsp://host/path or rtsps://host/path")


@final
class Push:
    """Publishes one camera, patiently. Only the event loop's thread touches it."""

    def __init__(self, target: Target, camera: CameraId, *, retry_s: tuple[float, ...] = RETRY_S) -> None:
        self._target = target
        self._url = f"{target.address.reveal().rstrip('/')}/{camera}"
        self._camera = camera
        self._retry_s = retry_s
        self._packetizer: Packetizer | None = None
        self._begun = asyncio.Event()
        self._server: Interleaved | None = None
        self._problem = ""
        self._tries = 0
        """Since a stream was taken last."""

    def begin(self, header: StreamHeader) -> None:
        """A stream begins, or begins anew: the server is told of it in a connection of its own."""
        self._packetizer = Packetizer(header)
        self._begun.set()
        if self._server is not None:
            self._server.writer.transport.abort()
            self._server = None

    def publish(self, packet: RedactedPacket) -> None:
        """A picture; left out while the server is away, or too slow until the next key frame."""
        if self._server is not None and self._packetizer is not None:
            self._server.give(self._packetizer.packets(packet), keyframe=packet.keyframe)

    def problem(self) -> str:
        """What went wrong with the connection."""
        return self._problem

    async def run(self) -> None:
        """Connect and publish until cancelled."""
        while True:
            await self._begun.wait()
            try:
                await self._once()
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                why = str(error) if type(error) is ValueError else type(error).__name__
                self._tell(f"{self._camera} can not be published to {self._target.address.host}: {why}")
            finally:
                self._server = None
            wait_s = self._retry_s[min(self._tries, len(self._retry_s) - 1)]
            self._tries += 1
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))  # noqa: S311

    async def _once(self) -> None:
        """One connection, until the server ends it. Raises OSError, EOFError, TimeoutError or ValueError."""
        address = self._target.address
        tls = None
        if address.scheme == "rtsps":
            tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._target.ca_file)
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls, limit=_HEAD_LIMIT)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                assert self._packetizer is not None  # noqa: S101 (`begin` came first)
                await _Dialogue(self._target, reader, writer).record(self._url, self._packetizer.sdp(self._camera))
            self._tell("")
            self._tries = 0
            self._server = server = Interleaved(writer)
            while await reader.read(4096):
                pass  # reports of the server
            if server.stuck:
                raise ValueError("it takes nothing")
        finally:
            writer.transport.abort()

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem


@final
class _Dialogue:
    """What is said before pictures go."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target = target
        self._reader, self._writer = reader, writer
        self._number = 0
        self._digest: dict[str, str] = {}
        """What the server told when it asked for a Digest login."""
        self._basic = False
        """Whether it asks for the password itself, in TLS."""
        self._session = ""

    async def record(self, url: str, sdp: str) -> None:
        """Announce a stream and begin it; raises ValueError when the server refuses."""
        await self._asked("ANNOUNCE", url, "Content-Type: application/sdp", body=sdp)
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
        answer = await self._asked("SETUP", f"{url}/{TRACK}", transport)
        found = re.search(r"^session:\s*([^;\s]+)", answer, re.IGNORECASE | re.MULTILINE)
        self._session = found[1] if found else ""
        await self._asked("RECORD", url, "Range: npt=0.000-")

    async def _asked(self, method: str, url: str, *headers: str, body: str = "") -> str:
        answer = await self._say(method, url, headers, body)
        if _status(answer) == 401 and not self._authorization(method, url):
            self._accept(answer)
            if self._authorization(method, url):
                answer = await self._say(method, url, headers, body)
        if _status(answer) != 200:
            raise ValueError(f"it answered {_status(answer)} to {method}")
        return answer

    def _accept(self, answer: str) -> None:
        """Take the login that the server asks for; raises ValueError where the password would go in clear."""
        asked = re.findall(r"^www-authenticate:\s*(\S.*)$", answer, re.IGNORECASE | re.MULTILINE)
        self._digest = next(filter(None, map(fields, asked)), {})
        self._basic = not self._digest and any(one.scheme == "basic" for header in asked for one in challenges(header))
        if self._basic and self._target.address.scheme != "rtsps":
            raise ValueError(
                "it asks for the password in clear: set `rtspAuthMethods: [digest]` there (MediaMTX), or use rtsps://"
            )

    async def _say(self, method: str, url: str, headers: tuple[str, ...], body: str) -> str:
        self._number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._number}", "User-Agent: skyveil", *headers]
        lines += [f"Session: {self._session}"] if self._session else []
        lines += [f"Authorization: {proof}"] if (proof := self._authorization(method, url)) else []
        lines += [f"Content-Length: {len(body.encode())}"] if body else []
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        try:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
        except asyncio.LimitOverrunError as error:
            raise ValueError("it speaks something else") from error
        length = re.search(r"^content-length:\s*(\d{1,5})\s*$", answer, re.IGNORECASE | re.MULTILINE)
        await self._reader.readexactly(int(length[1]) if length else 0)
        return answer

    def _authorization(self, method: str, url: str) -> str:
        """What proves who we are; empty while the server did not ask, or where there is no password."""
        user, secret = self._target.username or "", self._target.password
        if secret is None or not (self._digest or self._basic):
            return ""
        password = secret.reveal()
        if self._basic:
            return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        realm, nonce = self._digest.get("realm", ""), self._digest.get("nonce", "")
        proof = digest(user, password, realm=realm, nonce=nonce, method=method, uri=url)
        return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{url}", response="{proof}"'


def _status(answer: str) -> int:
    found = re.match(r"RTSP/1\.0 (\d{3})", answer)
    if found is None:
        raise ValueError("it speaks something else")
    return int(found[1])
