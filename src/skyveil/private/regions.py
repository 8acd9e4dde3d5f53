"""What the gate must hide in one frame. Private side, handed to the gate."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.core.geometry import BoxesXyxy, Polygon
from skyveil.core.ids import FrameId
from skyveil.private.looked import Looked

FURTHEST_CORNER_PX: Final = 2**24
"""Beyond it float32 skips pixels, and edges could move into the picture."""


@final
@dataclass(frozen=True, slots=True)
class Regions:
    """Boxes and polygons to cover in the frame `of`, with the evidence behind them.

    boxes: (N, 4) int32 xyxy half-open pixels, may lie partly outside the picture; polygons: corner points in
    pixels, at most 2**24 away.
    looked: None means that nobody looked at this frame; then the gate hides the whole frame.
    """

    of: FrameId
    boxes: NDArray[np.int32]
    polygons: tuple[Polygon, ...]
    looked: Looked | None

    def __post_init__(self) -> None:
        """Raise BoundaryViolated when the evidence is of another frame or a region is malformed."""
        if self.looked is not None and self.looked.of != self.of:
            raise BoundaryViolated(f"regions of frame {self.of.index} carry evidence of frame {self.looked.of.index}")
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or self.boxes.dtype != np.int32:
            raise BoundaryViolated(f"regions of frame {self.of.index}: boxes {self.boxes.shape} {self.boxes.dtype}")
        if (self.boxes[:, :2] > self.boxes[:, 2:]).any():
            raise BoundaryViolated(f"regions of frame {self.of.index}: a box ends before it starts")
        for polygon in self.polygons:
            if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not _is_near(polygon):
                raise BoundaryViolated(f"regions of frame {self.of.index}: malformed polygon {polygon.shape}")

    @property
    def whole(self) -> bool:
        """Whether the whole frame must be hidden for want of evidence."""
        return self.looked is None


def _is_near(polygon: Polygon) -> bool:
    """Whether every corner is a number that float32 can tell from the next pixel."""
    return bool((np.abs(polygon) <= FURTHEST_CORNER_PX).all())


def rounded(xyxy: BoxesXyxy) -> NDArray[np.int32]:
    """Whole pixels that hold the boxes, as far as corners may be from the picture."""
    whole = np.concatenate([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])], axis=1)
    return np.asarray(np.clip(whole, -FURTHEST_CORNER_PX, FURTHEST_CORNER_PX), np.int32)


def whole_frame(frame: FrameId) -> Regions:
    """Hide everything: nobody looked at this frame."""
    return Regions(frame, np.zeros((0, 4), np.int32), (), None)
