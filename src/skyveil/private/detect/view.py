"""What a network is shown: a part of a raw frame as a small RGB picture. Private side.

Planes are cut and resized before they are converted, so the cost follows the network's input and not the frame.
"""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyveil.private._pixels import Plane, is_full_range, look, picture_format
from skyveil.private.frame import RawFrame

Rgb: TypeAlias = NDArray[np.uint8]
"""(H, W, 3)."""

_LUMA: Final = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
_CHROMA: Final = np.clip(np.rint((np.arange(256) - 128) * (255 / 224) + 128), 0, 255).astype(np.uint8)
_LIMITED: Final = np.stack([_LUMA, _CHROMA, _CHROMA], axis=1)[np.newaxis]
"""Limited to full range, ITU-R BT.601 (2011), section 2.5.3, as a table for (Y, Cr, Cb)."""


_SAMPLED_PX: Final = 4
"""Bilinear shrinking by four asks four of sixteen pixels, in a seventh of the time that the mean of all takes."""


def rgb_view(raw: RawFrame, xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> Rgb:
    """The part `xyxy` of the frame, in pixels with even corners, resized to `size_wh`, (H, W, 3) RGB.

    The matrix is BT.601's for every source: networks do not tell it from BT.709.
    """
    x1, y1, x2, y2 = xyxy
    planes = look(raw)
    name = picture_format(raw)
    if name == "rgb24":
        return _resized(planes[0][y1:y2, x1:x2], size_wh)
    width, height = size_wh
    halved = not (width % 2 or height % 2 or is_full_range(raw))
    chroma_wh = (width // 2, height // 2) if halved else size_wh
    luma = _resized(planes[0][y1:y2, x1:x2], size_wh)
    cb, cr = (_resized(plane[y1 // 2 : (y2 + 1) // 2, x1 // 2 : (x2 + 1) // 2], chroma_wh) for plane in planes[1:])
    if halved:
        # Chroma stays at half the size, as every JPEG has it: half the cost of the other way.
        whole = np.concatenate([plane.reshape(-1) for plane in (luma, cb, cr)]).reshape(-1, width)
        return np.asarray(cv2.cvtColor(whole, cv2.COLOR_YUV2RGB_I420), np.uint8)
    yuv = cv2.merge((luma, cr, cb))
    if not is_full_range(raw):
        yuv = cv2.LUT(yuv, _LIMITED)
    return np.asarray(cv2.cvtColor(yuv, cv2.COLOR_YCrCb2RGB), np.uint8)


def _resized(plane: Plane, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """The plane at another size, 8 bits. Linear, as the networks were trained."""
    same = plane.shape[1::-1] == size_wh
    return _eight_bits(plane if same else cv2.resize(plane, size_wh, interpolation=cv2.INTER_LINEAR))


def _eight_bits(samples: ArrayLike) -> NDArray[np.uint8]:
    """Samples of 8 or 10 bits as contiguous samples of 8."""
    array = np.asarray(samples)
    return np.ascontiguousarray(array if array.dtype == np.uint8 else array // 4, np.uint8)


def blank(size_wh: tuple[int, int]) -> Rgb:
    """A canvas of the grey that YOLOX was trained with around pictures."""
    return np.full((size_wh[1], size_wh[0], 3), 114, np.uint8)


def letterboxed(view: Rgb, size_wh: tuple[int, int]) -> Rgb:
    """The view in the top left corner of a grey canvas of `size_wh`; the view itself when it has that size."""
    width, height = size_wh
    if view.shape[:2] == (height, width):
        return view
    canvas = blank(size_wh)
    canvas[: view.shape[0], : view.shape[1]] = view
    return canvas


def edged(view: Rgb, size_wh: tuple[int, int]) -> Rgb:
    """The view in the top left corner of a canvas of `size_wh` that its last row and column go on in."""
    down, across = size_wh[1] - view.shape[0], size_wh[0] - view.shape[1]
    return np.asarray(cv2.copyMakeBorder(view, 0, down, 0, across, cv2.BORDER_REPLICATE), np.uint8)


def shrunk_luma(raw: RawFrame, *, shrink: int) -> NDArray[np.uint8]:
    """Luma of squares of `shrink` px, a power of two, (height // shrink, width // shrink), at least 1x1.

    A sample is the mean of its square, or of the four pixels in the middle of each 4x4 of it.
    A rest of less than a square at the right and bottom edge is left out.
    """
    planes = look(raw)
    # Of RGB, green stands for luma.
    plane = planes[0] if picture_format(raw) != "rgb24" else np.ascontiguousarray(planes[0][..., 1], np.uint8)
    rows, columns = max(1, raw.height // shrink), max(1, raw.width // shrink)
    part = plane[: rows * shrink, : columns * shrink]
    first = min(shrink, _SAMPLED_PX)
    size_wh = max(1, part.shape[1] // first), max(1, part.shape[0] // first)
    return halved(_resized(part, size_wh), (columns, rows))


def halved(picture: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture made smaller by halves down to a size that divides it, each sample the mean of its square."""
    width, height = size_wh
    while picture.shape[1] >= 2 * width and picture.shape[0] >= 2 * height:
        half_wh = picture.shape[1] // 2, picture.shape[0] // 2
        picture = _eight_bits(cv2.resize(picture, half_wh, interpolation=cv2.INTER_AREA))
    if picture.shape == (height, width):
        return picture
    return _eight_bits(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA))
