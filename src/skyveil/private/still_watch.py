"""The engine for one picture: it is looked at once, more finely than a frame of a video. Private side."""

from collections.abc import Iterator
from typing import Final, final

import numpy as np

from skyveil.core.geometry import BoxesXyxy, iou, no_boxes
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.private.bodies import shows_face
from skyveil.private.detect.boxes import Scored, together
from skyveil.private.detect.finds import Finds
from skyveil.private.detect.pyramid import STILL_MULTIPLE_PX, Area, Level, levels
from skyveil.private.detections import Detections, joined
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions, rounded
from skyveil.private.watch import Decided, found_in, polygons
from skyveil.private.zones import STILL, Zones

_DOUBT: Final = {"balanced": 0.0165, "strict": 0.0078}
"""Score that a face in a still needs, by the root of its size in pixels of the finest level: what is no face costs its
area, and a small face seldom scores much. Found better than one score for each level (docs/design/engine.md)."""
_SURE: Final = 0.6
_SOME: Final = 0.2
_UPRIGHT: Final = 0.2
"""A picture is upright where at least one face scores 0.6, and a fifth of those that score 0.2 do. Of 57 pictures of
faces 52 are not, turned by a quarter or more, and 3 as they are (docs/design/engine.md)."""
_TURNED_PX: Final = 640
"""Longest side of a look that says whether people are turned, in network pixels; small pictures are not enlarged."""
_TURNED: Final = 0.6
"""What a face must score in it."""
_PLATES_PX: Final = 640
_PLATES_ENLARGED: Final = 1.5
"""Longest side that small pictures are enlarged to where plates are looked for, and by how much at most."""
_GROWN: Final = 0.06
"""Share of its sides that a turned face grows on each: covers reach furthest above, where its hair is not."""
_SAME_FACE: Final = 0.3
"""IoU from which on a face in a small look is one that was seen upright."""


@final
class StillWatch:
    """The watch of one picture."""

    def __init__(self, finder: Finds, settings: RedactSettings, *, width: int, height: int) -> None:
        self._finder = finder
        self._settings = settings
        self._everything: Area = (0, 0, width, height)
        self._zones = Zones(settings, STILL[settings.mode])

    def see(self, raw: RawFrame) -> Iterator[Decided]:
        """The picture and what to cover in it."""
        _, _, width, height = self._everything
        found = joined(raw.id, self._look(raw))
        boxes = rounded(self._zones.covers(found.xyxy, found.score, found.kind))
        tile_px = max(width, height)
        one = np.full((1, 1), int(Why.LOOKED), np.uint8)
        looked = Looked(raw.id, tile_px, one, np.zeros((1, 1), np.float32), self._finder.used)
        yield raw, Regions(raw.id, boxes, polygons(self._settings, raw.time.seconds), looked)

    def end(self) -> Iterator[Decided]:
        """Nothing waits."""
        return iter(())

    def _look(self, raw: RawFrame) -> list[Detections]:
        targets = self._settings.targets
        found: list[Detections] = []
        faces = no_boxes()
        if targets & {Kind.FACE, Kind.HEAD}:
            upright, turned = self._faces(raw)
            found += [found_in(raw, upright, Kind.FACE), found_in(raw, turned, Kind.FACE)]
            faces = upright.xyxy  # a face in a turned look is most often none: it may not leave a head bare
        if targets & {Kind.HEAD, Kind.PERSON}:
            found.append(self._persons(raw, faces))
        if Kind.PLATE in targets:
            scale = max(1.0, min(_PLATES_ENLARGED, _PLATES_PX / max(raw.width, raw.height)))
            seen = self._finder.plates(raw, self._everything, scale=scale, threshold=0.3)
            found.append(found_in(raw, seen, Kind.PLATE))
        return found

    def _faces(self, raw: RawFrame) -> tuple[Scored, Scored]:
        """Faces that are upright, and those of people who are turned."""
        strict = self._settings.mode == "strict"
        _, _, width, height = self._everything
        pyramid = levels(
            width,
            height,
            finest=3.0 if strict else 1.45,
            most_px=64 if strict else 76,
            least_px=20,
            budget_px=8_000_000 if strict else 3_500_000,
            step=2.0 if strict else 2.25,
            multiple_px=STILL_MULTIPLE_PX,
        )
        least, most = (0.03, 0.065) if strict else (0.05, 0.12)
        seen = self._finder.faces(raw, self._everything, pyramid, threshold=least)
        turned = [
            self._finder.faces(raw, self._everything, pyramid, threshold=least, quarters=quarters)
            for quarters in self._turns(raw, seen)
        ]
        return self._sure(seen, pyramid[0], least, most), _grown(self._sure(together(turned), pyramid[0], least, most))

    def _sure(self, seen: Scored, finest: Level, least: float, most: float) -> Scored:
        """Those that score what a face of their size needs."""
        sides = (seen.xyxy[:, 2:] - seen.xyxy[:, :2]) * finest.scale
        doubt = _DOUBT[self._settings.mode] * np.sqrt(np.sqrt(sides[:, 0] * sides[:, 1]))
        return seen.only(~(seen.score < np.clip(doubt, least, most)))  # what is no number is kept, and refused next

    def _turns(self, raw: RawFrame, upright: Scored) -> list[int]:
        """By how many quarters people are turned in a picture that does not look upright: a look each way says."""
        sure = upright.above(_SURE).xyxy
        if len(sure) >= max(1.0, _UPRIGHT * len(upright.above(_SOME).xyxy)):
            return []
        _, _, width, height = self._everything
        one = [Level(min(1.0, _TURNED_PX / max(width, height)), 0.0, float("inf"))]
        turns = []
        for quarters in (1, 2, 3):
            seen = self._finder.faces(raw, self._everything, one, threshold=_TURNED, quarters=quarters)
            if (iou(seen.xyxy, sure) < _SAME_FACE).all(axis=1).any():
                turns.append(quarters)
        return turns

    def _persons(self, raw: RawFrame, faces: BoxesXyxy) -> Detections:
        strict = self._settings.mode == "strict"
        _, _, width, height = self._everything
        if Kind.PERSON in self._settings.targets:
            long_px, least = max(640, min(1280, max(width, height))), 0.1 if strict else 0.2
        else:
            long_px, least = 640 if strict else 416, 0.35 if strict else 0.5
        seen = self._finder.persons(raw, self._everything, scale=long_px / max(width, height), threshold=least)
        if Kind.PERSON not in self._settings.targets and self._settings.mount == "standard":
            seen = seen.only(~shows_face(self._zones.heads(seen.xyxy), faces))
        return found_in(raw, seen, Kind.PERSON)


def _grown(faces: Scored) -> Scored:
    more = _GROWN * (faces.xyxy[:, 2:] - faces.xyxy[:, :2])
    return Scored(np.concatenate([faces.xyxy[:, :2] - more, faces.xyxy[:, 2:] + more], axis=1), faces.score)
