"""Whether a camera still sees what it saw when it was calibrated. Private side.

Once in a few seconds marks of the view are looked for in what nobody covers. Those of the first view stay as they
are, so that a camera that sags slowly is noticed; those of the newest view follow light and season, and say where the
camera points while the first are not found, as at night. Marks end with the process. What is told of them, so that the
view is known again after it, are the places of their middles (`private.observe.constellation`).
"""

from enum import Enum
from typing import Final, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.core.camera import Corners, CrowdSpec, KnownView
from skyveil.core.errors import MeasureRefused
from skyveil.core.geometry import BoxesXyxy, Polygon
from skyveil.core.health import Cause
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.points import points_of
from skyveil.measure.shifted import Motion, Steadiness
from skyveil.private.detect.view import shrunk_luma
from skyveil.private.frame import RawFrame
from skyveil.private.observe.constellation import corners_of, motion_between, moved
from skyveil.private.observe.marks import Band, Marks, Seen, Sight, band_of, marks_of, put, seen_in
from skyveil.private.regions import Regions

EVERY_S: Final = 5.0
SOON_S: Final = 1.0
"""Between two checks; while something is amiss they come sooner, so that it is told within ten seconds."""
_GLANCE_S: Final = 0.2
_GLANCE_PX: Final = 16
_LONG: Final = 320
"""The longer side of the small pictures has so many samples, or up to twice as many."""
_NEAR: Final = 8
_FAR: Final = 40
"""Samples within which a mark is looked for, and again when too few are found."""
_SURE: Final = 0.5
"""Standard error in samples at the worst corner up to which a motion counts: a pixel of a picture of 768x576."""
_FAMILIAR: Final = 24
"""Marks that a view must have to be known again."""
_SAME_SHARE: Final = 0.5
_SAME_STEP: Final = 1.0
"""A view stands still when half of its marks are found where they were a check before, within a sample."""
_MOVED_AFTER: Final = 3
"""Checks in a row that must say so: a lorry passes, a mast sways."""
_OTHER_AFTER_S: Final = 30.0
"""How long another view must stand before it is told that the camera was moved, and not that the light changed."""
_LOST_AFTER_S: Final = 15.0
"""How long a camera that turned may show nothing that is known before it is taken to be where it was: it got dark."""
_LESSONS: Final = 8
_LESSON_S: Final = 4.0
"""Pictures that make the first view, and the time between them; who stands before it for half a minute is in boxes."""
_LEAST_LESSONS: Final = 3
_RATE: Final = 1 / 32
_RENEW: Final = 12
"""The newest view is the mean of about 32 checks, and its marks are chosen anew every 12."""
_TELL_S: Final = 600.0
"""How often the places of corners are told anew, as light moves them."""
_SOFT: Final = 0.5
_STRONG: Final = 2.0
"""A glance is another when its correlation with the one before is less, and both have so much contrast, in levels:
the sensor's noise leaves 0.5 in means of squares of 16 px."""


@final
class View(Enum):
    """What is known of where a camera points."""

    LEARNING = "learning"
    """Nothing to compare with yet."""
    IN_PLACE = "in place"
    TURNING = "turning"
    """The picture moves, or moved a moment ago."""
    MOVED = "moved"


class _Says(Enum):
    HERE = 1
    AWAY = 2
    OTHER = 3
    """Another scene that stands still."""
    NOTHING = 4


@final
class ViewCheck:
    """Checks the view of one camera. One thread owns it; it outlives connections, and ends with the process."""

    def __init__(self, steadiness: Steadiness, *, shrink: int, known: KnownView | None = None) -> None:
        """shrink: pixels for each sample of the small pictures. known: the view from before the process began."""
        known = known or KnownView()
        self._steadiness = steadiness
        self._shrink = shrink
        self.view = View.MOVED if known.moved else View.LEARNING
        self.scenes = known.scenes
        """What is to be kept of the view: corners as it was calibrated, and as it was seen last."""
        self._placed: Motion | None = None if known.scenes or known.moved else np.eye(2, 3)
        """Where samples of the calibrated view are in the first one of this process; None while that is not known."""
        self._told_s = -_TELL_S
        self._fresh: _Scene | None = None
        self._seen_last: tuple[Corners, ...] = ()
        self.shift_px: float | None = None
        """How far the places moved in the picture; None while that is not known."""
        self.first: Marks | None = None
        self._newest: Marks | None = None
        self._scene: _Scene | None = None
        self._checked_s: float | None = None
        self._says, self._since_s, self._times = _Says.NOTHING, 0.0, 0
        self._stood: Marks | None = None
        self._glance: tuple[float, NDArray[np.float32]] | None = None
        self._stirred = 0
        self._turned_s = 0.0
        self._before = self.view

    @classmethod
    def of(cls, crowd: CrowdSpec, *, size_wh: tuple[int, int], known: KnownView | None = None) -> "ViewCheck":
        """The check of a camera's zones and lines; without metres where its calibration does not fit its picture."""
        shrink = 1
        while shrink < _GLANCE_PX and max(size_wh) >= 2 * _LONG * shrink:
            shrink *= 2
        return cls(_steadiness(crowd, size_wh), shrink=shrink, known=known)

    def judge_by(self, crowd: CrowdSpec, *, size_wh: tuple[int, int]) -> None:
        """Judge moves by what they do to other zones and lines from now on; the view stays known."""
        self._steadiness = _steadiness(crowd, size_wh)

    def see(self, raw: RawFrame, regions: Regions, people: BoxesXyxy) -> None:
        """Take a frame with what is covered in it, and boxes of people (N, 4), xyxy pixels, around it in time."""
        if raw.damaged or regions.whole:
            return
        at_s = raw.time.seconds
        if self._glances(at_s):
            self.glance(shrunk_luma(raw, shrink=_GLANCE_PX), at_s=at_s)
        if self.due(at_s):
            luma = shrunk_luma(raw, shrink=self._shrink)
            boxes = np.concatenate([regions.boxes.astype(np.float32), people])
            self.check(luma, in_sight(luma.shape, boxes, regions.polygons, shrink=self._shrink), at_s=at_s)

    @property
    def trusted(self) -> bool:
        """Whether places in metres hold."""
        return self.view in (View.LEARNING, View.IN_PLACE)

    @property
    def moved(self) -> bool:
        """Whether the camera is known to be moved; one that turns is, if it was before."""
        return (self._before if self.view is View.TURNING else self.view) is View.MOVED

    @property
    def cause(self) -> Cause:
        """What is to be said of the camera."""
        return {View.MOVED: Cause.MOVED, View.TURNING: Cause.TURNING}.get(self.view, Cause.OK)

    def _glances(self, at_s: float) -> bool:
        return self._glance is None or not 0 <= at_s - self._glance[0] < _GLANCE_S

    def glance(self, tiny: NDArray[np.uint8], *, at_s: float) -> None:
        """Take means of squares of 16 px, (rows, columns).

        A picture that becomes another is checked at once, and is turning where its marks are not in their places:
        before a plain floor people alone make another picture of it.
        """
        now = tiny.astype(np.float32) - cv2.GaussianBlur(tiny.astype(np.float32), (0, 0), 3.0)
        before, self._glance = self._glance, (at_s, now)
        late = before is None or not 0 <= at_s - before[0] <= SOON_S
        if before is None or late or before[1].shape != now.shape or not _another(before[1], now):
            self._stirred = 0
            return
        self._stirred += 1

    def due(self, at_s: float) -> bool:
        """Whether `check` wants a picture at this time."""
        if self._checked_s is None or at_s < self._checked_s:
            return True
        amiss = self.view is View.TURNING or (self._says is _Says.AWAY and self.view is not View.MOVED)
        stirs = self._stirred >= 2 and self.view is not View.TURNING
        if self.first is None:
            wait_s = _LESSON_S
        elif stirs and self._says is not _Says.HERE:
            wait_s = 2 * _GLANCE_S
        else:
            wait_s = SOON_S if amiss or stirs else EVERY_S
        return at_s - self._checked_s >= wait_s

    def check(self, luma: NDArray[np.uint8], sight: Sight, *, at_s: float) -> None:
        """Take a small picture, and which of its samples nobody and no mask covers, both (rows, columns)."""
        self._checked_s = at_s
        # Nothing that is covered has any part in what is learned and told of the view.
        luma = np.where(sight, luma, np.uint8(luma[sight].mean() if sight.any() else 0))
        if self.first is None:
            self._learn(luma, sight)
            return
        band = band_of(luma)
        motion = self._motion(band, sight)
        if motion is None:
            self._hear(_Says.OTHER if self._stands(band, sight) else _Says.NOTHING, at_s)
            return
        self._stood = None
        if self._placed is None:
            # The view of this process stands; whether it is the calibrated one may show in other light.
            self._hear(_Says.OTHER, at_s)
            self._follow(luma, sight, motion, at_s=at_s)
            return
        shifted = self._steadiness.judged(self._in_pixels(_after(motion, self._placed)))
        self.shift_px = shifted.px
        self._hear(_Says.AWAY if shifted.too_far else _Says.HERE, at_s)
        if not shifted.too_far:
            self._follow(luma, sight, motion, at_s=at_s)

    def _learn(self, luma: NDArray[np.uint8], sight: Sight) -> None:
        if self._scene is None or self._scene.shape != luma.shape:
            self._scene = _Scene(luma.shape)
        self._scene.take(luma.astype(np.float32), sight)
        if self._scene.lessons >= _LESSONS:
            found = self._scene.marks()
            seen = seen_in(band_of(luma), sight, found, reach=_NEAR)
            if len(found) >= _FAMILIAR and _still(seen, luma.shape):
                self.first = found
                if self._placed is None:
                    self._place(corners_of(found, luma.shape), luma.shape)
                else:
                    self.view, self.shift_px = View.IN_PLACE, 0.0
            elif len(found) >= _FAMILIAR:
                self._scene = None  # the camera turned, or lights went on or off

    def _motion(self, band: Band, sight: Sight) -> Motion | None:
        """Where the view is now, in samples; None when nothing says so for sure."""
        for reach in (_NEAR, _FAR):
            for known in (self.first, self._newest):
                if known is not None:
                    seen = seen_in(band, sight, known, reach=reach)
                    if seen.motion is not None and seen.sigma <= _SURE:
                        return seen.motion
        return None

    def _stands(self, band: Band, sight: Sight) -> bool:
        """Whether the scene, which is not the known one, is the same as a check ago."""
        if self._stood is not None:
            seen = seen_in(band, sight, self._stood, reach=_NEAR)
            if seen.agree >= max(_FAMILIAR, _SAME_SHARE * seen.in_sight) and _still(seen, band.shape):
                return True
        self._stood = marks_of(band, sight)
        return False

    def _hear(self, says: _Says, at_s: float) -> None:
        """Take the answer of a check; the view changes when answers agree for long enough."""
        same = says is self._says and at_s >= self._since_s
        self._times = self._times + 1 if same else 1
        self._since_s = self._since_s if same else at_s
        self._says = says
        if self._stirred >= 2 and says is not _Says.HERE:
            if self.view is not View.TURNING:
                self._before, self.view = self.view, View.TURNING
            self.shift_px, self._turned_s, self._times = None, at_s, 0
            return
        stopped = self.view is View.TURNING and not self._stirred
        if says is _Says.HERE and (stopped or self._times >= 2):
            self.view = View.IN_PLACE
        elif says is _Says.AWAY and self._times >= _MOVED_AFTER:
            self.view = View.MOVED
        elif says is _Says.OTHER and at_s - self._since_s >= _OTHER_AFTER_S:
            self.view, self.shift_px = View.MOVED, None
        elif says is _Says.NOTHING and self.view is View.TURNING and at_s - self._turned_s >= _LOST_AFTER_S:
            self.view = self._before

    def _place(self, now: Corners, shape: tuple[int, ...]) -> None:
        """Find the calibrated view in corners that lie where they lay in the first view of this process."""
        found = (motion_between(scene, now, shape) for scene in self.scenes)
        self._placed = next((one for one in found if one is not None), None)

    def _note(self, luma: NDArray[np.float32], sight: Sight, *, at_s: float) -> None:
        """Learn what is to be kept of the view, from pictures that nothing kept before was made of."""
        if self.first is None or (self._placed is not None and 0 <= at_s - self._told_s < _TELL_S):
            return
        if self._fresh is None or self._fresh.shape != luma.shape:
            self._fresh = _Scene(luma.shape)
        self._fresh.take(luma, sight)
        if self._fresh.lessons < _LESSONS:
            return
        now, self._fresh = corners_of(self._fresh.marks(), luma.shape), None
        if self._placed is None:
            self._place(now, luma.shape)
            return
        first = corners_of(self.first, luma.shape)
        if any(motion_between(one, now, luma.shape) is not None for one in (first, *self._seen_last)):
            # Else it is of people, or of a plain floor, and would not be known again.
            self._told_s, self._seen_last = at_s, (now,)
            back = np.asarray(cv2.invertAffineTransform(self._placed), np.float64)
            self.scenes = (self.scenes[0] if self.scenes else first, moved(now, back, luma.shape))

    def _follow(self, luma: NDArray[np.uint8], sight: Sight, motion: Motion, *, at_s: float) -> None:
        """Learn how the view looks now, put back to where it was at first."""
        if self._scene is None or self._scene.shape != luma.shape:
            self._scene = _Scene(luma.shape)
        seen = _put_back(luma, sight, motion)
        self._scene.take(*seen)
        self._note(*seen, at_s=at_s)
        if self._scene.lessons % _RENEW == 0:
            found = self._scene.marks()
            self._newest = found if len(found) >= _FAMILIAR else self._newest

    def _in_pixels(self, motion: Motion) -> Motion:
        """The same motion in pixels: sample x stands for the pixels around (x + 1/2) shrink - 1/2."""
        shrink, half = float(self._shrink), (self._shrink - 1) / 2
        turn = motion[:, :2]
        return np.hstack([turn, (shrink * motion[:, 2] + half - turn @ [half, half])[:, None]])


def _steadiness(crowd: CrowdSpec, size_wh: tuple[int, int]) -> Steadiness:
    try:
        calibration = None if crowd.calibration is None else calibration_from(crowd.calibration, size_wh=size_wh)
    except MeasureRefused:
        calibration = None  # who observes says so
    zones = [points_of(one.corners) * size_wh for one in crowd.zones]
    lines = [points_of((one.start, one.end)) * size_wh for one in crowd.lines]
    return Steadiness(zones, lines, calibration, long_px=float(max(size_wh)))


def _after(second: Motion, first: Motion) -> Motion:
    """One motion after another."""
    return np.hstack([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]])


def in_sight(shape: tuple[int, ...], boxes: BoxesXyxy, polygons: tuple[Polygon, ...], *, shrink: int) -> Sight:
    """Which samples of a small picture are in no box (N, 4), xyxy pixels, and no polygon, with a sample to spare."""
    hidden = np.zeros((shape[0], shape[1]), np.uint8)
    low = np.clip(np.floor(boxes[:, :2] / shrink) - 1, 0, None).astype(np.int64)
    high = np.clip(np.ceil(boxes[:, 2:] / shrink) + 1, 0, None).astype(np.int64)
    for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
        hidden[y1:y2, x1:x2] = 1
    for polygon in polygons:
        corners = np.rint(polygon / shrink).astype(np.int32)
        cv2.fillPoly(hidden, [corners], 1)
        cv2.polylines(hidden, [corners], True, 1, 3)
    return np.asarray(hidden == 0, np.bool_)


@final
class _Scene:
    """The mean of what was in sight, sample by sample."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.lessons = 0
        self._mean = np.zeros(shape, np.float32)
        self._times = np.zeros(shape, np.float32)

    def take(self, luma: NDArray[np.float32], sight: Sight) -> None:
        """Learn what is in sight."""
        self.lessons += 1
        self._times += sight
        share = np.maximum(1 / np.maximum(self._times, 1), np.float32(_RATE))
        self._mean += np.where(sight, share * (luma - self._mean), np.float32(0))

    def marks(self) -> Marks:
        """The marks of what was seen often enough."""
        return marks_of(band_of(self._mean), self._times >= _LEAST_LESSONS)


def _put_back(luma: NDArray[np.uint8], sight: Sight, motion: Motion) -> tuple[NDArray[np.float32], Sight]:
    size_wh = luma.shape[1], luma.shape[0]
    back = cv2.warpAffine(luma.astype(np.float32), motion, size_wh, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    seen = cv2.warpAffine(sight.astype(np.uint8), motion, size_wh, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(back, np.float32), np.asarray(seen > 0, np.bool_)


def _still(seen: Seen, shape: tuple[int, ...]) -> bool:
    """Whether marks are where they were."""
    middle = np.array([[shape[1] / 2, shape[0] / 2]])
    return seen.motion is not None and bool(np.linalg.norm(put(seen.motion, middle) - middle) <= _SAME_STEP)


def _another(before: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    if min(float(before.std()), float(now.std())) < _STRONG:
        return False
    return float(np.mean((before - before.mean()) * (now - now.mean()))) < _SOFT * float(before.std() * now.std())
