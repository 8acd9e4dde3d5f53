"""Boxes joined over the looks of one source, to know where they were in between. Private side, in memory only.

A track is a row of boxes and nothing else: no appearance, no name, nothing that another source could be compared with.
It ends when nothing is found where it should be, and the same person coming back is another track.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, no_boxes
from skyveil.core.kinds import Kind
from skyveil.private.detections import Detections
from skyveil.private.track.flow import Sight, moved
from skyveil.private.track.hints import Hints
from skyveil.private.track.match import SLACK, SWERVE, nearness, pairs
from skyveil.private.track.paths import finds_of, paths

Box: TypeAlias = NDArray[np.float32]
"""xyxy, shape (4,)."""

SURE: Final = 0.3
"""A box that scores this much is taken at once; a weaker one must be found again before it is held for long."""
_LIVELY: Final = {Kind.PERSON: 1.0, Kind.HEAD: 8.0, Kind.FACE: 8.0, Kind.PLATE: 2.0}
"""How many times the share of its own size that a body moves by: a face of 0.2 m goes as fast as its body of 1.7 m.
At 2 faces of 10 to 20 px that crossed a scene at 7 px a frame broke into single finds (docs/design/engine.md)."""
_SHRINKS: Final = 0.9
"""By how much a face that was followed may shrink from look to look."""
_LASTING: Final = 0.2
"""A box that scores less is not held where nobody looks again unless it was found twice: what is no face stood still
there for good, and covered 0.7 points more of the plaza (docs/design/engine.md)."""
_DOUBTFUL_LEEWAY: Final = 1.0
"""How far from where its track should be a doubtful box may lie, in longer sides of the box."""
_ENOUGH: Final = 0.15
"""What the enlarged looks at one hint must score together, so that it is taken for a face: two or three of those that
are too weak alone (docs/design/engine.md)."""


@final
@dataclass(frozen=True, slots=True)
class Holding:
    """For how many frames a track is believed without being seen.

    before: before it was first found and after it was last found; before_weak: the same for one found once and weakly;
    gap: between two times it was found; around: each frame also covers where the track is this many frames earlier
    and later; around_body: the same for a person whose box is higher than wide; growth: of its height, by which each
    side grows per frame where it was neither found nor followed.
    stride: of its longer side, by which a body of unknown velocity may move per frame.
    """

    before: int
    before_weak: int
    gap: int
    around: int
    around_body: int
    growth: float
    stride: float


@final
@dataclass(slots=True)
class _Track:
    """Where it was found and, between finds and beside them, where it was followed to: points in the order of time."""

    kind: int
    frames: list[int]
    boxes: list[Box]
    best: float
    finds: int
    first_found: int
    last_found: int
    found_box: Box
    score: float
    velocity: Box = field(default_factory=lambda: np.zeros(4, np.float32))
    hint: bool = False
    """Whether nothing but hints was found: then it covers nothing yet."""
    hints: int = 0
    """How many of its finds were hints."""
    evidence: float = 0.0
    """What enlarged looks at a hint scored together."""

    @staticmethod
    def begun(kind: int, frame: int, box: Box, score: float, *, hint: bool = False) -> "_Track":
        return _Track(kind, [frame], [box], score, 1, frame, frame, box, score, hint=hint, hints=int(hint))

    @property
    def trusted(self) -> bool:
        return self.finds - self.hints > 1 or self.best >= SURE or self.evidence >= _ENOUGH

    @property
    def lasting(self) -> bool:
        real = self.finds - self.hints
        return real > 1 or self.best >= _LASTING or self.evidence >= (2 - real) * _ENOUGH

    def predicted(self, frame: int) -> Box:
        """Where it should be: where it was followed to, and on from there with its velocity."""
        return np.asarray(self.boxes[-1] + self.velocity * (frame - self.frames[-1]), np.float32)

    def points(self, first: int, last: int) -> "slice[int, int, None]":
        """Those of its points that say where it was from frame `first` to `last`.

        Where the frames reach beyond either end, the three points at that end: its velocity there is taken from them.
        """
        begin = max(0, bisect_right(self.frames, first) - 1)
        end = min(len(self.frames), bisect_left(self.frames, last) + 1)
        if first < self.frames[0]:
            end = max(end, 3)
        if last > self.frames[-1]:
            begin = max(0, min(begin, len(self.frames) - 3))
        return slice(begin, end)

    def copy(self) -> "_Track":
        return replace(self, frames=list(self.frames), boxes=list(self.boxes))

    def add(self, frame: int, box: Box, score: float) -> None:
        """Found: how far it was followed astray is shared out over the points since it was last found."""
        span = frame - self.last_found
        followed = self.frames[-1] == frame
        kept = _joined(box, self.boxes[-1]) if followed and self.kind != Kind.PERSON else box
        astray = kept - self.predicted(frame)
        for index, time in enumerate(self.frames):
            if time > self.last_found:
                self.boxes[index] = np.asarray(
                    self.boxes[index] + astray * ((time - self.last_found) / span), np.float32
                )
        if followed:
            del self.frames[-1], self.boxes[-1]
        centre = (box[:2] + box[2:] - self.found_box[:2] - self.found_box[2:]) / (2 * span)
        moved = np.concatenate([centre, centre]).astype(np.float32)
        self.velocity = moved if self.finds == 1 else np.asarray((self.velocity + moved) / 2, np.float32)
        self.frames.append(frame)
        self.boxes.append(kept)
        self.best, self.score, self.found_box, self.last_found = max(self.best, score), score, box, frame
        self.finds += 1


@final
@dataclass(frozen=True, slots=True)
class Placed:
    """Where tracks are in one frame: parallel arrays as in Detections; the box of a track is a union over `around`."""

    xyxy: BoxesXyxy
    score: NDArray[np.float32]
    kind: NDArray[np.uint8]


@final
class Tracks:
    """The tracks of one source. One thread owns it; nothing outlives the instance."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._alive: list[_Track] = []
        self._ended: list[_Track] = []
        self._updated = -1

    def believe(self, holding: Holding) -> None:
        """Believe tracks for other numbers of frames from now on."""
        self._holding = holding

    def update(
        self, found: Detections, *, frame: int, doubtful: Detections | None = None, hints: Hints | None = None
    ) -> None:
        """Take the boxes found in `frame`, which is later than the frames before.

        Strong boxes choose their track first, then weak ones; what is left begins new tracks. doubtful: boxes too weak
        to begin a track, which keep one that would be lost. hints: they begin tracks that cover nothing until a face
        is found there surely, or those of enlarged looks are enough; then they cover all of their way.
        """
        for kind in _kinds_in(found):
            self._update_kind(found.of_kind(kind), int(kind), frame)
        if doubtful is not None:
            for kind in _kinds_in(doubtful):
                self._keep(doubtful.of_kind(kind), int(kind), frame)
        if hints is not None:
            self._hint(hints.boxes, hints.enlarged, frame)
        self._updated = frame
        stay = [frame - track.last_found < self._patience(track) for track in self._alive]
        self._ended += [track for track, stays in zip(self._alive, stay, strict=True) if not stays]
        self._alive = [track for track, stays in zip(self._alive, stay, strict=True) if stays]

    def last(self, kind: Kind) -> BoxesXyxy:
        """The last boxes of the tracks of one kind, (N, 4)."""
        return _stacked([track.boxes[-1] for track in self._of(kind)])

    def hinted(self, boxes: BoxesXyxy, kind: Kind, *, frame: int) -> NDArray[np.bool_]:
        """Which of the boxes (N, 4) in `frame` may go on with a track of hints."""
        tracks = self._hints(int(kind), frame)
        predicted = _stacked([track.predicted(frame) for track in tracks])
        return np.asarray((nearness(predicted, boxes, leeway=self._leeway(tracks, frame)) > 0).any(axis=0), np.bool_)

    def known(self, kind: Kind, *, least: float, frame: int) -> BoxesXyxy:
        """Where the tracks of one kind that once scored `least` were last found, and should be in `frame`.

        Only tracks that still cover: one that was missed for longer than `Holding.before` explains nothing any more.
        """
        reach = self._holding.before
        tracks = [t for t in self._of(kind) if t.best >= least and frame - t.last_found <= reach]
        return _stacked([box for track in tracks for box in (track.found_box, track.predicted(frame))])

    def hold(self, kind: Kind, still: NDArray[np.bool_], *, frame: int) -> None:
        """Keep tracks, a mask over `last(kind)`, that nobody looked at in `frame` because nothing moved there.

        One that was missed before may stand there still, or may have gone on as it went: both are covered.
        """
        for track, stays in zip(self._of(kind), still, strict=True):
            if stays and track.lasting and track.last_found < frame:
                if track.last_found < self._updated:
                    self._ended.append(track.copy())
                track.add(frame, track.found_box, track.score)

    def follow(self, before: Sight, now: Sight) -> None:
        """Move the tracks that are known in `before` to where they are in `now`; one that is lost from sight stays."""
        known = [(track, len(track.frames) - 1) for track in self._alive if track.frames[-1] == before.frame]
        for track, at, box in _seen_to_move(known, before, now):
            track.frames.insert(at + 1, now.frame)
            track.boxes.insert(at + 1, box)

    def trace(self, sights: Sequence[Sight]) -> None:
        """Follow the tracks found in the first of `sights` back through the others, each earlier than the one before.

        Each goes back as far as it is seen to, or to where it was known before: that is how a new one came into the
        scene, and where one was that had been lost. One that is not trusted yet is not believed that far.
        """
        found = [t for t in self._alive if t.frames[-1] == sights[0].frame and t.trusted and not t.hint]
        ends = [(track, len(track.frames) - 1) for track in found]
        for before, now in pairwise(sights):
            ends = [(track, at) for track, at in ends if at == 0 or track.frames[at - 1] < now.frame]
            seen = _seen_to_move(ends, before, now)
            for track, at, box in seen:
                track.frames.insert(at, now.frame)
                track.boxes.insert(at, box)
            ends = [(track, at) for track, at, _ in seen]

    def end(self, kind: Kind, gone: NDArray[np.bool_]) -> None:
        """End tracks, a mask over `last(kind)`: something else covers them from now on."""
        ended = [track for track, ends in zip(self._of(kind), gone, strict=True) if ends]
        self._ended += ended
        self._alive = [track for track in self._alive if all(track is not other for other in ended)]

    def cut(self) -> None:
        """End all tracks: the scene was replaced."""
        self._ended += self._alive
        self._alive = []

    def placed(self, first: int, last: int) -> list[Placed]:
        """Where the tracks are in each frame from `first` to `last`, both included."""
        holding = self._holding
        rows = [(track, self._span(track)) for track in (*self._ended, *self._alive) if not track.hint]
        near = [(track, span) for track, span in rows if span[0] <= last and span[1] >= first]
        if not near:
            return [Placed(no_boxes(), np.zeros(0, np.float32), np.zeros(0, np.uint8)) for _ in range(first, last + 1)]
        tracks = [track for track, _ in near]
        around = [self._around(track) for track in tracks]
        points = [track.points(first - reach, last + reach) for track, reach in zip(tracks, around, strict=True)]
        finds = finds_of(
            [track.frames[some] for track, some in zip(tracks, points, strict=True)],
            [track.boxes[some] for track, some in zip(tracks, points, strict=True)],
            [span for _, span in near],
        )
        boxes, there = paths(finds, np.arange(first, last + 1), around=np.array(around), growth=holding.growth)
        score = np.array([track.best for track in tracks], np.float32)
        kind = np.array([track.kind for track in tracks], np.uint8)
        return [
            Placed(boxes[here, index], score[here], kind[here])
            for index, here in enumerate(np.ascontiguousarray(there.T))
        ]

    def forget(self, before: int) -> None:
        """Drop what no frame from `before` on can need."""
        reach = self._holding.before + max(self._holding.around, self._holding.around_body)
        self._ended = [track for track in self._ended if track.last_found + reach >= before]
        for track in self._alive:
            while len(track.frames) > 3 and track.frames[2] < min(before - reach, track.last_found):
                del track.frames[0], track.boxes[0]

    def _of(self, kind: Kind) -> list[_Track]:
        return [track for track in self._alive if track.kind == kind and not track.hint]

    def _hints(self, kind: int, frame: int) -> list[_Track]:
        """The tracks of hints that none was found for in `frame` yet."""
        return [track for track in self._alive if track.kind == kind and track.hint and track.last_found < frame]

    def _span(self, track: _Track) -> tuple[int, int]:
        """The first and the last frame in which a track is believed."""
        reach = self._holding.before if track.trusted else self._holding.before_weak
        begins = track.first_found - reach
        return min(begins, track.frames[0]) if track.trusted else begins, track.last_found + reach

    def _around(self, track: _Track) -> int:
        width, height = track.found_box[2:] - track.found_box[:2]
        return self._holding.around_body if track.kind == Kind.PERSON and height >= width else self._holding.around

    def _leeway(self, tracks: list[_Track], frame: int) -> NDArray[np.float64]:
        """How far from its prediction each track may be found in `frame`, in longer sides of its box."""
        waited = np.array([frame - track.last_found for track in tracks], np.float64)
        share = np.array([1.0 if track.finds == 1 else SWERVE for track in tracks], np.float64)
        lively = np.array([_LIVELY[Kind(track.kind)] for track in tracks], np.float64)
        return np.asarray(SLACK + self._holding.stride * lively * share * waited, np.float64)

    def _patience(self, track: _Track) -> int:
        return self._holding.gap if track.trusted or track.finds > 1 else self._holding.before_weak

    def _keep(self, doubtful: Detections, kind: int, frame: int) -> NDArray[np.bool_]:
        """Let tracks that were not found go on where a doubtful box lies; which boxes no track took, (N,)."""
        free = np.ones(len(doubtful), np.bool_)
        tracks = [track for track in self._of(Kind(kind)) if track.last_found < frame] if len(doubtful) else []
        if not tracks:
            return free
        predicted = _stacked([track.predicted(frame) for track in tracks])
        near = nearness(predicted, doubtful.xyxy, leeway=np.full(len(tracks), _DOUBTFUL_LEEWAY))
        for row, column in pairs(near):
            tracks[row].add(frame, doubtful.xyxy[column], float(doubtful.score[column]))
            free[column] = False
        return free

    def _hint(self, hints: Detections, enlarged: NDArray[np.bool_], frame: int) -> None:
        """Let tracks go on where enlarged looks hint at them, and tracks of hints; what is left begins new ones."""
        kind = int(Kind.FACE)
        free = np.ones(len(hints), np.bool_)
        free[enlarged] = self._keep(hints.only(enlarged), kind, frame)
        for turn in (enlarged, ~enlarged):
            tracks = self._hints(kind, frame)
            for track, column in self._matched(tracks, hints, frame, free & turn):
                track.add(frame, hints.xyxy[column], float(hints.score[column]))
                track.hints += 1
                track.evidence += float(hints.score[column]) if enlarged[column] else 0.0
                track.hint = not track.trusted
                free[column] = False
        for column in np.flatnonzero(free).tolist():
            box, score = hints.xyxy[column], float(hints.score[column])
            begun = _Track.begun(kind, frame, box, score, hint=True)
            begun.evidence = score if enlarged[column] else 0.0
            self._alive.append(begun)

    def _update_kind(self, found: Detections, kind: int, frame: int) -> None:
        tracks = [track for track in self._of(Kind(kind)) if track.last_found < frame]
        free = np.ones(len(found), np.bool_)
        for turn in (found.score >= SURE, found.score < SURE):
            waiting = [track for track in tracks if track.last_found < frame]
            for track, column in self._matched(waiting, found, frame, free & turn):
                track.add(frame, found.xyxy[column], float(found.score[column]))
                free[column] = False
        for track, column in self._matched(self._hints(kind, frame), found, frame, free):
            track.add(frame, found.xyxy[column], float(found.score[column]))
            track.hint = free[column] = False
            track.evidence += float(found.score[column]) if track.evidence else 0.0
            track.first_found = frame if not track.trusted else track.first_found
        for column in np.flatnonzero(free).tolist():
            self._alive.append(_Track.begun(kind, frame, found.xyxy[column], float(found.score[column])))

    def _matched(
        self, tracks: list[_Track], found: Detections, frame: int, free: NDArray[np.bool_]
    ) -> list[tuple[_Track, int]]:
        """Pairs of a track and of a box, among those that are `free`, that may be the same."""
        if not tracks or not free.any():
            return []
        predicted = _stacked([track.predicted(frame) for track in tracks])
        near = nearness(predicted, found.xyxy, leeway=self._leeway(tracks, frame))
        return [(tracks[row], column) for row, column in pairs(near * free[None, :])]


def _kinds_in(found: Detections) -> list[Kind]:
    """The kinds of these boxes, in the order of `Kind`."""
    return [Kind(kind) for kind in sorted(set(found.kind.tolist()))]


def _joined(found: Box, followed: Box) -> Box:
    """A box that holds both, the one that was followed a little smaller.

    Faces are looked at in parts that moved: of one that hardly moves a part may show less than the whole.
    """
    centre = (followed[:2] + followed[2:]) / 2
    low, high = centre + _SHRINKS * (followed[:2] - centre), centre + _SHRINKS * (followed[2:] - centre)
    return np.concatenate([np.minimum(found[:2], low), np.maximum(found[2:], high)]).astype(np.float32)


def _seen_to_move(ends: Sequence[tuple[_Track, int]], before: Sight, now: Sight) -> list[tuple[_Track, int, Box]]:
    """Those of the tracks, each at one of its points, that are seen to go somewhere, and their boxes there."""
    boxes = _stacked([track.boxes[at] for track, at in ends])
    there, sure = moved(boxes, np.array([track.kind for track, _ in ends], np.uint8), before, now)
    return [(track, at, box) for (track, at), box, known in zip(ends, there, sure.tolist(), strict=True) if known]


def _stacked(boxes: list[Box]) -> BoxesXyxy:
    """The boxes as one array, (N, 4); N may be 0."""
    return np.concatenate(boxes).reshape(-1, 4) if boxes else no_boxes()
