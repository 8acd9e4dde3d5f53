"""Where the slow networks look: what changed since they last looked there and nothing explains. Private side."""

from typing import Final, final

import cv2
import numpy as np

from skyveil.core.geometry import BoxesXyxy
from skyveil.private.detect.finder import Area
from skyveil.private.motion import Changed, MotionTest, Small

_WHOLE_SHARE: Final = 0.5
"""From this share of unexplained tiles on, one look at everything is cheaper than many at parts."""


@final
class Attention:
    """The parts of one source that wait for a look, against a reference of what was seen at the last look at each."""

    def __init__(self, motion: MotionTest, *, width: int, height: int) -> None:
        self._motion = motion
        self._width, self._height = width, height
        self._reference: Small | None = None

    def reset(self) -> None:
        """Forget the reference: the next look is at everything."""
        self._reference = None

    def areas(self, small: Small, *, explained: BoxesXyxy, also: BoxesXyxy) -> list[Area]:
        """The parts to look at now, with even corners: together they hold all unexplained change and all of `also`.

        explained: boxes in which change is known to be a body whose head is covered. also: boxes to look at anyway.
        """
        if self._reference is None:
            self._reference = small.copy()
            return [(0, 0, self._width, self._height)]
        changed = self._motion.changed(small, self._reference)
        self._reference[changed] = small[changed]
        waiting = changed & ~self._inside(explained, changed.shape)
        tiles = self._motion.tiles(waiting | self._inside(also, changed.shape))
        if tiles.mean() > _WHOLE_SHARE:
            return [(0, 0, self._width, self._height)]
        return self._rectangles(tiles)

    def _inside(self, boxes: BoxesXyxy, shape: tuple[int, ...]) -> Changed:
        mask = np.zeros(shape, np.bool_)
        corners = boxes / self._motion.step_px
        low = np.maximum(np.floor(corners[:, :2]), 0).astype(int)
        high = np.maximum(np.ceil(corners[:, 2:]), 0).astype(int)
        for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
            mask[y1:y2, x1:x2] = True
        return mask

    def _rectangles(self, tiles: Changed) -> list[Area]:
        """Bounding boxes of connected tiles, grown by half a tile so that a face at their edge is whole."""
        count, _, stats, _ = cv2.connectedComponentsWithStats(tiles.astype(np.uint8), connectivity=8)
        side, margin = self._motion.tile_px, self._motion.tile_px // 2
        found = []
        for x, y, w, h in stats[1:count, :4].tolist():
            x1, y1 = max(0, x * side - margin), max(0, y * side - margin)
            x2, y2 = min(self._width, (x + w) * side + margin), min(self._height, (y + h) * side + margin)
            found.append((x1 // 2 * 2, y1 // 2 * 2, x2, y2))
        return found
