"""A code painted on a face, and the search for it in everything a run leaves behind.

The code is a fixed random pattern of light and dark blocks of 4 pixels. A detector still finds the face under it; a
correlation finds it in a picture wherever it lies, in three sizes, and its rows are looked for in all bytes as they
are.
"""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tests.conftest import Picture

FACE = (170, 70, 285, 190)
"""Where the face lies in `astronaut`: left, top, right, bottom."""
CELLS = np.random.default_rng(20).integers(0, 2, (30, 28)).astype(np.int16) * 2 - 1
CODE = np.kron(CELLS, np.ones((4, 4), np.int16))
"""(120, 112) of -1 and 1."""
STRENGTH = 36
FOUND = 0.25
"""Correlation above which the code is there: 0.4 to 0.9 where it is, under 0.15 in pictures without it."""


def painted(picture: Picture) -> Picture:
    """The astronaut with the code over her face."""
    left, top = FACE[0], FACE[1]
    coded = picture.astype(np.int16)
    height, width = CODE.shape
    coded[top : top + height, left : left + width] += CODE[:, :, None] * STRENGTH
    return np.clip(coded, 0, 255).astype(np.uint8)


def in_picture(picture: Picture, scales: tuple[float, ...] = (1.0, 2.0, 0.5)) -> bool:
    """Whether the code is anywhere in an RGB picture, in its own size, as a small picture, or doubled."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return any(_correlation(luma, scale) > FOUND for scale in scales)


def in_bytes(data: bytes, source: Picture) -> bool:
    """Whether rows of the coded face lie in these bytes as they are: RGB, BGR, or one channel."""
    left, top, right, bottom = FACE
    face = source[top:bottom, left:right]
    for row in range(0, len(face), 8):
        forms = (face[row], face[row, :, ::-1], *(face[row, :, channel] for channel in range(3)))
        if any(np.ascontiguousarray(form[20:60]).tobytes() in data for form in forms):
            return True
    return False


def pictures_in(path: Path) -> Iterator[Picture]:
    """Every picture that a file holds: frames, a still, or the data addresses of a page."""
    if path.suffix == ".html":
        for data in re.findall(rb"base64,([A-Za-z0-9+/=]+)", path.read_bytes()):
            yield _still(base64.b64decode(data))
        return
    try:
        yield _still(path.read_bytes())
    except UnidentifiedImageError:
        yield from _frames(path)


def _still(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def _frames(path: Path) -> Iterator[Picture]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (FFmpegError, IndexError):
        return


def _correlation(luma: NDArray[np.float32], scale: float) -> float:
    """The best match of the code in this size; the picture's own slow changes are taken away first."""
    height, width = (round(side * scale) for side in CODE.shape)
    if luma.shape[0] < height or luma.shape[1] < width:
        return 0.0
    pattern = cv2.resize(CODE.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    # A little noise: where nothing varies, as in a solid fill, a correlation is nought divided by nought.
    noise = np.random.default_rng(7).normal(0, 2, luma.shape).astype(np.float32)
    detail = luma + noise - cv2.GaussianBlur(luma, (0, 0), 6 * scale)
    return float(cv2.matchTemplate(detail, pattern, cv2.TM_CCOEFF_NORMED).max())
