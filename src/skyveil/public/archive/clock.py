"""Whether the time of day may be deleted by: a clock that is wrong for a moment must destroy nothing. Public side."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, final

_MOVED_S: Final = 600.0
_DOUBT_S: Final = 3600.0


@final
class Clock:
    """The time of day against the monotonic clock, from one `check` to the next. One thread checks it.

    Whether a clock that moved is wrong now or was before, no program can tell: for an hour nothing is deleted by it, so
    that a person can look, and then it is believed.
    """

    def __init__(self, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._known: tuple[float, float] | None = None
        self._doubt: tuple[float, float] | None = None

    def check(self, signed_s: float | None, longest_s: float) -> str:
        """Why nothing may be deleted by the time of day now; empty when it may.

        signed_s: when something was signed last before this process (unix); a first check that finds it longer ago than
        `longest_s`, the longest retention, takes the clock for wrong as well: all there is would be deleted by it.
        """
        now_s, at_s = self._now(), self._monotonic()
        if self._known is None:
            off = signed_s is not None and now_s - signed_s > longest_s
            self._known = (signed_s if off and signed_s is not None else now_s, at_s)
        moved_s = now_s - self._expected(at_s)
        if abs(moved_s) > _MOVED_S:
            if self._doubt is None or abs(moved_s - self._doubt[0]) > _MOVED_S:
                self._doubt = (moved_s, at_s)
            if at_s - self._doubt[1] < _DOUBT_S:
                way = "ahead of" if moved_s > 0 else "behind"
                return (
                    f"the clock is {timedelta(seconds=round(abs(moved_s)))} {way} what was expected: no recording is "
                    "deleted until it is right again, or for an hour"
                )
        self._known, self._doubt = (now_s, at_s), None
        return ""

    def believed_s(self) -> float:
        """The time of day (unix); while it is doubted, as it would be had it not moved."""
        return self._now() if self._doubt is None else self._expected(self._monotonic())

    def _expected(self, at_s: float) -> float:
        known_s, then_s = self._known or (self._now(), at_s)
        return known_s + at_s - then_s
