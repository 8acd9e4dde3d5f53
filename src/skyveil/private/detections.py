"""What detectors answer with: boxes of the four kinds, validated where they are made. Private side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import BoxesXyxy, no_boxes
from skyveil.core.ids import FrameId
from skyveil.core.kinds import Kind


@final
@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes found in one frame, as parallel arrays.

    xyxy: (N, 4) float32 pixels of the displayed picture; score: (N,) float32 in 0..1; kind: (N,) uint8 of `Kind`.
    There is no field for an appearance, and `__post_init__` refuses anything that is not these shapes.
    """

    of: FrameId
    xyxy: BoxesXyxy
    score: NDArray[np.float32]
    kind: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Raise DetectorFailed unless shapes, dtypes and values are as the class says."""
        count = len(self.xyxy)
        if self.xyxy.shape != (count, 4) or self.score.shape != (count,) or self.kind.shape != (count,):
            raise DetectorFailed(
                f"detections of frame {self.of.index}: expected (N, 4), (N,), (N,), "
                f"got {self.xyxy.shape}, {self.score.shape}, {self.kind.shape}"
            )
        if self.xyxy.dtype != np.float32 or self.score.dtype != np.float32 or self.kind.dtype != np.uint8:
            raise DetectorFailed(f"detections of frame {self.of.index}: expected float32, float32, uint8")
        if count and not (np.isfinite(self.xyxy).all() and np.isfinite(self.score).all()):
            raise DetectorFailed(f"detections of frame {self.of.index}: a box or score is not a finite number")
        if count and int(self.kind.max()) > max(Kind):
            raise DetectorFailed(f"detections of frame {self.of.index}: unknown kind {int(self.kind.max())}")

    def __len__(self) -> int:
        """How many boxes."""
        return len(self.xyxy)

    def of_kind(self, kind: Kind) -> "Detections":
        """Only the boxes of one kind."""
        return self.only(self.kind == kind)

    def only(self, keep: NDArray[np.bool_]) -> "Detections":
        """Those that a mask names."""
        return Detections(self.of, self.xyxy[keep], self.score[keep], self.kind[keep])


def none_found(frame: FrameId) -> Detections:
    """The answer of a detector that looked and found nothing."""
    return Detections(frame, no_boxes(), np.zeros(0, np.float32), np.zeros(0, np.uint8))


def joined(frame: FrameId, parts: Sequence[Detections]) -> Detections:
    """All boxes of `parts`, which must all be of `frame`; DetectorFailed otherwise."""
    for part in parts:
        if part.of != frame:
            raise DetectorFailed(f"a detector answered for frame {part.of.index} when asked about {frame.index}")
    if not parts:
        return none_found(frame)
    return Detections(
        frame,
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )
