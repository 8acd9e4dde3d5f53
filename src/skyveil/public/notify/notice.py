"""What may be told to programs outside: notices, each with the audience it is made for. Public side.

Senders (`webhook`, `mqtt`) know nothing of what a notice is about. Health is the first kind; a released alarm is
another one that fits `Notice`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeAlias, final

from skyveil.core.errors import BoundaryViolated
from skyveil.public.audience import Audience

WAITING: Final = 1000
"""Notices that may wait for one sender; more than a site of 400 cameras has states."""


class Notice(Protocol):
    """One thing to tell."""

    @property
    def kind(self) -> str:
        """The kind in one word of a-z and hyphens, such as `health`; a part of topics."""
        ...

    @property
    def about(self) -> str:
        """What it is about, such as a camera's id; a part of topics, so of a-z, 0-9 and hyphens."""
        ...

    @property
    def audience(self) -> Audience:
        """The widest circle that may read it."""
        ...

    @property
    def kept(self) -> bool:
        """Whether it is a state, so that the newest of this kind and thing replaces those before; else an event."""
        ...

    @property
    def at_s(self) -> float:
        """Unix time at which it became true."""
        ...

    def body(self) -> str:
        """The notice as a JSON object."""
        ...


OnLost: TypeAlias = Callable[[Notice], None]
"""Is told of each notice that its receiver never took."""


class Sender(Protocol):
    """Tells notices to one receiver. Only the event loop's thread touches it."""

    @property
    def lost(self) -> int:
        """Notices that were never taken: refused, too old, too many, or given up."""
        ...

    def send(self, notice: Notice) -> None:
        """Take a notice; never waits. Raises BoundaryViolated for one that is not for this receiver's audience."""
        ...

    async def run(self) -> None:
        """Send until cancelled, patiently."""
        ...

    def give_up(self) -> None:
        """Lose what waits: nobody will send it. States are not lost: who is told next is told how they are then."""
        ...

    def problem(self) -> str:
        """What is wrong now, as a sentence; empty when nothing is."""
        ...


def admit(notice: Notice, audience: Audience) -> None:
    """Raise BoundaryViolated for a notice that this audience may not read."""
    if not audience.within(notice.audience):
        raise BoundaryViolated(f"a notice for {notice.audience} was about to go to {audience}")


@final
class Outbox:
    """Notices that wait for one receiver: of a state the newest only; the oldest is lost when there are too many.

    lost: how many were lost so far.
    """

    def __init__(self, audience: Audience, *, limit: int = WAITING, on_lost: OnLost = lambda notice: None) -> None:
        self._audience = audience
        self._limit = limit
        self._on_lost = on_lost
        self._waiting: OrderedDict[tuple[str, str, int], Notice] = OrderedDict()
        self._count = 0
        self.lost = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Notice]:
        """What waits, the oldest first."""
        return iter(tuple(self._waiting.values()))

    def put(self, notice: Notice) -> None:
        """Add a notice; raises BoundaryViolated for one that this audience may not read."""
        admit(notice, self._audience)
        self._count += 1
        key = (notice.kind, notice.about, 0 if notice.kept else self._count)
        self._waiting.pop(key, None)
        self._waiting[key] = notice
        while len(self._waiting) > self._limit:
            self.lose(next(iter(self._waiting.values())))

    def first(self) -> Notice | None:
        """The notice that waited longest; it stays until `done`."""
        return next(iter(self._waiting.values()), None)

    def holds(self, notice: Notice) -> bool:
        """Whether a notice still waits: it was neither lost nor replaced by a newer one."""
        return any(waiting is notice for waiting in self._waiting.values())

    def done(self, notice: Notice) -> bool:
        """Remove a notice; False when it waits no more, and when a newer one has taken its place."""
        for key, waiting in self._waiting.items():
            if waiting is notice:
                del self._waiting[key]
                return True
        return False

    def lose(self, notice: Notice) -> None:
        """Remove a notice that is never taken, and say so; nothing when it waits no more."""
        if self.done(notice):
            self.lost += 1
            self._on_lost(notice)

    def give_up(self) -> None:
        """Lose every event; states go without being lost."""
        for one in self:
            if one.kept:
                self.done(one)
            else:
                self.lose(one)
