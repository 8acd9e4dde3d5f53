"""What may leave. Public side: nothing here can be made from raw pixels, ids or positions of people."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, final

import av

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import FrameId
from skyveil.core.time import MediaTime
from skyveil.public._seal import SEAL, _Seal


@final
class RedactedFrame:
    """A frame that passed `gate.redact` with evidence of its own. Made there and nowhere else.

    `picture` holds planes, presentation time and colour fields, and no side data. Treat it as read-only: its
    consumers are the encoders. PyAV has no read-only planes; what keeps raw pixels from being painted back is that
    nobody who may hold a RedactedFrame may look at a RawFrame.
    """

    __slots__ = ("_picture", "_seal", "covered_share", "height", "id", "time", "whole", "width")

    _seal: _Seal
    _picture: av.VideoFrame
    id: FrameId
    time: MediaTime
    width: int
    height: int
    covered_share: float
    whole: bool

    def __init__(
        self,
        picture: av.VideoFrame,
        frame_id: FrameId,
        time: MediaTime,
        *,
        covered_share: float,
        whole: bool,
        seal: _Seal,
    ) -> None:
        if seal is not SEAL:
            raise BoundaryViolated("a RedactedFrame is made by gate.redact only")
        put = object.__setattr__
        put(self, "_seal", seal)
        put(self, "_picture", picture)
        put(self, "id", frame_id)
        put(self, "time", time)
        put(self, "width", picture.width)
        put(self, "height", picture.height)
        put(self, "covered_share", covered_share)
        put(self, "whole", whole)

    @property
    def picture(self) -> av.VideoFrame:
        """The redacted picture, for encoders."""
        return self._picture

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every change."""
        raise BoundaryViolated(f"RedactedFrame.{name} can not be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse to lose a field."""
        raise BoundaryViolated(f"RedactedFrame.{name} can not be deleted")

    def __init_subclass__(cls) -> NoReturn:
        """Refuse subclasses."""
        raise BoundaryViolated("RedactedFrame can not be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise BoundaryViolated("RedactedFrame can not be pickled or copied")

    def __repr__(self) -> str:
        """Name and size."""
        return f"RedactedFrame({self.id.source}:{self.id.index}, {self.width}x{self.height})"


def sealed(frame: object) -> RedactedFrame:
    """The frame itself when it is exactly a RedactedFrame that carries the seal; BoundaryViolated otherwise.

    Every encoder calls it first: types stop mistakes, this stops `# type: ignore` and `object.__new__`.
    """
    if type(frame) is not RedactedFrame or getattr(frame, "_seal", None) is not SEAL:
        raise BoundaryViolated(f"expected a RedactedFrame from gate.redact, got {type(frame).__name__}")
    return frame


@final
@dataclass(frozen=True, slots=True)
class RedactedPacket:
    """Encoded bytes of redacted frames; made only by the encoders of `skyveil.public.encode`."""

    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction
    keyframe: bool
