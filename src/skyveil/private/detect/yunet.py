"""Faces by YuNet: a small network of other making than the one that decides, so a second opinion. Private side."""

from typing import Final

import numpy as np

from skyveil.core.errors import DetectorFailed
from skyveil.private.detect.boxes import Scored, sizes, suppressed, together
from skyveil.private.detect.engine import Outputs

STRIDES_PX: Final = (8, 16, 32)
MULTIPLE_PX: Final = 32
"""Input sides must be multiples of this."""
OVERLAP: Final = 0.45
"""IoU above which the weaker of two boxes goes."""


def decode(outputs: Outputs, *, height_px: int, width_px: int, threshold: float) -> Scored:
    """Face boxes of one picture, in pixels of the network's input, which was `width_px` by `height_px`.

    outputs: class, objectness and box, each for strides 8, 16 and 32, of a batch of one. A cell at column i, row j
    says: score = sqrt(class * objectness), centre = ((i, j) + box[0:2]) * stride, size = exp(box[2:4]) * stride
    (ShiqiYu/libfacedetection.train, yunet head).
    """
    if len(outputs) != 9:
        raise DetectorFailed(f"YuNet answered with {len(outputs)} arrays, expected 9")
    levels = range(len(STRIDES_PX))
    return suppressed(
        together([_stride(outputs, level, height_px, width_px, threshold) for level in levels]), iou=OVERLAP
    )


def _stride(outputs: Outputs, level: int, height_px: int, width_px: int, threshold: float) -> Scored:
    """What the cells of one stride say."""
    stride = STRIDES_PX[level]
    columns, cells = width_px // stride, (width_px // stride) * (height_px // stride)
    classes, objectness, boxes = (outputs[level + 3 * kind][0] for kind in range(3))
    if classes.size != cells or objectness.size != cells or boxes.shape != (cells, 4):
        raise DetectorFailed(f"YuNet answered for {boxes.shape[0]} cells of {stride} px, expected {cells}")
    score = np.sqrt(np.clip(classes.reshape(-1), 0, 1) * np.clip(objectness.reshape(-1), 0, 1))
    seen = np.flatnonzero(score > threshold)
    place = np.stack([seen % columns, seen // columns], axis=1)
    centre = (place + boxes[seen, :2]) * stride
    half = sizes(boxes[seen, 2:]) * stride / 2
    xyxy = np.concatenate([centre - half, centre + half], axis=1)
    return Scored(xyxy.astype(np.float32), score[seen].astype(np.float32))
