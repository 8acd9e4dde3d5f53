"""Pictures that came and were not taken yet: those of the last second, and whether there are ever more of them.
Private side.

Whoever is slower than the camera gets all pictures of the last second at once, and not the newest one alone: what
happens between two looks is followed in them, though few of them may leave. What is older is left out, so that
nothing ages here.
"""

from dataclasses import replace
from typing import Final, final

from skyveil.private.capture.live.decoder import Picture
from skyveil.private.capture.live.given import Arrived, Given, Lag

FRESH_S: Final = 1.0
"""Pictures so long before the newest one are given with it. After a look of half a second five pictures of ten a second
wait; whoever takes more than a second for them shows the newest one only."""
_ROOM_BYTES: Final = 100_000_000
"""What waits may take this much memory: 72 pictures of 720p, 32 of 1080p, 8 of 4K."""


@final
class Entrance:
    """Where decoded pictures of one connection wait. One thread owns it."""

    def __init__(self, given: Given, clock_hz: int) -> None:
        self._given = given
        self._clock_hz = clock_hz
        self._waiting: list[Picture] = []
        self._newest_s = 0.0
        self.lag = Lag()
        self.dropped = 0

    def put(self, picture: Picture, now_s: float) -> None:
        """Let a picture in that is there since now (monotonic), and out those that are too old beside it."""
        self._newest_s = now_s
        self._waiting.append(picture)
        size = sum(plane.buffer_size for plane in picture.picture.planes)
        most = max(2, _ROOM_BYTES // size)
        fresh = [one for one in self._waiting[-most:] if self._before_s(picture.ticks, one) <= FRESH_S]
        self.dropped += len(self._waiting) - len(fresh)
        self._waiting = fresh

    def taken(self) -> list[Arrived]:
        """All that wait, in order."""
        arrived: list[Arrived] = []
        waiting, self._waiting = self._waiting, []
        newest = waiting[-1].ticks if waiting else 0
        count = len(waiting)
        while waiting:
            one = waiting.pop(0)  # what was converted does not wait beside what it was converted from
            at_s = self._newest_s - self._before_s(newest, one)
            came = self._given.arrived(one.picture, one.ticks, self._clock_hz, damaged=one.damaged, at_s=at_s)
            arrived += [] if came is None else [came]
        self.dropped += count - len(arrived)
        behind = self.lag.took(len(arrived)) if arrived else False
        return [replace(one, newer=number < len(arrived), behind=behind) for number, one in enumerate(arrived, start=1)]

    def _before_s(self, newest: int, picture: Picture) -> float:
        """How long before the newest one that waits a picture was taken."""
        return (newest - picture.ticks) % (1 << 32) / self._clock_hz
