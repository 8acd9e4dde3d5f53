"""The evidence that a frame was looked at. Private side.

A picture is divided into square tiles. For each frame `Looked` says of every tile why it counts as decided, and how
old the look behind that is. What is not decided, or too old, the gate covers.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import FrameId


@final
class Why(IntEnum):
    """Why a tile counts as decided."""

    UNDECIDED = 0
    LOOKED = 1
    UNCHANGED = 2
    BRACKETED = 3


@final
@dataclass(frozen=True, slots=True)
class Looked:
    """Evidence for one frame, made of the motion test on this very frame and of looks at tiles.

    of: the frame this is evidence for, and no other.
    tile_px: side of a tile; the last row and column may be cut by the picture's edge.
    why: (rows, columns) uint8 of `Why`.
    age_s: (rows, columns) float32, seconds from this frame to the nearest look that decides the tile (0 when looked
        at in this frame; for a bracket the distance to the nearer of its two looks).
    models: the networks that looked, `name@sha256[:12]`.
    """

    of: FrameId
    tile_px: int
    why: NDArray[np.uint8]
    age_s: NDArray[np.float32]
    models: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise BoundaryViolated unless the arrays agree and some network looked."""
        if self.why.ndim != 2 or self.why.shape != self.age_s.shape or self.tile_px <= 0:
            raise BoundaryViolated(
                f"evidence of frame {self.of.index}: tiles {self.why.shape}, ages {self.age_s.shape}"
            )
        if not self.models:
            raise BoundaryViolated(f"evidence of frame {self.of.index} names no network")

    def undecided(self, *, max_look_age_s: float) -> NDArray[np.bool_]:
        """The tiles that must be covered, (rows, columns) bool: undecided, or with a look older than allowed.

        A NaN age is not younger than anything, so it counts as too old.
        """
        fresh = (self.why != Why.UNDECIDED) & (self.age_s <= max_look_age_s)
        return np.asarray(~fresh, np.bool_)
