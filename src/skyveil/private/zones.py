"""From what was found to what is covered: how far a cover reaches around a face, head, person or plate. Private side.

The shares were fitted on labelled data (docs/design/engine.md): where the labelled faces of public scenes and the
labelled heads of a street lie in the boxes that the person network gives.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mount, RedactSettings

_SURE: Final = 0.3
"""A face that scores this much is one: then the cover takes in its hair and ears when heads are a target."""
_UPRIGHT: Final = 0.5
_CUT: Final = 0.7
"""Width to height of a person's box: up to `_UPRIGHT` a whole body, from `_CUT` on an upper body, whose head is
larger."""
_PLATE_HEIGHT: Final = 0.15
"""Highest plate, as a share of the picture's height: a vehicle that shows a higher one fills the picture."""
_PLATE_BESIDE: Final = 0.5
_PLATE_ABOVE: Final = 0.6
"""How far a plate reaches beside, above and below its text, as shares of the text's height: of plates with one line of
two, with a frame, or of which a word was found (docs/design/engine.md)."""
_PLATE_NARROW: Final = 0.7
"""Least width of a plate as a share of its height: motorcycles' plates of two lines, seen at an angle."""


@final
@dataclass(frozen=True, slots=True)
class HeadShares:
    """Where the head lies in a person's box, in shares of its height (above, below its top) and width (beside)."""

    above: float
    below: float
    below_cut: float
    beside: float


MOVING: Final = {"balanced": HeadShares(0.12, 0.29, 0.61, 0.12), "strict": HeadShares(0.14, 0.33, 0.70, 0.18)}
"""Video: wide enough for boxes that are interpolated between looks."""
STILL: Final = {"balanced": HeadShares(0.03, 0.20, 0.40, -0.20), "strict": HeadShares(0.06, 0.24, 0.50, -0.12)}
"""Stills: only the heads of people whose face was not found, and nothing moves."""


@final
class Zones:
    """Covers for boxes of each kind, under one set of settings."""

    def __init__(self, settings: RedactSettings, shares: HeadShares) -> None:
        self._targets = settings.targets
        self._mount: Mount = settings.mount
        self._shares = shares

    def covers(self, xyxy: BoxesXyxy, score: NDArray[np.float32], kind: NDArray[np.uint8]) -> BoxesXyxy:
        """What to cover for these boxes, (M, 4) in pixels; kinds that are no target give nothing."""
        return self.covers_of(xyxy, score, kind)[0]

    def covers_of(
        self, xyxy: BoxesXyxy, score: NDArray[np.float32], kind: NDArray[np.uint8]
    ) -> tuple[BoxesXyxy, NDArray[np.intp]]:
        """What to cover, (M, 4), and for each cover the row of the box that it is for, (M,)."""
        parts = [np.zeros((0, 4), np.float32)]
        rows = [np.zeros(0, np.intp)]
        if self._targets & {Kind.FACE, Kind.HEAD}:
            faces = np.flatnonzero(kind == Kind.FACE)
            parts.append(self._faces(xyxy[faces], score[faces]))
            rows.append(faces)
        bodies = np.flatnonzero(kind == Kind.PERSON)
        persons = xyxy[bodies]
        if Kind.PERSON in self._targets:
            parts.append(_grown(persons, left=0.06, above=0.05, right=0.06, below=0.04, least_px=2))
            rows.append(bodies)
        if Kind.HEAD in self._targets:  # beside the body as well: it reaches higher above the box
            parts.append(self.heads(persons))
            rows.append(bodies)
        if Kind.PLATE in self._targets:
            plates = np.flatnonzero(kind == Kind.PLATE)
            parts.append(_plates(xyxy[plates]))
            rows.append(plates)
        return np.concatenate(parts), np.concatenate(rows)

    def heads(self, persons: BoxesXyxy) -> BoxesXyxy:
        """The head's zone of each person; the whole person where head and body can not be told apart."""
        width, height = persons[:, 2] - persons[:, 0], persons[:, 3] - persons[:, 1]
        shares = self._shares
        cut = np.clip((width / np.maximum(height, 1e-6) - _UPRIGHT) / (_CUT - _UPRIGHT), 0, 1)
        below = shares.below + cut * (shares.below_cut - shares.below)
        zone = np.stack(
            [
                persons[:, 0] - shares.beside * width,
                persons[:, 1] - shares.above * height,
                persons[:, 2] + shares.beside * width,
                persons[:, 1] + below * height,
            ],
            axis=1,
        )
        whole = (width > height) | (self._mount != "standard")
        return np.asarray(np.where(whole[:, None], persons, zone), np.float32)

    def _faces(self, faces: BoxesXyxy, score: NDArray[np.float32]) -> BoxesXyxy:
        sure = (score >= _SURE) & (Kind.HEAD in self._targets)
        plain = _grown(faces, left=0.2, above=0.2, right=0.2, below=0.2, least_px=1)
        head = _grown(faces, left=0.25, above=0.28, right=0.25, below=0.2, least_px=1)
        return np.asarray(np.where(sure[:, None], head, plain), np.float32)


def _plates(text: BoxesXyxy) -> BoxesXyxy:
    """The plates that text stands on: its edges are some shares of the height of the letters away."""
    high = np.minimum(text[:, 2] - text[:, 0], text[:, 3] - text[:, 1])
    beside, above = np.maximum(_PLATE_BESIDE * high, 2), np.maximum(_PLATE_ABOVE * high, 2)
    grow = np.stack([-beside, -above, beside, above], axis=1)
    return np.asarray(text + grow, np.float32)


def _grown(xyxy: BoxesXyxy, *, left: float, above: float, right: float, below: float, least_px: float) -> BoxesXyxy:
    """Boxes grown by shares of their own width and height, and by `least_px` at least on every side."""
    width, height = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
    grow = [
        np.maximum(side * share, least_px)
        for side, share in ((width, left), (height, above), (width, right), (height, below))
    ]
    return np.asarray(
        np.stack([xyxy[:, 0] - grow[0], xyxy[:, 1] - grow[1], xyxy[:, 2] + grow[2], xyxy[:, 3] + grow[3]], axis=1),
        np.float32,
    )


def plate_like(text: BoxesXyxy, picture_height: int) -> NDArray[np.bool_]:
    """Which text could be a plate on a vehicle in a video: the network also takes whole vehicles for text."""
    width, height = text[:, 2] - text[:, 0], text[:, 3] - text[:, 1]
    return np.asarray((height <= _PLATE_HEIGHT * picture_height) & (width >= _PLATE_NARROW * height), np.bool_)
