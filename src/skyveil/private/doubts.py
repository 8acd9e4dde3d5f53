"""Where the face network was in doubt and looks again, enlarged. Private side.

Of small faces that moved, most of those that leaked had been answered to, with a score far below what counts. Three
times as large they score, and what is no face does not (docs/design/engine.md).
"""

from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, grown
from skyveil.private.bodies import inside_any
from skyveil.private.detect.boxes import Scored, beside_better
from skyveil.private.detect.pyramid import Area, Level

LEAST: Final = 0.03
"""Score from which on an answer is a doubt."""
HINT: Final = 0.015
"""Score from which on an answer is a hint: it becomes a doubt when the look before had one there, too. Of 87 answers
from here to `LEAST` on the plaza that were no heads 4 scored 0.05 and more when enlarged; of 7 heads 4 did."""
HINT_ENLARGED: Final = 0.04
"""The same of an enlarged look: several of these that follow each other are a face (`track.tracks`)."""
SURE: Final = 0.15
"""Score from which on it is none."""
_SMALL_PX: Final = 16
"""Geometric mean of the sides, in network pixels, up to which a second look helps: it shows faces of 24 px and more."""
_ENLARGED: Final = 3.0
_REACH_PX: Final = 15
"""What is shown around the middle of an answer, in network pixels of the first look: six fit on one wide canvas."""
_MOST: Final = 18
"""Places for one look, the best ones: three canvases. With two, small faces in busy scenes waited for larger doubts."""
_REST_S: Final = 1.0
"""A place that a second look found nothing at is left alone for so long: scenery that moves answers again and again."""
_SAME_PX: Final = 12
_AROUND_BODY: Final = 0.3
"""Share of its sides around a far body within which nothing is asked again: its head is covered."""


@final
class Doubts:
    """Places of one source that wait for a second look, and those where it found nothing. One thread owns it.

    scale: network pixels for a pixel of the picture in the first look.
    """

    def __init__(self, *, width: int, height: int, scale: float) -> None:
        self._width, self._height = width, height
        self._scale = scale
        self._empty: list[tuple[float, float, float]] = []
        self._looked = False

    def reset(self) -> None:
        """Forget all places: the scene was replaced."""
        self._empty = []
        self._looked = False

    @property
    def level(self) -> Level:
        """How a second look shows its places."""
        return Level(_ENLARGED * self._scale, 0.0, float("inf"))

    def of(self, answers: Scored, *, explained: BoxesXyxy) -> NDArray[np.bool_]:
        """Which answers are doubts, or hints: weak, small, beside none better, not at a body whose head is covered."""
        sides = (answers.xyxy[:, 2:] - answers.xyxy[:, :2]) * self._scale
        small = np.sqrt(sides[:, 0] * sides[:, 1]) < _SMALL_PX
        at_body = inside_any(answers.xyxy, grown(explained, _AROUND_BODY))
        weak = (answers.score >= HINT) & (answers.score < SURE)
        return np.asarray(weak & small & ~at_body & ~beside_better(answers), np.bool_)

    def places(self, doubts: Scored, hinted: NDArray[np.bool_] | None = None, *, seconds: float) -> list[Area]:
        """Where to look again: at what a look before `hinted` at first, (N,), then at the best answers.

        Places that were empty lately are left out. A single one waits for the next look when the look before found
        nothing at some.
        """
        self._empty = [place for place in self._empty if seconds - place[2] < _REST_S]
        found: list[Area] = []
        later = np.zeros(len(doubts.score), np.bool_) if hinted is None else ~hinted
        for index in np.lexsort((-doubts.score, later)).tolist():
            x, y = _middle(doubts.xyxy[index])
            if len(found) < _MOST and not self._is_empty(x, y):
                found.append(self._around(x, y))
        self._looked = len(found) > 1 or (len(found) == 1 and not self._looked)
        return found if self._looked else []

    def note(self, places: list[Area], found: Scored, *, seconds: float) -> None:
        """Remember the places in which the second look found nothing, and let none wait after one that found some."""
        self._looked = not len(found.score)
        middles = [_middle(box) for box in found.xyxy]
        for x1, y1, x2, y2 in places:
            if not any(x1 <= x < x2 and y1 <= y < y2 for x, y in middles):
                self._empty.append(((x1 + x2) / 2, (y1 + y2) / 2, seconds))

    def _is_empty(self, x: float, y: float) -> bool:
        reach = _SAME_PX / self._scale
        return any(abs(x - px) <= reach and abs(y - py) <= reach for px, py, _ in self._empty)

    def _around(self, x: float, y: float) -> Area:
        reach = _REACH_PX / self._scale
        left, top = max(0, int(x - reach) // 2 * 2), max(0, int(y - reach) // 2 * 2)
        side = round(2 * reach)
        return left, top, min(self._width, left + side), min(self._height, top + side)


def _middle(box: NDArray[np.float32]) -> tuple[float, float]:
    return float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
