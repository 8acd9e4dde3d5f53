"""Notices as signed HTTP requests. Public side.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com, version 1): HMAC-SHA256 over
`id.timestamp.body`, base64, so that receivers verify it with a library. A request is written here and not by an HTTP
client: it is one POST, whose answer counts by its status only. No redirect is followed, no proxy and no cookie is used.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import re
import secrets
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final
from urllib.parse import urlsplit

from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.audience import Audience
from skyveil.public.notify.notice import Notice, Outbox

log: Final = logging.getLogger(__name__)
SCHEMES: Final = ("https", "http")
TIMEOUT_S: Final = 10.0
"""For one request, from the name's look-up to the end of the answer's headers."""
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_AGAIN: Final = frozenset({408, 425, 429})
"""Refusals that a later try may get past; of the others below 500 none does."""
_ANSWER_LIMIT: Final = 16 << 10
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


@final
@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notices go. secret: the key of the signature; ca_file: authorities to trust instead of the system's."""

    url: SafeUrl
    secret: Secret
    audience: Audience = Audience.STAFF
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Raise SettingsRefused for another scheme than https or http, or a secret that is not what it says."""
        if self.url.scheme not in SCHEMES or not self.url.reveal().isascii():
            raise SettingsRefused("the address of a webhook starts with https:// or http:// and is plain ASCII")
        try:
            _key(self.secret)
        except ValueError as error:
            raise SettingsRefused("a webhook's secret that begins with whsec_ goes on in base64") from error


@final
class Webhook:
    """Posts notices to one receiver, one at a time and in order; what fails is tried again with growing waits."""

    def __init__(
        self, receiver: Receiver, *, retry_s: tuple[float, ...] = RETRY_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._receiver = receiver
        self._retry_s = retry_s
        self._timeout_s = timeout_s
        self._outbox = Outbox(receiver.audience)
        self._wake = asyncio.Event()
        self._problem = ""
        self.sent = 0
        self.refused = 0
        """Notices that the receiver will not take; they are not sent again."""

    @property
    def lost(self) -> int:
        """Notices that were never taken: refused, or too many waited."""
        return self.refused + self._outbox.dropped

    def send(self, notice: Notice) -> None:
        """Take a notice."""
        self._outbox.put(notice)
        self._wake.set()

    def problem(self) -> str:
        """What went wrong with the last try."""
        return self._problem

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            notice = self._outbox.first()
            if notice is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._deliver(notice)
            self._outbox.done(notice)

    async def _deliver(self, notice: Notice) -> None:
        """Post until it is taken or refused, or a newer notice took its place."""
        name = f"msg_{secrets.token_hex(12)}"
        tries = 0
        while self._outbox.holds(notice):
            try:
                status = await self._post(name, notice)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self._tell(f"the webhook at {self._receiver.url.host} can not be reached: {type(error).__name__}")
            else:
                if 200 <= status < 300:
                    self.sent += 1
                    self._tell("")
                    return
                self._tell(f"the webhook at {self._receiver.url.host} answered {status}")
                if status < 500 and status not in _AGAIN:
                    self.refused += 1
                    return
            await asyncio.sleep(self._retry_s[min(tries, len(self._retry_s) - 1)] * random.uniform(0.75, 1.25))  # noqa: S311
            tries += 1

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem

    async def _post(self, name: str, notice: Notice) -> int:
        """One request; the status of its answer. Raises OSError, EOFError, TimeoutError or ValueError."""
        url = self._receiver.url
        request = self._request(name, notice)
        tls = None if url.scheme == "http" else await asyncio.to_thread(_trusting, self._receiver.ca_file)
        async with asyncio.timeout(self._timeout_s):
            reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls, limit=_ANSWER_LIMIT)
            try:
                writer.write(request)
                await writer.drain()
                try:
                    answer = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError as error:
                    raise ValueError("the answer is no HTTP") from error
            finally:
                writer.transport.abort()  # whatever else the receiver says, nobody waits for it
        found = _STATUS.match(answer)
        if found is None:
            raise ValueError("the answer is no HTTP")
        return int(found[1])

    def _request(self, name: str, notice: Notice) -> bytes:
        parts = urlsplit(self._receiver.url.reveal())
        at = datetime.fromtimestamp(notice.at_s, UTC).isoformat(timespec="milliseconds")
        body = f'{{"type": "{notice.kind}", "timestamp": "{at}", "data": {notice.body()}}}'.encode()
        now = str(int(time.time()))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"POST {target} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Webhook-Id: {name}",
            f"Webhook-Timestamp: {now}",
            f"Webhook-Signature: {signature(self._receiver.secret, name, now, body)}",
            "User-Agent: skyveil",
            "Connection: close",
        )
        return "\r\n".join((*head, "", "")).encode("ascii") + body


def signature(secret: Secret, name: str, timestamp: str, body: bytes) -> str:
    """The value of `Webhook-Signature`. A secret that begins with `whsec_` is base64, others are taken as they are."""
    made = hmac.new(_key(secret), f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def _key(secret: Secret) -> bytes:
    text = secret.reveal()
    return base64.b64decode(text[6:], validate=True) if text.startswith("whsec_") else text.encode()


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
