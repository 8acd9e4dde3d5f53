"""The planes of a picture on its way out, and the one way to paint on them. Gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.gate.hidden import Hidden

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Paint: TypeAlias = int | tuple[int, int, int] | NDArray[np.uint8] | NDArray[np.uint16]
"""One value, one colour of an RGB plane, or a whole plane to take the hidden samples from."""


@final
@dataclass(frozen=True, slots=True)
class Planes:
    """Writable planes of a picture.

    arrays: (h, w) for each plane, or one (h, w, 3) in RGB. block: samples per side of a block, in each plane.
    black: the value of black in each plane.
    """

    arrays: tuple[Plane, ...]
    block: tuple[int, ...]
    black: tuple[int, ...]

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """What two pictures must have in common to share a background: the shape and the black of every plane."""
        return (*(array.shape for array in self.arrays), self.black)


def paint(planes: Planes, paints: Sequence[Paint], hidden: Hidden) -> None:
    """Paint every hidden block, and nothing else, with one of `paints` for each plane."""
    for array, side, colour in zip(planes.arrays, planes.block, paints, strict=True):
        if isinstance(colour, int | tuple):
            for x1, y1, x2, y2 in (hidden.full * side).tolist():
                array[y1:y2, x1:x2] = colour
        else:
            for x1, y1, x2, y2 in (hidden.full * side).tolist():
                array[y1:y2, x1:x2] = colour[y1:y2, x1:x2]
        for box in hidden.ragged.tolist():
            x1, y1, x2, y2 = (side * edge for edge in box)
            mask = samples(hidden.blocks[box[1] : box[3], box[0] : box[2]], side, array[y1:y2, x1:x2].shape)
            array[y1:y2, x1:x2][mask] = colour if isinstance(colour, int | tuple) else colour[y1:y2, x1:x2][mask]


def samples(blocks: NDArray[np.uint8], side: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The blocks as a mask of samples, (h, w) bool, cut to the first two numbers of `shape`."""
    return np.asarray(blocks.repeat(side, axis=0).repeat(side, axis=1)[: shape[0], : shape[1]], np.bool_)
