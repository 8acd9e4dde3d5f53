"""What is shown instead of hidden blocks. Gate: a fill gets planes whose hidden blocks are black already.

No fill ever sees a hidden pixel, so whatever it draws says nothing of one. There is no blur and no pixelation of the
original picture, because both can be undone.
"""

from typing import Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.settings import FillName
from skyveil.gate.hidden import Hidden
from skyveil.gate.planes import Paint, Plane, Planes, paint

_CELL_PX: Final = 16
"""Side of a mosaic's cell: what a viewer reads as deliberate at 576 to 1080 lines."""

_INDIGO_RGB: Final = (64, 56, 160)
_INDIGO_FULL: Final = (70, 179, 124)
_INDIGO_LIMITED: Final = (76, 172, 124)
_MID_CHROMA_BITS: Final = 7
"""No colour is 2**7 in 8 bits, and black is none."""

_TURNS: Final = 8
"""A frame teaches the background every eighth row of blocks: an eighth of the work, all rows in a third of a second."""

_RATE_BITS: Final = 4
"""A lesson moves the mean by 1/2**4 of the difference: half of a change is learned in 11 lessons, about 90 frames."""

_NEVER: Final = -1
"""The mean of a sample that was never in sight."""

_FRACTION_BITS: Final = 8
"""Binary digits behind the point in the running mean; 10-bit samples then still fit 32 bits."""


class Fill(Protocol):
    """Draws over the hidden blocks, from nothing but the planes that it was given so far."""

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        """Draw over the hidden blocks of `planes`, which are black, and over nothing else."""


@final
class Solid:
    """One colour that scenes hardly ever hold, so that a cover can be told from what it covers.

    Black can not: clipped shadows and dark hair are black, and a check that compares pixels sees no cover there
    (docs/adr/0005-colour-of-covers.md).
    """

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        """Paint the hidden blocks indigo, in the range and depth of the picture."""
        paint(planes, _indigo(planes.black), hidden)


def _indigo(black: tuple[int, ...]) -> tuple[Paint, ...]:
    """The colour for each plane of a picture with this black (ITU-R BT.601, table 3; BT.709 differs by 3 levels)."""
    if len(black) == 1:
        return (_INDIGO_RGB,)
    luma, *chroma = _INDIGO_FULL if black[0] == 0 else _INDIGO_LIMITED
    scale = black[1] >> _MID_CHROMA_BITS
    return (luma * scale, chroma[0] * scale, chroma[1] * scale)


@final
class Background:
    """The empty scene: for each sample a running mean of what was seen there while its block was not hidden.

    Integer arithmetic makes it the same on every machine. What was never seen stays black. A picture of another shape
    or range starts it anew.
    """

    def __init__(self) -> None:
        self._kind: tuple[tuple[int, ...], ...] = ()
        self._means: tuple[NDArray[np.int32], ...] = ()
        self._scene: tuple[Plane, ...] = ()
        self._turn: int

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        """Learn from the blocks in sight, then draw the scene over those that are hidden."""
        if planes.kind != self._kind:
            self._forget(planes)
        self._learn(planes, hidden)
        self._turn += 1
        paint(planes, self._scene, hidden)

    def _forget(self, planes: Planes) -> None:
        self._kind, self._turn = planes.kind, 0
        self._means = tuple(np.full(array.shape, _NEVER, np.int32) for array in planes.arrays)
        self._scene = tuple(
            np.full_like(array, black) for array, black in zip(planes.arrays, planes.black, strict=True)
        )

    def _learn(self, planes: Planes, hidden: Hidden) -> None:
        """Take the samples in sight of this turn's rows of blocks into the mean; the first turn takes all rows."""
        first, step = (0, 1) if self._turn == 0 else (self._turn % _TURNS, _TURNS)
        in_sight = 1 - hidden.blocks[first::step]
        for array, side, mean, scene in zip(planes.arrays, planes.block, self._means, self._scene, strict=True):
            for line in range(side):
                rows = slice(first * side + line, None, step * side)
                _learn_rows(array[rows], mean[rows], scene[rows], in_sight.repeat(side, axis=1))


def _learn_rows(seen: Plane, mean: NDArray[np.int32], scene: Plane, in_sight: NDArray[np.uint8]) -> None:
    """Move `mean` and `scene` towards `seen`, in place, where `in_sight` (as many rows or more, same width) is 1."""
    known = in_sight[: seen.shape[0], : seen.shape[1]].astype(bool).reshape(*seen.shape[:2], *[1] * (seen.ndim - 2))
    lesson = seen.astype(np.int32) << _FRACTION_BITS
    moved = np.where(mean == _NEVER, lesson, mean + ((lesson - mean) >> _RATE_BITS))
    np.copyto(mean, moved, where=known)
    np.copyto(scene, (moved + (1 << _FRACTION_BITS >> 1)) >> _FRACTION_BITS, where=known, casting="unsafe")


@final
class Mosaic:
    """Cells of one colour each: the mean of what another fill drew there, never of the original picture."""

    def __init__(self, of: Fill) -> None:
        self._of = of

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        """Draw the other fill, then replace it by the means of its cells."""
        self._of.fill(planes, hidden)
        boxes = np.concatenate([hidden.full, hidden.ragged])
        mosaic = tuple(array.copy() for array in planes.arrays)
        for drawn, cells, side in zip(planes.arrays, mosaic, planes.block, strict=True):
            edge = _CELL_PX // hidden.grid.side_px * side
            for x1, y1, x2, y2 in (boxes * side).tolist():
                cells[y1:y2, x1:x2] = _cell_means(drawn[y1:y2, x1:x2], left=x1, top=y1, edge=edge)
        paint(planes, mosaic, hidden)


def _cell_means(part: Plane, *, left: int, top: int, edge: int) -> NDArray[np.int64]:
    """`part` with each cell replaced by its mean, rounded down; cells lie on multiples of `edge` of the whole plane."""
    heights, widths = _cell_sides(top, part.shape[0], edge), _cell_sides(left, part.shape[1], edge)
    rows = np.add.reduceat(part, np.cumsum(heights) - heights, axis=0, dtype=np.int64)
    sums = np.add.reduceat(rows, np.cumsum(widths) - widths, axis=1)
    samples_in_cell = (heights[:, None] * widths).reshape(*sums.shape[:2], *[1] * (part.ndim - 2))
    return np.asarray((sums // samples_in_cell).repeat(heights, axis=0).repeat(widths, axis=1), np.int64)


def _cell_sides(start: int, length: int, edge: int) -> NDArray[np.int64]:
    """The lengths of the pieces into which multiples of `edge` cut `length` samples from `start` on."""
    cuts = np.arange(start // edge + 1, -(-(start + length) // edge), dtype=np.int64) * edge - start
    return np.diff(cuts, prepend=0, append=length)


def make_fill(name: FillName) -> Fill:
    """A fresh fill of that name; a fill serves one video from its first frame to its last."""
    if name == "background":
        return Background()
    return Mosaic(Background()) if name == "mosaic" else Solid()
