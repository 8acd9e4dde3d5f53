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
"""A frame teaches the background every eighth row of blocks: an eighth of the work."""

_LESSON_BITS: Final = 5
"""A row is taught 2**5 times in a span, which has 256 frames: 10 s at 25 a second, 4 s at 60. The longest miss of the
benchmarks is 4.8 s (docs/concept/limits.md). Sums of 32 samples of 10 bits fit 16 bits."""

_COVERED_BEFORE: Final = 2
"""Bit of a block that was covered in the span before this one, or not yet seen; 1 says so of this span."""


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
    """The empty scene: each sample's mean over a span, shown if its block stayed in sight for that span and the next.

    So nothing is shown that was in sight for less than a span before it was covered: who is missed for a while, and
    found then, is not drawn on their own cover (docs/adr/0021-scene-in-spans.md). What was never learned is indigo.
    Integers make it the same on every machine. A picture of another shape or range starts it anew.
    """

    def __init__(self) -> None:
        self._kind: tuple[tuple[int, ...], ...] = ()
        self._sums: tuple[NDArray[np.uint16], ...] = ()
        self._before: tuple[Plane, ...] = ()
        self._scene: tuple[Plane, ...] = ()
        self._covered: NDArray[np.uint8]
        self._turn: int

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        """Learn from the blocks in sight, then draw the scene over those that are hidden."""
        if planes.kind != self._kind:
            self._forget(planes, hidden)
        self._covered |= hidden.blocks
        self._learn(planes)
        self._turn += 1
        paint(planes, self._scene, hidden)

    def _forget(self, planes: Planes, hidden: Hidden) -> None:
        self._kind, self._turn = planes.kind, 0
        self._covered = np.full_like(hidden.blocks, _COVERED_BEFORE)
        self._sums = tuple(np.zeros(array.shape, np.uint16) for array in planes.arrays)
        self._before = tuple(np.zeros_like(array) for array in planes.arrays)
        self._scene = tuple(
            np.full_like(array, colour) for array, colour in zip(planes.arrays, _indigo(planes.black), strict=True)
        )

    def _learn(self, planes: Planes) -> None:
        """Add the samples of this turn's rows of blocks, hidden ones as black; the last lesson of a span ends it."""
        lesson, first = divmod(self._turn, _TURNS)
        last = (lesson + 1) % (1 << _LESSON_BITS) == 0
        covered = self._covered[first::_TURNS]
        for array, side, sums, before, scene in zip(
            planes.arrays, planes.block, self._sums, self._before, self._scene, strict=True
        ):
            for line in range(side):
                rows = slice(first * side + line, None, _TURNS * side)
                sums[rows] += array[rows]
                if last:
                    _end_span(sums[rows], before[rows], scene[rows], covered.repeat(side, axis=1))
        if last:
            covered[:] = (covered & 1) * _COVERED_BEFORE


def _end_span(sums: NDArray[np.uint16], before: Plane, scene: Plane, covered: NDArray[np.uint8]) -> None:
    """Show the span before where nothing was `covered` since it began, then keep the mean of this one.

    `covered` has as many rows and columns, or more.
    """
    steady = (covered[: sums.shape[0], : sums.shape[1]] == 0).reshape(*sums.shape[:2], *[1] * (sums.ndim - 2))
    np.copyto(scene, before, where=steady)
    np.copyto(before, (sums + (1 << _LESSON_BITS >> 1)) >> _LESSON_BITS, casting="unsafe")
    sums[:] = 0


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
