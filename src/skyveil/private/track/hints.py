"""Answers too weak to begin a track, of which several at one place are a face. Private side."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.ids import FrameId
from skyveil.core.kinds import Kind
from skyveil.private.detect.boxes import Scored, beside_better, together
from skyveil.private.detections import Detections

_MOST: Final = 64
"""Hints of a look: rain and leaves give hundreds, and each is compared with each track of hints."""


@final
@dataclass(frozen=True, slots=True)
class Hints:
    """Weak answers in one frame, N boxes of faces, and which of them an enlarged look gave, (N,)."""

    boxes: Detections
    enlarged: NDArray[np.bool_]


def hints_of(of: FrameId, *, enlarged: Scored, first: Scored, below: float) -> Hints:
    """What enlarged looks answered, and first looks where no better answer was; under the score `below` all of it."""
    every = together([enlarged, first])
    is_enlarged = np.arange(len(every.score)) < len(enlarged.score)
    weak = np.flatnonzero(~beside_better(every) & ~(is_enlarged & (every.score >= below)))
    weak = weak[np.argsort(-every.score[weak], kind="stable")[:_MOST]]
    kept = every.only(weak)
    boxes = Detections(of, kept.xyxy, kept.score, np.full(len(kept.score), int(Kind.FACE), np.uint8))
    return Hints(boxes, is_enlarged[weak])
