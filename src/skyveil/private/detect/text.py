"""Scene text: from the detector's probability map to boxes. Private side.

The network says where there is text, never what it says; no network that reads is ever loaded. Boxes follow Liao, Wan,
Yao, Chen, Bai: Real-time scene text detection with differentiable binarization (2020), arXiv 1911.08947, section 3.5:
the map shows shrunken text, so each region grows by `area * UNCLIP / perimeter`.
"""

from typing import Final

import cv2
import numpy as np

from skyveil.private.detect.boxes import Scored, nothing
from skyveil.private.detect.engine import Outputs

MULTIPLE_PX: Final = 32
UNCLIP: Final = 1.5
"""Growth of a region, the network's own setting."""
_LEAST_SIDE_PX: Final = 3


def decode(outputs: Outputs, *, threshold: float) -> Scored:
    """Upright boxes around text, in pixels of the network's input; score is the best probability inside.

    outputs: one map (1, 1, h, w) of probabilities.
    """
    chance = outputs[0][0, 0]
    count, _, stats, _ = cv2.connectedComponentsWithStats((chance > threshold).astype(np.uint8), connectivity=8)
    if count < 2:
        return nothing()
    left, top, width, height = (stats[1:, i].astype(np.float32) for i in range(4))
    grow = width * height * UNCLIP / (2 * (width + height))
    xyxy = np.stack([left - grow, top - grow, left + width + grow, top + height + grow], axis=1)
    keep = np.minimum(width, height) >= _LEAST_SIDE_PX
    best = np.array([chance[y : y + h, x : x + w].max() for x, y, w, h in stats[1:, :4]], np.float32)
    return Scored(xyxy[keep].astype(np.float32), best[keep])
