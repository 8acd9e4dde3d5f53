"""Boxes of one look made into few: suppression and agreement between looks. Private side."""

from dataclasses import dataclass
from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import BoxesXyxy, iou, no_boxes

_LARGEST_LOG: Final = 10.0
"""Logarithm of a size in cells above which a box is cut: its corners would be further than pixels can be told."""
_TOUCHING: Final = 0.1
"""IoU from which on two boxes may be answers to the same face."""
_AT_ONCE: Final = 256
"""Boxes that are compared at once: of a pan there are thousands, and all pairs of them took a gigabyte."""


@final
@dataclass(frozen=True, slots=True)
class Scored:
    """Boxes with scores, before they belong to a frame: xyxy (N, 4) float32, score (N,) float32."""

    xyxy: BoxesXyxy
    score: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raise DetectorFailed unless there is one score for each box."""
        if self.xyxy.shape != (len(self.xyxy), 4) or self.score.shape != (len(self.xyxy),):
            raise DetectorFailed(f"expected boxes (N, 4) and scores (N,), got {self.xyxy.shape} and {self.score.shape}")

    def above(self, threshold: float) -> "Scored":
        """Those that score at least `threshold`."""
        return self.only(self.score >= threshold)

    def only(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Scored":
        """Those that a mask or index array names."""
        return Scored(self.xyxy[keep], self.score[keep])

    def moved(self, *, scale_xy: tuple[float, float], offset_xy: tuple[float, float]) -> "Scored":
        """The same boxes in other coordinates: scaled, then shifted."""
        factor = np.array([*scale_xy, *scale_xy], np.float32)
        shift = np.array([*offset_xy, *offset_xy], np.float32)
        return Scored(np.asarray(self.xyxy * factor + shift, np.float32), self.score)


def sizes(logarithms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sizes in cells that a network gave as logarithms, whatever it answered; not a number stays so."""
    return np.asarray(np.exp(np.minimum(logarithms, _LARGEST_LOG)), np.float32)


def nothing() -> Scored:
    """No boxes."""
    return Scored(no_boxes(), np.zeros(0, np.float32))


def together(parts: list[Scored]) -> Scored:
    """All boxes of all parts."""
    if not parts:
        return nothing()
    return Scored(np.concatenate([part.xyxy for part in parts]), np.concatenate([part.score for part in parts]))


def beside_better(boxes: Scored) -> NDArray[np.bool_]:
    """Which boxes touch one that scores more: a network answers all around a face, weaker and weaker."""
    found = np.zeros(len(boxes.score), np.bool_)
    order = np.argsort(-boxes.score, kind="stable")
    for start in range(0, len(order), _AT_ONCE):
        some, better = order[start : start + _AT_ONCE], order[: start + _AT_ONCE]
        touch = iou(boxes.xyxy[some], boxes.xyxy[better]) > _TOUCHING
        found[some] = (touch & (boxes.score[better] > boxes.score[some][:, None])).any(axis=1)
    return found


def suppressed(boxes: Scored, *, iou: float) -> Scored:
    """Greedy non-maximum suppression, best first; a box that overlaps a better one by more than `iou` is dropped."""
    if len(boxes.xyxy) < 2:
        return boxes
    xywh = np.concatenate([boxes.xyxy[:, :2], boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]], axis=1)
    keep = cv2.dnn.NMSBoxes(xywh.tolist(), boxes.score.tolist(), 0.0, iou)
    return boxes.only(np.asarray(keep, np.intp).reshape(-1))


def merged(boxes: Scored, *, overlap: float) -> Scored:
    """Boxes that overlap by an IoU above `overlap` as the one that holds them, with the best score; best first."""
    held = no_boxes()
    scores: list[float] = []
    for index in np.argsort(-boxes.score, kind="stable"):
        box = boxes.xyxy[index : index + 1]
        same = np.flatnonzero(iou(box, held)[0] > overlap)
        if len(same):
            first = int(same[0])
            held[first, :2] = np.minimum(held[first, :2], box[0, :2])
            held[first, 2:] = np.maximum(held[first, 2:], box[0, 2:])
        else:
            held = np.concatenate([held, box])
            scores.append(float(boxes.score[index]))
    return Scored(held, np.array(scores, np.float32))
