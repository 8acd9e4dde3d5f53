"""Alarms as messages to people: mail, chat, SMS and what else Apprise knows. Public side.

Apprise is a library of about a hundred services, each an address such as `mailtos://user:password@host`. It is the
extra `messages`; who names no such address does not need it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import Secret
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.audience import Audience
from skyveil.public.notify.delivery import RETRY_S, Delivery, Refusal
from skyveil.public.notify.notice import Notice, OnLost

log: Final = logging.getLogger(__name__)
GIVE_UP_S: Final = 3600.0
"""An alarm that is an hour old is history; it stands in the alarm log."""

Service: TypeAlias = Callable[[str, str], bool]
"""Delivers a message, given its title and its text; whether that worked."""


def service_of(address: Secret) -> Service:
    """The service of an address. Raises SettingsRefused when it is none, or when Apprise is not installed."""
    try:
        from apprise import Apprise
    except ImportError as error:
        raise SettingsRefused("messages need Apprise: pip install 'skyveil[messages]'") from error
    made = Apprise()
    if not made.add(address.reveal()):
        raise SettingsRefused("an address for messages is not one that Apprise knows: see its list of services")
    return lambda title, text: bool(made.notify(body=text, title=title))


@final
class Messages:
    """Sends alarms to one service; what fails is tried again for an hour."""

    def __init__(
        self,
        service: Service,
        name: str,
        *,
        from_step: int = 0,
        audience: Audience = Audience.STAFF,
        retry_s: tuple[float, ...] = RETRY_S,
        on_lost: OnLost = lambda notice: None,
    ) -> None:
        """Name: of the service, for problems. from_step: only alarms that were escalated so often are sent."""
        self._service = service
        self._name = name
        self._from_step = from_step
        self._delivery = Delivery(
            f"the message service {name}",
            audience,
            self._attempt,
            retry_s=retry_s,
            give_up_s=GIVE_UP_S,
            on_lost=on_lost,
        )

    @property
    def lost(self) -> int:
        """Messages that were never taken: refused, too old, too many, or given up."""
        return self._delivery.lost

    def send(self, notice: Notice) -> None:
        """Take a notice; only alarms go to people."""
        if isinstance(notice, AlarmNotice) and notice.event.alarm.step >= self._from_step:
            self._delivery.send(notice)

    def give_up(self) -> None:
        """Lose what waits."""
        self._delivery.give_up()

    def problem(self) -> str:
        """What went wrong with the last try; for an hour, that a message was never taken."""
        return self._delivery.problem()

    async def run(self) -> None:
        """Send until cancelled."""
        await self._delivery.run()

    async def _attempt(self, notice: Notice) -> Refusal | None:
        if isinstance(notice, AlarmNotice) and not await asyncio.to_thread(self._try, notice):
            return Refusal(f"the message service {self._name} did not take a message")
        return None

    def _try(self, notice: AlarmNotice) -> bool:
        try:
            return self._service(notice.title, notice.text() or notice.title)
        except Exception as error:
            # Services are other people's code over the network, and may fail in any way they like.
            log.warning("the message service %s failed: %s", self._name, type(error).__name__)
            return False
