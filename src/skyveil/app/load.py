"""Whether this machine keeps up with a camera. App, behind the wall: numbers of pictures, nothing of what they show."""

from collections import deque
from typing import Final, final

WINDOW_S: Final = 10.0
"""What is judged: one busy moment is no slow machine."""
_STEP_S: Final = 1.0
_MANY, _FEW = 0.2, 0.1
"""Shares of the pictures left out from which a machine is too slow, and below which it is not any more: health must
not swing. A machine at its limit left out 8 % (docs/reference/live.md)."""


@final
class Load:
    """Compares pictures that left with those left out for newer ones. One thread owns it."""

    def __init__(self, most_fps: float | None = None) -> None:
        """most_fps: the highest rate that is wanted; what comes above it is left out on any machine."""
        self._most_fps = most_fps
        self._samples: deque[tuple[float, int, int]] = deque()
        self.overloaded = False
        self.leaves_out = False
        """Whether any picture of the window was left out: then it is not the camera that is slow."""

    def note(self, *, shown: int, late: int, now_s: float) -> None:
        """Take both counts, of the time since the start, at a moment (monotonic)."""
        self.leaves_out = bool(self._samples) and late > self._samples[0][2]
        if self._samples and now_s - self._samples[-1][0] < _STEP_S:
            return
        self._samples.append((now_s, shown, late))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()
        since_s, shown_before, late_before = self._samples[0]
        if now_s - since_s < WINDOW_S:
            return
        left, came = shown - shown_before, late - late_before + shown - shown_before
        wanted = came if self._most_fps is None else min(came, self._most_fps * (now_s - since_s))
        share = max(0.0, wanted - left) / wanted if wanted else 0.0
        self.overloaded = share >= (_FEW if self.overloaded else _MANY)
