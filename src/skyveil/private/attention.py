"""Where the slow networks look: what changed since they last looked there and nothing explains. Private side."""

from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, grown
from skyveil.private.detect.pyramid import Area
from skyveil.private.motion import CHANGE_LEVELS, Changed, MotionTest, Small

_STRONG_LEVELS: Final = 14
"""A square whose mean luma moved by more than this is looked at now. Of the squares that pass the motion test but not
this one, nearly all are a codec's flicker and shadows (measured: docs/design/engine.md), so they wait."""
_WEAK_LOOKS: Final = 3
"""A smaller change that is still there at the third look is no flicker, and is looked at, too."""
_CREEP_LEVELS_S: Final = 2.0
"""A weak change that came more slowly, in levels a second, is light: clouds, an exposure that follows. A face of 12 px
that differs by 40 levels from what is behind it comes faster, unless it needs ten seconds to come in."""
_CREPT_S: Final = 10.0
"""What crept is looked at after so many seconds all the same."""
_LEAST_SQUARES: Final = 2
"""Fewer connected squares show nothing that a network could find: a face of 12 px touches two at least."""
_AROUND_SQUARE: Final = np.ones((3, 3), np.uint8)
"""What moves a little moves at its edges: a square's neighbours are looked at with it."""
_BLOCK: Final = np.ones((2, 2), np.uint8)
"""What comes and goes between two looks is looked at from this many squares on: single ones are leaves and flicker."""
_MARGIN_PX: Final = 24
"""Least margin around what moved: half of the context that the network takes from around a small face."""
_AROUND: Final = 0.15
"""Share of its sides around a body that it explains, too: shadow, swinging arms, the inexactness of the box."""
_WHOLE_SHARE: Final = 0.5
"""From this share of unexplained tiles on, one look at everything is cheaper than many at parts."""


@final
class Attention:
    """The parts of one source that wait for a look, against a reference of what was seen at the last look at each.

    What a body explains keeps waiting: a body that is lost may still stand there.

    every_s: seconds of media time within which everything is looked at again though nothing moved; None where another
    network looks at everything anyway.
    """

    def __init__(self, motion: MotionTest, *, width: int, height: int, every_s: float | None = None) -> None:
        self._every_s = every_s
        self._everything_s = 0.0
        self._motion = motion
        self._width, self._height = width, height
        self._reference: Small | None = None
        self._follows: NDArray[np.float32] = np.zeros((1, 1), np.float32)
        self._weak_looks: NDArray[np.uint8] = np.zeros((1, 1), np.uint8)
        self._unlike_s: NDArray[np.float32] = np.zeros((1, 1), np.float32)
        self._last_s = 0.0
        self._again: Changed = np.zeros((1, 1), np.bool_)

    def reset(self) -> None:
        """Forget the reference: the next look is at everything."""
        self._reference = None

    def areas(self, small: Small, *, explained: BoxesXyxy, seconds: float, next_s: float) -> list[Area]:
        """The parts to look at now, with even corners: together they hold all change that nothing explains.

        explained: boxes in which change is known to be a body whose head is covered. seconds: media time of the frame.
        next_s: seconds until the next look, which must not be too late for everything.
        """
        unseen_s = seconds + next_s - self._everything_s
        if self._reference is None or (self._every_s is not None and unseen_s >= self._every_s):
            self._reference = small.copy()
            self._everything_s = self._last_s = seconds
            self._follows = small.astype(np.float32)
            self._weak_looks = np.zeros(small.shape, np.uint8)
            self._unlike_s = np.zeros(small.shape, np.float32)
            self._again = np.zeros(small.shape, np.bool_)
            return [(0, 0, self._width, self._height)]
        difference = np.asarray(cv2.absdiff(small, self._reference), np.uint8)
        body = self._inside(grown(explained, _AROUND), small.shape)
        changed = (difference > _STRONG_LEVELS) | self._weak(small, difference, seconds)
        waiting = _without_specks(changed & ~body) | (self._again & ~body)
        around = np.asarray(cv2.dilate(waiting.astype(np.uint8), _AROUND_SQUARE), np.uint8)
        seen = around > 0
        self._reference[seen] = small[seen]
        self._follows[seen] = small[seen]
        self._weak_looks[seen] = 0
        self._unlike_s[seen] = 0
        self._again[seen] = False
        if around.mean() > _WHOLE_SHARE:
            return [(0, 0, self._width, self._height)]
        return self._rectangles(around)

    def again(self, boxes: BoxesXyxy) -> None:
        """Look at these places again as soon as nothing explains them, though nothing changed there."""
        self._again |= self._inside(boxes, self._again.shape)

    def _weak(self, small: Small, difference: Small, seconds: float) -> Changed:
        """The squares that changed a little and stayed so, other than by creeping; after `_CREPT_S` those, too."""
        passed_s, self._last_s = seconds - self._last_s, seconds
        away = small - self._follows
        weak = np.abs(away) > CHANGE_LEVELS
        self._weak_looks = np.where(weak, np.minimum(self._weak_looks, _WEAK_LOOKS) + 1, 0).astype(np.uint8)
        creep = _CREEP_LEVELS_S * passed_s
        self._follows += np.where(weak, 0, np.clip(away, -creep, creep))
        self._unlike_s = np.where(difference > CHANGE_LEVELS, self._unlike_s + np.float32(passed_s), 0)
        return np.asarray((self._weak_looks >= _WEAK_LOOKS) | (self._unlike_s >= _CREPT_S), np.bool_)

    def passing(self, small: Small, before: Small, after: Small, *, explained: BoxesXyxy | None = None) -> list[Area]:
        """The parts of a frame between two looks that show what neither look shows and nothing explains.

        small, before, after: the frame, the look before it and the look after it.
        """
        unlike = np.minimum(cv2.absdiff(small, before), cv2.absdiff(small, after)) > _STRONG_LEVELS
        if not unlike.any():
            return []
        waiting = unlike & (cv2.absdiff(before, after) <= CHANGE_LEVELS)
        if explained is not None:
            waiting &= ~self._inside(explained, waiting.shape)
        large = cv2.morphologyEx(waiting.astype(np.uint8), cv2.MORPH_OPEN, _BLOCK)
        if not large.any():
            return []
        return self._rectangles(np.asarray(cv2.dilate(large, _AROUND_SQUARE), np.uint8))

    def _inside(self, boxes: BoxesXyxy, shape: tuple[int, ...]) -> Changed:
        mask = np.zeros(shape, np.bool_)
        corners = boxes / self._motion.step_px
        low = np.maximum(np.floor(corners[:, :2]), 0).astype(int)
        high = np.maximum(np.ceil(corners[:, 2:]), 0).astype(int)
        for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
            mask[y1:y2, x1:x2] = True
        return mask

    def _rectangles(self, waiting: NDArray[np.uint8]) -> list[Area]:
        """Bounding boxes of connected squares; those that meet join. A margin keeps a face at their edge whole."""
        side = self._motion.step_px
        margin = max(0, _MARGIN_PX - side)
        rows, columns = waiting.shape
        boxes = np.zeros_like(waiting)
        for x, y, w, h in _bounds(waiting):
            boxes[y : y + h, x : x + w] = 1
        found = []
        for x, y, w, h in _bounds(boxes):
            x1, y1 = max(0, x * side - margin), max(0, y * side - margin)
            # The last squares stand for what is left of the picture beyond them, too.
            x2 = self._width if x + w == columns else min(self._width, (x + w) * side + margin)
            y2 = self._height if y + h == rows else min(self._height, (y + h) * side + margin)
            found.append((x1 // 2 * 2, y1 // 2 * 2, x2, y2))
        return found


def _bounds(squares: NDArray[np.uint8]) -> list[list[int]]:
    """Bounding boxes of connected squares: left, top, width, height."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(squares, connectivity=8)
    bounds: list[list[int]] = stats[1:count, :4].tolist()
    return bounds


def _without_specks(waiting: Changed) -> Changed:
    """Only squares of connected groups that are large enough to show something."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(waiting.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= _LEAST_SQUARES
    large[0] = False
    return np.asarray(large[labels], np.bool_)
