"""What a redactor left visible, measured on pixels alone. App: pure functions, no files, no detector.

A labelled box is *covered* when at least 80 % of its pixels are hidden, and *leaked* otherwise. Hidden is judged by
comparing the picture before and after, so every redactor is treated alike: nobody's boxes are asked for.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
"""Shape (H, W, 3) BGR or (H, W) luma."""

Mask: TypeAlias = NDArray[np.bool_]
"""Shape (H, W)."""

BoxXyxy: TypeAlias = tuple[float, float, float, float]
"""One labelled box in pixels, half-open."""

COVERED_FROM: Final = 0.8
"""Share of a box's pixels that must be hidden; the word `covered` of the glossary."""

PICTURE_NOISE: Final = 12
"""Grey levels that JPEG at quality 90 and better does not reach where nothing was painted."""

VIDEO_NOISE: Final = 16
"""Grey levels that x264 at CRF 23 hardly reaches where nothing was painted."""

FLAT_RANGE: Final = 8
"""A 3x3 neighbourhood with at most this range of luma counts as flat: a fill may equal what it hides."""

FLAT_NOISE: Final = 2

HEIGHT_CLASSES_PX: Final = ((0, 12), (12, 20), (20, 32), (32, 64), (64, 10_000))

POINT_REACH_PX: Final = 2
"""A labelled head point is judged by the pixels this far around it."""


def wilson(leaked: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, score interval); (0, 1) without observations."""
    if total == 0:
        return 0.0, 1.0
    share = leaked / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def changed(before: Picture, after: Picture) -> Mask:
    """The pixels of a still that differ in any channel by more than JPEG noise; shapes must agree."""
    away = cv2.absdiff(before, after) > PICTURE_NOISE
    return np.asarray(away.any(axis=2) if away.ndim == 3 else away, np.bool_)


def differing(before: Picture, after: Picture) -> Mask:
    """The pixels of a video frame whose luma differs by more than coding noise."""
    return np.asarray(cv2.absdiff(before, after) > VIDEO_NOISE, np.bool_)


def hidden(before: Picture, after: Picture) -> Mask:
    """The pixels of a video frame that show nothing of the original: they differ, or are flat where it was not."""
    difference = cv2.absdiff(before, after)
    span = cv2.morphologyEx(after, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray((difference > VIDEO_NOISE) | ((span <= FLAT_RANGE) & (difference > FLAT_NOISE)), np.bool_)


def part(mask: Mask, xyxy: BoxXyxy) -> Mask:
    """The pixels of `mask` inside a box, its corners rounded to whole pixels; empty outside the picture."""
    x1, y1, x2, y2 = (max(0, round(value)) for value in xyxy)
    return mask[y1:y2, x1:x2]


def is_covered(mask: Mask, xyxy: BoxXyxy, share: float = COVERED_FROM) -> bool:
    """Whether enough of the box is hidden; a box without a pixel in the picture is not."""
    inside = part(mask, xyxy)
    return inside.size > 0 and float(inside.mean()) >= share


def is_point_covered(before: Picture, after: Picture, point: tuple[float, float]) -> bool:
    """Whether most of the pixels around a labelled point of a still are changed, or flat where they were not.

    A single pixel would not do: dark hair under a dark fill hardly changes. A point outside the picture is not covered.
    """
    x, y = point
    # One more ring than is judged, so that the flatness of the outermost pixels is known.
    around = (x - POINT_REACH_PX - 1, y - POINT_REACH_PX - 1, x + POINT_REACH_PX + 2, y + POINT_REACH_PX + 2)
    seen, now = (_cut(pixels, around) for pixels in (before, after))
    if not seen.size:
        return False
    difference = cv2.absdiff(seen, now).max(axis=2)
    span = cv2.morphologyEx(now, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    gone = (difference > PICTURE_NOISE) | ((span <= FLAT_RANGE) & (difference > FLAT_NOISE))
    return float(gone.mean()) > 0.5


def _cut(pixels: Picture, xyxy: BoxXyxy) -> Picture:
    x1, y1, x2, y2 = (max(0, round(value)) for value in xyxy)
    return pixels[y1:y2, x1:x2]


def head_zone(x: float, y: float, width: float, height: float) -> BoxXyxy:
    """The head in a labelled person box: its top 17 % and the middle 60 % of its width."""
    return x + 0.2 * width, y, x + 0.8 * width, y + 0.17 * height


def needless(changed_pixels: Mask, boxes: Iterable[BoxXyxy]) -> float:
    """The share of picture changed outside the boxes grown by half their size on each side; 0 if nothing is outside."""
    away = np.ones(changed_pixels.shape, np.bool_)
    for x1, y1, x2, y2 in boxes:
        width, height = x2 - x1, y2 - y1
        part(away, (x1 - width / 2, y1 - height / 2, x2 + width / 2, y2 + height / 2))[...] = False
    return float(changed_pixels[away].mean()) if away.any() else 0.0


@final
@dataclass(slots=True)
class Tally:
    """Labels seen and leaked, in all and by classes `low <= size < high`: `by_size` holds (leaked, seen) of each."""

    classes: Sequence[tuple[int, int]]
    total: int = 0
    leaked: int = 0
    by_size: dict[tuple[int, int], tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_size = dict.fromkeys(self.classes, (0, 0))

    def add(self, *, leaked: bool, size: float) -> None:
        """Count one label."""
        self.total += 1
        self.leaked += leaked
        for low, high in self.classes:
            if low <= size < high:
                seen_leaked, seen = self.by_size[low, high]
                self.by_size[low, high] = (seen_leaked + leaked, seen + 1)

    @property
    def share(self) -> float:
        """Leaked share, 0 to 1; 0 without boxes."""
        return self.leaked / max(self.total, 1)


@final
@dataclass(slots=True)
class Runs:
    """Leaked frames in a row, by labelled track. A frame without the track's label ends its run."""

    _open: dict[int, tuple[int, int]] = field(default_factory=dict)
    longest: dict[int, int] = field(default_factory=dict)

    def add(self, track: int, frame: int, *, leaked: bool) -> None:
        """Count one labelled frame of one track; frames come in ascending order."""
        last, run = self._open.get(track, (frame - 1, 0))
        run = (run + 1 if last == frame - 1 else 1) if leaked else 0
        self._open[track] = (frame, run)
        self.longest[track] = max(self.longest.get(track, 0), run)

    def tracks_with(self, frames_in_a_row: int) -> int:
        """How many tracks leaked at least so many frames in a row."""
        return sum(run >= frames_in_a_row for run in self.longest.values())


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, 0 of nothing."""
    return float(np.mean(values)) if values else 0.0
