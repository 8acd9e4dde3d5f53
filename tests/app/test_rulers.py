"""A live camera that takes people for rulers: what it collects, what it says, and that it forgets."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from skyveil.app.rulers import EVERY_S, LONGEST_S, Rulers, View
from skyveil.core.camera import AskedRulers
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.kinds import Kind
from skyveil.measure.calibration import HEAD_M
from skyveil.measure.points import points_of, polygon_area
from skyveil.measure.rulers import RulerCamera
from skyveil.private.detections import Detections
from skyveil.public.ruler_report import ENOUGH_PAIRS, LEAST_PAIRS, RulerReport, RulerState
from tests.app.live_stand_in import HUNG, walkers_boxes
from tests.measure.cameras import SIZE_WH

VIEW_DEG = float(2 * np.degrees(np.arctan(SIZE_WH[0] / 2 / HUNG.focal_px)))
ASKED = AskedRulers(VIEW_DEG, HEAD_M)
HERE = View(SIZE_WH)


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def seen(boxes: np.ndarray[tuple[int, int], np.dtype[np.float64]], *, kind: Kind = Kind.PERSON) -> Detections:
    count = len(boxes)
    of = FrameId(SourceId("made"), 0)
    return Detections(of, boxes.astype(np.float32), np.full(count, 0.9, np.float32), np.full(count, kind, np.uint8))


class Collecting:
    """Rulers before which people walk."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rulers = Rulers(clock=self.clock)
        self.told: list[RulerReport] = []

    def look(self, found: Detections, view: View = HERE, *, after_s: float = EVERY_S) -> None:
        self.clock.s += after_s
        self.rulers.see(found, view)
        self.told += self.rulers.told()

    def end(self) -> RulerReport:
        """What is said when the fit is done."""
        for thread in threading.enumerate():
            if thread.name == "rulers":
                thread.join(120)
        self.told += self.rulers.told()
        return self.told[-1]

    @property
    def boxes(self) -> int:
        people = self.rulers._people
        return 0 if people is None else len(people)


@pytest.fixture
def collecting() -> Iterator[Collecting]:
    one = Collecting()
    one.rulers.begin(ASKED)
    yield one
    one.end()


def test_people_who_walk_by_give_the_camera_and_are_forgotten(collecting: Collecting) -> None:
    look = 0
    while collecting.rulers._asked is not None:
        look += 1
        assert look < 20
        collecting.look(seen(walkers_boxes(look)))
    assert collecting.boxes == 0
    report = collecting.end()
    assert report.state is RulerState.FITTED and report.fit is not None and report.pairs >= ENOUGH_PAIRS
    assert report.fit.height_m == pytest.approx(HUNG.height_m, rel=0.1)
    assert report.fit.tilt_deg == pytest.approx(HUNG.tilt_deg, abs=3)
    assert report.fit.left_out_m is not None and 0 < report.fit.left_out_m < 0.6
    fit = report.fit
    found = RulerCamera(fit.height_m, fit.tilt_deg, fit.roll_deg, fit.view_deg, HUNG.given.fit).calibration(
        size_wh=fit.size_wh
    )
    corners = HUNG.given.pixels_of(points_of([[-2, 7], [2, 7], [2, 11], [-2, 11]]))
    assert polygon_area(found.floor_of(corners)) == pytest.approx(16, rel=0.2)
    # Before, it said how far it was, in tens, and never the same twice.
    said = [(one.state, one.pairs) for one in collecting.told]
    assert said[0][0] is RulerState.COLLECTING and len(set(said)) == len(said)
    assert all(pairs % 10 == 0 for _, pairs in said)


def test_one_look_in_ten_seconds_is_taken_and_who_stands_still_counts_once(collecting: Collecting) -> None:
    people = seen(walkers_boxes(1))
    collecting.look(people)
    once = collecting.boxes
    assert once >= 4
    for _ in range(5):
        collecting.look(seen(walkers_boxes(2)), after_s=1.0)
    for _ in range(5):
        collecting.look(people)
    assert collecting.boxes == once
    collecting.look(seen(walkers_boxes(2), kind=Kind.FACE))
    assert collecting.boxes == once


def test_pairs_of_two_views_are_never_put_together(collecting: Collecting) -> None:
    for look in range(3):
        collecting.look(seen(walkers_boxes(look)))
    many = collecting.boxes
    collecting.look(seen(walkers_boxes(5)), View(SIZE_WH, moved=True))
    assert 0 < collecting.boxes < many / 2
    collecting.look(seen(walkers_boxes(6)[:2]), View((960, 540)))
    assert collecting.boxes <= 2


def test_what_is_dropped_is_forgotten_and_its_fit_is_not_told() -> None:
    one = Collecting()
    one.rulers.begin(ASKED)
    one.look(seen(walkers_boxes(1)))
    one.rulers.drop()
    assert one.boxes == 0
    one.look(seen(walkers_boxes(2)))
    assert one.boxes == 0 and len(one.told) == 1
    one.rulers.begin(ASKED)
    look = 0
    while one.rulers._asked is not None:
        one.look(seen(walkers_boxes(look := look + 1)))
    one.rulers.drop()
    assert one.end().state is RulerState.COLLECTING


def test_who_was_seen_before_the_camera_was_out_of_reach_is_forgotten(collecting: Collecting) -> None:
    collecting.look(seen(walkers_boxes(1)))
    assert collecting.boxes > 0
    collecting.rulers.forget()
    assert collecting.boxes == 0
    collecting.look(seen(walkers_boxes(2)))
    assert collecting.boxes > 0  # the wish is still there


def test_what_fails_is_told_and_forgotten(collecting: Collecting) -> None:
    collecting.look(seen(walkers_boxes(1)))
    collecting.rulers.fail()
    assert collecting.boxes == 0
    assert [one.state for one in collecting.rulers.told()] == [RulerState.UNLIKE]
    assert list(collecting.rulers.told()) == []


def test_nobody_asked_and_nothing_is_kept() -> None:
    one = Collecting()
    one.look(seen(walkers_boxes(1)))
    assert one.boxes == 0 and one.told == []


@pytest.mark.parametrize(
    ("looks", "state"),
    [(0, RulerState.FEW), (1, RulerState.FEW), (8, RulerState.FITTED)],
)
def test_after_an_hour_what_is_there_is_used_if_it_is_enough(looks: int, state: RulerState) -> None:
    one = Collecting()
    one.rulers.begin(ASKED)
    for look in range(looks):
        one.look(seen(walkers_boxes(look)))
    assert LEAST_PAIRS <= one.boxes < ENOUGH_PAIRS or looks < 8
    one.look(seen(np.zeros((0, 4))), after_s=LONGEST_S + 1)
    report = one.end()
    assert (report.state, one.boxes) == (state, 0)
    assert (report.fit is None) == (state is not RulerState.FITTED)


def test_people_who_walk_in_one_row_of_the_picture_are_no_rulers() -> None:
    one = Collecting()
    one.rulers.begin(ASKED)
    for look in range(12):
        left = 100 + 37.0 * look + np.arange(4) * 400.0
        row = np.stack([left, np.full(4, 500.0), left + 60, np.full(4, 680.0 + look)], axis=1)
        one.look(seen(row))
    one.look(seen(np.zeros((0, 4))), after_s=LONGEST_S + 1)
    assert one.end().state is RulerState.ONE_ROW


def test_people_whom_no_camera_shows_so_are_told_as_such() -> None:
    one = Collecting()
    one.rulers.begin(ASKED)
    random = np.random.default_rng(0)
    for look in range(40):
        if one.rulers._asked is None:
            break
        # As tall as chance will have them, near and far.
        feet = np.array([350.0, 650.0, 1000.0]) + random.uniform(-40, 40, 3)
        tall = random.uniform(45, 330, 3)
        left = np.array([200.0, 900.0, 1500.0]) + random.uniform(-150, 150, 3)
        one.look(seen(np.stack([left, feet - tall, left + 0.35 * tall, feet], axis=1)))
        assert look < 39
    assert one.end().state is RulerState.UNLIKE
