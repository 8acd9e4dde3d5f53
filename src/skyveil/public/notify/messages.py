"""Alarms as messages to people: mail, chat, SMS and what else Apprise knows. Public side.

Apprise is a library of about a hundred services, each an address such as `mailtos://user:password@host`. It is the
extra `messages`; who names no such address does not need it.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import Secret
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.audience import Audience
from skyveil.public.notify.notice import Notice, Outbox

log: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
GIVE_UP_S: Final = 3600.0
"""An alarm that is an hour old is history; it stands in the alarm log."""
POISON_TRIES: Final = 5
"""Tries (about 20 s) after which the next message is tried as well: if it is taken, the first is what is wrong."""

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
    """Sends alarms to one service, one at a time and in order; what fails is tried again for an hour.

    A message that is refused while the next one is taken is dropped, so that it keeps nothing back for that hour.
    lost: messages that were never taken.
    """

    def __init__(
        self,
        service: Service,
        name: str,
        *,
        from_step: int = 0,
        audience: Audience = Audience.STAFF,
        retry_s: tuple[float, ...] = RETRY_S,
        on_lost: Callable[[AlarmNotice, str], None] = lambda notice, name: None,
    ) -> None:
        """Name: of the service, for problems. from_step: only alarms that were escalated so often are sent.

        on_lost: is told of each message that is given up, with the name of the service.
        """
        self._service = service
        self._name = name
        self._from_step = from_step
        self._retry_s = retry_s
        self._outbox = Outbox(audience)
        self._on_lost = on_lost
        self._wake = asyncio.Event()
        self._problem = ""
        self._given_up = 0
        self._given_up_s = 0.0

    @property
    def lost(self) -> int:
        """Messages that were never taken: refused, too old, or too many."""
        return self._given_up + self._outbox.dropped

    def send(self, notice: Notice) -> None:
        """Take a notice; only alarms go to people."""
        if isinstance(notice, AlarmNotice) and notice.event.alarm.step >= self._from_step:
            self._outbox.put(notice)
            self._wake.set()

    def problem(self) -> str:
        """What went wrong with the last try; for an hour, that a message was given up."""
        if self._problem or not self._given_up or time.monotonic() - self._given_up_s > GIVE_UP_S:
            return self._problem
        return f"the message service {self._name} refused a message about an alarm: see the alarm log"

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            notice = self._outbox.first()
            if isinstance(notice, AlarmNotice):
                taken = await self._deliver(notice)
                if not taken and self._outbox.holds(notice):
                    self._give_up(notice)
                self._outbox.done(notice)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _deliver(self, notice: AlarmNotice) -> bool:
        """Send until it is taken, which is told, or refused alone, or too old, or dropped because too many wait."""
        loop = asyncio.get_running_loop()
        until_s, tries = loop.time() + GIVE_UP_S, 0
        while self._outbox.holds(notice) and loop.time() < until_s:
            if await asyncio.to_thread(self._try, notice):
                self._tell("")
                return True
            self._tell(f"the message service {self._name} did not take a message")
            tries += 1
            later = self._outbox.after(notice)
            if tries >= POISON_TRIES and isinstance(later, AlarmNotice) and await asyncio.to_thread(self._try, later):
                self._outbox.done(later)
                self._tell("")
                # The service may have come back in between. What is newer of the same alarm stands for this one.
                return later.about != notice.about and await asyncio.to_thread(self._try, notice)
            await asyncio.sleep(self._retry_s[min(tries, len(self._retry_s)) - 1] * random.uniform(0.75, 1.25))  # noqa: S311
        return False

    def _give_up(self, notice: AlarmNotice) -> None:
        self._given_up += 1
        self._given_up_s = time.monotonic()
        log.error("the message service %s never took a message of alarm %s", self._name, notice.about)
        self._on_lost(notice, self._name)

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
