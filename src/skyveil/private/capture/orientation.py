"""How a picture must be turned to be shown upright. Private side."""

import struct
from dataclasses import dataclass
from typing import Final, final

import av
from av.sidedata.sidedata import SideData

from skyveil.private._pixels import Plane

_QUARTER_TURNS: Final = 4


@final
@dataclass(frozen=True, slots=True)
class Orientation:
    """Exchange rows and columns first, then mirror left and right, then top and bottom."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def upright(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.transposed or self.mirrored_x or self.mirrored_y)

    def turned(self, plane: Plane) -> Plane:
        """A view of `plane`, turned."""
        view = plane.T if self.transposed else plane
        view = view[:, ::-1] if self.mirrored_x else view
        return view[::-1] if self.mirrored_y else view


def from_matrix(matrix: bytes) -> Orientation:
    """The orientation nearest to a display matrix: nine 32-bit numbers `a b u c d v x y w` of this machine's order.

    They show the sample (p, q) at (a p + c q + x, b p + d q + y) (ISO/IEC 14496-12, 6.2.2). Angles between the
    quarter turns go to the nearest one.
    """
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, mirrored_x=c < 0, mirrored_y=b < 0)
    return Orientation(mirrored_x=a < 0, mirrored_y=d < 0)


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """What the file says of `picture`, which the decoder hangs on every frame."""
    try:
        matrix = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV raises it for a kind of side data that it has no name for, and then shows none at all
        return _from_degrees(picture.rotation)
    return from_matrix(bytes(matrix)) if isinstance(matrix, SideData) else Orientation()


def _from_degrees(counterclockwise: int) -> Orientation:
    turns = round(counterclockwise / 90) % _QUARTER_TURNS
    return Orientation(transposed=turns % 2 == 1, mirrored_x=turns in (2, 3), mirrored_y=turns in (1, 2))
