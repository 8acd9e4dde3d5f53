"""A calibration drawn over a redacted picture: a grid of metres, the horizon, figures of 1.7 m. App."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from skyveil.core.errors import OutputRefused
from skyveil.measure.calibration import FINEST_M_PER_PX, Calibration
from skyveil.measure.points import Points, points_of
from skyveil.public.record.output import OutputFile

FIGURE_M: Final = 1.7
_GRID: Final = (0, 158, 115)
_COARSE: Final = (230, 159, 0)
_HORIZON: Final = (0, 114, 178)
_FIGURE: Final = (213, 94, 0)
"""Colours that people who see few colours tell apart (Okabe and Ito, 2008)."""
_FAR_M: Final = 60


def draw(calibration: Calibration, redacted: Path, output: Path, *, overwrite: bool) -> None:
    """Write the picture as PNG. `redacted` is a picture that Skyveil has redacted; raises OutputRefused, or
    MeasureRefused when it is not of the calibration's shape."""
    with Image.open(redacted) as opened:
        picture = opened.convert("RGB")
    if picture.size != calibration.size_wh:
        raise OutputRefused(
            f"the picture is {picture.size[0]}x{picture.size[1]}, the calibration of "
            f"{calibration.size_wh[0]}x{calibration.size_wh[1]}: take a picture of the same size"
        )
    pen = ImageDraw.Draw(picture)
    for line in _grid(calibration):
        fine = calibration.heads_m_per_px(line) <= FINEST_M_PER_PX
        _line(pen, line, _GRID if fine.any() else _COARSE)
    left, right = calibration.horizon_px()
    if np.isfinite([left, right]).all():
        _line(pen, points_of([left.tolist(), right.tolist()]), _HORIZON, width=3)
    for foot, head in _figures(calibration):
        _line(pen, points_of([foot.tolist(), head.tolist()]), _FIGURE, width=3)
        reach = max(2.0, float(np.linalg.norm(head - foot)) / 14)
        pen.ellipse([*(head - reach), *(head + reach)], outline=_FIGURE, width=2)
    data = io.BytesIO()
    picture.save(data, "PNG")
    with OutputFile(output, overwrite=overwrite) as out:
        out.write(data.getvalue())
        out.commit()


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


def _grid(calibration: Calibration) -> list[Points]:
    """Lines a metre apart, five where the view is wide, each as pixels."""
    x1, x2, y1, y2 = _area(calibration)
    step = 1 if max(x2 - x1, y2 - y1) <= 40 else 5
    along_x, along_y = np.arange(x1, x2 + 0.1, 0.25), np.arange(y1, y2 + 0.1, 0.25)
    lines = [np.stack([np.full(len(along_y), float(x)), along_y], axis=1) for x in range(x1 - x1 % step, x2 + 1, step)]
    lines += [np.stack([along_x, np.full(len(along_x), float(y))], axis=1) for y in range(y1 - y1 % step, y2 + 1, step)]
    return [calibration.pixels_of(line) for line in lines if len(line)]


def _figures(calibration: Calibration) -> list[tuple[Points, Points]]:
    """Feet and heads of figures on a 4 by 4 grid."""
    x1, x2, y1, y2 = _area(calibration)
    x, y = np.meshgrid(np.linspace(x1, x2, 6)[1:-1], np.linspace(y1, y2, 6)[1:-1])
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    feet = calibration.pixels_of(places)
    heads = calibration.pixels_of(places, height_m=min(FIGURE_M, 0.99 * calibration.camera_m[2]))
    seen = np.isfinite(feet).all(axis=1) & ((feet >= 0) & (feet < calibration.size_wh)).all(axis=1)
    return list(zip(feet[seen], heads[seen], strict=True))


def _line(pen: ImageDraw.ImageDraw, pixels: Points, colour: tuple[int, int, int], *, width: int = 1) -> None:
    seen = pixels[np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < 1e5).all(axis=1)]
    if len(seen) > 1:
        pen.line([(float(x), float(y)) for x, y in seen], fill=colour, width=width)
