"""What every live source gives, and what all connections to one camera share. Private side."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Final, Protocol, final

import av

from skyveil.core.camera import CameraSpec
from skyveil.core.ids import FrameId, SourceId
from skyveil.private.capture.live.timeline import CLOCK_HZ, LiveTimeline
from skyveil.private.capture.orientation import orientation_of
from skyveil.private.capture.shape import Shaper
from skyveil.private.frame import RawFrame

TICK_S: Final = 0.1
"""Longest time without a word from a source, so that its caller can look at orders and clocks."""
SILENT_S: Final = 5.0
"""Time without a picture after which a connection is given up."""


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """What an encoder must know of the pictures; a new one when the camera changes them."""

    width: int
    height: int
    sample_aspect: Fraction
    full_range: bool
    color: tuple[int, int, int]


@final
@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture, the moment it arrived (monotonic), and its shape.

    newer: whether newer ones are there already. behind: whether whoever takes them is slower than the camera (`Lag`).
    """

    raw: RawFrame
    arrival_s: float
    shape: Shape
    newer: bool = False
    behind: bool = False


@final
class Lag:
    """Whether whoever takes pictures is slower than the camera: several were there twice running, with no waiting for
    any in between. Cameras that send in bursts give several as well, and then nothing."""

    def __init__(self) -> None:
        self._several = False

    def waited(self) -> None:
        """Nothing was there."""
        self._several = False

    def took(self, count: int) -> bool:
        """So many pictures were there at once; whether that is behind."""
        behind, self._several = self._several and count > 1, count > 1
        return behind


class LiveSource(Protocol):
    """An open camera. `frames` ends only by CameraUnavailable; whoever opened it closes it."""

    @property
    def dropped(self) -> int:
        """Pictures that were not given because a newer one was there, or above the highest rate."""
        ...

    def frames(self) -> Iterator[Arrived | None]:
        """Pictures as they arrive; None at least every `TICK_S` seconds."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@final
class Given:
    """What all sources of one camera share, over its connections: frame numbers, the clock, and the highest rate."""

    def __init__(self, spec: CameraSpec) -> None:
        self._id = SourceId(spec.id)
        self._numbers = count()
        self._shortest = 0 if spec.max_fps is None else round(0.9 * CLOCK_HZ / spec.max_fps)
        self._last_ticks: int | None = None
        self._shaper: Shaper | None = None
        self._like: tuple[int, int, str] | None = None
        self.timeline = LiveTimeline(time.monotonic())
        self.too_soon = 0
        """Pictures above the highest rate."""
        self.clock_offset_s: float | None = None
        """The camera's clock minus ours, where it tells its own."""

    def arrived(
        self, picture: av.VideoFrame, ticks: int, clock_hz: int, *, damaged: bool, at_s: float | None = None
    ) -> Arrived | None:
        """The picture as a frame of this camera; None when it comes too soon for the highest rate.

        at_s: when it arrived (monotonic), if that is not now.
        """
        now_s = time.monotonic() if at_s is None else at_s
        at = self.timeline.place(ticks, clock_hz, now_s)
        if self._last_ticks is not None and at.ticks - self._last_ticks < self._shortest:
            self.too_soon += 1
            return None
        self._last_ticks = at.ticks
        like = (picture.width, picture.height, picture.format.name)
        if self._shaper is None or self._like != like:
            self._shaper, self._like = Shaper(picture, orientation_of(picture), ten_bit=False), like
        shaper = self._shaper
        raw = RawFrame(shaper.shaped(picture), FrameId(self._id, next(self._numbers)), at, damaged=damaged)
        colour = shaper.colour
        color = (colour.primaries, colour.transfer, colour.matrix)
        return Arrived(raw, now_s, Shape(raw.width, raw.height, Fraction(1), colour.full_range, color))
