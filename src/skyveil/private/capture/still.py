"""A picture file as a source of one raw frame. Private side.

Upright, in sRGB, without transparency, 8 bits a sample. Nothing of the file but its pixels is kept.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from skyveil.core.errors import InputRefused
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.stills import StillFormat, unwarned
from skyveil.core.stream import StreamInfo
from skyveil.core.time import MediaTime
from skyveil.private._pixels import plane_array
from skyveil.private.capture.depth import eight_bits, from_all_bits, pillow_reduces
from skyveil.private.capture.refusal import shown
from skyveil.private.capture.sniff import still_format_in
from skyveil.private.capture.source import Gap, SourceInfo
from skyveil.private.frame import RawFrame

_READERS: Final = (JpegImageFile, PngImageFile, WebPImageFile, TiffImageFile, GifImageFile, BmpImageFile, AvifImageFile)
"""The only readers of Pillow that are let near a file, loaded by name: loading all 40 of them takes 45 ms more."""

_MAX_PIXELS: Final = 178_956_970
"""Largest picture that is read, the limit of Pillow itself: 8K has 33 million, and this takes 540 MB as RGB."""

_SRGB: Final = (1, 13, 0)
"""Primaries of BT.709, transfer of sRGB, RGB samples (ITU-T H.273)."""

_FULL_RANGE: Final = 2
_ORIENTATION_TAG: Final = 0x0112
_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, OverflowError),
    *(IndexError, KeyError, TypeError, AttributeError, struct.error, zlib.error),
)
"""What Pillow's readers raise, by their source, when the bytes are not what the format asks for."""


def open_still(path: Path, source_id: SourceId) -> "StillSource":
    """Open the first picture of the file at `path`; raises InputRefused."""
    still_format = still_format_in(path)
    if still_format is None:
        raise InputRefused(f"{shown(path)} is not a picture: give a JPEG, PNG, WebP, TIFF or HEIC file")
    with unwarned(), _opened(path, still_format) as image:
        return StillSource(source_id, path, image, still_format)


def _opened(path: Path, still_format: StillFormat) -> Image.Image:
    """The picture with its header read and its pixels not yet."""
    image: Image.Image
    try:
        if still_format == "heic":
            from pillow_heif import HeifImageFile  # libheif, which other pictures need not load

            image = HeifImageFile(path)  # type: ignore[no-untyped-call]  # its constructor carries no types
        else:
            image = Image.open(path, formats=[str(reader.format) for reader in _READERS])
    except Image.DecompressionBombError as error:
        raise InputRefused(_too_large(path)) from error
    except _BROKEN as error:
        raise InputRefused(f"{shown(path)} is not a readable picture: its beginning is damaged or cut off") from error
    if image.width * image.height > _MAX_PIXELS:
        image.close()
        raise InputRefused(_too_large(path))
    return image


def _too_large(path: Path) -> str:
    return f"{shown(path)} has more than {_MAX_PIXELS // 1_000_000} million pixels: scale it down first"


@final
class StillSource:
    """One picture, read when it is opened. `frames` hands it out once."""

    gaps: tuple[Gap, ...] = ()

    def __init__(self, source_id: SourceId, path: Path, image: Image.Image, still_format: StillFormat) -> None:
        dropped = _dropped(image)
        upright = _upright_rgb(path, image)
        self.truncated = upright is None
        picture = _black(_upright_size(image)) if upright is None else _picture(upright)
        time = MediaTime(0, Fraction(1))
        self._frame: RawFrame | None = RawFrame(picture, FrameId(source_id, 0), time, damaged=upright is None)
        self.info: Final = SourceInfo(
            kind="still",
            stream=StreamInfo(
                width=picture.width,
                height=picture.height,
                time_base=Fraction(1),
                average_rate=None,
                sample_aspect=Fraction(1),
                bit_depth=8,
                full_range=True,
                color=_SRGB,
            ),
            expected_frames=1,
            duration_s=None,
            dropped=dropped,
            still_format=still_format,
        )

    def frames(self) -> Iterator[RawFrame]:
        """The picture; black and damaged when it did not decode to its end."""
        frame, self._frame = self._frame, None
        if frame is not None:
            yield frame

    def close(self) -> None:
        """Let go of the picture."""
        self._frame = None


def _dropped(image: Image.Image) -> tuple[str, ...]:
    """What the file holds beside the pixels of its first picture, in words."""
    try:
        pages = int(getattr(image, "n_frames", 1))
    except _BROKEN:
        pages = 1
    name = "frame" if getattr(image, "is_animated", False) and image.format in ("GIF", "PNG", "WEBP") else "page"
    more = {1: (), 2: (f"{name} 2",)}.get(pages, (f"{name}s 2 to {pages}",))
    return (*more, *(word for key, word in (("exif", "EXIF"), ("xmp", "XMP")) if image.info.get(key)))


def _upright_rgb(path: Path, image: Image.Image) -> Image.Image | None:
    """The picture as it is to be seen, mode RGB; None when its pixels do not decode. Raises InputRefused."""
    try:
        reduced, orientation = pillow_reduces(image), _orientation(image)
        image.load()  # turns a TIFF, which then no longer tells its orientation
        upright = ImageOps.exif_transpose(image)
        return _flat_srgb(from_all_bits(path, image, upright, orientation) if reduced else upright)
    except _BROKEN:
        return None


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """The displayed size of a picture whose pixels can not be read."""
    try:
        sideways = _orientation(image) in (5, 6, 7, 8)
    except _BROKEN:
        sideways = False
    return (image.height, image.width) if sideways else image.size


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(_ORIENTATION_TAG, 1))


def _flat_srgb(image: Image.Image) -> Image.Image:
    """8 bits a sample, sRGB, what is transparent laid on white."""
    profile = image.info.get("icc_profile")
    shallow = eight_bits(image)
    if not shallow.has_transparency_data:
        return _srgb(shallow, profile)
    layered = shallow.convert("RGBA")
    alpha = layered.getchannel("A")
    grey = shallow.mode in ("L", "LA", "La")  # a profile for grey does not fit three channels
    flat = Image.new("RGB", layered.size, "white")
    flat.paste(_srgb(layered.convert("L" if grey else "RGB"), profile), mask=alpha)
    return flat


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    """Mode RGB in sRGB, by the picture's own profile when it has one that fits."""
    plain = image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")
    if isinstance(profile, bytes) and plain.mode != "LAB":
        try:
            return _by_profile(plain, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return plain.convert("RGB")  # a profile for other channels, or a broken one: as if there were none
    return _from_lab(plain) if plain.mode == "LAB" else plain.convert("RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if image.mode == "RGB" and ImageCms.getProfileDescription(own).startswith("sRGB"):
        return image
    return _transformed(image, own)


def _from_lab(image: Image.Image) -> Image.Image:
    return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def _transformed(image: Image.Image, own: ImageCms.ImageCmsProfile) -> Image.Image:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    changed = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    return image.convert("RGB") if changed is None else changed


def _picture(image: Image.Image) -> av.VideoFrame:
    picture = _black(image.size)
    plane_array(picture, 0)[:] = np.asarray(image, np.uint8)
    return picture


def _black(size: tuple[int, int]) -> av.VideoFrame:
    picture = av.VideoFrame(*size, "rgb24")
    picture.color_range = _FULL_RANGE
    picture.color_primaries, picture.color_trc, picture.colorspace = _SRGB
    plane_array(picture, 0)[:] = 0
    return picture
