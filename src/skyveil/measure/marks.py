"""What shows whether a calibration is right, to be drawn over a picture: a grid of metres, and figures. Measure."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from skyveil.measure.calibration import FINEST_M_PER_PX, Calibration
from skyveil.measure.points import Points

FIGURE_M: Final = 1.7
_FAR_M: Final = 60
_AROUND: Final = 0.1
"""Share of the picture beside it up to which lines go on."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a line of the grid. points_px: (N, 2), N >= 2. fine: heads are placed well enough there."""

    points_px: Points
    fine: bool


def grid(calibration: Calibration) -> list[Stretch]:
    """Lines on the floor a metre apart, five where the view is wide, in parts that are fine or not."""
    x1, x2, y1, y2 = _area(calibration)
    step = 1 if max(x2 - x1, y2 - y1) <= 40 else 5
    along_x, along_y = np.arange(x1, x2 + 0.1, 0.25), np.arange(y1, y2 + 0.1, 0.25)
    lines = [np.stack([np.full(len(along_y), float(x)), along_y], axis=1) for x in range(x1 - x1 % step, x2 + 1, step)]
    lines += [np.stack([along_x, np.full(len(along_x), float(y))], axis=1) for y in range(y1 - y1 % step, y2 + 1, step)]
    return [part for line in lines if len(line) for part in _stretches(calibration, calibration.pixels_of(line))]


def figures(calibration: Calibration) -> list[tuple[Points, Points]]:
    """Feet and heads, pixels, of figures of 1.7 m who stand on a 4 by 4 grid; those whose feet are in the picture."""
    x1, x2, y1, y2 = _area(calibration)
    x, y = np.meshgrid(np.linspace(x1, x2, 6)[1:-1], np.linspace(y1, y2, 6)[1:-1])
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    feet = calibration.pixels_of(places)
    heads = calibration.pixels_of(places, height_m=min(FIGURE_M, 0.99 * calibration.camera_m[2]))
    seen = np.isfinite(feet).all(axis=1) & ((feet >= 0) & (feet < calibration.size_wh)).all(axis=1)
    seen &= np.isfinite(heads).all(axis=1)
    return list(zip(feet[seen], heads[seen], strict=True))


def _area(calibration: Calibration) -> tuple[int, int, int, int]:
    """The whole metres that the lower part of the picture shows, at most 60 each way: x from and to, y from and to."""
    width, height = calibration.size_wh
    x, y = np.meshgrid(np.linspace(0, width, 20), np.linspace(0, height, 40))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    places = calibration.floor_of(pixels)
    fine = np.isfinite(places).all(axis=1) & (calibration.heads_m_per_px(pixels) <= 3 * FINEST_M_PER_PX)
    if not fine.any():
        return 0, 0, 0, 0
    low, high = np.floor(places[fine].min(axis=0)), np.ceil(places[fine].max(axis=0))
    middle = np.median(places[fine], axis=0)
    low, high = np.maximum(low, middle - _FAR_M), np.minimum(high, middle + _FAR_M)
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def _stretches(calibration: Calibration, pixels: Points) -> list[Stretch]:
    """The parts of a line that lie in or near the picture, each fine or not; neighbours share a point."""
    size = np.array(calibration.size_wh, np.float64)
    inside = np.isfinite(pixels).all(axis=1) & (np.abs(pixels / size - 0.5) <= 0.5 + _AROUND).all(axis=1)
    near = [bool(one) for one in np.atleast_1d(inside)]
    fine = [bool(one) for one in calibration.heads_m_per_px(np.nan_to_num(pixels)) <= FINEST_M_PER_PX]
    found: list[Stretch] = []
    begin = 0
    for at in range(1, len(pixels) + 1):
        if at < len(pixels) and near[at] == near[begin] and fine[at] == fine[begin]:
            continue
        end = at + 1 if at < len(pixels) and near[at] else at
        if near[begin] and end - begin > 1:
            found.append(Stretch(pixels[begin:end], fine[begin]))
        begin = at
    return found
