"""YOLOX: from the network's cells to boxes of persons. Private side.

Ge, Liu, Wang, Li, Sun: YOLOX (2021), arXiv 2107.08430, section 2.1: anchor-free cells of strides 8, 16 and 32, each
with centre, log size, objectness and the 80 classes of COCO; the score is objectness times class.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.boxes import Scored, sizes, suppressed
from skyveil.private.detect.engine import Outputs

STRIDES_PX: Final = (8, 16, 32)
MULTIPLE_PX: Final = 32
OVERLAP: Final = 0.65
"""IoU above which the weaker of two boxes goes; YOLOX's own test setting. In a crowd people overlap: keep more."""
PERSON: Final = 0
"""The class of COCO that is decoded; the other 79 are left."""
_CLASSES_FROM: Final = 5


def decode(outputs: Outputs, *, input_hw: tuple[int, int], threshold: float) -> Scored:
    """Boxes of persons, in pixels of the network's input.

    outputs: one array (1, cells, 85), or (1, cells, 6) where no other class is computed. Raises nothing; an input that
    is no multiple of 32 was refused before.
    """
    cells = outputs[0][0]
    score = cells[:, 4] * cells[:, _CLASSES_FROM + PERSON]
    keep = score >= threshold
    origin, stride = _grid(input_hw)
    centre = (cells[keep, :2] + origin[keep]) * stride[keep]
    half = sizes(cells[keep, 2:4]) * (stride[keep] / 2)
    xyxy = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    return suppressed(Scored(xyxy, score[keep].astype(np.float32)), iou=OVERLAP)


@lru_cache(maxsize=8)
def _grid(input_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell origins (cells, 2) as x, y, and strides (cells, 1), in the order of the network's output."""
    origins, strides = [], []
    for stride in STRIDES_PX:
        rows, columns = input_hw[0] // stride, input_hw[1] // stride
        y, x = np.mgrid[0:rows, 0:columns]
        origins.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(origins).astype(np.float32), np.concatenate(strides).astype(np.float32)
