"""A redacted frame to the bytes of an image file. Public side: takes nothing but RedactedFrame, writes nothing.

The file holds the picture and nothing else: no EXIF, no thumbnail, no time, no colour profile (the samples are sRGB,
which is what a file without a profile means).
"""

import io
from collections.abc import Callable
from typing import Final

import numpy as np
import pillow_heif
from PIL import Image

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.stills import StillFormat
from skyveil.public.types import RedactedFrame, sealed

DEFAULT_QUALITY: Final = 95
"""JPEG, WebP and HEIC: edges of a solid fill stay exact to within a few levels. PNG and TIFF lose nothing."""


def encode_still(frame: RedactedFrame, *, format: StillFormat, quality: int = DEFAULT_QUALITY) -> bytes:
    """The picture as an image file in memory.

    Raises BoundaryViolated for anything but a RedactedFrame in rgb24, SettingsRefused for an unknown format, a
    quality outside 1 to 100, or a size that the format does not hold.
    """
    picture = sealed(frame).picture
    if picture.format.name != "rgb24":
        raise BoundaryViolated(f"frame {frame.id.index}: a still is rgb24, got {picture.format.name}")
    if format not in _SAVERS:
        raise SettingsRefused(f"unknown picture format {format!r}: choose {', '.join(_SAVERS)}")
    if not 1 <= quality <= 100:
        raise SettingsRefused(f"quality must be 1 to 100, got {quality}")
    target = io.BytesIO()
    try:
        _SAVERS[format](Image.fromarray(np.asarray(picture.to_ndarray(), np.uint8)), target, quality)
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsRefused(f"{format} can not hold a picture of {frame.width}x{frame.height}: {error}") from error
    return target.getvalue()


def _jpeg(image: Image.Image, target: io.BytesIO, quality: int) -> None:
    image.save(target, "JPEG", quality=quality, subsampling="4:4:4", optimize=True)


def _png(image: Image.Image, target: io.BytesIO, _: int) -> None:
    image.save(target, "PNG", compress_level=6)


def _webp(image: Image.Image, target: io.BytesIO, quality: int) -> None:
    image.save(target, "WEBP", quality=quality, method=4)


def _tiff(image: Image.Image, target: io.BytesIO, _: int) -> None:
    image.save(target, "TIFF", compression="tiff_adobe_deflate")


def _heic(image: Image.Image, target: io.BytesIO, quality: int) -> None:
    pillow_heif.from_pillow(image).save(target, quality=quality, chroma=444, save_nclx_profile=True)


_SAVERS: Final[dict[StillFormat, Callable[[Image.Image, io.BytesIO, int], None]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "tiff": _tiff,
    "heic": _heic,
}
