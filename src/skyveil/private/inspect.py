"""A second look at media that is redacted already: are faces left in it? Private side.

Redaction covers whatever scores a little; here a place must score much, in several looks, by two networks where the
second one is on this machine. What one look alone sees is what redaction would have covered. In stills the third
network, that finds persons, says where heads are that have no cover.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, cos, hypot, radians, sin, sqrt
from pathlib import Path
from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import iou
from skyveil.core.kinds import Kind
from skyveil.core.manifest import YOLOX_NANO, ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.covers_seen import enclosed, fill_of, without_covers
from skyveil.private.detect import centerface, yunet
from skyveil.private.detect.boxes import Scored, nothing, together
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.finder import Finder
from skyveil.private.detect.network import Network
from skyveil.private.detect.networks import FACES, FACES_SECOND, Use
from skyveil.private.detect.pyramid import AnySize, Window
from skyveil.private.detect.view import Rgb, letterboxed, rgb_view
from skyveil.private.frame import RawFrame
from skyveil.private.heads_seen import LEAST_PERSON, PERSON_LONG_PX, bare_heads

EVERY_S: Final = 0.4
"""Seconds of media between two inspected frames: nothing that shows for longer passes between them."""

_LEAST_SCORE: Final = 0.05
"""Below it a network's box is no evidence at all."""
_LEAST_EVIDENCE: Final = 0.02
"""Below it nothing around a place makes it a suspect."""
_SAME: Final = 0.4
"""IoU from which on two looks mean the same place."""
_NETWORK_PX: Final = 6_000_000
"""Pixels a network is shown in one look; a larger picture is enlarged less."""


@final
@dataclass(frozen=True, slots=True)
class Look:
    """One way to look: a network, an enlargement, and a turn of the picture against the clock."""

    use: Use
    scale: float
    turn_deg: int = 0


@final
@dataclass(frozen=True, slots=True)
class Manner:
    """How frames of one kind are looked at, and what adds to the evidence for a place.

    looks: what is shown to which network.
    best: how many of its best looks each network answers with, by their mean.
    hole: what fill on all sides adds, in evidences: a face in a hole of a cover is what covers are for.
    head: the same for the head of a person that has no cover on it; at 0 nobody looks for persons.
    """

    looks: tuple[Look, ...]
    best: int
    hole: float
    head: float


STILL: Final = Manner(
    (
        *(Look(FACES, scale, turn) for scale, turn in ((1, 0), (2, 0), (2, 15), (2, -15))),
        *(Look(FACES_SECOND, scale, turn) for scale, turn in ((1, 0), (2, 0), (3, 0), (3, 15), (3, -15))),
    ),
    best=4,
    hole=9.0,
    head=1.0,
)
"""Looks chosen with bench/verify_putback.py among these and threefold looks of the first network, which found no more.
What is no face (a drawn one, a neck) seldom answers to all turns and sizes (docs/design/engine.md)."""

VIDEO: Final = Manner(
    (Look(FACES, 1), Look(FACES, 2), *(Look(FACES_SECOND, scale) for scale in (1, 2, 3))), best=1, hole=6.0, head=0.0
)
"""Without turns, at a third of the cost: people in a video turn by themselves."""


@final
@dataclass(frozen=True, slots=True)
class Spot:
    """A place where something still shows, from `start_s` to `end_s` of media time: xyxy in whole pixels."""

    start_s: float
    end_s: float
    xyxy: tuple[int, int, int, int]
    kind: Kind


@final
class Inspector:
    """Looks at single frames. One thread owns it; networks stay open from file to file."""

    def __init__(self, paths: Mapping[str, Path], manner: Manner, *, precision: Precision, shapes: Shapes) -> None:
        """Open the networks that are here; ModelMissing when the first is not."""
        uses = [use for use in (FACES, FACES_SECOND) if use is FACES or use.entry.name in paths]
        self._networks: dict[str, Network] = {
            use.entry.name: use.open(paths, precision=precision, shapes=shapes) for use in uses
        }
        self._looks = tuple(look for look in manner.looks if look.use in uses)
        self._manner = manner
        persons = manner.head > 0 and YOLOX_NANO.name in paths
        self._persons = Finder(paths, precision=precision, shapes=shapes) if persons else None

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The networks that look."""
        faces = tuple(use.entry for use in (FACES, FACES_SECOND) if use.entry.name in self._networks)
        return faces + ((YOLOX_NANO,) if self._persons is not None else ())

    @property
    def computed(self) -> str:
        """The number format they compute in."""
        return next(network.precision for network in self._networks.values())

    def suspicious(self, raw: RawFrame) -> Scored:
        """Places in one frame with the evidence for a face there, in picture pixels; see `Manner` for its range."""
        whole = rgb_view(raw, (0, 0, raw.width, raw.height), (raw.width, raw.height))
        fill = fill_of(whole)
        picture = without_covers(whole, fill)
        found = [self._look(look, picture) for look in self._looks]
        places = _places(found, [look.use for look in self._looks], best=self._manner.best)
        return _weighed(places.above(_LEAST_EVIDENCE), fill, self._heads(raw), self._manner)

    def _heads(self, raw: RawFrame) -> Scored:
        """Persons, whose heads may have no cover; none where nobody looks for them."""
        if self._persons is None:
            return nothing()
        whole, scale = (0, 0, raw.width, raw.height), PERSON_LONG_PX / max(raw.width, raw.height)
        return self._persons.persons(raw, whole, scale=scale, threshold=LEAST_PERSON)

    def _look(self, look: Look, picture: Rgb) -> Scored:
        height, width = picture.shape[:2]
        scale = min(look.scale, max(1.0, sqrt(_NETWORK_PX / (width * height))))
        found = []
        for window in AnySize(yunet.MULTIPLE_PX).windows((0, 0, width, height), scale):
            boxes = self._answer(look, _shown(picture, window, scale))
            found.append(boxes.moved(scale_xy=(1 / scale, 1 / scale), offset_xy=(window.xyxy[0], window.xyxy[1])))
        return together(found)

    def _answer(self, look: Look, view: Rgb) -> Scored:
        """What the network says of a view, in the view's pixels."""
        network = self._networks[look.use.entry.name]
        turn = _Turn.of(view, look.turn_deg)
        turned = turn.turned(view)
        answer = network.infer(turned)
        if look.use is FACES:
            return turn.back(centerface.decode(answer, threshold=_LEAST_SCORE)[0])
        height, width = turned.shape[:2]
        return turn.back(yunet.decode(answer, height_px=height, width_px=width, threshold=_LEAST_SCORE))


@final
@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of a view by some degrees, into a canvas that holds all of it; `forward` is (2, 3)."""

    forward: NDArray[np.float64]
    size_wh: tuple[int, int]

    @staticmethod
    def of(view: Rgb, degrees: int) -> "_Turn":
        height, width = view.shape[:2]
        if not degrees:
            return _Turn(np.eye(2, 3), (width, height))
        across, down = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
        multiple = yunet.MULTIPLE_PX
        wide = ceil((width * across + height * down) / multiple) * multiple
        high = ceil((width * down + height * across) / multiple) * multiple
        forward = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), np.float64)
        forward[:, 2] += (wide - width) / 2, (high - height) / 2
        return _Turn(forward, (wide, high))

    def turned(self, view: Rgb) -> Rgb:
        """The view, turned; grey where there was nothing."""
        if self.size_wh == view.shape[1::-1]:
            return view
        grey = (114.0, 114.0, 114.0)
        return np.asarray(cv2.warpAffine(view, self.forward, self.size_wh, borderValue=grey), np.uint8)

    def back(self, boxes: Scored) -> Scored:
        """Boxes of the turned view as upright boxes of the same size about the same centres."""
        half = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]) / 2
        centre = np.concatenate([boxes.xyxy[:, :2] + half, np.ones((len(half), 1))], axis=1)
        there = centre @ np.asarray(cv2.invertAffineTransform(self.forward)).T
        return Scored(np.concatenate([there - half, there + half], axis=1).astype(np.float32), boxes.score)


def _shown(picture: Rgb, window: Window, scale: float) -> Rgb:
    """The window of the picture, enlarged."""
    x1, y1, x2, y2 = window.xyxy
    width, height = window.size_wh
    size = (min(width, max(1, round((x2 - x1) * scale))), min(height, max(1, round((y2 - y1) * scale))))
    part = np.ascontiguousarray(picture[y1:y2, x1:x2])
    view = part if size == (x2 - x1, y2 - y1) else cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    return letterboxed(np.asarray(view, np.uint8), window.size_wh)


def _places(found: list[Scored], uses: list[Use], *, best: int) -> Scored:
    """What several looks found, each place once: its best box, and the evidence for it."""
    every = together(found)
    look = np.concatenate([np.full(len(part.score), index) for index, part in enumerate(found)])
    order = np.argsort(-every.score, kind="stable")
    first: list[int] = []
    scores: list[NDArray[np.float32]] = []
    for index in order:
        box = every.xyxy[index : index + 1]
        same = np.flatnonzero(iou(box, every.xyxy[first])[0] >= _SAME)
        if not len(same):
            first.append(int(index))
            scores.append(np.zeros(len(found), np.float32))
        row = scores[int(same[0])] if len(same) else scores[-1]
        row[look[index]] = max(row[look[index]], every.score[index])
    if not first:
        return nothing()
    return Scored(every.xyxy[first], _agreement(np.stack(scores), uses, best))


def _agreement(scores: NDArray[np.float32], uses: list[Use], best: int) -> NDArray[np.float32]:
    """The evidence for each row of scores by look: both networks must agree, or two halves of the best looks of one.

    The geometric mean of what the two say, each by the mean of its `best` best looks.
    """
    second = np.array([use is FACES_SECOND for use in uses])
    if second.any() and not second.all():
        one, other = (np.sort(scores[:, part], axis=1)[:, -best:] for part in (~second, second))
    else:
        ranked, half = np.sort(scores, axis=1), max(1, best // 2)
        one, other = ranked[:, -half:], ranked[:, -2 * half : -half]
    return np.asarray(np.sqrt(one.mean(axis=1) * other.mean(axis=1)), np.float32)


def _weighed(places: Scored, fill: NDArray[np.bool_], persons: Scored, manner: Manner) -> Scored:
    """The places that are not covered themselves, with more evidence for holes in a cover and for bare heads."""
    hole = enclosed(places.xyxy, fill)
    shown = ~np.isnan(hole)
    head = bare_heads(places.xyxy[shown], persons, fill)
    return Scored(places.xyxy[shown], places.score[shown] * (1 + manner.hole * hole[shown] + manner.head * head))


STILL_EVIDENCE: Final = 0.42
"""Evidence from which on a place in a still is a suspect, chosen on half of the pictures (docs/design/engine.md)."""
SURE_EVIDENCE: Final = 0.69
"""The same for a place in a single frame of a video, where the best look of each network counts."""
AGREED_EVIDENCE: Final = 0.555
"""The same for the mean of the two best frames of a place in a video."""
_FOLLOWED_EVIDENCE: Final = 0.35
"""Below it a place is not followed at all."""
_PATIENCE: Final = 2
"""Inspected frames after which a place that is not seen any more ends."""
_SAME_SPOT: Final = 0.5
"""IoU with the box of a suspect from which on a later box belongs to it; a face that moves gives several."""


@final
@dataclass(slots=True)
class _Followed:
    """One place as it goes on: boxes with times, and evidence."""

    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    evidence: list[float] = field(default_factory=list)
    last: int = 0

    def suspect(self) -> bool:
        best = sorted(self.evidence)[-2:]
        return best[-1] >= SURE_EVIDENCE or (len(best) == 2 and sum(best) / 2 >= AGREED_EVIDENCE)


@final
class Suspicion:
    """What inspected frames say together. Places of a video are followed: what shows in two frames needs less."""

    def __init__(self) -> None:
        self._open: list[_Followed] = []
        self._spots: list[Spot] = []
        self._count = 0

    def add(self, time_s: float, places: Scored) -> None:
        """Take what one inspected frame shows; times come in ascending order."""
        self._count += 1
        strong = places.above(_FOLLOWED_EVIDENCE)
        for box, evidence in zip(strong.xyxy, strong.score.tolist(), strict=True):
            one = self._of(box)
            one.boxes.append(box)
            one.times_s.append(time_s)
            one.evidence.append(evidence)
            one.last = self._count
        ended = [one for one in self._open if self._count - one.last >= _PATIENCE]
        self._open = [one for one in self._open if self._count - one.last < _PATIENCE]
        self._end(ended)

    def spots(self) -> tuple[Spot, ...]:
        """All suspects, by time; call it after the last frame."""
        self._end(self._open)
        self._open = []
        return tuple(sorted(self._spots, key=lambda spot: (spot.start_s, spot.xyxy)))

    def _of(self, box: NDArray[np.float32]) -> _Followed:
        """The place that goes on here, or a new one."""
        free = [one for one in self._open if one.last < self._count and _goes_on(one.boxes[-1], box)]
        if free:
            return min(free, key=lambda one: _distance(one.boxes[-1], box))
        self._open.append(_Followed())
        return self._open[-1]

    def _end(self, places: list[_Followed]) -> None:
        for one in places:
            if one.suspect():
                self._spots += _spots(one)


def still_spots(places: Scored) -> tuple[Spot, ...]:
    """The suspects of a still, whose one frame has to do."""
    return tuple(Spot(0.0, 0.0, _rounded(box), Kind.FACE) for box in places.above(STILL_EVIDENCE).xyxy)


def _spots(one: _Followed) -> list[Spot]:
    """One place as suspects, each with a box that holds all its boxes."""
    spots: list[Spot] = []
    held = one.boxes[0]
    start = end = one.times_s[0]
    for box, time_s in zip(one.boxes[1:], one.times_s[1:], strict=True):
        if float(iou(held[None], box[None])[0, 0]) < _SAME_SPOT:
            spots.append(Spot(start, end, _rounded(held), Kind.FACE))
            held, start = box, time_s
        held = np.concatenate([np.minimum(held[:2], box[:2]), np.maximum(held[2:], box[2:])])
        end = time_s
    return [*spots, Spot(start, end, _rounded(held), Kind.FACE)]


def _goes_on(before: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    """Whether a face could have gone from one box to the other between two inspected frames."""
    sizes = [float((box[2] - box[0]) * (box[3] - box[1])) ** 0.5 for box in (before, now)]
    return bool(_distance(before, now) <= 1.5 * max(sizes) and max(sizes) <= 2 * min(sizes))


def _distance(before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Between the centres, in pixels."""
    dx, dy = ((now[:2] + now[2:]) - (before[:2] + before[2:])) / 2
    return hypot(float(dx), float(dy))


def _rounded(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Whole pixels that hold the box, none of them left of or above the picture."""
    x1, y1, x2, y2 = box.tolist()
    left, top = max(0, int(x1)), max(0, int(y1))
    return left, top, max(left + 1, ceil(x2)), max(top + 1, ceil(y2))
