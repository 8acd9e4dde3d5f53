"""Gives every frame a time of its own, later than the one before. Private side.

Times that ascend are kept as they are, whatever their distance. Only what can not be true is repaired: a time that
is missing, repeated, runs back, or leaps away from both of its neighbours.
"""

from fractions import Fraction
from typing import Final, final

_RESTART_S: Final = 1
"""A clock that runs back by more than this was restarted: the rest of the file is moved, not squeezed."""

_LEAP_S: Final = 10
"""A frame this far ahead of both its neighbours has a damaged time (10 s: FFmpeg's own dts_delta_threshold)."""


_CATCH_UP: Final = 4
"""Frames follow each other so many times faster while they are placed later than the file says."""


@final
class Timeline:
    """Places frames on one strictly ascending clock of `time_base`."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        usual_step_s = 1 / rate if rate else Fraction(1, 25)
        self.step = max(1, round(usual_step_s / time_base))
        """Usual distance of two frames, in ticks."""
        self.repaired = 0
        """How many frames got another time than the file gave them."""
        self.last: int | None = None
        """Time of the frame placed last."""
        self._moved_by = 0
        self._given: int | None = None
        self._restart = round(_RESTART_S / time_base)
        self._leap = round(_LEAP_S / time_base)

    def place(self, pts: int | None, following: int | None) -> int:
        """The time of a frame that the file puts at `pts`, given what it says of the next one (None: nothing)."""
        given = None if pts is None else pts + self._moved_by
        after = None if following is None else following + self._moved_by
        placed = self._placed(given, after)
        self._given = given
        self.repaired += placed != given
        self.last = placed
        return placed

    def _placed(self, pts: int | None, following: int | None) -> int:
        last = self.last
        if last is None:
            return self._first(pts, following)
        if pts is None:
            return self._between(last, following)
        if pts > last:
            leapt = following is not None and pts - last > self._leap and last < following < pts - self._leap
            return self._between(last, following) if leapt else pts
        if pts < last - self._restart:
            self._moved_by += last + self.step - pts
            return last + self.step
        if self._given is not None and pts > self._given:
            return last + max(1, self.step // _CATCH_UP)  # the file's times go on, and repeated ones took their places
        return self._between(last, following)

    def _first(self, pts: int | None, following: int | None) -> int:
        if pts is not None:
            return pts
        return 0 if following is None else following - self.step

    def _between(self, last: int, following: int | None) -> int:
        """A usual step after `last`, or less when the next frame follows sooner."""
        if following is None or following <= last + 1:
            return last + self.step
        return last + min(self.step, max(1, (following - last) // 2))
