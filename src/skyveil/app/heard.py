"""Numbers between the threads that read cameras and the disk. App.

A disk can be slow or full for a while. Pictures come on the threads that numbers come on, and must not wait for it.
"""

import logging
import threading
from collections import deque
from typing import Final, final

from skyveil.app.losses import Loss, Losses
from skyveil.core.errors import StoreFailed
from skyveil.public.aggregate import Aggregate
from skyveil.public.store.spool import Spool

log: Final = logging.getLogger(__name__)
WAITING: Final = 10_000
"""Numbers that may wait: five seconds of 400 cameras with five places each, and hours of one camera."""
AGAIN_S: Final = 1.0


@final
class Heard:
    """A queue with a bound. `put` never waits for the disk; one thread at a time calls `write`."""

    def __init__(self, spool: Spool, disk: threading.Lock, losses: Losses, *, limit: int = WAITING) -> None:
        """disk: held while the spool is used."""
        self._spool = spool
        self._disk = disk
        self._losses = losses
        self._limit = limit
        self._waiting: deque[Aggregate] = deque()
        self._change = threading.Condition()
        self._problem = ""

    def put(self, aggregate: Aggregate) -> None:
        """Take numbers; the oldest that wait are left out, and counted, when there are too many."""
        with self._change:
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self._losses.add(Loss.CROWDED_OUT)
            self._waiting.append(aggregate)
            self._change.notify()

    def oldest_s(self) -> float:
        """From when on numbers wait, unix seconds; infinity when none does. Their minutes are not whole yet."""
        with self._change:
            return min((one.start_s for one in self._waiting), default=float("inf"))

    def problem(self) -> str:
        """What is wrong with the disk now; empty when nothing is."""
        return self._problem

    def write(self) -> None:
        """Write down everything that waits. Raises StoreFailed; what was not written waits."""
        while (one := self._first()) is not None:
            with self._disk:
                kept = self._spool.add(one)
            if not kept:
                self._losses.add(Loss.LATE)
            with self._change:
                if self._waiting and self._waiting[0] is one:  # it may have been crowded out while it was written
                    self._waiting.popleft()

    def run(self, stop: threading.Event) -> None:
        """Write down what comes until the end, patiently."""
        while not stop.is_set():
            with self._change:
                self._change.wait_for(lambda: self._waiting, timeout=AGAIN_S)
            try:
                self.write()
            except StoreFailed as error:
                if not self._problem:
                    log.warning("%s", error)
                self._problem = str(error)
                stop.wait(AGAIN_S)
            else:
                self._problem = ""

    def _first(self) -> Aggregate | None:
        with self._change:
            return self._waiting[0] if self._waiting else None
