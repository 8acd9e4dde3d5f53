"""Who may see raw pixels is whoever imports this module. Private side, protected by import-linter.

`look` borrows read-only planes, `take` moves the picture out and leaves the frame empty.
"""

from typing import Final, TypeAlias, TypeVar

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.private.frame import RawFrame

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""

_PICTURE: Final = "_RawFrame__picture"
"""The slot of the picture under the name that Python gives it outside the class; this module alone knows it."""

_Sample = TypeVar("_Sample", np.uint8, np.uint16)


def plane_array(picture: av.VideoFrame, index: int) -> Plane:
    """A view of one plane, cut to its real width.

    Shape (h, w) for planar formats, uint16 where a sample has more than 8 bits; (h, w, 3) for rgb24.
    The view is writable as far as the buffer is, and dangles once the frame is gone or made writable.
    """
    return _plane_array(picture.format, picture.planes[index], index)


def plane_arrays(picture: av.VideoFrame) -> tuple[Plane, ...]:
    """Views of all planes, as `plane_array` gives one; asking for one after the other makes all planes each time."""
    of = picture.format
    return tuple(_plane_array(of, plane, index) for index, plane in enumerate(picture.planes))


def _plane_array(of: VideoFormat, plane: VideoPlane, index: int) -> Plane:
    if of.components[index].bits > 8:
        return _rows(np.frombuffer(memoryview(plane), np.uint16), plane, width=plane.width)
    samples = np.frombuffer(memoryview(plane), np.uint8)
    if of.name == "rgb24":
        return _rows(samples, plane, width=plane.width * 3).reshape(plane.height, plane.width, 3)
    return _rows(samples, plane, width=plane.width)


def _rows(samples: NDArray[_Sample], plane: VideoPlane, *, width: int) -> NDArray[_Sample]:
    """The rows of a plane from top to bottom, without what pads them; a view in any case."""
    rows = samples.reshape(plane.height, -1)[:, :width]
    # A negative line size, as after a vertical flip, says that the first row in memory is the last of the picture.
    return rows[::-1] if plane.line_size < 0 else rows


def look(raw: RawFrame) -> tuple[Plane, ...]:
    """Read-only views of the planes of `raw`, in the order of its pixel format."""
    views = plane_arrays(_picture_of(raw))
    for view in views:
        view.flags.writeable = False
    return views


def take(raw: RawFrame) -> av.VideoFrame:
    """Move the picture out of `raw`; the frame is empty afterwards."""
    picture = _picture_of(raw)
    object.__setattr__(raw, _PICTURE, None)
    return picture


def picture_format(raw: RawFrame) -> str:
    """Name of the pixel format, for those who look."""
    return str(_picture_of(raw).format.name)


def is_full_range(raw: RawFrame) -> bool:
    """Whether luma reaches from 0 to 255 and not from 16 to 235, for those who look."""
    return int(_picture_of(raw).color_range) == _FULL_RANGE


def _picture_of(raw: RawFrame) -> av.VideoFrame:
    picture = getattr(raw, _PICTURE)
    if not isinstance(picture, av.VideoFrame):
        raise BoundaryViolated(f"frame {raw.id.index} was already consumed by the gate")
    return picture
