"""What the box of a person says of the faces in it. Private side: geometry alone."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, intersection
from skyveil.private.detect.boxes import Scored

_LARGE: Final = 0.2
"""Share of the picture's height up to which a person is far away. Nearer faces have a network of their own."""
_STOCKY: Final = 0.5
"""Width to height from which on a box is no whole body, so that its head's zone can not be trusted to hold the face."""
_SURE: Final = 0.3
"""A face of this score counts wherever it is."""
_UPPER: Final = 0.6
"""Share of a far body's box in which a face may lie."""


def far_bodies(persons: BoxesXyxy, picture_height: int) -> BoxesXyxy:
    """Whole bodies far enough away that the zone of their head holds the face; what moves in others is looked at."""
    width, height = persons[:, 2] - persons[:, 0], persons[:, 3] - persons[:, 1]
    return persons[(height <= _LARGE * picture_height) & (width <= _STOCKY * height)]


def on_a_body(faces: Scored, bodies: BoxesXyxy) -> NDArray[np.bool_]:
    """Which weak faces lie on the trunk or legs of a far body: folds and bags, not faces.

    Before a near one others pass: of the faces that moved, more were lost there than for any other reason.
    """
    trunk = bodies.copy()
    trunk[:, 1] += _UPPER * (bodies[:, 3] - bodies[:, 1])
    return inside_any(faces.xyxy, trunk) & (faces.score < _SURE)


def inside_any(boxes: BoxesXyxy, areas: BoxesXyxy) -> NDArray[np.bool_]:
    """Which boxes have more than half of their area in one of `areas`."""
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if not len(areas):
        return np.zeros(len(boxes), np.bool_)
    return np.asarray(intersection(boxes, areas).max(axis=1) > 0.5 * sizes, np.bool_)


def shows_face(heads: BoxesXyxy, faces: BoxesXyxy) -> NDArray[np.bool_]:
    """Which heads have a found face where their own would be: it covers them better than a share of a box."""
    if not len(faces) or not len(heads):
        return np.zeros(len(heads), np.bool_)
    x, y = (faces[:, 0] + faces[:, 2]) / 2, (faces[:, 1] + faces[:, 3]) / 2
    width, height = (heads[:, 2] - heads[:, 0])[:, None], (heads[:, 3] - heads[:, 1])[:, None]
    beside = (x > heads[:, :1] - 0.3 * width) & (x < heads[:, 2:3] + 0.3 * width)
    below = (y > heads[:, 1:2]) & (y < heads[:, 3:] + 1.2 * height)
    return np.asarray((beside & below).any(axis=1), np.bool_)
