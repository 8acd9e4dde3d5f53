"""Numbers about the crowd before a camera: in time, past the gate, and never in the way of covering."""

from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from examples.rtsp_server import Camera, load, serving
from skyveil.app.floor import checked_floor
from skyveil.app.observing import Observing, ViewWatch
from skyveil.core.camera import CameraSpec, CrowdSpec, KnownView, LineSpec, ZoneSpec
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import Cause
from skyveil.core.ids import FrameId, PlaceId, SourceId, camera_id
from skyveil.core.kinds import Kind
from skyveil.core.secret import SafeUrl
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.measures import Measure
from skyveil.measure.points import points_of
from skyveil.private.capture.live.given import Shape
from skyveil.private.detections import Detections
from skyveil.private.observe.observer import Observer
from skyveil.private.observe.view_check import ViewCheck
from skyveil.public.aggregate import Aggregate, Told
from skyveil.public.audience import Audience
from skyveil.public.density_map import DensityMap
from skyveil.public.wire.cameras import ViewSeen
from tests.app.test_supervisor import Seen, spec, supervising
from tests.measure.cameras import SIZE_WH, Hung
from tests.private.capture.live.test_rtsp_source import made
from tests.private.made import frame_of
from tests.private.observe.test_observer import boxes
from tests.private.observe.test_view_check import ROOM, no_regions
from tests.private.observe.test_view_check import view as room

HALL, STEP = PlaceId("hall"), PlaceId("step")
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
EVERYWHERE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
SHAPE = Shape(100, 100, Fraction(1), full_range=False, color=(1, 1, 1))


def camera(*corners: tuple[float, float], calibration: str | None = None) -> CameraSpec:
    crowd = CrowdSpec((ZoneSpec(HALL, "walkway", corners),), (LineSpec(STEP, (0, 0.5), (1, 0.5)),), calibration)
    return CameraSpec(camera_id("one"), SafeUrl("rtsp://h/a"), crowd=crowd)


def people(*lefts: float) -> Detections:
    boxes = np.array([[x, 30, x + 10, 80] for x in lefts], np.float32).reshape(-1, 4)
    score, kind = np.full(len(lefts), 0.9, np.float32), np.full(len(lefts), int(Kind.PERSON), np.uint8)
    return Detections(FrameId(SourceId("made"), 0), boxes, score, kind)


def numbers(observing: Observing, *, wall_s: float, at_s: float) -> list[Aggregate]:
    return [one for one in observing.told(wall_s=wall_s, at_s=at_s) if isinstance(one, Aggregate)]


def count_of(told: list[Aggregate]) -> float | None:
    (hall,) = (one for one in told if one.place == HALL)
    return hall.figures[Measure.COUNT].quantity.value


def moved_camera(*, seconds: int) -> ViewWatch:
    """The view of a camera that learned a room, and then sees it 40 px beside."""
    view = ViewWatch(camera(*EVERYWHERE), Shape(768, 576, Fraction(1), full_range=False, color=(1, 1, 1)))
    for index in range(60 + seconds):
        seen = room(shift_px=(0 if index < 60 else 40, 0))
        view.see(frame_of(seen, index, ms=1000 * index), no_regions(index))
    return view


def test_nothing_is_counted_by_a_camera_that_was_moved() -> None:
    view = moved_camera(seconds=12)
    assert (view.trusted, view.cause) == (False, Cause.MOVED)
    observing = Observing(camera(*EVERYWHERE), SHAPE, view)
    assert numbers(observing, wall_s=1000.2, at_s=0.0) == []
    observing.see(people(10), at_s=0.1)
    told = numbers(observing, wall_s=1001.1, at_s=0.9)
    assert {figure.told for one in told for figure in one.figures.values()} == {Told.UNKNOWN}


def test_a_view_check_that_fails_leaves_numbers_unknown_and_costs_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(ViewCheck, "see", fails)
    view = moved_camera(seconds=1)
    assert (view.trusted, view.cause) == (False, Cause.VIEW_UNCHECKED)
    observing = Observing(camera(*EVERYWHERE), SHAPE, view)
    numbers(observing, wall_s=1000.2, at_s=0.0)
    observing.see(people(10), at_s=0.1)
    told = numbers(observing, wall_s=1001.1, at_s=0.9)
    assert {figure.told for one in told for figure in one.figures.values()} == {Told.UNKNOWN}
    # Other places are no other view; a camera that measured nothing meanwhile begins anew.
    view.measure(camera(*LEFT_HALF))
    assert not view.trusted
    view.measure(replace(camera(*LEFT_HALF), crowd=None))
    view.measure(camera(*LEFT_HALF))
    assert (view.trusted, view.cause) == (True, Cause.OK)


def test_a_check_that_fails_leaves_a_moved_camera_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    view = moved_camera(seconds=12)

    def fails(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(ViewCheck, "see", fails)
    view.see(frame_of(room(), 100, ms=100_000), no_regions(100))
    assert (view.trusted, view.cause) == (False, Cause.MOVED)


def test_a_moved_camera_that_turns_is_still_moved_for_a_process_that_begins() -> None:
    view = moved_camera(seconds=12)
    for index in range(8):
        turning = np.roll(ROOM, -100 * index, axis=1)[: room().shape[0], : room().shape[1]]
        view.see(frame_of(turning, 100 + index, ms=72_000 + 250 * index), no_regions(100 + index))
    assert (view.cause, view.known.moved) == (Cause.TURNING, True)


def test_a_view_is_told_once_and_a_process_that_begins_with_it_knows_whether_it_was_moved() -> None:
    shape = Shape(768, 576, Fraction(1), full_range=False, color=(1, 1, 1))
    view = ViewWatch(camera(*EVERYWHERE), shape)
    told: list[ViewSeen] = []
    for index in range(100):
        view.see(frame_of(room(), index, ms=1000 * index), no_regions(index))
        told += view.told()
    (one,) = told
    assert view.known == KnownView(one.scenes)
    begun = ViewWatch(replace(camera(*EVERYWHERE), view=KnownView(one.scenes, moved=True)), shape)
    assert (begun.trusted, begun.cause, list(begun.told())) == (False, Cause.MOVED, [])
    assert begun.known == KnownView(one.scenes, moved=True)
    begun.measure(replace(camera(*EVERYWHERE), crowd=None))
    assert (begun.trusted, begun.known) == (True, KnownView())


def test_a_camera_that_measures_nothing_has_no_view_to_check() -> None:
    view = ViewWatch(CameraSpec(camera_id("one"), SafeUrl("rtsp://h/a")), SHAPE)
    view.see(frame_of(room()), no_regions(0))
    assert (view.trusted, view.cause) == (True, Cause.OK)


def test_each_second_that_ends_is_told_once_and_only_to_the_control_room() -> None:
    observing = Observing(camera(*LEFT_HALF), SHAPE)
    assert numbers(observing, wall_s=1000.2, at_s=0.0) == []
    observing.see(people(10, 30, 70), at_s=0.5)
    assert numbers(observing, wall_s=1000.9, at_s=0.7) == []
    told = numbers(observing, wall_s=1001.05, at_s=0.85)
    assert {one.audience for one in told} == {Audience.CONTROL_ROOM}
    assert {(one.start_s, one.end_s) for one in told} == {(1000.0, 1001.0)}
    assert count_of(told) == 2
    assert numbers(observing, wall_s=1001.5, at_s=1.3) == []


def test_without_calibration_there_are_counts_and_no_densities_and_no_crossings() -> None:
    observing = Observing(camera(*EVERYWHERE), SHAPE)
    observing.see(people(10), at_s=0.1)
    assert not numbers(observing, wall_s=1000.9, at_s=0.1)
    hall, step = sorted(numbers(observing, wall_s=1001.1, at_s=0.2), key=lambda one: one.place)
    assert Measure.DENSITY not in hall.figures
    assert {figure.told for figure in step.figures.values()} == {Told.UNKNOWN}


@pytest.mark.parametrize(("wall_s", "start_s", "end_s"), [(1009.5, 1008, 1009), (1002.4, 1000, 1002)])
def test_after_a_gap_numbers_are_of_its_last_second(wall_s: float, start_s: float, end_s: float) -> None:
    observing = Observing(camera(*EVERYWHERE), SHAPE)
    numbers(observing, wall_s=1000.0, at_s=0.0)
    observing.see(people(10), at_s=0.1)
    told = numbers(observing, wall_s=wall_s, at_s=0.2)
    assert {(one.start_s, one.end_s) for one in told} == {(start_s, end_s)}


def test_a_clock_that_is_set_back_tells_nothing_twice() -> None:
    observing = Observing(camera(*EVERYWHERE), SHAPE)
    for wall_s in (1000.0, 1001.0):
        numbers(observing, wall_s=wall_s, at_s=0.0)
    assert numbers(observing, wall_s=990.0, at_s=0.1) == []
    told = numbers(observing, wall_s=991.0, at_s=1.1)
    assert {(one.start_s, one.end_s) for one in told} == {(990.0, 991.0)}


def test_an_observer_that_fails_ends_the_numbers_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    observing = Observing(camera(*EVERYWHERE), SHAPE)
    numbers(observing, wall_s=1000.0, at_s=0.0)

    def fails(self: Observer, found: Detections, *, at_s: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Observer, "see", fails)
    observing.see(people(10), at_s=0.1)
    observing.see(people(10), at_s=0.2)
    assert numbers(observing, wall_s=1001.0, at_s=1.0) == []


@pytest.mark.parametrize("step", ["measures", "grids"])
def test_measures_that_fail_end_the_numbers_and_nothing_else(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    observing = Observing(camera(*EVERYWHERE), SHAPE)
    numbers(observing, wall_s=1000.0, at_s=0.0)
    observing.see(people(10), at_s=0.1)

    def fails(self: Observer, **spans: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Observer, step, fails)
    assert numbers(observing, wall_s=1001.0, at_s=1.0) == []
    monkeypatch.undo()
    observing.see(people(10), at_s=1.1)
    assert numbers(observing, wall_s=1002.0, at_s=2.0) == []


def test_a_calibration_of_no_camera_leaves_counts_and_no_densities() -> None:
    observing = Observing(camera(*EVERYWHERE, calibration="{}"), SHAPE)
    observing.see(people(10), at_s=0.1)
    numbers(observing, wall_s=1000.0, at_s=0.0)
    told = numbers(observing, wall_s=1001.0, at_s=1.0)
    assert count_of(told) == 1
    assert all(Measure.DENSITY not in one.figures for one in told)


def test_a_zone_without_an_inside_ends_the_numbers_and_nothing_else() -> None:
    observing = Observing(camera((0, 0), (0.5, 0.5), (1, 1)), SHAPE)
    observing.see(people(10), at_s=0.1)
    numbers(observing, wall_s=1000.0, at_s=0.0)
    assert numbers(observing, wall_s=1001.0, at_s=1.0) == []


@pytest.mark.parametrize(
    ("corners", "calibration", "says"),
    [
        (EVERYWHERE, "{}", "camera one: the calibration can not be read"),
        (EVERYWHERE, "steep", ""),
        (EVERYWHERE, "level", "camera one: hall: the zone reaches the horizon"),
        (((0.45, 0.5), (0.5, 0.5), (0.5, 0.55), (0.45, 0.55)), "steep", "are the place of one person"),
    ],
)
def test_a_check_says_which_camera_would_measure_nothing(
    corners: tuple[tuple[float, float], ...], calibration: str, says: str
) -> None:
    text = {"steep": calibration_text(Hung(6, 60, 1300).given), "level": calibration_text(Hung(6, 5, 1300).given)}
    bare = camera_id("bare")
    checked = {
        camera_id("one"): camera(*corners, calibration=text.get(calibration, calibration)),
        bare: camera(*corners),
    }
    with pytest.raises(SettingsRefused, match=says) if says else nullcontext():
        checked_floor(checked)


def test_a_camera_without_places_is_not_observed() -> None:
    observing = Observing(CameraSpec(camera_id("one"), SafeUrl("rtsp://h/a")), SHAPE)
    observing.see(people(10), at_s=0.1)
    numbers(observing, wall_s=1000.0, at_s=0.0)
    assert numbers(observing, wall_s=1001.0, at_s=1.0) == []


ZONE_M = ((-3.0, 6.0), (3.0, 6.0), (3.0, 12.0), (-3.0, 12.0))
HUNG = Hung(6, 35, 1300)


def corners() -> tuple[tuple[float, float], ...]:
    shares = HUNG.given.pixels_of(points_of(ZONE_M)) / SIZE_WH
    return tuple((float(x), float(y)) for x, y in shares)


def map_of(people_m: list[list[float]]) -> DensityMap:
    crowd = CrowdSpec((ZoneSpec(HALL, "walkway", corners()),), (), calibration_text(HUNG.given))
    observing = Observing(
        replace(camera(), crowd=crowd), Shape(*SIZE_WH, Fraction(1), full_range=False, color=(1, 1, 1))
    )
    list(observing.told(wall_s=1000.0, at_s=0.0))
    for index in range(8):
        observing.see(boxes(points_of(people_m), index), at_s=index / 8)
    (one,) = (one for one in observing.told(wall_s=1001.0, at_s=1.0) if isinstance(one, DensityMap))
    return one


def test_somebody_who_stands_alone_is_on_no_map() -> None:
    assert set(map_of([[0.0, 10.0]]).squares) <= {"0", "."}


def test_a_calibrated_camera_tells_where_it_is_full() -> None:
    full = map_of([[0.0, 8.0], [0.3, 8.0], [0.0, 8.3], [0.3, 8.3], [0.15, 8.15]])
    densest = int(np.argmax([one or 0 for one in full.per_m2]))
    cell = densest % full.columns, densest // full.columns
    at_m = [low + full.side_m * (index + 0.5) for low, index in zip(full.low_m, cell, strict=True)]
    assert at_m == pytest.approx([0.15, 8.15], abs=0.5)
    u, v, w = np.array(full.floor_to_picture).reshape(3, 3) @ (*ZONE_M[0], 1)
    assert (u / w, v / w) == pytest.approx(corners()[0], abs=1e-6)


def test_numbers_come_from_the_walled_process_beside_its_packets(tmp_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with (
        serving({"/1": Camera(load(made(tmp_path / "camera.mp4")))}) as server,
        supervising(seen, "two people") as supervisor,
    ):
        supervisor.apply({one: replace(spec(server), crowd=camera(*LEFT_HALF).crowd)})

        def counted() -> bool:
            said = tuple(seen.messages.get(one, []))
            halls = [message for message in said if isinstance(message, Aggregate) and message.place == HALL]
            return any(message.figures[Measure.COUNT].quantity.value == 1 for message in halls)

        seen.wait_for(counted)
        seen.wait_for_packets(one, 1)  # pictures wait for their hindsight: on a busy machine numbers come first
