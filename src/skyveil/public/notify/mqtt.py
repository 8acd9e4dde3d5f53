"""Notices as MQTT messages. Public side.

States are retained, so that who subscribes later knows them; events are not. `PREFIX/status` says `online`, and
`offline` as the connection's last will (MQTT 3.1.1, 3.1.2.5). Everything is sent at quality 1.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import aiomqtt

from skyveil.core.secret import Secret
from skyveil.public.audience import Audience
from skyveil.public.notify.notice import Notice, OnLost, Outbox, admit

log: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
ONLINE: Final = "online"
OFFLINE: Final = "offline"
_KEEPALIVE_S: Final = 20
_BYE_S: Final = 1.0


@final
@dataclass(frozen=True, slots=True)
class Broker:
    """Where messages go, and below which topic. ca_file: authorities to trust instead of the system's."""

    host: str
    port: int
    tls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    password: Secret | None = None
    prefix: str = "skyveil"
    audience: Audience = Audience.STAFF

    @property
    def status_topic(self) -> str:
        """Where `online` and `offline` stand."""
        return f"{self.prefix}/status"

    def topic(self, kind: str, about: str) -> str:
        """Where notices of this kind about this thing go."""
        return f"{self.prefix}/{kind}/{about}"


@final
class Mqtt:
    """Publishes notices to one broker, patiently."""

    def __init__(
        self, broker: Broker, *, retry_s: tuple[float, ...] = RETRY_S, on_lost: OnLost = lambda notice: None
    ) -> None:
        self._broker = broker
        self._retry_s = retry_s
        self._retained: dict[str, str] = {}
        self._announced: frozenset[str] = frozenset()
        self._changed: dict[str, str] = {}
        """Topics whose retained text the broker does not have yet, in the order of their change."""
        self._events = Outbox(broker.audience, on_lost=on_lost)
        self._wake = asyncio.Event()
        self._problem = "the MQTT broker was not reached yet"

    @property
    def lost(self) -> int:
        """Events that were never sent: too many waited, or they were given up."""
        return self._events.lost

    def send(self, notice: Notice) -> None:
        """Take a notice."""
        if notice.kept:
            admit(notice, self._broker.audience)
            self._retain(self._broker.topic(notice.kind, notice.about), notice.body())
        else:
            self._events.put(notice)
        self._wake.set()

    def announce(self, texts: Mapping[str, str]) -> None:
        """Keep exactly these texts, by their whole topic, at the broker; those of before are taken back."""
        for topic in self._announced - texts.keys():
            self._retain(topic, "")
        for topic, text in texts.items():
            if self._retained.get(topic) != text:
                self._retain(topic, text)
        self._announced = frozenset(texts)
        self._wake.set()

    def forget(self, kind: str, about: str) -> None:
        """Take a state back: the thing it is about is gone."""
        self._retain(self._broker.topic(kind, about), "")
        self._wake.set()

    def give_up(self) -> None:
        """Lose the events that wait."""
        self._events.give_up()

    def problem(self) -> str:
        """What went wrong with the connection."""
        return self._problem

    async def run(self) -> None:
        """Connect and publish until cancelled."""
        tries = 0
        while True:
            try:
                async with self._client() as client:
                    self._tell("")
                    tries = 0
                    await self._serve(client)
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._tell(f"the MQTT broker {self._broker.host} can not be reached: {type(error).__name__}")
            await asyncio.sleep(self._retry_s[min(tries, len(self._retry_s) - 1)] * random.uniform(0.75, 1.25))  # noqa: S311
            tries += 1

    def _client(self) -> aiomqtt.Client:
        broker = self._broker
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=None if broker.password is None else broker.password.reveal(),
            will=aiomqtt.Will(broker.status_topic, OFFLINE, qos=1, retain=True),
            keepalive=_KEEPALIVE_S,
            tls_context=ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None,
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Publish over one connection until it ends; raises MqttError then."""
        self._changed = {**self._retained, **self._changed}
        listening = asyncio.create_task(_until_lost(client))
        try:
            await client.publish(self._broker.status_topic, ONLINE, qos=1, retain=True)
            while not listening.done():
                await self._publish_all(client)
                self._wake.clear()
                waiting = asyncio.create_task(self._wake.wait())
                try:
                    await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
            await listening
        except asyncio.CancelledError:
            # A clean end sends no last will, so it is said here.
            with suppress(aiomqtt.MqttError, TimeoutError):
                await client.publish(self._broker.status_topic, OFFLINE, qos=1, retain=True, timeout=_BYE_S)
            raise
        finally:
            listening.cancel()

    async def _publish_all(self, client: aiomqtt.Client) -> None:
        while self._changed or self._events.first() is not None:
            for topic, text in list(self._changed.items()):
                await client.publish(topic, text, qos=1, retain=True)
                if self._changed.get(topic) == text:
                    del self._changed[topic]
            notice = self._events.first()
            if notice is not None:
                await client.publish(self._broker.topic(notice.kind, notice.about), notice.body(), qos=1)
                self._events.done(notice)

    def _retain(self, topic: str, text: str) -> None:
        if text:
            self._retained[topic] = text
        else:
            self._retained.pop(topic, None)
        self._changed.pop(topic, None)
        self._changed[topic] = text

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem


async def _until_lost(client: aiomqtt.Client) -> None:
    """Wait until the connection ends; raises MqttError then. Nothing is subscribed, so nothing comes."""
    async for _ in client.messages:
        pass
