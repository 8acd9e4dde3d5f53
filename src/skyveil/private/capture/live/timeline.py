"""The one clock of a live stream, whatever its camera's clock does. Private side."""

from fractions import Fraction
from typing import Final, final

from skyveil.core.time import MediaTime

CLOCK_HZ: Final = 90_000
TIME_BASE: Final = Fraction(1, CLOCK_HZ)
_WRAP: Final = 1 << 32
_LARGEST_DRIFT: Final = CLOCK_HZ // 2
"""Half a second between the camera's clock and ours: a jump, a wrap or a new session; we follow ours."""


@final
class LiveTimeline:
    """Times of pictures, strictly ascending over reconnections: the camera's steps, tied to our monotonic clock."""

    def __init__(self, start_s: float) -> None:
        """Zero is at `start_s` of the monotonic clock."""
        self._start_s = start_s
        self._last = -1
        self._offset: int | None = None
        self._unwrapped: int | None = None
        self._before = 0

    def reconnected(self) -> None:
        """The camera's clock begins anew."""
        self._offset = self._unwrapped = None

    def place(self, ticks: int, clock_hz: int, arrival_s: float) -> MediaTime:
        """The time of a picture with RTP timestamp `ticks` (32 bits, wrapping) that arrived at `arrival_s`."""
        if self._unwrapped is None:
            self._unwrapped = ticks
        else:
            step = (ticks - self._before) % _WRAP
            self._unwrapped += step if step < _WRAP // 2 else step - _WRAP
        self._before = ticks
        media = self._unwrapped * CLOCK_HZ // clock_hz
        ours = round((arrival_s - self._start_s) * CLOCK_HZ)
        if self._offset is None or abs(media + self._offset - ours) > _LARGEST_DRIFT:
            self._offset = ours - media
        self._last = max(self._last + 1, media + self._offset)
        return MediaTime(self._last, TIME_BASE)
