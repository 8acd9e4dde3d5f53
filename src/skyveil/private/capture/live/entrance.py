"""Pictures that came and were not taken yet: those of the last second, and whether there are ever more of them.
Private side.

Whoever is slower than the camera gets all pictures of the last second at once, and not the newest one alone: what
happens between two looks is followed in them, though few of them may leave. What is older is left out, so that
nothing ages here.
"""

from dataclasses import replace
from typing import Final, final

from skyveil.private.capture.live.decoder import Picture
from skyveil.private.capture.live.given import Arrived, Given

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
        self._several = False
        self.dropped = 0

    def put(self, picture: Picture, now_s: float) -> None:
        """Let a picture in that is there since now (monotonic), and out those that are too old beside it."""
        self._newest_s = now_s
        self._waiting.append(picture)
        size = picture.picture.width * picture.picture.height * 3 // 2
        most = max(2, _ROOM_BYTES // size)
        fresh = [one for one in self._waiting[-most:] if self._age_s(one) <= FRESH_S]
        self.dropped += len(self._waiting) - len(fresh)
        self._waiting = fresh

    def taken(self) -> list[Arrived]:
        """All that wait, in order. Where several wait time after time, who takes them is `behind`."""
        if not self._waiting:
            return []
        came = [
            self._given.arrived(
                one.picture, one.ticks, self._clock_hz, damaged=one.damaged, at_s=self._newest_s - self._age_s(one)
            )
            for one in self._waiting
        ]
        arrived = [one for one in came if one is not None]
        self.dropped += len(came) - len(arrived)
        self._waiting = []
        behind, self._several = self._several and len(arrived) > 1, len(arrived) > 1
        return [replace(one, newer=number < len(arrived), behind=behind) for number, one in enumerate(arrived, start=1)]

    def _age_s(self, picture: Picture) -> float:
        """How long before the newest one that waits a picture was taken."""
        return (self._waiting[-1].ticks - picture.ticks) % (1 << 32) / self._clock_hz
