"""Which parts of a picture are looked at, and how much enlarged. Private side.

A network finds faces of some sizes well and sees phantoms at others: enlarged it finds the small ones, and large ones
that are not there. So each level of a pyramid answers for a range of sizes only (measured: docs/design/engine.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final, TypeAlias, final

Area: TypeAlias = tuple[int, int, int, int]
"""A part of a picture: xyxy in pixels, even corners but at the picture's own edges."""

STILL_MULTIPLE_PX: Final = 64
"""Sides of what pictures are shown at: coarse, because every new size costs a compilation."""
WINDOW_PX: Final = 1280
"""Longest side of what a network is shown at once; a larger level is cut into windows that overlap."""
OVERLAP_PX: Final = 112
"""Windows overlap by more than the largest face their level answers for, so each such face is whole in one."""
_LAST_LEVEL_PX: Final = 800
"""A level whose longer side is no longer than this ends the pyramid: a face that fills it is found there."""


@final
@dataclass(frozen=True, slots=True)
class Level:
    """One enlargement of the picture, and the sizes it answers for.

    scale: network pixels per picture pixel; least_px, most_px: geometric mean of a box's sides, in network pixels.
    """

    scale: float
    least_px: float
    most_px: float


@final
@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture for a network: xyxy in picture pixels, even corners; its size in network pixels."""

    xyxy: Area
    size_wh: tuple[int, int]


def levels(
    width: int,
    height: int,
    *,
    finest: float,
    most_px: float,
    least_px: float,
    budget_px: float,
    step: float = 2.0,
    multiple_px: int | None = None,
) -> list[Level]:
    """The pyramid of a picture, finest first, each level by `step` smaller than the one before.

    finest: enlargement wanted for a small picture; budget_px: network pixels that the finest level may cost, which
    lowers the enlargement of larger pictures down to none. most_px ends the sizes of every level but the last, least_px
    begins those of every level but the first; most_px must be larger than step times least_px, or a size is answered
    for by nobody. With `multiple_px` an enlarged finest level is made a whole number of them long, next to what was
    wanted: nothing is computed for grey there.
    """
    scale = min(finest, max(1.0, sqrt(budget_px / (width * height))))
    if multiple_px is not None:
        long_px = max(width, height)
        scale = max(1.0, max(1, round(scale * long_px / multiple_px)) * multiple_px / long_px)
    found: list[Level] = []
    while True:
        last = max(width, height) * scale <= _LAST_LEVEL_PX and len(found) > 0
        found.append(Level(scale, 0.0 if not found else least_px, float("inf") if last else most_px))
        if last:
            return found
        scale /= step


@final
@dataclass(frozen=True, slots=True)
class AnySize:
    """Windows as large as what they show, for networks that take every size: sides are multiples of `multiple_px`."""

    multiple_px: int

    def windows(self, area: Area, scale: float) -> Iterator[Window]:
        """Windows that together show `area`. One may reach past the area's right and bottom edge; there it is grey."""
        x1, y1, x2, y2 = area
        for top, rows in _spans(y2 - y1, scale, WINDOW_PX):
            for left, columns in _spans(x2 - x1, scale, WINDOW_PX):
                size = (_up(columns * scale, self.multiple_px), _up(rows * scale, self.multiple_px))
                yield Window((x1 + left, y1 + top, x1 + left + columns, y1 + top + rows), size)


@final
@dataclass(frozen=True, slots=True)
class FewSizes:
    """Windows of a few sizes only, for networks that are compiled for each: (width, height), smallest first."""

    sizes_wh: tuple[tuple[int, int], ...]

    def windows(self, area: Area, scale: float) -> Iterator[Window]:
        """Windows of the smallest size that holds `area` whole, or of the largest, that together show it."""
        x1, y1, x2, y2 = area
        wide, high = (x2 - x1) * scale, (y2 - y1) * scale
        size = next((s for s in self.sizes_wh if wide <= s[0] + 1 and high <= s[1] + 1), self.sizes_wh[-1])
        for top, rows in _spans(y2 - y1, scale, size[1]):
            for left, columns in _spans(x2 - x1, scale, size[0]):
                yield Window((x1 + left, y1 + top, x1 + left + columns, y1 + top + rows), size)


Sizes: TypeAlias = AnySize | FewSizes


def _spans(length: int, scale: float, window_px: int) -> Iterator[tuple[int, int]]:
    """Starts and lengths, in picture pixels, that cover 0..length with overlap; even unless the end is odd."""
    if length * scale <= window_px + 1:
        yield 0, length
        return
    longest = max(2, int(window_px / scale) // 2 * 2)
    overlap = min(ceil(OVERLAP_PX / scale), longest // 2)
    count = ceil((length - overlap) / (longest - overlap))
    step = ceil((length - longest) / (count - 1) / 2) * 2
    for index in range(count):
        start = min(index * step, (length - longest + 1) // 2 * 2)
        yield start, min(longest, length - start)


def _up(length: float, multiple: int) -> int:
    return max(multiple, ceil(round(length) / multiple) * multiple)
