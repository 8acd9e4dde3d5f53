"""Covers in a picture that is redacted already: where they are, and what lies in their gaps. Private side.

Nobody tells `verify` what was covered, and a codec gives fills back a little changed. What it knows is the colour that
the gate paints.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy
from skyveil.private.detect.view import Rgb

FILL_RGB: Final = (64, 56, 160)
"""What the gate paints."""
_REACH: Final = 14
"""Levels in each channel that coding may move a fill."""
_OFF: Final = 6
"""Levels in each channel that the mean of a cover may be off: of pictures 1, of video read with the other matrix 3."""
_UNEVEN, _UNEVEN_EDGE = 2.5, 20.0
"""Levels that the pixels of a cover are away from its mean colour: on the average, and by the root of its area in
pixels for what coding does to its edges. Of covers in 120 pictures 99.99 % passed; of those pictures in indigo light a
tenth was taken for fill before, and no labelled face is now."""
_LEAST_PX: Final = 3
"""Side of the smallest square of that colour that is fill: scenes hold specks of it."""
_MIXED: Final = 45
"""Levels that a pixel beside a fill may differ from it and still be half fill: codecs halve the size of colour."""
_OUTWARDS, _INWARDS = 0.3, 0.1
"""How far from the side of a box fill is looked for, as shares of the box's width and height."""
_LEAST_REACH_PX: Final = 3.0
_STRIP_ROWS: Final = 256
"""Rows that are worked on at once, an even number."""
_BARE_CENTRE: Final = 0.5
"""Least share of the middle of a box that shows: a head whose face is covered shows all around it, and not there."""
_BARE: Final = 0.6
"""Least share of a box, without the fill at its edges, that shows."""
_HOLED: Final = 8
"""Power of the mean share of fill on the sides: where one side is open there are necks, hands and shoulders."""


def fill_of(view: Rgb) -> NDArray[np.bool_]:
    """Where a view is fill, (H, W): squares of its colour and what is alike and joined to one, if all is of one colour.

    A cover's rim beside a face may be thinner than such a square. What light of that colour falls on has shades.
    """
    alike = cv2.inRange(view, *_range(_REACH))
    squares = cv2.morphologyEx(alike, cv2.MORPH_OPEN, np.ones((_LEAST_PX, _LEAST_PX), np.uint8))
    fill = np.zeros(alike.shape, np.bool_)
    if not squares.any():
        return fill
    count, parts = cv2.connectedComponents(alike, connectivity=4)
    kept = np.zeros(count, np.bool_)
    for rows in _strips(len(parts)):
        kept[parts[rows][squares[rows] > 0]] = True
    kept &= _even(view, np.asarray(parts, np.int32), count)
    for rows in _strips(len(parts)):
        fill[rows] = kept[parts[rows]]
    return fill


def _even(view: Rgb, parts: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """Which of the parts 1 to `count` - 1 of a view are of one colour, next to that of fill; 0 is no part."""
    area, total, away = np.zeros(count), np.zeros((3, count)), np.zeros(count)
    for rows in _strips(len(parts)):
        inside, colours = _numbered(view[rows], parts[rows])
        area += np.bincount(inside, minlength=count)
        total += [np.bincount(inside, channel, count) for channel in colours]
    mean = total / np.maximum(area, 1)
    for rows in _strips(len(parts)):
        inside, colours = _numbered(view[rows], parts[rows])
        away += np.bincount(inside, np.abs(colours - mean[:, inside]).max(axis=0, initial=0), count)
    evenly = away <= area * _UNEVEN + np.sqrt(area) * _UNEVEN_EDGE
    near = np.abs(mean.T - FILL_RGB).max(axis=1) <= _OFF
    return np.asarray(evenly & near & (area > 0), np.bool_)


def _numbered(view: Rgb, parts: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The part and the colour (3, N) of each pixel that is in a part."""
    inside = parts > 0
    return parts[inside], view[inside].T.astype(np.float32)


def without_covers(view: Rgb, fill: NDArray[np.bool_]) -> Rgb:
    """The view with the colours around its covers spread over them; `fill` is (H, W).

    Networks answer to a coloured edge with phantoms, and overlook a small face when all that surrounds it is black.
    """
    if not fill.any() or fill.all():
        return view
    rim = np.asarray(cv2.dilate(fill.astype(np.uint8), np.ones((3, 3), np.uint8)), np.bool_)
    rim &= np.asarray(cv2.inRange(view, *_range(_MIXED)), np.bool_)
    bare = ~(fill | rim)
    if not bare.any():
        return view
    shown = view.copy()
    _spread(shown, bare)
    return shown


def _spread(colours: Rgb | NDArray[np.float32], known: NDArray[np.bool_]) -> None:
    """Paint those of the colours (H, W, 3) that are not known, from the mean of what is known at half the size.

    In strips: the whole of an 8K picture in float32, several times over, took 1.7 GB.
    """
    height, width = known.shape
    if known.all() or known.size == 1:
        return
    coarse, part = _halved(colours, known)
    _spread(coarse, part > 0)
    for rows in _strips(height):
        unknown = ~known[rows]
        if not unknown.any():
            continue
        # Pixel centres of the strip among those of the smaller picture, as cv2.resize lays them.
        back = np.array([[0.5, 0, -0.25], [0, 0.5, rows.start / 2 - 0.25]])
        size_wh = width, rows.stop - rows.start
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        strip = cv2.warpAffine(coarse, back, size_wh, flags=how, borderMode=cv2.BORDER_REPLICATE)
        painted = strip[unknown]
        colours[rows][unknown] = np.rint(painted) if colours.dtype == np.uint8 else painted


def _halved(
    colours: Rgb | NDArray[np.float32], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Half the size: the mean of the colours that are known in each square of four, and the share of those."""
    height, width = known.shape
    half_wh = (width + 1) // 2, (height + 1) // 2
    mean, share = np.zeros((*half_wh[::-1], 3), np.float32), np.zeros(half_wh[::-1], np.float32)
    for rows in _strips(height):
        odd = (0, (rows.stop - rows.start) % 2, 0, width % 2)
        part = cv2.copyMakeBorder(known[rows].astype(np.float32), *odd, cv2.BORDER_CONSTANT)
        shown = cv2.copyMakeBorder(colours[rows], *odd, cv2.BORDER_CONSTANT) * part[..., None]
        smaller = part.shape[1] // 2, part.shape[0] // 2
        half = slice(rows.start // 2, (rows.stop + 1) // 2)
        share[half] = cv2.resize(part, smaller, interpolation=cv2.INTER_AREA)
        total = np.asarray(cv2.resize(shown, smaller, interpolation=cv2.INTER_AREA), np.float32)
        mean[half] = total / np.maximum(share[half], 1e-6)[..., None]
    return mean, share


def _strips(height: int) -> "Iterator[slice[int, int, None]]":
    """Rows of a picture, an even number at a time but for the last."""
    for top in range(0, height, _STRIP_ROWS):
        yield slice(top, min(height, top + _STRIP_ROWS))


def enclosed(xyxy: BoxesXyxy, fill: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How much each box is a hole in a cover, (N,): 1 with fill along all its sides, nearly 0 with one side open.

    Sides out of the picture do not count; with two of them a box is no hole. NaN for a box that is covered itself.
    """
    return np.array([_enclosed(fill, box) for box in np.rint(xyxy).astype(np.intp).tolist()], np.float32)


def _enclosed(fill: NDArray[np.bool_], xyxy: tuple[int, int, int, int]) -> float:
    x1, y1, x2, y2 = xyxy
    wide, high = (x2 - x1) / 4, (y2 - y1) / 4
    centre = _part(fill, (x1 + wide, y1 + high, x2 - wide, y2 - high))
    hole = _trimmed(fill, xyxy)
    shown = _part(fill, hole)
    if not centre.size or not shown.size or 1 - centre.mean() < _BARE_CENTRE or 1 - shown.mean() < _BARE:
        return float("nan")
    sides = [side for side in _sides(fill, hole) if side is not None]
    return float(np.mean(sides)) ** _HOLED if len(sides) > 2 else 0.0


def _trimmed(fill: NDArray[np.bool_], xyxy: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The box without the rows and columns at its edges that are mostly fill, barest last."""
    height, width = fill.shape
    left, top, right, bottom = max(0, xyxy[0]), max(0, xyxy[1]), min(width, xyxy[2]), min(height, xyxy[3])
    while right - left > 1 and bottom - top > 1:
        part = fill[top:bottom, left:right]
        edges = [part[:, 0].mean(), part[0].mean(), part[:, -1].mean(), part[-1].mean()]
        fullest = int(np.argmax(edges))
        if edges[fullest] <= 0.5:
            break
        left, top = left + (fullest == 0), top + (fullest == 1)
        right, bottom = right - (fullest == 2), bottom - (fullest == 3)
    return left, top, right, bottom


def _sides(fill: NDArray[np.bool_], xyxy: tuple[int, int, int, int]) -> tuple[float | None, ...]:
    """The share of each side (left, top, right, bottom) that has fill beside it; None for one out of the picture."""
    x1, y1, x2, y2 = xyxy
    out_x, out_y = (max(_LEAST_REACH_PX, _OUTWARDS * length) for length in (x2 - x1, y2 - y1))
    in_x, in_y = _INWARDS * (x2 - x1), _INWARDS * (y2 - y1)
    beside = (
        (_part(fill, (x1 - out_x, y1, x1 + in_x, y2)), 1),
        (_part(fill, (x1, y1 - out_y, x2, y1 + in_y)), 0),
        (_part(fill, (x2 - in_x, y1, x2 + out_x, y2)), 1),
        (_part(fill, (x1, y2 - in_y, x2, y2 + out_y)), 0),
    )
    height, width = fill.shape
    outside = (x1 <= 1, y1 <= 1, x2 >= width - 1, y2 >= height - 1)
    return tuple(
        None if out else float(part.any(axis=across).mean())
        for out, (part, across) in zip(outside, beside, strict=True)
    )


def _part(mask: NDArray[np.bool_], xyxy: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    x1, y1, x2, y2 = (max(0, round(value)) for value in xyxy)
    return mask[y1:y2, x1:x2]


def _range(reach: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    low, high = (np.clip(np.add(FILL_RGB, step), 0, 255).astype(np.uint8) for step in (-reach, reach))
    return low, high
