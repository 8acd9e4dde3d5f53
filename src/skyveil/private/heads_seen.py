"""Heads without a cover in a picture that is redacted already: persons say where heads must be. Private side.

A cover hides the head and leaves the body, so the person network finds most people all the same. Where the place of
the head shows no cover, little more is needed to say that a face shows there.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy
from skyveil.private.detect.boxes import Scored

LEAST_PERSON: Final = 0.1
"""Score from which on a person is one here: the evidence is weighed by it."""
PERSON_LONG_PX: Final = 640
"""Longer side of the picture that the person network is shown."""
_ASIDE: Final = 0.1
"""Share of a person's width at each side in which no face has its centre."""
_ABOVE, _BELOW = 0.03, 0.45
"""Where the centre of a face lies, above and below the top of the person, in shares of its height: boxes are often cut
to the upper body."""
_LEAST_WIDE, _MOST_WIDE, _MOST_HIGH = 0.12, 0.8, 0.6
"""Sides of a face in shares of the person's."""
_STRIP_UP, _STRIP_DOWN = 0.5, 0.15
"""The strip at a box's top that is searched for a cover, in shares of its height: below a covered face lies a neck."""
_COVERED: Final = 0.5
"""Share of fill in that strip from which on the head has its cover, and the person says nothing."""


def bare_heads(faces: BoxesXyxy, persons: Scored, fill: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How surely each box is where a person has its head with no cover on it, (N,), 0 to 1; `fill` is (H, W)."""
    if not len(faces) or not len(persons.score):
        return np.zeros(len(faces), np.float32)
    x, y = (faces[:, 0] + faces[:, 2]) / 2, (faces[:, 1] + faces[:, 3]) / 2
    left, top, right, bottom = (persons.xyxy[:, side][:, None] for side in range(4))
    wide, high = right - left, bottom - top
    there = (x > left + _ASIDE * wide) & (x < right - _ASIDE * wide) & (y > top - _ABOVE * high)
    there &= y < top + _BELOW * high
    face_wide, face_high = faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1]
    there &= (face_wide > _LEAST_WIDE * wide) & (face_wide < _MOST_WIDE * wide) & (face_high < _MOST_HIGH * high)
    person = np.where(there, persons.score[:, None], 0).max(axis=0)
    bare = [1 - _cover_above(box, fill) / _COVERED if sure else 0 for box, sure in zip(faces, person, strict=True)]
    return np.asarray(person * np.maximum(bare, 0), np.float32)


def _cover_above(face: NDArray[np.float32], fill: NDArray[np.bool_]) -> float:
    """The share of fill in the strip at the top of a box; none above the picture."""
    x1, y1, x2, y2 = face.tolist()
    top, bottom = y1 - _STRIP_UP * (y2 - y1), y1 + _STRIP_DOWN * (y2 - y1)
    left, up, right, down = (max(0, round(value)) for value in (x1, top, x2, bottom))
    strip = fill[up:down, left:right]
    return float(strip.mean()) if strip.size else 0.0
