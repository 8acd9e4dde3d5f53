"""A source of made frames and an encoder that keeps what it is given, for the tests of the pipeline."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from skyveil.app.pipeline import Door, redacted
from skyveil.app.tally import FileTally
from skyveil.core.settings import RedactSettings
from skyveil.core.stream import StreamInfo
from skyveil.gate.fill import Solid
from skyveil.private._pixels import plane_array
from skyveil.private.capture.source import Gap, SourceInfo
from skyveil.private.frame import RawFrame
from skyveil.private.watch import Watch
from skyveil.public.types import RedactedFrame, sealed
from skyveil.public.wire import Message, Progress
from tests.private.made import HEIGHT, MILLISECOND, WIDTH

COVER_LUMA = 76
"""Luma of the solid fill in limited range; scenes of the tests do not hold it."""


class MadeSource:
    """Frames made ahead; keeps them, so that a test can see that they are empty afterwards."""

    def __init__(self, frames: Iterable[RawFrame], *, rate: Fraction | None = Fraction(25)) -> None:
        self.given: list[RawFrame] = []
        self._frames = iter(frames)
        self.info = SourceInfo(
            "video",
            StreamInfo(WIDTH, HEIGHT, MILLISECOND, rate, Fraction(1), 8, False, (1, 1, 1)),
            None,
            None,
            ("audio aac",),
            None,
        )
        self.gaps: tuple[Gap, ...] = ((1.0, 2.0),)
        self.truncated = False

    def frames(self) -> Iterator[RawFrame]:
        for raw in self._frames:
            self.given.append(raw)
            yield raw

    def close(self) -> None:
        pass


class KeepingEncoder:
    """Keeps every frame, as every encoder does that looks ahead, and sends one message for each."""

    def __init__(self) -> None:
        self.kept: list[RedactedFrame] = []
        self.ended = False

    def encode(self, frame: RedactedFrame) -> list[Message]:
        self.kept.append(sealed(frame))
        return [Progress(frame.id.index)]

    def end(self) -> list[Message]:
        self.ended = True
        return [Progress(len(self.kept))]

    @property
    def indices(self) -> list[int]:
        return [frame.id.index for frame in self.kept]


def luma_of(frame: RedactedFrame) -> NDArray[np.uint8]:
    return np.asarray(plane_array(frame.picture, 0), np.uint8)


class Run:
    """One run of the pipeline over made frames, up to its end or to the error that ended it."""

    def __init__(self, watch: Watch, frames: Iterable[RawFrame], settings: RedactSettings | None = None) -> None:
        self.source = MadeSource(frames)
        self.encoder = KeepingEncoder()
        self.tally = FileTally()
        self.messages: list[Message] = []
        chosen = settings or RedactSettings()
        self._run = redacted(self.source, watch, Door(Solid(), self.encoder, self.tally, chosen))

    def to_the_end(self) -> "Run":
        for message in self._run:
            self.messages.append(message)
        return self
