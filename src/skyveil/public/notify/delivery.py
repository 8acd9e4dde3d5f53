"""Notices to one receiver, one at a time and in order; what fails is tried again with growing waits. Public side."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from skyveil.public.audience import Audience
from skyveil.public.notify.notice import Notice, OnLost, Outbox

log: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
POISON_TRIES: Final = 5
"""Tries (about 20 s) after which others are tried as well: if one is taken, the first is what is wrong."""
SAID_S: Final = 3600.0
"""How long it is a problem that an event was never taken."""


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a notice was not taken, as a sentence. final: no later try gets past it."""

    why: str
    final: bool = False


Attempt: TypeAlias = Callable[[Notice], Awaitable[Refusal | None]]
"""Tries once to hand a notice over; None when it was taken."""


@final
class Delivery:
    """The notices that wait for one receiver, and the tries to deliver them. Only the event loop's thread touches it.

    A notice that is refused while another one is taken is given up, so that it keeps nothing back.
    """

    def __init__(
        self,
        receiver: str,
        audience: Audience,
        attempt: Attempt,
        *,
        retry_s: tuple[float, ...] = RETRY_S,
        give_up_s: float = math.inf,
        on_lost: OnLost = lambda notice: None,
    ) -> None:
        """receiver: what problems call it. give_up_s: for how long one notice is tried."""
        self._receiver = receiver
        self._attempt = attempt
        self._retry_s = retry_s
        self._give_up_s = give_up_s
        self._on_lost = on_lost
        self._outbox = Outbox(audience, on_lost=self._note)
        self._wake = asyncio.Event()
        self._problem = ""
        self._lost_s: float | None = None
        """When an event was lost, in monotonic time."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._outbox)

    @property
    def lost(self) -> int:
        """Notices that were never taken: refused, too old, or too many."""
        return self._outbox.lost

    def send(self, notice: Notice) -> None:
        """Take a notice. Raises BoundaryViolated for one that the receiver's audience may not read."""
        self._outbox.put(notice)
        self._wake.set()

    def give_up(self) -> None:
        """Lose what waits: nobody will send it."""
        self._outbox.give_up()

    def problem(self) -> str:
        """What went wrong with the last try; for an hour, that an event was never taken."""
        if self._problem or self._lost_s is None or time.monotonic() - self._lost_s > SAID_S:
            return self._problem
        return f"{self._receiver} refused a message about an alarm: see the alarm log"

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            notice = self._outbox.first()
            if notice is None:
                self._wake.clear()
                await self._wake.wait()
            elif await self._deliver(notice):
                self._outbox.done(notice)
            else:
                self._outbox.lose(notice)

    async def _deliver(self, notice: Notice) -> bool:
        """Try until it is taken, which is told, or refused for ever or alone, or too old, or waits no more."""
        loop = asyncio.get_running_loop()
        until_s, tries = loop.time() + self._give_up_s, 0
        while self._outbox.holds(notice) and loop.time() < until_s:
            refusal = await self._try(notice)
            if refusal is None or refusal.final:
                return refusal is None
            tries += 1
            other = self._other(notice, tries - POISON_TRIES) if tries >= POISON_TRIES else None
            if other is not None and await self._takes(other):
                # The receiver may have come back in between. What is newer of the same alarm stands for this one.
                again = _thing(other) != _thing(notice) and self._outbox.holds(notice)
                return again and await self._attempt(notice) is None
            await asyncio.sleep(self._retry_s[min(tries, len(self._retry_s)) - 1] * random.uniform(0.75, 1.25))  # noqa: S311
        return False

    def _other(self, notice: Notice, turn: int) -> Notice | None:
        """What to try beside a notice that fails, by turns: the next about the same, and the first about all else.

        More of one alarm may be refused for the same reason; and nothing of an alarm overtakes what came before it.
        """
        first: dict[tuple[str, str], Notice] = {}
        for one in self._outbox:
            if one is not notice:
                first.setdefault(_thing(one), one)
        others = list(first.values())
        return others[turn % len(others)] if others else None

    async def _takes(self, other: Notice) -> bool:
        """Try another notice once, which is over when it is taken or refused for ever; whether it was taken."""
        refusal = await self._try(other)
        if refusal is None:
            self._outbox.done(other)
        elif refusal.final:
            self._outbox.lose(other)
        return refusal is None

    async def _try(self, notice: Notice) -> Refusal | None:
        refusal = await self._attempt(notice)
        problem = "" if refusal is None else refusal.why
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem
        return refusal

    def _note(self, notice: Notice) -> None:
        if not notice.kept:
            self._lost_s = time.monotonic()
        self._on_lost(notice)


def _thing(notice: Notice) -> tuple[str, str]:
    return notice.kind, notice.about
