"""Several small parts of a frame on one canvas, so that one look of the network serves them all. Private side."""

from dataclasses import dataclass
from typing import Final, final

from skyveil.private.detect.pyramid import Area

CANVAS_WH: Final = (320, 192)
EDGE_PX: Final = 10
"""What is found nearer to a part's edge than this is not believed; parts reach further than what moved in them."""
_ENLARGEMENTS: Final = (2.0, 1.5)
_GAP_PX: Final = 8
"""Grey between two parts: the network must not take two halves for one face."""


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """One part and where it lies on its canvas: area in picture pixels, the rest in canvas pixels."""

    area: Area
    left: int
    top: int
    width: int
    height: int


def enlarged(areas: list[Area], scale: float) -> list[list[Piece]]:
    """Canvases for all `areas`, no more than `scale` needs, with the parts as large as fits: room costs nothing."""
    most = len(packed(areas, scale))
    for more in _ENLARGEMENTS:
        if all(fits(area, scale * more) for area in areas):
            larger = packed(areas, scale * more)
            if len(larger) <= most:
                return larger
    return packed(areas, scale)


def fits(area: Area, scale: float) -> bool:
    """Whether a part, at this scale, fits on a canvas."""
    x1, y1, x2, y2 = area
    return _length(x1, x2, scale) <= CANVAS_WH[0] and _length(y1, y2, scale) <= CANVAS_WH[1]


def packed(areas: list[Area], scale: float) -> list[list[Piece]]:
    """Canvases that together hold all `areas`, each of which fits on one; shelves, highest part first."""
    sized = [(_length(a[0], a[2], scale), _length(a[1], a[3], scale), a) for a in areas]
    canvases: list[list[Piece]] = []
    left = top = shelf = 0
    for width, height, area in sorted(sized, key=lambda part: (-part[1], part[2])):
        if not canvases or left + width > CANVAS_WH[0]:
            left, top = 0, top + shelf
            shelf = height + _GAP_PX
        if not canvases or top + height > CANVAS_WH[1]:
            canvases.append([])
            left, top, shelf = 0, 0, height + _GAP_PX
        canvases[-1].append(Piece(area, left, top, width, height))
        left += width + _GAP_PX
    return canvases


def _length(start: int, end: int, scale: float) -> int:
    return max(1, round((end - start) * scale))
