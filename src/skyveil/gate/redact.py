"""The door for pictures. Gate: takes a raw frame, hides its regions, and seals what is left.

The planes are copied into a fresh frame (see docs/adr/0001-fresh-frames.md), so no side data, no decoder's memory and
no flag but time and colour passes.
"""

import av
import numpy as np

from skyveil.core.errors import BoundaryViolated
from skyveil.gate.fill import Fill
from skyveil.gate.hidden import BlockGrid, Hidden, hide, hide_all
from skyveil.gate.planes import Planes, paint
from skyveil.private._pixels import plane_arrays, take
from skyveil.private.frame import RawFrame
from skyveil.private.regions import Regions
from skyveil.public._seal import SEAL
from skyveil.public.types import RedactedFrame

_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""


def redact(raw: RawFrame, regions: Regions, fill: Fill, *, max_look_age_s: float) -> RedactedFrame:
    """The frame with its regions hidden; `raw` is empty afterwards.

    The whole frame is black when it is damaged or nobody looked at it. Tiles that no look decides, or whose look is
    older than `max_look_age_s`, are hidden beside the regions. Raises BoundaryViolated when `regions` are of another
    frame, or `raw` was redacted before.
    """
    if regions.of != raw.id:
        raise BoundaryViolated(f"frame {raw.id.index} was given the regions of frame {regions.of.index}")
    picture = take(raw)
    grid = _grid(picture)
    looked = None if raw.damaged else regions.looked
    hidden = hide_all(grid) if looked is None else hide(regions, looked, grid, max_look_age_s=max_look_age_s)
    fresh, planes = _painted(picture, hidden)
    fill.fill(planes, hidden)
    if looked is None:
        paint(planes, planes.black, hidden)  # an empty scene would look like an empty place
    fresh.pts, fresh.time_base = raw.time.ticks, raw.time.time_base
    return RedactedFrame(fresh, raw.id, raw.time, covered_share=hidden.share, whole=looked is None, seal=SEAL)


def _grid(picture: av.VideoFrame) -> BlockGrid:
    if picture.format.name == "rgb24":
        return BlockGrid(picture.width, picture.height, side_px=1)
    return BlockGrid(picture.width, picture.height, side_px=2, together=2 if picture.interlaced_frame else 1)


def _painted(picture: av.VideoFrame, hidden: Hidden) -> tuple[av.VideoFrame, Planes]:
    """A fresh frame with the planes and colour fields of `picture`, its hidden blocks black, and its planes."""
    fresh = av.VideoFrame(picture.width, picture.height, picture.format.name)
    fresh.color_range = picture.color_range
    fresh.colorspace = picture.colorspace
    fresh.color_primaries = picture.color_primaries
    fresh.color_trc = picture.color_trc
    views = plane_arrays(fresh)
    planes = Planes(views, _block(picture), _black(picture))
    for plane, view, source in zip(fresh.planes, views, plane_arrays(picture), strict=True):
        np.copyto(view, source)
        padding = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, view[0].nbytes :]
        padding[:] = 0  # the allocator hands out old memory as it is
    paint(planes, planes.black, hidden)
    return fresh, planes


def _block(picture: av.VideoFrame) -> tuple[int, ...]:
    return (1,) if picture.format.name == "rgb24" else (2, 1, 1)


def _black(picture: av.VideoFrame) -> tuple[int, ...]:
    """The value of black in each plane, by range and depth (ITU-T H.273, 8.3)."""
    if picture.format.name == "rgb24":
        return (0,)
    scale = 1 << (picture.format.components[0].bits - 8)
    return (0 if int(picture.color_range) == _FULL_RANGE else 16 * scale, 128 * scale, 128 * scale)
