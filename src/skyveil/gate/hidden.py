"""Which blocks of a picture are hidden. Gate: turns boxes, polygons and undecided tiles into whole chroma blocks.

A block is the smallest piece that can be hidden alone: 2 x 2 pixels where chroma is halved both ways (4:2:0), one
pixel in RGB. Everything here grows outwards, so that a block which a region merely touches is hidden wholly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.core.geometry import Polygon
from skyveil.private.looked import Looked
from skyveil.private.regions import Regions

Blocks: TypeAlias = NDArray[np.uint8]
"""(rows, columns), 1 where the block is hidden and 0 where it is not."""

_SUBPIXEL_BITS: Final = 4
"""Fixed-point bits that polygon corners keep when OpenCV fills them."""


@final
@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The blocks of one picture: `side_px` wide and high, the last row and column cut by an odd edge.

    together: rows that are hidden together; 2 for interlaced 4:2:0, where one chroma row serves every other luma row.
    """

    width_px: int
    height_px: int
    side_px: int
    together: int = 1

    @property
    def columns(self) -> int:
        """How many blocks lie side by side."""
        return -(-self.width_px // self.side_px)

    @property
    def rows(self) -> int:
        """How many blocks lie one above the other."""
        return -(-self.height_px // self.side_px)

    def touched(self, xyxy_px: NDArray[np.int64]) -> NDArray[np.int64]:
        """The blocks that boxes (N, 4) in pixels touch, as boxes (M, 4) in blocks; boxes outside vanish."""
        side = np.array([self.side_px, self.side_px * self.together], np.int64)
        low = xyxy_px[:, :2] // side
        high = -(-xyxy_px[:, 2:] // side)
        rows = np.array([1, self.together], np.int64)
        end = np.array([self.columns, self.rows], np.int64)
        low, high = np.clip(low * rows, 0, end), np.clip(high * rows, 0, end)
        blocks = np.concatenate([low, high], axis=1)
        return np.asarray(blocks[(low < high).all(axis=1)], np.int64)


@final
@dataclass(frozen=True, slots=True)
class Hidden:
    """The hidden blocks of one picture.

    blocks: all of them. full: boxes (N, 4) in blocks that are hidden to the last block; ragged: boxes (M, 4) that
    hold the hidden blocks of polygons. Every hidden block lies in one of these boxes.
    """

    grid: BlockGrid
    blocks: Blocks
    full: NDArray[np.int64]
    ragged: NDArray[np.int64]

    @property
    def share(self) -> float:
        """The share of the picture's pixels that is hidden, 0 to 1."""
        side, grid = self.grid.side_px, self.grid
        pixels = cv2.countNonZero(self.blocks) * side * side
        lost_columns, lost_rows = grid.columns * side - grid.width_px, grid.rows * side - grid.height_px
        pixels -= lost_columns * side * int(self.blocks[:, -1].sum())
        pixels -= lost_rows * side * int(self.blocks[-1].sum())
        pixels += lost_columns * lost_rows * int(self.blocks[-1, -1])
        return pixels / (grid.width_px * grid.height_px)


def hide(regions: Regions, looked: Looked, grid: BlockGrid, *, max_look_age_s: float) -> Hidden:
    """The blocks that `regions` or missing evidence touch.

    Raises BoundaryViolated when the tiles of `looked` are those of a picture of another size.
    """
    boxes_px = np.concatenate([regions.boxes.astype(np.int64), _undecided_px(looked, grid, max_look_age_s)])
    full = grid.touched(boxes_px)
    blocks = np.zeros((grid.rows, grid.columns), np.uint8)
    for x1, y1, x2, y2 in full.tolist():
        blocks[y1:y2, x1:x2] = 1
    ragged = [box for polygon in regions.polygons for box in _add_polygon(blocks, polygon, grid)]
    return Hidden(grid, blocks, full, np.array(ragged, np.int64).reshape(-1, 4))


def hide_all(grid: BlockGrid) -> Hidden:
    """Every block of the picture."""
    everything = np.array([[0, 0, grid.columns, grid.rows]], np.int64)
    return Hidden(grid, np.ones((grid.rows, grid.columns), np.uint8), everything, np.zeros((0, 4), np.int64))


def _undecided_px(looked: Looked, grid: BlockGrid, max_look_age_s: float) -> NDArray[np.int64]:
    """The tiles without a decision that holds, as boxes (N, 4) in pixels, neighbours of a row joined into one."""
    side = looked.tile_px
    expected = (-(-grid.height_px // side), -(-grid.width_px // side))
    if looked.why.shape != expected:
        raise BoundaryViolated(
            f"evidence of frame {looked.of.index}: expected {expected} tiles, got {looked.why.shape}"
        )
    undecided = looked.undecided(max_look_age_s=max_look_age_s)
    if not undecided.any():
        return np.zeros((0, 4), np.int64)
    edged = np.zeros((undecided.shape[0], undecided.shape[1] + 2), np.int8)  # np.pad takes ten times as long
    edged[:, 1:-1] = undecided
    steps = np.diff(edged, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    return np.stack([starts, rows, ends, rows + 1], axis=1).astype(np.int64) * side


def _add_polygon(blocks: Blocks, polygon: Polygon, grid: BlockGrid) -> Iterator[list[int]]:
    """Hide every block that the polygon touches, and give the box (in blocks) that holds them, if any.

    The polygon is drawn on a sheet of its own with a margin, holes that crossing edges leave are closed, and the
    result is grown by one block: OpenCV decides by the centre of a block, the gate by its furthest corner.
    """
    corners = _cut(polygon.astype(np.float64) / grid.side_px, grid)
    if len(corners) == 0:
        return
    left, top = (np.floor(corners.min(axis=0)).astype(int) - 2).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)).astype(int) + 3).tolist()
    sheet = _touched_sheet(corners - (left, top), (bottom - top, right - left), grown_rows=grid.together)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(right, grid.columns), min(bottom, grid.rows)
    if x1 < x2 and y1 < y2:
        blocks[y1:y2, x1:x2] |= sheet[y1 - top : y2 - top, x1 - left : x2 - left]
        yield [x1, y1, x2, y2]


def _touched_sheet(corners: NDArray[np.float64], shape: tuple[int, int], *, grown_rows: int) -> Blocks:
    sheet = np.zeros(shape, np.uint8)
    points = np.rint((corners - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(sheet, [points], 1, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    outlines, _ = cv2.findContours(sheet, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(sheet, outlines, -1, 1, cv2.FILLED)
    return np.asarray(cv2.dilate(sheet, np.ones((2 * grown_rows + 1, 3), np.uint8)), np.uint8)


def _cut(corners: NDArray[np.float64], grid: BlockGrid) -> NDArray[np.float64]:
    """The polygon (N, 2) in blocks cut to the picture and a margin of 8 blocks (Sutherland and Hodgman 1974).

    Corners may lie far outside; fixed-point drawing overflows there, and moving them would change the edges.
    """
    for axis, last in ((0, grid.columns + 8), (1, grid.rows + 8)):
        for sign, limit in ((1, -8), (-1, -last)):
            here = sign * corners[:, axis] - limit
            there, following = np.roll(here, -1), np.roll(corners, -1, axis=0)
            kept: list[NDArray[np.float64]] = []
            for index in range(len(corners)):
                if here[index] >= 0:
                    kept.append(corners[index])
                if (here[index] >= 0) != (there[index] >= 0):
                    share = here[index] / (here[index] - there[index])
                    kept.append(corners[index] + share * (following[index] - corners[index]))
            corners = np.array(kept, np.float64).reshape(-1, 2)
    return corners
