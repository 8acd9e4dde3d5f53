"""Pictures of more than 8 bits a sample, as 8 bits. Private side.

Few files say what white is: 10 or 12 bits lie in samples of 16, and floating point has no highest value. White is
therefore taken from the samples, so that no picture comes out darker than it is: in one that is nearly black nobody is
found, and whoever brightens it sees them. What is looked at and what leaves is the same 8-bit picture.
"""

from math import isqrt
from pathlib import Path
from typing import Final, TypeAlias

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from skyveil.core.errors import InputRefused
from skyveil.private.capture.refusal import shown, translated

_Samples: TypeAlias = NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]

_WHITES: Final = tuple((1 << bits) - 1 for bits in (8, 10, 12, 14, 16))
"""Values that white has in 8 to 16 bits. They lie four times apart, so no picture gets four times brighter."""

_BELOW_WHITE: Final = 99
"""Percent of the samples that white must hold. The rest clips: hot pixels, lamps, a time of day drawn at full white."""

_COUNTED: Final = 1 << 22
"""About how many samples tell white: of a larger picture, every second or third row and column and so on."""

_ROWS: Final = 256
"""Rows that are scaled at a time, to need little memory beside the picture's own."""

_BITS_TAG, _ORIENTATION_TAG, _PLANES_TAG, _TILES_TAG, _EXTRA_TAG = 0x0102, 0x0112, 0x011C, 0x0142, 0x0152
_APART = 2  # of PlanarConfiguration (TIFF 6.0, section 8)
_UNUSED, _PREMULTIPLIED = 0, 1  # of ExtraSamples (section 18)
_PACKED: Final = {"ya16": 2, "rgb48": 3, "rgba64": 4}
_PLANAR: Final = {"gbrp16": (2, 0, 1), "gbrap16": (2, 0, 1, 3)}
"""Samples of a pixel, and the planes of red, green, blue and alpha, by FFmpeg's name without the order of bytes."""


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits and of floating point as mode L; every other mode has 8 bits or fewer already."""
    if not image.mode.startswith(("I", "F")):
        return image
    return Image.fromarray(_scaled(np.asarray(image)))


def pillow_reduces(image: Image.Image) -> bool:
    """Whether Pillow keeps the upper 8 bits only; to be asked before the pixels are loaded."""
    if image.mode.startswith(("I", "F")):
        return False
    if isinstance(image, TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_TAG, (8,))) > 8)
    return isinstance(image, PngImageFile) and any(";16" in str(tile.args) for tile in image.tile)


def from_all_bits(path: Path, seen: Image.Image, upright: Image.Image, orientation: int) -> Image.Image:
    """The picture that Pillow reduced to `seen`, turned to `upright`: 8 bits a sample made from all bits, upright too.

    Read again by FFmpeg; mode RGB, RGBA, RGBa or LA. What FFmpeg does not read, such as tiles and CMYK, stays as
    Pillow has it if that is bright enough. `orientation` is as in EXIF. Raises InputRefused for what is neither.
    """
    tags = seen.tag_v2 if isinstance(seen, TiffImageFile) else {}
    extra = tags.get(_EXTRA_TAG, (None,))[0]
    read = _TILES_TAG not in tags and seen.mode != "CMYK"
    samples = _samples(path, "tiff" if isinstance(seen, TiffImageFile) else "png") if read else None
    if samples is None:
        if tags.get(_PLANES_TAG) == _APART or _nearly_black(upright):  # Pillow mixes planes that lie apart
            raise InputRefused(f"{shown(path)} has 16 bits a sample, of which only 8 can be read: save it with 8 bits")
        return upright
    shallow = _layered(samples[..., :3] if extra == _UNUSED else samples, premultiplied=extra == _PREMULTIPLIED)
    shallow.getexif()[_ORIENTATION_TAG] = orientation
    again = ImageOps.exif_transpose(shallow)
    again.info = {key: value for key, value in seen.info.items() if key == "icc_profile"}
    return again


def _nearly_black(image: Image.Image) -> bool:
    """Whether the upper 8 bits of 16 may be those of 14 bits or fewer."""
    colours = np.asarray(image if image.mode == "CMYK" else image.convert("RGB"), np.uint16)
    return _white(colours * 257) < _WHITES[-1]


def _samples(path: Path, codec: str) -> NDArray[np.uint16] | None:
    """All samples of the first picture of a PNG or TIFF, (h, w, 2 to 4), bytes in any order; None: not readable."""
    with translated(path, doing="reading the file"), path.open("rb") as file:
        packet = av.Packet(path.stat().st_size)
        if file.readinto(memoryview(packet)) != packet.size:
            return None
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)  # noqa: S101 (both decode pictures)
    decoder.thread_count = 1
    try:
        picture = next(iter([*decoder.decode(packet), *decoder.decode(None)]), None)
    except FFmpegError:
        return None
    return None if picture is None or picture.is_corrupt else _arranged(picture)


def _arranged(picture: av.VideoFrame) -> NDArray[np.uint16] | None:
    name, order = picture.format.name[:-2], "<u2" if picture.format.name.endswith("le") else ">u2"
    planes = [
        np.frombuffer(memoryview(plane), order).reshape(plane.height, plane.line_size // 2) for plane in picture.planes
    ]
    if name in _PACKED:
        count = _PACKED[name]
        return planes[0][:, : picture.width * count].reshape(picture.height, picture.width, count)
    if name in _PLANAR:
        return np.stack([planes[index][:, : picture.width] for index in _PLANAR[name]], axis=2)
    return None


def _layered(samples: NDArray[np.uint16], *, premultiplied: bool) -> Image.Image:
    """8 bits of (h, w, 2 to 4), where alpha has a white of its own."""
    height, width, count = samples.shape
    if count == 3:
        return Image.fromarray(_scaled(samples))
    shallow = np.concatenate([_scaled(samples[..., :-1]), _scaled(samples[..., -1:])], axis=2)
    mode = "LA" if count == 2 else "RGBa" if premultiplied else "RGBA"
    return Image.frombuffer(mode, (width, height), shallow.tobytes(), "raw", mode, 0, 1)


def _scaled(samples: _Samples) -> NDArray[np.uint8]:
    """0 to 255 for 0 to white, and 255 for what lies above; NaN and infinity are black."""
    scale = 255 / _white(samples)
    shallow = np.empty(samples.shape, np.uint8)
    for row in range(0, len(samples), _ROWS):
        block = _finite(samples[row : row + _ROWS])
        shallow[row : row + _ROWS] = np.clip(block * scale, 0, 255).round()
    return shallow


def _white(samples: _Samples) -> float:
    """The smallest usual white that holds `_BELOW_WHITE` percent of the samples; that percentile if there is none.

    In floating point 1.0 stands for all 16 bits. More than that is 255 and so on only when it comes near: a picture
    that reaches 3.0 is a bright one, not a dark one of 8 bits.
    """
    step = max(1, isqrt(samples.size // _COUNTED))
    reached = float(np.percentile(_finite(samples[::step, ::step]), _BELOW_WHITE))
    if not np.issubdtype(samples.dtype, np.floating):
        return next((white for white in _WHITES if reached <= white), reached)
    if reached <= 1:
        return next(white / _WHITES[-1] for white in _WHITES if reached <= white / _WHITES[-1])
    return next((white for white in _WHITES if reached <= white <= 4 * reached), reached)


def _finite(samples: _Samples) -> NDArray[np.float64]:
    return np.nan_to_num(samples.astype(np.float64), posinf=0, neginf=0)
