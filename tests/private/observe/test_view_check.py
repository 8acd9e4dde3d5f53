"""A camera that was moved is told from one before which much happens."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.camera import CrowdSpec, KnownView, ZoneSpec
from skyveil.core.geometry import no_boxes
from skyveil.core.health import Cause
from skyveil.core.ids import PlaceId
from skyveil.private.looked import Looked, Why
from skyveil.private.observe import view_check
from skyveil.private.observe.marks import Band, band_of, marks_of, seen_in
from skyveil.private.observe.view_check import View, ViewCheck, in_sight
from skyveil.private.regions import Regions, whole_frame
from tests.private.made import Luma, frame_of

SIZE_WH: Final = (768, 576)
ZONE: Final = ZoneSpec(PlaceId("hall"), "walkway", ((0.2, 0.4), (0.8, 0.4), (0.8, 0.9), (0.2, 0.9)))
LEARNED_S: Final = 40.0
NOISE: Final = np.random.default_rng(0).standard_normal((SIZE_WH[1] + 32, SIZE_WH[0] + 32), np.float32)
"""Of a sensor; each picture has another part of it."""


def scene(seed: int = 0) -> Luma:
    """A room: plain surfaces of many greys with edges and corners."""
    random = np.random.default_rng(seed)
    luma = np.full((SIZE_WH[1] + 200, SIZE_WH[0] + 200), 120, np.uint8)
    for _ in range(250):
        x, y = random.integers(0, luma.shape[1]), random.integers(0, luma.shape[0])
        w, h = random.integers(15, 120, 2)
        cv2.rectangle(luma, (int(x), int(y)), (int(x + w), int(y + h)), int(random.integers(30, 220)), -1)
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), 1.0), np.uint8)


ROOM: Final = scene()


def view(*, shift_px: tuple[float, float] = (0, 0), zoom: float = 1.0, degrees: float = 0.0) -> Luma:
    """What the camera sees of the room when its picture is moved by so much."""
    motion = cv2.getRotationMatrix2D((SIZE_WH[0] / 2, SIZE_WH[1] / 2), degrees, zoom)
    motion = np.hstack([motion[:, :2], (motion[:, 2] + shift_px - motion[:, :2] @ [100.0, 100.0])[:, None]])
    return np.asarray(cv2.warpAffine(ROOM, motion, SIZE_WH, flags=cv2.INTER_CUBIC), np.uint8)


def noisy(luma: Luma, index: int, *, gain: float = 1.0, sigma: float = 3.0) -> Luma:
    left, top = index * 7 % 32, index * 11 % 32
    noise = NOISE[top : top + luma.shape[0], left : left + luma.shape[1]]
    return np.asarray(np.clip(luma * np.float32(gain) + np.float32(sigma) * noise, 0, 255), np.uint8)


def no_regions(index: int, boxes: np.ndarray[tuple[int, ...], np.dtype[np.int32]] | None = None) -> Regions:
    raw = frame_of(np.zeros((16, 16), np.uint8), index)
    looked = Looked(raw.id, 32, np.full((18, 24), int(Why.LOOKED), np.uint8), np.zeros((18, 24), np.float32), ("made",))
    return Regions(raw.id, np.zeros((0, 4), np.int32) if boxes is None else boxes, (), looked)


def small_band(luma: Luma) -> Band:
    seen = luma[: SIZE_WH[1], : SIZE_WH[0]]
    return band_of(np.asarray(cv2.resize(seen, (384, 288), interpolation=cv2.INTER_AREA), np.uint8))


class Made:
    """A check, and the frames that it was given."""

    def __init__(self, known: KnownView | None = None) -> None:
        self.check = ViewCheck.of(CrowdSpec((ZONE,)), size_wh=SIZE_WH, known=known)
        self.index = 0

    def watch(self, seen: Callable[[int], Luma], *, seconds: float, fps: float = 4.0) -> View:
        for _ in range(int(seconds * fps)):
            self.index += 1
            raw = frame_of(seen(self.index), self.index, ms=int(self.index * 1000 / fps))
            self.check.see(raw, no_regions(self.index), no_boxes())
        return self.check.view


@pytest.fixture(scope="module")
def still() -> Luma:
    return view()


@pytest.fixture(scope="module")
def once(still: Luma) -> Made:
    """A check that learned the room."""
    made = Made()
    assert made.watch(lambda index: noisy(still, index), seconds=LEARNED_S) is View.IN_PLACE
    return made


@pytest.fixture
def made(once: Made) -> Made:
    return deepcopy(once)


def test_a_view_is_learned_in_half_a_minute_and_numbers_count_meanwhile(still: Luma) -> None:
    made = Made()
    assert made.watch(lambda index: noisy(still, index), seconds=5) is View.LEARNING
    assert made.check.trusted
    made.watch(lambda index: noisy(still, index), seconds=LEARNED_S)
    assert (made.check.view, made.check.cause) == (View.IN_PLACE, Cause.OK)


@pytest.mark.parametrize(
    ("motion", "px"),
    [
        ({"shift_px": (20, 12)}, 23.3),
        ({"shift_px": (-60, 40)}, 72.1),  # past what is searched first
        ({"zoom": 1.07}, 22.8),
        ({"degrees": 4.0}, 22.7),
    ],
)
def test_a_camera_that_was_moved_is_told_with_how_far(made: Made, motion: dict[str, float], px: float) -> None:
    now = view(**motion)  # type: ignore[arg-type]  # of one of three names
    assert made.watch(lambda index: noisy(now, index), seconds=15) is View.MOVED
    assert (made.check.cause, made.check.trusted) == (Cause.MOVED, False)
    assert made.check.shift_px == pytest.approx(px, rel=0.05)


@pytest.mark.parametrize("px", [1, 2, 5, 10])
def test_a_small_shift_is_measured_and_borne(made: Made, px: int) -> None:
    now = view(shift_px=(px, 0))
    assert made.watch(lambda index: noisy(now, index), seconds=15) is View.IN_PLACE
    assert made.check.shift_px == pytest.approx(px, abs=0.4)


def test_a_camera_that_is_turned_back_is_trusted_again(made: Made, still: Luma) -> None:
    now = view(shift_px=(30, 0))
    assert made.watch(lambda index: noisy(now, index), seconds=15) is View.MOVED
    assert made.watch(lambda index: noisy(still, index), seconds=15) is View.IN_PLACE


def test_another_view_is_told_though_nothing_of_the_old_one_is_left(made: Made) -> None:
    now = scene(9)[: SIZE_WH[1], : SIZE_WH[0]]
    assert made.watch(lambda index: noisy(now, index), seconds=50) is View.MOVED
    assert made.check.shift_px is None


@pytest.mark.parametrize(
    "light",
    [
        lambda luma, index: noisy(luma, index, gain=0.15, sigma=5),  # it gets dark
        lambda luma, index: noisy(luma, index, gain=1.6),  # clipped by the sun
        lambda luma, index: noisy(np.asarray(luma * np.linspace(0.2, 1, 768), np.uint8), index),  # a lamp at one side
        lambda luma, index: np.full_like(luma, 8),  # lights out
        lambda luma, index: noisy(np.full_like(luma, 8), index, sigma=12),  # lights out, and the sensor at its most
        lambda luma, index: noisy(luma, index, gain=1.0 if index % 8 < 4 else 0.3),  # a lamp that goes on and off
    ],
    ids=["dusk", "sun", "lamp", "dark", "noise", "flicker"],
)
def test_light_is_no_motion(made: Made, still: Luma, light: Callable[[Luma, int], Luma]) -> None:
    views = {made.watch(lambda index: light(still, index), seconds=1) for _ in range(60)}
    assert views == {View.IN_PLACE}


def test_a_crowd_that_hides_most_of_the_view_is_no_motion(made: Made, still: Luma) -> None:
    random = np.random.default_rng(3)

    def crowded(index: int) -> Luma:
        luma = still.copy()
        for _ in range(90):
            x, y = random.integers(0, SIZE_WH[0]), random.integers(100, SIZE_WH[1])
            cv2.ellipse(luma, (int(x), int(y)), (22, 48), 0, 0, 360, int(random.integers(20, 230)), -1)
        return noisy(luma, index)

    views = {made.watch(crowded, seconds=1) for _ in range(60)}
    assert View.MOVED not in views


def test_a_camera_that_turns_is_unknown_within_a_second(made: Made) -> None:
    began = made.index

    def turning(index: int) -> Luma:
        left = min(100 * (index - began), 500)
        return noisy(np.roll(ROOM, -left, axis=1)[: SIZE_WH[1], : SIZE_WH[0]], index)

    assert made.watch(turning, seconds=1) is View.TURNING
    assert (made.check.trusted, made.check.cause) == (False, Cause.TURNING)
    assert made.watch(turning, seconds=60) is View.MOVED


def test_a_frame_without_evidence_or_a_damaged_one_says_nothing(still: Luma) -> None:
    check = ViewCheck.of(CrowdSpec((ZONE,)), size_wh=SIZE_WH)
    for index in range(200):
        raw = frame_of(still, index, ms=index * 1000, damaged=index % 2 == 0)
        check.see(raw, no_regions(index) if index % 2 == 0 else whole_frame(raw.id), no_boxes())
    assert check.view is View.LEARNING


def test_what_is_covered_leaves_no_trace_in_the_marks(still: Luma, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that differ inside of regions only look at the same pictures and know the same marks, bit for bit."""
    boxes = np.array([[100, 80, 380, 560]], np.int32)
    found = []
    looked_at: list[bytes] = []

    def seen(luma: NDArray[np.uint8] | NDArray[np.float32]) -> Band:
        looked_at.append(luma.tobytes())
        return band_of(luma)

    monkeypatch.setattr(view_check, "band_of", seen)
    for seed in (1, 2):
        check = ViewCheck.of(CrowdSpec((ZONE,)), size_wh=SIZE_WH)
        for index in range(12):
            luma = noisy(still, index)
            luma[80:560, 100:380] = np.random.default_rng(seed).integers(0, 255, (480, 280))
            check.see(frame_of(luma, index, ms=index * 5000), no_regions(index, boxes), no_boxes())
        assert check.first is not None
        found.append(check.first)
    assert looked_at[: len(looked_at) // 2] == looked_at[len(looked_at) // 2 :]
    assert (found[0].corners == found[1].corners).all()
    assert (found[0].bits == found[1].bits).all()
    # A square of 16 samples of 2 px, and 2 samples to spare, lies wholly beside the box.
    x, y = (found[0].corners * 2).T
    assert not ((x > 100 - 32) & (x < 380) & (y > 80 - 32) & (y < 560)).any()


# --- over restarts ----------------------------------------------------------------------------------------------------

KNOWN_S: Final = 100.0


@pytest.fixture(scope="module")
def known(still: Luma) -> KnownView:
    """What is kept of the room."""
    made = Made()
    made.watch(lambda index: noisy(still, index), seconds=KNOWN_S, fps=1)
    assert len(made.check.scenes) == 2
    return KnownView(made.check.scenes)


def again(known: KnownView, seen: Luma, *, seconds: float = 60.0, gain: float = 1.0) -> Made:
    """A process that begins before this."""
    made = Made(known)
    made.watch(lambda index: noisy(seen, index + 5, gain=gain), seconds=seconds, fps=1)
    return made


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_the_same_view_is_known_after_a_restart(known: KnownView, still: Luma, gain: float) -> None:
    made = again(known, still, gain=gain)
    assert (made.check.view, made.check.cause) == (View.IN_PLACE, Cause.OK)
    assert made.check.shift_px == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize(
    ("motion", "px"), [({"shift_px": (20, 12)}, 23.3), ({"zoom": 1.07}, 22.8), ({"degrees": 4.0}, 22.7)]
)
def test_a_camera_that_was_moved_while_it_was_off_is_told(
    known: KnownView, motion: dict[str, float], px: float
) -> None:
    now = view(**motion)  # type: ignore[arg-type]  # of one of three names
    made = again(known, now)
    assert (made.check.view, made.check.trusted) == (View.MOVED, False)
    assert made.check.shift_px == pytest.approx(px, rel=0.1)


def test_one_that_is_turned_back_after_a_restart_is_trusted_again(known: KnownView, still: Luma) -> None:
    made = again(KnownView(known.scenes, moved=True), view(shift_px=(30, 0)))
    assert made.check.view is View.MOVED
    assert made.watch(lambda index: noisy(still, index), seconds=20, fps=1) is View.IN_PLACE


def test_a_moved_camera_is_not_trusted_for_a_moment_after_a_restart_though_nothing_else_is_known(still: Luma) -> None:
    made = Made(KnownView(moved=True))
    assert not made.check.trusted
    seen = {made.watch(lambda index: noisy(still, index), seconds=2, fps=1) for _ in range(60)}
    assert seen == {View.MOVED} and made.check.scenes == ()


def test_another_view_after_a_restart_is_told(known: KnownView) -> None:
    other = np.asarray(scene(9)[: SIZE_WH[1], : SIZE_WH[0]], np.uint8)
    assert again(known, other, seconds=40).check.trusted
    made = again(known, other, seconds=100)
    assert (made.check.view, made.check.scenes) == (View.MOVED, known.scenes)


def test_small_shifts_add_up_over_restarts(known: KnownView) -> None:
    """What is kept as calibrated stays as it was, or a camera that sags would never be noticed."""
    once = again(known, view(shift_px=(0, 6)), seconds=KNOWN_S)
    assert once.check.view is View.IN_PLACE
    assert once.check.scenes[0] == known.scenes[0] and once.check.scenes[1] != known.scenes[1]
    twice = again(KnownView(once.check.scenes), view(shift_px=(0, 18)))
    assert twice.check.view is View.MOVED
    assert twice.check.shift_px == pytest.approx(18, abs=1.5)


def test_nothing_is_kept_of_a_plain_floor_with_people() -> None:
    """Whoever stands about has corners as well; they are not where they were later."""
    random = np.random.default_rng(5)

    def people(index: int) -> Luma:
        luma = np.full((SIZE_WH[1], SIZE_WH[0]), 110, np.uint8)
        for x, y in random.integers((20, 50), (SIZE_WH[0] - 20, SIZE_WH[1] - 50), (40, 2)).tolist():
            cv2.ellipse(luma, (x, y), (18, 40), 0, 0, 360, int(random.integers(20, 230)), -1)
        return noisy(luma, index)

    made = Made()
    made.watch(people, seconds=KNOWN_S, fps=1)
    assert made.check.scenes == ()


def test_what_is_covered_has_no_part_in_what_is_kept(still: Luma) -> None:
    """Two runs that differ inside of regions only keep the same places."""
    boxes = np.array([[100, 80, 380, 560]], np.int32)
    found = []
    for seed in (1, 2):
        check = ViewCheck.of(CrowdSpec((ZONE,)), size_wh=SIZE_WH)
        for index in range(28):
            luma = noisy(still, index)
            luma[80:560, 100:380] = np.random.default_rng(seed * 100 + index).integers(0, 255, (480, 280))
            check.see(frame_of(luma, index, ms=index * 5000), no_regions(index, boxes), no_boxes())
        found.append(check.scenes)
    assert found[0] == found[1] and len(found[0]) == 2
    for x, y in (corner for scene in found[0] for corner in scene):
        assert not (100 < x / 10_000 * 768 < 380 and 80 < y / 10_000 * 576 < 560)


def test_places_are_judged_anew_and_the_view_stays_known(made: Made, still: Luma) -> None:
    made.check.judge_by(CrowdSpec((replace(ZONE, corners=((0.4, 0.4), (0.6, 0.4), (0.5, 0.6))),)), size_wh=SIZE_WH)
    assert made.watch(lambda index: noisy(still, index), seconds=10) is View.IN_PLACE
    assert made.watch(lambda index: noisy(view(degrees=4.0), index), seconds=15) is View.IN_PLACE  # near the middle


def test_masks_and_boxes_hide_their_samples() -> None:
    polygon = np.array([[40, 40], [60, 40], [60, 60], [40, 60]], np.float32)
    sight = in_sight((50, 60), np.array([[10, 10, 20, 20], [-9, 90, 4, 200]], np.float32), (polygon,), shrink=2)
    assert not sight[4:11, 4:11].any()
    assert not sight[19:31, 19:31].any()
    assert not sight[44:, :3].any()
    assert sight[0:3].all()


def test_a_plain_picture_has_no_marks_and_a_small_one_neither() -> None:
    for shape in ((288, 384), (20, 384)):
        luma = np.full(shape, 100, np.uint8)
        assert len(marks_of(band_of(luma), np.ones(shape, np.bool_))) == 0


def test_marks_that_nobody_sees_say_nothing(still: Luma) -> None:
    luma = np.asarray(cv2.resize(still, (384, 288), interpolation=cv2.INTER_AREA), np.uint8)
    band, everything = band_of(luma), np.ones(luma.shape, np.bool_)
    known = marks_of(band, everything)
    assert seen_in(band, everything, known, reach=8).agree > 40
    seen = seen_in(band, ~everything, known, reach=8)
    assert (seen.motion, seen.in_sight) == (None, 0)
