"""Makes every decoded picture one that the gate paints: format, size, upright, even. Private side.

What already fits passes as the decoder made it, and may still be referenced by it: nobody writes into it. Everything
else is made in a fresh frame, which carries no side data.
"""

from dataclasses import dataclass
from typing import Final, final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from skyveil.private._pixels import Plane, plane_array
from skyveil.private.capture.orientation import Orientation
from skyveil.private.capture.transparency import may_be_transparent, on_white

_BT709: Final = 1
_UNSPECIFIED: Final = 2
_RGB_MATRIX: Final = 0
_SCALING: Final = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


@final
@dataclass(frozen=True, slots=True)
class Colour:
    """Range and ITU-T H.273 code points of the pictures that come out."""

    full_range: bool
    primaries: int
    transfer: int
    matrix: int


def colour_of(picture: av.VideoFrame) -> Colour:
    """The colour fields that `picture` has once it is YUV 4:2:0.

    YUV keeps its own. RGB becomes limited-range BT.709, what every player expects of video without a label.
    """
    if is_rgb(picture):
        return Colour(
            full_range=False,
            primaries=_known(picture.color_primaries),
            transfer=_known(picture.color_trc),
            matrix=_BT709,
        )
    return Colour(is_full_range(picture), picture.color_primaries, picture.color_trc, int(picture.colorspace))


def _known(code_point: int) -> int:
    return _BT709 if code_point == _UNSPECIFIED else code_point


def is_rgb(picture: av.VideoFrame) -> bool:
    """Whether the samples are red, green and blue, or stand for them."""
    pixels = picture.format
    return bool(pixels.is_rgb or pixels.has_palette or pixels.is_bayer or int(picture.colorspace) == _RGB_MATRIX)


def is_full_range(picture: av.VideoFrame) -> bool:
    """Whether YUV samples use all their values. The yuvj formats say so by name, grey without a label is so."""
    if picture.format.name.startswith("yuvj"):
        return True
    labelled = int(picture.color_range)
    if labelled == ColorRange.UNSPECIFIED:
        return picture.format.name.startswith(("gray", "ya", "mono"))
    return labelled == ColorRange.JPEG


@final
class Shaper:
    """Brings the pictures of one video into the shape of its first one."""

    def __init__(self, first: av.VideoFrame, orientation: Orientation, *, ten_bit: bool) -> None:
        deep = max(component.bits for component in first.format.components) > 8
        self.format: Final = "yuv420p10le" if ten_bit and deep else "yuv420p"
        self.colour: Final = colour_of(first)
        self._orientation = orientation
        self._coded_width, self._coded_height = first.width, first.height
        even_width, even_height = first.width + first.width % 2, first.height + first.height % 2
        self.width: Final = even_height if orientation.transposed else even_width
        self.height: Final = even_width if orientation.transposed else even_height
        self._reformatter, self._layers = VideoReformatter(), VideoReformatter()

    @property
    def bit_depth(self) -> int:
        """Bits of a sample."""
        return 10 if self.format == "yuv420p10le" else 8

    def shaped(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` in this shape; a picture of another size is scaled to the first one's."""
        fitting = self._converted(picture)
        if self._must_copy(fitting):
            fitting = self._copied(fitting)
        self._label(fitting)
        return fitting

    def black(self) -> av.VideoFrame:
        """A black picture in this shape, for a frame that did not decode."""
        fresh = self._fresh()
        scale = 1 << (self.bit_depth - 8)
        for index, value in enumerate((0 if self.colour.full_range else 16 * scale, 128 * scale, 128 * scale)):
            plane_array(fresh, index)[:] = value
        return fresh

    def _converted(self, picture: av.VideoFrame) -> av.VideoFrame:
        same_size = (picture.width, picture.height) == (self._coded_width, self._coded_height)
        if same_size and self._same_samples(picture):
            return picture
        rgb = is_rgb(picture)
        if may_be_transparent(picture.format.name):
            full, deep = is_full_range(picture), self.bit_depth > 8
            picture = on_white(picture, self._layers, rgb=rgb, full_range=full, deep=deep)
        source_range = ColorRange.JPEG if rgb or is_full_range(picture) else ColorRange.MPEG
        if not rgb:
            picture.colorspace = _UNSPECIFIED  # equal on both sides: the matrix is a label here, not an operation
        return self._reformatter.reformat(
            picture,
            width=self._coded_width,
            height=self._coded_height,
            format=self.format,
            src_color_range=source_range,
            dst_color_range=ColorRange.JPEG if self.colour.full_range else ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709 if rgb else None,
            interpolation=_SCALING,
            threads=1,
        )

    def _same_samples(self, picture: av.VideoFrame) -> bool:
        """Whether the samples need no change of value; a yuvj format differs from its twin by name only."""
        name = "yuv420p" if picture.format.name == "yuvj420p" else picture.format.name
        return name == self.format and is_full_range(picture) == self.colour.full_range

    def _must_copy(self, picture: av.VideoFrame) -> bool:
        return (
            not self._orientation.upright
            or picture.format.name != self.format
            or picture.width % 2 == 1
            or picture.height % 2 == 1
            or any(plane.line_size <= 0 for plane in picture.planes)
        )

    def _copied(self, picture: av.VideoFrame) -> av.VideoFrame:
        fresh = self._fresh()
        for index in range(len(fresh.planes)):
            plane_array(fresh, index)[:] = self._orientation.turned(_padded(_rows(picture, index), index))
        return fresh

    def _fresh(self) -> av.VideoFrame:
        fresh = av.VideoFrame(self.width, self.height, self.format)
        self._label(fresh)
        return fresh

    def _label(self, picture: av.VideoFrame) -> None:
        picture.color_range = int(ColorRange.JPEG if self.colour.full_range else ColorRange.MPEG)
        picture.color_primaries = self.colour.primaries
        picture.color_trc = self.colour.transfer
        picture.colorspace = self.colour.matrix


def _rows(picture: av.VideoFrame, index: int) -> Plane:
    """A view of a plane, top row first, also of a picture that is stored bottom row first."""
    plane = picture.planes[index]
    if plane.line_size > 0:
        return plane_array(picture, index)
    stored: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -plane.line_size)
    if picture.format.components[index].bits > 8:
        stored = stored.view(np.uint16)
    return stored[::-1, : plane.width]


def _padded(plane: Plane, index: int) -> Plane:
    """Luma made even by its last row and column once more; chroma covers half of that already."""
    height, width = plane.shape
    if index or not (height % 2 or width % 2):
        return plane
    rows = np.minimum(np.arange(height + height % 2), height - 1)
    columns = np.minimum(np.arange(width + width % 2), width - 1)
    even: Plane = plane[rows][:, columns]
    return even
