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
import re
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
from skyveil.public.notify.delivery import RETRY_S, Delivery, Refusal
from skyveil.public.notify.notice import Notice, OnLost

log: Final = logging.getLogger(__name__)
SCHEMES: Final = ("https", "http")
TIMEOUT_S: Final = 10.0
"""For one request, from the name's look-up to the end of the answer's headers."""
_FINAL: Final = frozenset({400, 410, 413, 414, 415, 422, 431})
"""Refusals of this one request. Others, such as 401 or 404, may end with the receiver's repair or next start."""
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
    """Posts notices to one receiver; one that is away is waited for without limit."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        retry_s: tuple[float, ...] = RETRY_S,
        timeout_s: float = TIMEOUT_S,
        on_lost: OnLost = lambda notice: None,
    ) -> None:
        self._receiver = receiver
        self._name = f"the webhook at {receiver.url.host}"
        self._timeout_s = timeout_s
        self._delivery = Delivery(self._name, receiver.audience, self._attempt, retry_s=retry_s, on_lost=on_lost)
        self.sent = 0

    @property
    def lost(self) -> int:
        """Notices that were never taken: refused, too many waited, or given up."""
        return self._delivery.lost

    def send(self, notice: Notice) -> None:
        """Take a notice."""
        self._delivery.send(notice)

    def give_up(self) -> None:
        """Lose what waits."""
        self._delivery.give_up()

    def problem(self) -> str:
        """What went wrong with the last try; for an hour, that an alarm was never taken."""
        return self._delivery.problem()

    async def run(self) -> None:
        """Send until cancelled."""
        await self._delivery.run()

    async def _attempt(self, notice: Notice) -> Refusal | None:
        """Post once."""
        try:
            status = await self._post(notice)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            return Refusal(f"{self._name} can not be reached: {type(error).__name__}")
        if 200 <= status < 300:
            self.sent += 1
            return None
        return Refusal(f"{self._name} answered {status}", final=300 <= status < 400 or status in _FINAL)

    async def _post(self, notice: Notice) -> int:
        """One request; the status of its answer. Raises OSError, EOFError, TimeoutError or ValueError."""
        url = self._receiver.url
        request = self._request(notice)
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

    def _request(self, notice: Notice) -> bytes:
        parts = urlsplit(self._receiver.url.reveal())
        at = datetime.fromtimestamp(notice.at_s, UTC).isoformat(timespec="milliseconds")
        body = f'{{"type": "{notice.kind}", "timestamp": "{at}", "data": {notice.body()}}}'.encode()
        name = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"  # the same at each try: receivers tell repeats by it
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
