"""The raw frame. Private side: holds one decoded picture and lets nobody but `_pixels` reach it."""

from typing import NoReturn, final

import av

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import FrameId
from skyveil.core.time import MediaTime

FORMATS = ("yuv420p", "yuv420p10le", "rgb24")
"""Pixel formats that the gate paints: the decoder converts everything else to one of them."""


@final
class RawFrame:
    """A decoded picture, opaque: no array protocol, no pickle, no copy, and a repr without pixels.

    It has one owner. `gate.redact` takes the picture out; after that the frame is empty and using it raises.
    `damaged` says that the decoder had to guess: such a frame is covered wholly.
    """

    __slots__ = ("__picture", "damaged", "height", "id", "time", "width")

    id: FrameId
    time: MediaTime
    damaged: bool
    width: int
    height: int

    def __init__(self, picture: av.VideoFrame, frame_id: FrameId, time: MediaTime, *, damaged: bool = False) -> None:
        if picture.format.name not in FORMATS:
            raise BoundaryViolated(
                f"frame {frame_id.index}: pixel format {picture.format.name} is not one of {FORMATS}"
            )
        put = object.__setattr__
        put(self, "_RawFrame__picture", picture)
        put(self, "id", frame_id)
        put(self, "time", time)
        put(self, "damaged", damaged)
        put(self, "width", picture.width)
        put(self, "height", picture.height)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every change: a frame that takes another name would take another frame's regions."""
        raise BoundaryViolated(f"RawFrame.{name} can not be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse to lose a field."""
        raise BoundaryViolated(f"RawFrame.{name} can not be deleted")

    def __repr__(self) -> str:
        """Name and size; never pixels."""
        return f"RawFrame({self.id.source}:{self.id.index}, {self.width}x{self.height})"

    def __init_subclass__(cls) -> NoReturn:
        """Refuse subclasses: they could open the frame."""
        raise BoundaryViolated("RawFrame can not be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise BoundaryViolated("RawFrame can not be pickled or copied")

    def __array__(self, *_: object, **__: object) -> NoReturn:
        """Refuse to become an array."""
        raise BoundaryViolated("RawFrame can not become an array")
