"""How many pictures may leave between two looks at a camera that this machine is too slow for. App, behind the wall:
counts and times only."""

import time
from collections.abc import Callable
from typing import Final, final

ROUND_S: Final = 0.6
"""Wanted from one look to the next. What the two do not show is covered from 0.65 s on (private/evidence.py), and a
picture taken during a look waits for the end of the next one: 1.2 s at most."""
LONGEST_S: Final = 0.9
"""A round may last so long where that lets a few pictures leave: one more costs little then, beside a look."""
_FEW: Final = 3
_LEARNS: Final = 0.25
"""Share by which one round moves what a picture is thought to cost."""


@final
class Cadence:
    """Shares out a round: what decoding, following and the look left of it goes to the pictures that leave.

    One thread owns it.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, *, most: int) -> None:
        """now: the clock, in seconds; most: pictures that may leave in a round, whatever they cost."""
        self._now = now
        self._most = most
        self._began_s = now()
        self._asked_s: float | None = None
        self._left = 0
        self._each_s = 0.0

    def room(self) -> int:
        """How many pictures may leave in what is left of this round; one at least."""
        self._asked_s, self._left = self._now(), 0
        if not self._each_s:
            return min(self._most, _FEW)
        passed_s = self._asked_s - self._began_s
        few = min(_FEW, int((LONGEST_S - passed_s) / self._each_s))
        return min(self._most, max(1, few, int((ROUND_S - passed_s) / self._each_s)))

    def left(self) -> None:
        """A picture has left."""
        self._left += 1

    def ended(self) -> None:
        """End a round."""
        now_s = self._now()
        if self._asked_s is not None and self._left:
            each_s = (now_s - self._asked_s) / self._left
            self._each_s += (each_s - self._each_s) * (_LEARNS if self._each_s else 1.0)
        self._began_s, self._asked_s = now_s, None
