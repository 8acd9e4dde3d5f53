"""Who crossed a line, in which direction. Private side, in memory only."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from skyveil.measure.places import Line
from skyveil.private.observe.linker import Linked

HYSTERESIS_M: Final = 0.1
"""How far beside the line somebody must be to count as there: heads sway by 5 cm, and boxes jitter."""
_NEAR_M: Final = 4.0
"""Farther than anybody goes while a track waits to be found again: who is beyond can not cross next."""
_ENDS_M: Final = 0.1
"""How far beside the ends of the line a crossing still counts."""


@final
@dataclass(frozen=True, slots=True)
class Crossed:
    """One crossing: when it was first seen on the other side, seconds, and whether it went forward."""

    at_s: float
    forward: bool


@final
@dataclass(slots=True)
class _Beside:
    """Where one track is beside the line: the side it is known to be on, and where it was found last."""

    ahead: bool
    away_m: float
    along_m: float
    turned_s: float
    turned_along_m: float


@final
class Crossings:
    """Counts crossings of one line by believed tracks. One thread owns it.

    A track's side is kept for all its life, also while it is not found: trackers that forget it after a few misses
    lose a tenth to a quarter of all crossings.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._beside: dict[int, _Beside] = {}

    def update(self, linked: Linked, *, at_s: float) -> list[Crossed]:
        """The crossings that the frame at `at_s` shows."""
        crossed = []
        away_m, along_m = self._line.beside(linked.at_m)
        near = linked.found & (np.abs(away_m) <= _NEAR_M)
        for number, away, along in zip(
            linked.number[near].tolist(), away_m[near].tolist(), along_m[near].tolist(), strict=True
        ):
            one = self._beside.get(number)
            if one is None:
                if abs(away) >= HYSTERESIS_M:
                    self._beside[number] = _Beside(away > 0, away, along, at_s, along)
            elif (event := self._moved(one, away, along, at_s)) is not None:
                crossed.append(event)
        if len(self._beside) > 2 * len(linked.number) + 100:  # the others have ended, and are not found again
            alive = set(linked.number.tolist())
            self._beside = {number: one for number, one in self._beside.items() if number in alive}
        return crossed

    def _moved(self, one: _Beside, away_m: float, along_m: float, at_s: float) -> Crossed | None:
        if (one.away_m > 0) != (away_m > 0):
            share = one.away_m / (one.away_m - away_m)
            one.turned_s, one.turned_along_m = at_s, one.along_m + share * (along_m - one.along_m)
        one.away_m, one.along_m = away_m, along_m
        if abs(away_m) < HYSTERESIS_M or one.ahead == (away_m > 0):
            return None
        one.ahead = away_m > 0
        if not -_ENDS_M <= one.turned_along_m <= self._line.width_m + _ENDS_M:
            return None
        return Crossed(one.turned_s, one.ahead)
