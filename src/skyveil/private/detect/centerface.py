"""CenterFace: from the network's maps to face boxes. Private side.

Xu, Yan, Yang, Sun, Yang: CenterFace (2019), arXiv 1911.03599, section 3: a heat map of face centres at a quarter of the
input's size, with offset and log size of the box. Landmarks are not computed: nothing here has a use for them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.boxes import Scored, sizes, suppressed
from skyveil.private.detect.engine import Outputs

STRIDE_PX: Final = 4
MULTIPLE_PX: Final = 32
"""Input sides must be multiples of this."""
OVERLAP: Final = 0.5
"""IoU above which the weaker of two boxes goes: a face of 10 px gives several cells that say almost the same."""


def decode(outputs: Outputs, *, threshold: float) -> list[Scored]:
    """Face boxes of each picture of the batch, in pixels of the network's input.

    outputs: heat (B, 1, h, w), log size (B, 2, h, w) as height, width, offset (B, 2, h, w) as y, x, in cells.
    """
    heat, size, offset = outputs
    return [_decode_one(heat[i, 0], size[i], offset[i], threshold) for i in range(len(heat))]


def _decode_one(
    heat: NDArray[np.float32], size: NDArray[np.float32], offset: NDArray[np.float32], threshold: float
) -> Scored:
    rows, columns = np.nonzero(heat > threshold)
    half_height, half_width = sizes(size[:, rows, columns]) * (STRIDE_PX / 2)
    y = (rows + offset[0, rows, columns] + 0.5) * STRIDE_PX
    x = (columns + offset[1, rows, columns] + 0.5) * STRIDE_PX
    xyxy = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)
    return suppressed(Scored(xyxy.astype(np.float32), heat[rows, columns].astype(np.float32)), iou=OVERLAP)
