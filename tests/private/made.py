"""Made frames, and a finder that answers from a script instead of a network, for the tests of the engine."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import BoxesXyxy
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.time import MediaTime
from skyveil.private._pixels import plane_array
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.pyramid import Area, Level
from skyveil.private.frame import RawFrame

Box: TypeAlias = tuple[float, float, float, float]
Luma: TypeAlias = NDArray[np.uint8]
Script: TypeAlias = Callable[[int], Sequence[Box]]
"""The boxes that are really there in the frame of this index."""

SOURCE = SourceId("made")
MILLISECOND = Fraction(1, 1000)
WIDTH, HEIGHT = 320, 240

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""Properties are tried on the same examples in every run, however slow the machine."""


def frame_of(luma: Luma, index: int = 0, *, ms: int | None = None, damaged: bool = False) -> RawFrame:
    """A grey frame with this luma, 40 ms after the frame before unless `ms` says when."""
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    plane_array(picture, 0)[:] = luma
    for chroma in (1, 2):
        plane_array(picture, chroma)[:] = 128
    time = MediaTime(index * 40 if ms is None else ms, MILLISECOND)
    return RawFrame(picture, FrameId(SOURCE, index), time, damaged=damaged)


def plain(level: int = 100, *, width: int = WIDTH, height: int = HEIGHT) -> Luma:
    return np.full((height, width), level, np.uint8)


def painted(boxes: Iterable[Box], *, background: int = 100, level: int = 200) -> Luma:
    """A plain picture with bright boxes: what moves when they do."""
    luma = plain(background)
    for x1, y1, x2, y2 in boxes:
        luma[max(0, int(y1)) : max(0, int(y2)), max(0, int(x1)) : max(0, int(x2))] = level
    return luma


def scene(
    count: int, there: Script, *, ms: Sequence[int] | None = None, damaged: Iterable[int] = ()
) -> Iterator[RawFrame]:
    """Frames in which the boxes of `there` are bright, so that the motion test sees them move."""
    broken = frozenset(damaged)
    for index in range(count):
        time = None if ms is None else ms[index]
        yield frame_of(painted(there(index)), index, ms=time, damaged=index in broken)


def nobody(_: int) -> Sequence[Box]:
    return ()


def scored(boxes: Sequence[Box], score: float = 0.9) -> Scored:
    return Scored(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


@dataclass
class ScriptedFinder:
    """Answers with what the scripts say is there, within the areas it is asked about, and notes every question.

    first: what faces score in a first look, where that is not `score`, which a second, enlarged one gives.
    raises_at: the frame at which the network fails; answers: what it says of faces in some frames, in place of the
    script.
    """

    there: Script = nobody
    standing: Script = nobody
    plated: Script = nobody
    score: float = 0.9
    first: float | None = None
    raises_at: int | None = None
    answers: Mapping[int, Scored] = field(default_factory=dict)
    looked_at: list[int] = field(default_factory=list)
    asked: dict[int, list[Area]] = field(default_factory=dict)
    persons_asked: list[int] = field(default_factory=list)
    plates_asked: dict[int, list[Area]] = field(default_factory=dict)
    turned: Mapping[int, Sequence[Box]] = field(default_factory=dict)
    turns_asked: list[tuple[int, float]] = field(default_factory=list)

    @property
    def used(self) -> tuple[str, ...]:
        return ("scripted@0",) if self.looked_at else ()

    def faces(
        self, raw: RawFrame, area: Area, pyramid: Sequence[Level], *, threshold: float, quarters: int = 0
    ) -> Scored:
        if quarters:
            self.turns_asked.append((quarters, threshold))
            return scored(list(self.turned.get(quarters, [])), self.score).above(threshold)
        return self.faces_in(raw, [area], pyramid, threshold=threshold)

    def faces_in(self, raw: RawFrame, areas: Sequence[Area], pyramid: Sequence[Level], *, threshold: float) -> Scored:
        index = self._note(raw)
        self.asked.setdefault(index, []).extend(areas)
        if index in self.answers:
            return self.answers[index]
        again = bool(pyramid) and pyramid[0].scale > 2.5
        score = self.score if again or self.first is None else self.first
        return scored([box for box in self.there(index) if _in_any(box, areas)], score).above(threshold)

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        index = self._note(raw)
        self.persons_asked.append(index)
        return scored(self.standing(index), self.score).above(threshold)

    def persons_passing(
        self, parts: Sequence[tuple[RawFrame, Area]], *, scale: float, threshold: float
    ) -> list[Scored]:
        return [self.persons(raw, area, scale=scale, threshold=threshold) for raw, area in parts]

    def plates(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        index = self._note(raw)
        self.plates_asked.setdefault(index, []).append(area)
        return scored([box for box in self.plated(index) if _in_any(box, [area])], self.score).above(threshold)

    def _note(self, raw: RawFrame) -> int:
        index = raw.id.index
        if not self.looked_at or self.looked_at[-1] != index:
            self.looked_at.append(index)
        if index == self.raises_at:
            raise DetectorFailed(f"the network failed at frame {index}")
        return index


def _in_any(box: Box, areas: Iterable[Area]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(x1 <= x < x2 and y1 <= y < y2 for x1, y1, x2, y2 in areas)


def covered(box: Box, covers: NDArray[np.int32] | BoxesXyxy) -> bool:
    """Whether some one of `covers` holds the whole box."""
    x1, y1, x2, y2 = box
    return any(a <= x1 and b <= y1 and c >= x2 and d >= y2 for a, b, c, d in covers.tolist())
