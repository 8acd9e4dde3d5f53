"""The engine: frames go in as they are decoded and come out when it is decided what to cover in them. Private side.

A video is looked at every few frames; frames in between wait in a short ring. What two looks found is joined over the
frames between them, and what the later one found anew covers the frames before it (hindsight). What shows between two
looks, in neither of them, gets a look of its own.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import no_boxes
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mask, RedactSettings
from skyveil.private.attention import Attention
from skyveil.private.bodies import far_bodies, inside_any, on_a_body
from skyveil.private.detect.boxes import Scored, beside_better, nothing
from skyveil.private.detect.finds import Finds
from skyveil.private.detect.pyramid import Area, Level, levels
from skyveil.private.detections import Detections, joined
from skyveil.private.doubts import HINT, HINT_ENLARGED, LEAST, Doubts
from skyveil.private.evidence import Look, evidence
from skyveil.private.frame import RawFrame
from skyveil.private.motion import MotionTest, Small
from skyveil.private.observe.observes import Observes
from skyveil.private.pace import DUE, Pacing
from skyveil.private.regions import Regions, rounded, whole_frame
from skyveil.private.track.flow import Sight
from skyveil.private.track.hints import Hints, hints_of
from skyveil.private.track.tracks import Tracks
from skyveil.private.zones import MOVING, Zones, plate_like

Decided = tuple[RawFrame, Regions]
"""A frame and what to cover in it."""

Room: TypeAlias = Callable[[], int]
"""Says, once the look is made, how many of the frames that wait may leave."""

_EXPLAINS: Final = 0.25
"""A person who scores this much explains that something moves in their box."""


class Watch(Protocol):
    """What decides on frames. `see` takes every frame in order, `end` gives those that still wait."""

    def see(self, raw: RawFrame) -> Iterator[Decided]:
        """Take a frame; gives the frames that are now decided, in order."""
        ...

    def end(self) -> Iterator[Decided]:
        """The frames that still wait."""
        ...


def found_in(raw: RawFrame, boxes: Scored, kind: Kind) -> Detections:
    """Boxes of one kind as what was detected in a frame."""
    return Detections(raw.id, boxes.xyxy, boxes.score, np.full(len(boxes.score), int(kind), np.uint8))


def polygons(settings: RedactSettings, seconds: float) -> tuple[NDArray[np.float32], ...]:
    """The static masks that hold so many seconds after the first frame."""
    return tuple(np.array(mask.points, np.float32) for mask in settings.masks if mask.covers(seconds))


@final
@dataclass(slots=True)
class _Waiting:
    """A frame in the ring."""

    raw: RawFrame
    sight: Sight
    small: Small


@final
class VideoWatch:
    """The watch of one video. One thread owns it; it forgets everything with the instance."""

    def __init__(
        self,
        finder: Finds,
        settings: RedactSettings,
        *,
        width: int,
        height: int,
        fps: float | None,
        hindsight: int | None = None,
        observer: Observes | None = None,
        look_every: int | None = None,
    ) -> None:
        """`hindsight` makes it the watch of a live camera, whose frames wait for so many others and no more.

        fps: what the source says of itself, until it is seen how its frames come.
        look_every: looks of a live camera are so many frames apart at most, where an observer needs them closer.
        """
        self._observer = observer
        self._finder = finder
        self._settings = settings
        self._width, self._height = width, height
        self._pacing = Pacing(
            settings, width=width, height=height, told_fps=fps, hindsight=hindsight, look_every=look_every
        )
        self._pace = self._pacing.pace
        self._first_s: float | None = None
        self._motion = MotionTest(width=width, height=height)
        # Where no person network looks at everything every few frames, the slow networks do at the greatest age.
        again_s = DUE * settings.max_look_age_s
        alone = not settings.targets & {Kind.HEAD, Kind.PERSON}
        self._attention = Attention(self._motion, width=width, height=height, every_s=again_s if alone else None)
        self._plate_attention = Attention(self._motion, width=width, height=height, every_s=again_s)
        self._tracks = Tracks(self._pace.holding)
        self._zones = Zones(settings, MOVING[settings.mode])
        self._ring: deque[_Waiting] = deque()
        self._before: Small | None = None
        self._looks: deque[Look] = deque()
        self._sights: list[Sight] = []
        self._passing = Tracks(self._pace.holding)
        self._doubts = Doubts(width=width, height=height, scale=self._pace.face_scale)
        self._busy = False
        self._doubtful: Detections | None = None
        self._hints: Hints | None = None

    def see(self, raw: RawFrame, *, newer: bool = False, room: Room | None = None) -> Iterator[Decided]:
        """Take a frame; gives the frames that are now decided, in order.

        newer: newer frames of a live camera are there already: a look waits for the newest, and so do those that leave.
        room: given for a camera that the machine is too slow for: all up to a look leave at once, unless hindsight asks
        for looks behind it as well, and no more than so many of them, evenly spaced; the others never do.
        """
        self._pace = self._pacing.picture(raw.time.seconds)
        self._first_s = raw.time.seconds if self._first_s is None else self._first_s
        sight = self._motion.sight(raw)
        waiting = _Waiting(raw, sight, self._motion.squares(sight))
        if self._before is not None and self._motion.is_cut(self._before, waiting.small):
            yield from self._before_cut(room)
        self._before = waiting.small
        self._ring.append(waiting)
        if self._due(raw) and not (newer and self._looks):
            self._look(waiting)
        else:
            self._step(waiting)
            if newer or not self._pace.live:
                return
        # Not from the last look: damaged frames are never looked at, and must not pile up.
        until = raw.id.index - self._pace.hindsight
        looked = bool(self._looks) and self._looks[-1].index == raw.id.index
        if room is not None and looked and self._pace.hindsight < self._every:
            until = raw.id.index  # hindsight that is shorter than the way to the next look has nothing to wait for
        yield from self._decided(until, room)

    def mask(self, masks: tuple[Mask, ...]) -> None:
        """Cover these polygons from now on, also in frames that wait."""
        self._settings = replace(self._settings, masks=masks)

    def end(self) -> Iterator[Decided]:
        """The frames that still wait, after a last look at the last of them."""
        if self._ring:
            self._close()
            yield from self._decided(self._ring[-1].raw.id.index)

    def _before_cut(self, room: Room | None) -> Iterator[Decided]:
        """Close the scene that was cut away: its last frame is looked at and all of it leaves the ring."""
        if self._ring:
            self._close()
            yield from self._decided(self._ring[-1].raw.id.index, room)
        self._tracks.cut()
        self._passing.cut()
        self._attention.reset()
        self._plate_attention.reset()
        self._doubts.reset()
        self._looks.clear()
        self._sights = []

    def _close(self) -> None:
        if not self._looks or self._looks[-1].index != self._ring[-1].raw.id.index:
            self._look(self._ring[-1])

    def _step(self, waiting: _Waiting) -> None:
        """Between two looks: see where the tracks go."""
        if waiting.raw.id.index - self._sights[-1].frame >= self._pace.follow_every and not waiting.raw.damaged:
            self._follow(waiting.sight)

    def _follow(self, sight: Sight) -> None:
        if self._sights:
            self._tracks.follow(self._sights[-1], sight)
        self._sights.append(sight)

    def _due(self, raw: RawFrame) -> bool:
        if not self._looks:
            return True
        last = self._looks[-1]
        waited_s = raw.time.seconds - last.seconds
        return raw.id.index - last.index >= self._every or waited_s >= DUE * self._settings.max_look_age_s

    @property
    def _every(self) -> int:
        return self._pace.look_every_busy if self._busy else self._pace.look_every

    def _look(self, waiting: _Waiting) -> None:
        raw, small = waiting.raw, waiting.small
        if raw.damaged:
            return
        self._pace = self._pacing.look(raw.id.index, raw.time.seconds)
        self._tracks.believe(self._pace.holding)
        self._passing.believe(self._pace.holding)
        self._follow(waiting.sight)
        self._glimpse(small)
        targets = self._settings.targets
        found: list[Detections] = []
        if targets & {Kind.HEAD, Kind.PERSON}:
            found.append(self._persons(raw))
        if targets & {Kind.FACE, Kind.HEAD}:
            found.append(self._faces(raw, small, found))
        if Kind.PLATE in targets:
            found.append(self._plates(raw, small))
        boxes = joined(raw.id, found)
        self._tracks.update(boxes, frame=raw.id.index, doubtful=self._doubtful, hints=self._hints)
        self._tracks.trace(self._sights[::-1])
        self._sights = [sight for sight in self._sights if sight.frame > raw.id.index - self._pace.holding.gap]
        self._looks.append(Look(raw.id.index, raw.time.seconds, small, self._finder.used))
        if self._observer is not None:
            self._observer.see(boxes, at_s=raw.time.seconds)

    def _glimpse(self, after: Small) -> None:
        """Look at what showed since the last look, and shows in neither that look nor the one that is due (`after`).

        For files: a live camera covers what shows in neither of two looks that lie far apart (`evidence`).
        """
        if self._pace.live or not self._looks:
            return
        last, before = self._looks[-1].index, self._looks[-1].small
        passed: list[tuple[RawFrame, list[Area]]] = []
        for waiting in self._ring:
            raw = waiting.raw
            if raw.id.index <= last or waiting.small is after or raw.damaged:
                continue
            areas = self._attention.passing(waiting.small, before, after)
            if areas:
                (known,) = self._tracks.placed(raw.id.index, raw.id.index)
                areas = self._attention.passing(waiting.small, before, after, explained=known.xyxy)
            if areas:
                passed.append((raw, areas))
        # Each frame: what turns between two of them is where no path between its places leads.
        persons = self._persons_passing(passed)
        for raw, areas in passed:
            self._passing.update(self._glimpsed(raw, areas, persons.get(raw.id.index)), frame=raw.id.index)

    def _persons_passing(self, passed: list[tuple[RawFrame, list[Area]]]) -> dict[int, Detections]:
        """Persons in the parts of these frames, by the frame's index; nothing where they are no target."""
        if not self._settings.targets & {Kind.HEAD, Kind.PERSON}:
            return {}
        scale = self._pace.person_long_px / max(self._width, self._height)
        parts = [(raw, area) for raw, areas in passed for area in areas]
        found = self._finder.persons_passing(parts, scale=scale, threshold=self._pace.person_least)
        seen: dict[int, list[Detections]] = {raw.id.index: [] for raw, _ in passed}
        for (raw, _), boxes in zip(parts, found, strict=True):
            seen[raw.id.index].append(found_in(raw, boxes, Kind.PERSON))
        return {raw.id.index: joined(raw.id, seen[raw.id.index]) for raw, _ in passed}

    def _glimpsed(self, raw: RawFrame, areas: list[Area], persons: Detections | None) -> Detections:
        targets = self._settings.targets
        found = [] if persons is None else [persons]
        if targets & {Kind.FACE, Kind.HEAD}:
            seen = self._finder.faces_in(raw, areas, self._pyramid(), threshold=self._pace.face_least)
            found.append(found_in(raw, seen, Kind.FACE))
        if Kind.PLATE in targets:
            found.append(self._plates_in(raw, areas))
        boxes = joined(raw.id, found)
        return boxes.only(inside_any(boxes.xyxy, np.array(areas, np.float32)))

    def _persons(self, raw: RawFrame) -> Detections:
        scale = self._pace.person_long_px / max(self._width, self._height)
        seen = self._finder.persons(raw, self._everything, scale=scale, threshold=self._pace.person_least)
        return found_in(raw, seen, Kind.PERSON)

    def _faces(self, raw: RawFrame, small: Small, found: list[Detections]) -> Detections:
        persons = joined(raw.id, found)
        sure = persons.xyxy[persons.score >= _EXPLAINS]
        bodies = far_bodies(sure, self._height)
        known = self._tracks.known(Kind.PERSON, least=_EXPLAINS, frame=raw.id.index)
        explained = np.concatenate([bodies, far_bodies(known, self._height)])
        areas = self._attention.areas(small, explained=explained, seconds=raw.time.seconds, next_s=self._pacing.next_s)
        self._busy = areas == [self._everything]
        pyramid = self._pyramid()
        # While everything moves, thousands of answers are hints, and comparing them took ten times the looks' time.
        every = self._finder.faces_in(raw, areas, pyramid, threshold=LEAST if self._busy else HINT)
        faces = found_in(raw, every, Kind.FACE)
        maybe = far_bodies(np.concatenate([persons.xyxy, known]), self._height)
        weak = self._doubts.of(every, explained=maybe)
        hinted = self._tracks.hinted(every.xyxy, Kind.FACE, frame=raw.id.index)
        doubt = weak & ((every.score >= LEAST) | hinted)
        begins = (every.score >= self._pace.face_least) & ~doubt & ~on_a_body(every, bodies)
        keeps = (every.score >= self._pace.face_doubtful) & ~begins & ~beside_better(every)
        self._doubtful = faces.only(keeps)
        self._hold(Kind.FACE, raw, areas)
        last = self._tracks.last(Kind.FACE)
        ended = inside_any(last, self._zones.heads(bodies))
        self._tracks.end(Kind.FACE, ended)
        self._attention.again(last[ended])
        again = self._again(raw, every.only(doubt), hinted[doubt])
        least = self._pace.face_least
        self._hints = hints_of(raw.id, enlarged=again, first=every.only(weak), below=least)
        return joined(raw.id, [faces.only(begins), found_in(raw, again.above(least), Kind.FACE)])

    def _again(self, raw: RawFrame, doubt: Scored, hinted: NDArray[np.bool_]) -> Scored:
        """What a second, enlarged look answers where the first one was in doubt; weak answers are hints."""
        seconds = raw.time.seconds
        places = self._doubts.places(doubt, hinted, seconds=seconds)
        if not places:
            return nothing()
        seen = self._finder.faces_in(raw, places, [self._doubts.level], threshold=HINT_ENLARGED)
        self._doubts.note(places, seen, seconds=seconds)
        return seen

    def _plates(self, raw: RawFrame, small: Small) -> Detections:
        areas = self._plate_attention.areas(
            small, explained=no_boxes(), seconds=raw.time.seconds, next_s=self._pacing.next_s
        )
        found = self._plates_in(raw, areas)
        self._hold(Kind.PLATE, raw, areas)
        return found

    def _plates_in(self, raw: RawFrame, areas: list[Area]) -> Detections:
        seen = [self._finder.plates(raw, area, scale=self._pace.face_scale, threshold=0.3) for area in areas]
        plates = [boxes.only(plate_like(boxes.xyxy, self._height)) for boxes in seen]
        return joined(raw.id, [found_in(raw, boxes, Kind.PLATE) for boxes in plates])

    def _hold(self, kind: Kind, raw: RawFrame, areas: list[Area]) -> None:
        """Tracks outside of what is looked at now stay as they are: nothing moved there."""
        last = self._tracks.last(kind)
        looked_at = inside_any(last, np.array(areas, np.float32).reshape(-1, 4))
        self._tracks.hold(kind, ~looked_at, frame=raw.id.index)

    def _pyramid(self) -> list[Level]:
        budget_px = self._width * self._height * self._pace.face_scale**2
        return levels(
            self._width, self._height, finest=self._pace.face_scale, most_px=96, least_px=24, budget_px=budget_px
        )

    @property
    def _everything(self) -> Area:
        return (0, 0, self._width, self._height)

    def _decided(self, until: int, room: Room | None = None) -> Iterator[Decided]:
        """The frames up to index `until` leave the ring, those for which there is room with what to cover in them."""
        leaving = []
        while self._ring and self._ring[0].raw.id.index <= until:
            leaving.append(self._ring.popleft())
        if not leaving:
            return
        if room is not None:
            leaving = _evenly(leaving, room())
        first, last = leaving[0].raw.id.index, leaving[-1].raw.id.index
        covers = self._covers(first, last)
        for waiting in leaving:
            yield waiting.raw, self._regions(waiting, covers[waiting.raw.id.index - first])
        self._tracks.forget(last + 1)
        self._passing.forget(last + 1)
        while len(self._looks) > 1 and self._looks[1].index <= last:
            self._looks.popleft()

    def _covers(self, first: int, last: int) -> list[NDArray[np.int32]]:
        """What to cover in each frame from `first` to `last`; zones are computed for all frames at once."""
        placed = [*self._tracks.placed(first, last), *self._passing.placed(first, last)]
        covers, of = self._zones.covers_of(
            np.concatenate([one.xyxy for one in placed]),
            np.concatenate([one.score for one in placed]),
            np.concatenate([one.kind for one in placed]),
        )
        count = last + 1 - first
        frame = np.repeat(np.arange(len(placed)) % count, [len(one.kind) for one in placed])[of]
        boxes = rounded(covers)
        return [boxes[frame == index] for index in range(count)]

    def _regions(self, waiting: _Waiting, boxes: NDArray[np.int32]) -> Regions:
        raw = waiting.raw
        looked = evidence(raw, waiting.small, self._looks, self._motion, live=self._pace.live)
        if looked is None:
            return whole_frame(raw.id)
        since_s = raw.time.seconds - (self._first_s or 0.0)
        return Regions(raw.id, boxes, polygons(self._settings, since_s), looked)


def _evenly(leaving: list[_Waiting], most: int) -> list[_Waiting]:
    """At most so many of the frames, evenly spaced, the newest among them."""
    count = min(most, len(leaving))
    return [leaving[(turn + 1) * len(leaving) // count - 1] for turn in range(count)]
