"""What was lost on the way, counted by kind, and told for an hour. App."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, final

TOLD_S: Final = 3600.0
"""How long a loss is a problem of now; counted it stays."""


@final
class Loss(StrEnum):
    """A kind of loss."""

    MINUTES = "number_minutes"
    PERIODS = "number_periods"
    LATE = "late_numbers"
    CROWDED_OUT = "unwritten_numbers"


_SENTENCES: Final = {
    Loss.MINUTES: "{} minutes of numbers were deleted: they could not be stored for 24 hours",
    Loss.PERIODS: "{} hours or days of numbers could not be made: see the log",
    Loss.LATE: "{} numbers came after their minute was stored, and were left out",
    Loss.CROWDED_OUT: "{} numbers were left out: the disk is too slow, or full",
}


@final
class Losses:
    """Counts of one site since its start. Any thread may call it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Loss, 0)
        self._last_s: dict[Loss, float] = {}

    def add(self, kind: Loss) -> None:
        """Count one."""
        with self._lock:
            self._counts[kind] += 1
            self._last_s[kind] = self._now()

    def counts(self) -> dict[str, int]:
        """How many were lost, by kind."""
        with self._lock:
            return {kind.value: many for kind, many in self._counts.items()}

    def problems(self) -> list[str]:
        """The losses of which one is less than an hour old, in sentences."""
        with self._lock:
            since_s = self._now() - TOLD_S
            return [
                _SENTENCES[kind].format(self._counts[kind])
                for kind in Loss
                if kind in self._last_s and self._last_s[kind] > since_s
            ]
