"""Alarms as messages to people: mail, chat, SMS and what else Apprise knows. Public side.

Apprise is a library of about a hundred services, each an address such as `mailtos://user:password@host`. It is the
extra `messages`; who names no such address does not need it.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import Secret
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.notify.notice import Audience, Notice, Outbox

log: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
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
    """Sends alarms to one service, one at a time and in order; what fails is tried again for an hour."""

    def __init__(
        self,
        service: Service,
        name: str,
        *,
        from_step: int = 0,
        audience: Audience = Audience.STAFF,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        """Name: of the service, for problems. from_step: only alarms that were escalated so often are sent."""
        self._service = service
        self._name = name
        self._from_step = from_step
        self._retry_s = retry_s
        self._outbox = Outbox(audience)
        self._wake = asyncio.Event()
        self._problem = ""

    def send(self, notice: Notice) -> None:
        """Take a notice; only alarms go to people."""
        if isinstance(notice, AlarmNotice) and notice.event.alarm.step >= self._from_step:
            self._outbox.put(notice)
            self._wake.set()

    def problem(self) -> str:
        """What went wrong with the last try."""
        return self._problem

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            notice = self._outbox.first()
            if isinstance(notice, AlarmNotice):
                await self._deliver(notice)
                self._outbox.done(notice)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _deliver(self, notice: AlarmNotice) -> None:
        """Send until it is taken, or too old, or dropped because too many wait."""
        loop = asyncio.get_running_loop()
        until_s, tries = loop.time() + GIVE_UP_S, 0
        while self._outbox.holds(notice) and loop.time() < until_s:
            if await asyncio.to_thread(self._try, notice):
                self._tell("")
                return
            self._tell(f"the message service {self._name} did not take a message")
            await asyncio.sleep(self._retry_s[min(tries, len(self._retry_s) - 1)] * random.uniform(0.75, 1.25))  # noqa: S311
            tries += 1

    def _try(self, notice: AlarmNotice) -> bool:
        try:
            return self._service(notice.title, notice.text() or notice.title)
        except Exception as error:
            # Services are other people's code over the network, and may fail in any way they like.
            log.warning("the message service %s failed: %s", self._name, type(error).__name__)
            return False

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem
