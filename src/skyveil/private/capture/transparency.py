"""Lays pictures of a video that are transparent on white, as pictures in files are. Private side.

YUV 4:2:0 has no alpha: without this, what somebody made transparent to hide it would be seen again.
"""

from functools import cache
from typing import Final

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from skyveil.private._pixels import plane_array

_FORMATS: Final = {
    (True, False): ("gbrap", "gbrp"),
    (True, True): ("gbrap16le", "gbrp16le"),
    (False, False): ("yuva444p", "yuv444p"),
    (False, True): ("yuva444p16le", "yuv444p16le"),
}
"""With alpha and without, by whether the samples are red, green and blue, and have 16 bits."""

_SCALING: Final = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


@cache
def may_be_transparent(pixel_format: str) -> bool:
    """Whether pictures of FFmpeg's `pixel_format` have an alpha component, or a palette, which has one."""
    asked = VideoFormat(pixel_format)
    return asked.has_palette or any(component.is_alpha for component in asked.components)


def on_white(
    picture: av.VideoFrame, reformatter: VideoReformatter, *, rgb: bool, full_range: bool, deep: bool
) -> av.VideoFrame:
    """`picture` itself when all of it is opaque, or laid on white in a fresh frame without alpha (4:4:4).

    `rgb` says whether all three samples of white are the highest value, `full_range` whether luma uses all values;
    the fresh frame has 16 bits a sample when `deep`. Alpha is straight. Raises FFmpegError for what is not converted.
    """
    layered_format, flat_format = _FORMATS[picture.format.is_rgb or picture.format.has_palette, deep]
    source_range = ColorRange.JPEG if rgb or full_range else ColorRange.MPEG
    layered = reformatter.reformat(
        picture,
        format=layered_format,
        src_color_range=source_range,
        dst_color_range=source_range,
        interpolation=_SCALING,
        threads=1,
    )
    top = 65535 if deep else 255
    rounding = top // 255  # conversions leave what is opaque or clear next to it
    alpha = plane_array(layered, 3).astype(np.uint32)
    if int(alpha.min()) >= top - rounding:
        return picture
    alpha = np.where(alpha <= rounding, 0, np.where(alpha >= top - rounding, top, alpha)).astype(np.uint32)
    step = (top + 1) // 256
    white = (top, top, top) if rgb else (top if full_range else 235 * step, 128 * step, 128 * step)
    fresh = av.VideoFrame(picture.width, picture.height, flat_format)
    for index, value in enumerate(white):
        plane = plane_array(layered, index).astype(np.uint32)
        plane_array(fresh, index)[:] = (plane * alpha + value * (top - alpha) + top // 2) // top
    fresh.color_range, fresh.colorspace = int(source_range), picture.colorspace
    return fresh
