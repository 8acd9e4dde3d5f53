"""Small pictures, evidence and regions for the tests of the gate."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import Polygon
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.time import MediaTime
from skyveil.gate.hidden import Hidden
from skyveil.gate.planes import Planes
from skyveil.private._pixels import Plane, plane_array
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions

SOURCE = SourceId("camera")
TIME_BASE = Fraction(1, 90_000)
PLANAR = ("yuv420p", "yuv420p10le")
FORMATS = (*PLANAR, "rgb24")
FULL_RANGE = 2


def noise(pixel_format: str, width: int, height: int, seed: int) -> av.VideoFrame:
    """A picture of random samples, 8 or 10 bits each."""
    picture = av.VideoFrame(width, height, pixel_format)
    random = np.random.default_rng(seed)
    for plane in planes_of(picture):
        plane[:] = random.integers(0, 1024 if plane.dtype == np.uint16 else 256, plane.shape)
    return picture


def planes_of(picture: av.VideoFrame) -> tuple[Plane, ...]:
    """Writable views of the planes, which live as long as `picture`."""
    return tuple(plane_array(picture, index) for index in range(len(picture.planes)))


def rows_and_padding(picture: av.VideoFrame) -> tuple[bytes, ...]:
    """All bytes of all planes, also those that only pad a row."""
    return tuple(bytes(plane) for plane in picture.planes)


def name(index: int = 0) -> FrameId:
    return FrameId(SOURCE, index)


def raw_frame(picture: av.VideoFrame, index: int = 0, *, damaged: bool = False) -> RawFrame:
    return RawFrame(picture, name(index), MediaTime(index * 3600, TIME_BASE), damaged=damaged)


def looked_at(width: int, height: int, index: int = 0, *, tile_px: int = 16) -> Looked:
    """Evidence that every tile was looked at in this very frame."""
    shape = (-(-height // tile_px), -(-width // tile_px))
    return Looked(name(index), tile_px, np.full(shape, Why.LOOKED, np.uint8), np.zeros(shape, np.float32), ("net@0",))


def int_boxes(boxes: Iterable[Sequence[int]]) -> NDArray[np.int32]:
    return np.array(list(boxes), np.int32).reshape(-1, 4)


def regions_of(
    looked: Looked | None, *, boxes: Iterable[Sequence[int]] = (), polygons: Iterable[Polygon] = (), index: int = 0
) -> Regions:
    return Regions(name(index), int_boxes(boxes), tuple(polygons), looked)


def polygon(*corners: tuple[float, float]) -> Polygon:
    return np.array(corners, np.float32)


class LeaveBlack:
    """A fill that draws nothing: hidden blocks stay as the gate painted them, which is black."""

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        pass
