"""A calibration drawn over a redacted picture: a grid of metres, the horizon, figures of 1.7 m. App."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from skyveil.core.errors import OutputRefused
from skyveil.measure.calibration import Calibration
from skyveil.measure.marks import figures, grid
from skyveil.measure.points import Points, points_of
from skyveil.public.record.output import OutputFile

_GRID: Final = (0, 158, 115)
_COARSE: Final = (230, 159, 0)
_HORIZON: Final = (0, 114, 178)
_FIGURE: Final = (213, 94, 0)
"""Colours that people who see few colours tell apart (Okabe and Ito, 2008)."""


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
    for part in grid(calibration):
        _line(pen, part.points_px, _GRID if part.fine else _COARSE)
    left, right = calibration.horizon_px()
    if np.isfinite([left, right]).all():
        _line(pen, points_of([left.tolist(), right.tolist()]), _HORIZON, width=3)
    for foot, head in figures(calibration):
        _line(pen, points_of([foot.tolist(), head.tolist()]), _FIGURE, width=3)
        reach = max(2.0, float(np.linalg.norm(head - foot)) / 14)
        pen.ellipse([*(head - reach), *(head + reach)], outline=_FIGURE, width=2)
    data = io.BytesIO()
    picture.save(data, "PNG")
    with OutputFile(output, overwrite=overwrite) as out:
        out.write(data.getvalue())
        out.commit()


def _line(pen: ImageDraw.ImageDraw, pixels: Points, colour: tuple[int, int, int], *, width: int = 1) -> None:
    seen = pixels[np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < 1e5).all(axis=1)]
    if len(seen) > 1:
        pen.line([(float(x), float(y)) for x, y in seen], fill=colour, width=width)
