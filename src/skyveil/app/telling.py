"""Tells programs and people outside how the cameras are, and of alarms, as the configuration says. App."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, final

from skyveil.app.config.outputs import Addressee, Told
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.notify.health import HealthNotice
from skyveil.public.notify.home_assistant import discovery
from skyveil.public.notify.messages import Messages, service_of
from skyveil.public.notify.mqtt import Broker, Mqtt
from skyveil.public.notify.notice import Notice, Sender
from skyveil.public.notify.webhook import Receiver, Webhook

log: Final = logging.getLogger(__name__)
REPEAT_S: Final = 30.0
"""How often MQTT is told a state that did not change, for its figures. Webhooks are told changes only."""

_GOODBYE_S: Final = 2.0


@final
class Telling:
    """The senders of a site. Only the event loop's thread touches it, but for `problems`."""

    def __init__(
        self,
        version: str,
        *,
        on_lost: Callable[[AlarmNotice, str], None] = lambda notice, name: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """on_lost: is told of each message about an alarm that was never taken, with the service's name or host."""
        self._version = version
        self._on_lost = on_lost
        self._lost_before = 0
        self._now = now
        self._configured = False
        self._refused: list[str] = []
        self._running: dict[Broker | Receiver | Addressee, tuple[Sender, asyncio.Task[None]]] = {}
        self._told: dict[CameraId, tuple[CameraState, Cause, float]] = {}
        self._newest: dict[CameraId, CameraHealth] = {}

    def configure(self, told: Told, names: Mapping[CameraId, str], alarms: Sequence[AlarmNotice] = ()) -> None:
        """Tell these and no others, of these cameras and no others; who is told already is not disturbed.

        What waits for somebody who is told no more is lost, of alarms. Who is new is told the health of cameras, and
        `alarms`, which are open: not the first time, when the desk sees to that.
        """
        wanted: tuple[Broker | Receiver | Addressee, ...] = (*told.brokers, *told.receivers, *told.people)
        first, self._configured = not self._configured, True
        for gone in self._running.keys() - set(wanted):
            sender, task = self._running.pop(gone)
            task.cancel()
            sender.give_up()
            self._lost_before += sender.lost
        for camera in self._newest.keys() - names.keys():
            del self._newest[camera]
            self._told.pop(camera, None)
            for mqtt in self._brokers().values():
                mqtt.forget("health", camera)
        self._refused = []
        for one in wanted:
            if one not in self._running:
                try:
                    sender = self._sender(one)
                except SettingsRefused as error:  # the others are told all the same
                    self._refused.append(f"{one.name}: {error}" if isinstance(one, Addressee) else str(error))
                    log.warning("%s", self._refused[-1])
                    continue
                task = asyncio.create_task(sender.run(), name="telling")
                task.add_done_callback(_ended)
                self._running[one] = (sender, task)
                for health in self._newest.values():
                    sender.send(HealthNotice(health))
                for notice in () if first else alarms:
                    sender.send(notice)
        for broker, mqtt in self._brokers().items():
            texts: dict[str, str] = {}
            for camera, name in names.items():
                if told.discovery is not None:
                    texts |= discovery(broker, camera, name, version=self._version, root=told.discovery)
            mqtt.announce(texts)

    def health(self, health: CameraHealth) -> None:
        """Tell how a camera is doing, when that changed or is long ago."""
        camera, now_s = health.camera, self._now()
        state, cause, at_s = self._told.get(camera, (None, None, 0.0))
        changed = (state, cause) != (health.state, health.cause)
        self._newest[camera] = health
        if not changed and now_s - at_s < REPEAT_S:
            return
        self._told[camera] = (health.state, health.cause, now_s)
        for sender, _ in self._running.values():
            if changed or isinstance(sender, Mqtt):
                sender.send(HealthNotice(health))

    def alarm(self, notice: AlarmNotice) -> None:
        """Tell an alarm to everybody at once."""
        for sender, _ in self._running.values():
            sender.send(notice)

    def problems(self) -> list[str]:
        """What is wrong with the senders now."""
        told = [problem for sender, _ in tuple(self._running.values()) if (problem := sender.problem())]
        return [*self._refused, *told]

    def lost(self) -> int:
        """Notices that were never taken: refused, too old, too many, or for somebody who is told no more."""
        return self._lost_before + sum(sender.lost for sender, _ in tuple(self._running.values()))

    async def close(self) -> None:
        """Say goodbye."""
        tasks = [task for _, task in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GOODBYE_S)

    def _sender(self, one: Broker | Receiver | Addressee) -> Sender:
        match one:
            case Broker():
                return Mqtt(one, on_lost=partial(self._never_taken, one.host))
            case Receiver():
                return Webhook(one, on_lost=partial(self._never_taken, one.url.host))
            case Addressee():
                service, on_lost = service_of(one.address), partial(self._never_taken, one.name)
                return Messages(service, one.name, from_step=one.from_step, on_lost=on_lost)

    def _never_taken(self, name: str, notice: Notice) -> None:
        """Of a state there is a newer one at the next change; an alarm that was never told is written down."""
        if isinstance(notice, AlarmNotice):
            log.error("%s never took a message of alarm %s", name, notice.about)
            self._on_lost(notice, name)

    def _brokers(self) -> dict[Broker, Mqtt]:
        return {
            one: sender
            for one, (sender, _) in self._running.items()
            if isinstance(one, Broker) and isinstance(sender, Mqtt)
        }


def _ended(task: asyncio.Task[None]) -> None:
    """A sender ends when it is cancelled; any other end is a bug, and said."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("telling ended: %s", type(error).__name__)
