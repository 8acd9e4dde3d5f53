"""Faces by YuNet: a small network of other making than the one that decides, so a second opinion. Private side."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import BoxesXyxy
from skyveil.private.detect.engine import Outputs

STRIDES_PX: Final = (8, 16, 32)
MULTIPLE_PX: Final = 32
"""Height and width of what goes in are multiples of this."""


def decode(
    outputs: Outputs, *, height_px: int, width_px: int, least_score: float, overlap: float = 0.45
) -> tuple[BoxesXyxy, NDArray[np.float32]]:
    """Boxes (N, 4) in pixels of what went in, and scores (N,), of one picture.

    outputs: class, objectness and box, each for strides 8, 16 and 32, of a batch of one. A cell at column i, row j
    says: score = sqrt(class * objectness), centre = ((i, j) + box[0:2]) * stride, size = exp(box[2:4]) * stride
    (Wu, Peng, Yu 2023, Machine Intelligence Research 20:656; ShiqiYu/libfacedetection.train, yunet head).
    """
    if len(outputs) != 9:
        raise DetectorFailed(f"YuNet answered with {len(outputs)} arrays, expected 9")
    parts = [_stride(outputs, level, height_px, width_px, least_score) for level in range(len(STRIDES_PX))]
    xyxy = np.concatenate([boxes for boxes, _ in parts])
    score = np.concatenate([scores for _, scores in parts])
    kept = _suppressed(xyxy, score, overlap)
    return xyxy[kept], score[kept]


def _stride(
    outputs: Outputs, level: int, height_px: int, width_px: int, least_score: float
) -> tuple[BoxesXyxy, NDArray[np.float32]]:
    """What the cells of one stride say."""
    stride = STRIDES_PX[level]
    columns, cells = width_px // stride, (width_px // stride) * (height_px // stride)
    classes, objectness, boxes = (outputs[level + 3 * kind][0] for kind in range(3))
    if classes.size != cells or objectness.size != cells or boxes.shape != (cells, 4):
        raise DetectorFailed(f"YuNet answered for {boxes.shape[0]} cells of {stride} px, expected {cells}")
    score = np.sqrt(np.clip(classes.reshape(-1), 0, 1) * np.clip(objectness.reshape(-1), 0, 1))
    seen = np.flatnonzero(score >= least_score)
    place = np.stack([seen % columns, seen // columns], axis=1)
    centre = (place + boxes[seen, :2]) * stride
    half = np.exp(np.minimum(boxes[seen, 2:], 10)) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32), score[seen].astype(np.float32)


def _suppressed(xyxy: BoxesXyxy, score: NDArray[np.float32], overlap: float) -> NDArray[np.intp]:
    """The indices that survive non-maximum suppression, best first."""
    if not len(xyxy):
        return np.zeros(0, np.intp)
    xywh = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(xywh.tolist(), score.tolist(), 0.0, overlap), np.intp).reshape(-1)
