"""What may leave. Public side: nothing here can be made from raw pixels, ids or positions of people."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import av

from skyveil.core.ids import FrameId
from skyveil.core.time import MediaTime
from skyveil.public._seal import Sealed, _Seal, made_by_gate


@final
class RedactedFrame(Sealed, made_by="gate.redact"):
    """A frame that passed `gate.redact` with evidence of its own. Made there and nowhere else.

    `picture` holds planes, presentation time and colour fields, and no side data. Treat it as read-only: its
    consumers are the encoders. PyAV has no read-only planes; what keeps raw pixels from being painted back is that
    nobody who may hold a RedactedFrame may look at a RawFrame.
    """

    __slots__ = ("_picture", "covered_share", "height", "id", "time", "whole", "width")

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
        self._fill(
            seal,
            _picture=picture,
            id=frame_id,
            time=time,
            width=picture.width,
            height=picture.height,
            covered_share=covered_share,
            whole=whole,
        )

    @property
    def picture(self) -> av.VideoFrame:
        """The redacted picture, for encoders."""
        return self._picture

    def __repr__(self) -> str:
        """Name and size."""
        return f"RedactedFrame({self.id.source}:{self.id.index}, {self.width}x{self.height})"


def sealed(frame: object) -> RedactedFrame:
    """The frame itself when it is exactly a RedactedFrame that carries the seal; BoundaryViolated otherwise.

    Every encoder calls it first: types stop mistakes, this stops `# type: ignore` and `object.__new__`.
    """
    return made_by_gate(frame, RedactedFrame)


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
