"""Several small parts of a frame on one canvas, so that one look of the network serves them all. Private side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from skyveil.private.detect.pyramid import Area

SizeWh: TypeAlias = tuple[int, int]

SMALL_WH: Final[SizeWh] = (192, 192)
WIDE_WH: Final[SizeWh] = (320, 192)
HIGH_WH: Final[SizeWh] = (192, 320)
"""For parts that are higher than a wide canvas: a near body, which cost four times as much in a window of its own."""
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


@final
@dataclass(frozen=True, slots=True)
class Canvas:
    """What one look is shown: its size, and the parts that lie on it."""

    size_wh: SizeWh
    pieces: tuple[Piece, ...]


def enlarged(areas: list[Area], scale: float) -> list[Canvas]:
    """Canvases for all `areas` with the parts as large as fits on those that `scale` needs: room costs nothing."""
    plan = packed(areas, scale)
    for more in _ENLARGEMENTS:
        if all(fits(area, scale * more) for area in areas):
            larger = packed(areas, scale * more)
            if _pixels(larger) <= _pixels(plan):
                return larger
    return plan


def _pixels(canvases: list[Canvas]) -> int:
    """What a network has to compute."""
    return sum(canvas.size_wh[0] * canvas.size_wh[1] for canvas in canvases)


def fits(area: Area, scale: float) -> bool:
    """Whether a part, at this scale, fits on a canvas."""
    return _fits(area, scale, WIDE_WH) or _fits(area, scale, HIGH_WH)


def packed(areas: list[Area], scale: float) -> list[Canvas]:
    """Few canvases that together hold all `areas`, each of which fits on one; what fits on a small one gets that."""
    high = [area for area in areas if not _fits(area, scale, WIDE_WH)]
    wide = [area for area in areas if area not in high]
    plan = [*_on_shelves(wide, scale, WIDE_WH), *_on_shelves(high, scale, HIGH_WH)]
    if high and all(_fits(area, scale, HIGH_WH) for area in areas):
        together = _on_shelves(areas, scale, HIGH_WH)
        plan = min(plan, together, key=len)
    return [_smallest(canvas, scale) for canvas in plan]


def _smallest(canvas: Canvas, scale: float) -> Canvas:
    """The same parts on a small canvas where they fit on one."""
    areas = [piece.area for piece in canvas.pieces]
    if not all(_fits(area, scale, SMALL_WH) for area in areas):
        return canvas
    small = _on_shelves(areas, scale, SMALL_WH)
    return small[0] if len(small) == 1 else canvas


def _on_shelves(areas: list[Area], scale: float, size_wh: SizeWh) -> list[Canvas]:
    """Canvases of one size with these parts."""
    ordered = sorted(areas)
    sides = [(_length(a[0], a[2], scale), _length(a[1], a[3], scale)) for a in ordered]
    return [
        Canvas(size_wh, tuple(Piece(ordered[index], left, top, *sides[index]) for index, left, top in canvas))
        for canvas in shelved(sides, size_wh)
    ]


def shelved(sides: Sequence[SizeWh], size_wh: SizeWh) -> list[list[tuple[int, int, int]]]:
    """Canvases of one size for parts with these sides, each of which fits on one: index, left and top of each part.

    Shelves, highest part first; of equal height the one that was named first.
    """
    canvases: list[list[tuple[int, int, int]]] = []
    left = top = shelf = 0
    for index in sorted(range(len(sides)), key=lambda one: -sides[one][1]):
        width, height = sides[index]
        if not canvases or left + width > size_wh[0]:
            left, top = 0, top + shelf
            shelf = height + _GAP_PX
        if not canvases or top + height > size_wh[1]:
            canvases.append([])
            left, top, shelf = 0, 0, height + _GAP_PX
        canvases[-1].append((index, left, top))
        left += width + _GAP_PX
    return canvases


def _fits(area: Area, scale: float, size_wh: SizeWh) -> bool:
    x1, y1, x2, y2 = area
    return _length(x1, x2, scale) <= size_wh[0] and _length(y1, y2, scale) <= size_wh[1]


def _length(start: int, end: int, scale: float) -> int:
    return max(1, round((end - start) * scale))
