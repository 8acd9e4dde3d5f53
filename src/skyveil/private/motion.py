"""The motion test, made on every frame on a tiny picture of its luma. Private side."""

from math import ceil
from typing import Final, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.view import halved, shrunk_luma
from skyveil.private.frame import RawFrame
from skyveil.private.track.flow import Sight

Small: TypeAlias = NDArray[np.uint8]
"""Mean luma of squares of `step_px`, (rows, columns)."""
Changed: TypeAlias = NDArray[np.bool_]
"""Which squares changed, (rows, columns)."""

CHANGE_LEVELS: Final = 6
"""A square changed when its mean luma moved by more than this (of 255). Sensor noise of sigma 5 moves the mean of 64
samples by 0.6, x264 at CRF 30 by 1 to 2; a face of 8 px at a contrast of 30 moves it by 7 and more."""
CUT_SHARE: Final = 0.5
CUT_RISE: Final = 2.5
"""A cut: more than half of the picture changed from one frame to the next, and so did 2.5 times as much as before; a
camera that pans changes all of it in every frame, which is not a cut."""
_TILES_ACROSS: Final = 24
_SIGHT_PX: Final = 320
"""Tracks are followed in pictures whose longer side has this many samples or up to twice as many."""
_LARGE_PX: Final = 1_000_000
"""Pictures with more pixels are tested in squares of 16 px: noise and a codec's flicker grow with enlargement."""


@final
class MotionTest:
    """Tiny pictures of one source's frames, and what changed between two of them."""

    def __init__(self, *, width: int, height: int) -> None:
        self.step_px = 16 if width * height > _LARGE_PX else 8
        squares = max(1, max(width, height) // self.step_px)
        self._squares_per_tile = max(4, ceil(squares / _TILES_ACROSS))
        self.tile_px = self.step_px * self._squares_per_tile
        self.tiles_shape = ceil(height / self.tile_px), ceil(width / self.tile_px)
        self._usual_share = 0.0
        self._shrink = 1
        while self._shrink < self.step_px and max(width, height) >= 2 * _SIGHT_PX * self._shrink:
            self._shrink *= 2
        self._squares_wh = max(1, width // self.step_px), max(1, height // self.step_px)

    def sight(self, raw: RawFrame) -> Sight:
        """The frame made small."""
        return Sight(raw.id.index, shrunk_luma(raw, shrink=self._shrink), self._shrink)

    def small(self, raw: RawFrame) -> Small:
        """The tiny picture of a frame."""
        return self.squares(self.sight(raw))

    def squares(self, sight: Sight) -> Small:
        """The tiny picture of a frame that was made small already."""
        columns, rows = self._squares_wh
        squares = self.step_px // self._shrink
        return halved(sight.luma[: rows * squares, : columns * squares], self._squares_wh)

    def changed(self, one: Small, other: Small) -> Changed:
        """The squares whose mean luma differs by more than noise."""
        return np.asarray(cv2.absdiff(one, other) > CHANGE_LEVELS, np.bool_)

    def unlike(self, one: Small, before: Small, after: Small) -> Changed:
        """The squares that show what neither of the other two shows."""
        return self.changed(one, before) & self.changed(one, after)

    def is_cut(self, before: Small, now: Small) -> bool:
        """Whether the scene was replaced between two frames that follow each other; call it once for each frame."""
        share = float(np.count_nonzero(self.changed(before, now))) / now.size
        cut = share > CUT_SHARE and share > CUT_RISE * self._usual_share
        self._usual_share += 0.25 * (share - self._usual_share)
        return cut

    def tiles(self, changed: Changed) -> NDArray[np.bool_]:
        """The tiles that hold a changed square; the last row and column stand for what is left of the picture, too."""
        rows, columns = self.tiles_shape
        side = self._squares_per_tile
        padded = np.zeros((rows * side, columns * side), np.bool_)
        padded[: changed.shape[0], : changed.shape[1]] = changed
        padded[changed.shape[0] :, : changed.shape[1]] = changed[-1]
        padded[:, changed.shape[1] :] = padded[:, changed.shape[1] - 1, None]
        return np.asarray(padded.reshape(rows, side, columns, side).any(axis=(1, 3)), np.bool_)
