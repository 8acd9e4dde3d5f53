"""Boxes of a known crowd become the numbers of its zones and lines."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Final

import numpy as np
import pytest

from skyveil.core.camera import CrowdSpec, LineSpec, Shares, ZoneSpec
from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import CameraId, FrameId, PlaceId, SourceId
from skyveil.core.kinds import Kind
from skyveil.measure.calibrating import from_rectangle
from skyveil.measure.calibration import Calibration
from skyveil.measure.calibration_text import calibration_from, calibration_text
from skyveil.measure.measures import CameraMeasures, Measure
from skyveil.measure.points import Points, points_of
from skyveil.measure.quantity import Quality, Quantity
from skyveil.private.detections import Detections
from skyveil.private.observe.heads import feet_px, heads_px, plausible
from skyveil.private.observe.observer import Observer
from tests.measure.cameras import SIZE_WH, Hung

FPS: Final = 8.0
HUNG: Final = Hung(6, 35, 1300)
HALL: Final = PlaceId("hall")
GATE: Final = PlaceId("gate")


def shares(points_m: list[list[float]]) -> tuple[Shares, ...]:
    """Where floor points are in the picture, as an operator draws them."""
    pixels = HUNG.given.pixels_of(points_of(points_m)) / SIZE_WH
    return tuple((float(x), float(y)) for x, y in pixels)


def crowd(*, calibrated: bool = True, use: str = "walkway") -> CrowdSpec:
    corners = shares([[-3, 6], [3, 6], [3, 12], [-3, 12]])
    start, end = shares([[-4, 9], [4, 9]])
    way = shares([[0, 7], [0, 10]])
    zone = ZoneSpec(HALL, "queue" if use == "queue" else "walkway", corners, (way[0], way[1]))
    return CrowdSpec((zone,), (LineSpec(GATE, start, end),), calibration_text(HUNG.given) if calibrated else None)


def boxes(people_m: Points, index: int) -> Detections:
    """What a person network gives: boxes round upright bodies 0.5 m wide and 1.68 m tall."""
    count = len(people_m)
    heads, feet = HUNG.shows(people_m, np.full(count, 1.68)), HUNG.shows(people_m, np.zeros(count))
    half = 0.15 * np.abs(feet[:, 1] - heads[:, 1])
    middle = (heads[:, 0] + feet[:, 0]) / 2
    xyxy = np.stack([middle - half, heads[:, 1], middle + half, feet[:, 1]], axis=1).astype(np.float32)
    kinds = np.full(count, int(Kind.PERSON), np.uint8)
    return Detections(FrameId(SourceId("made"), index), xyxy, np.full(count, 0.9, np.float32), kinds)


def observed(frames: Iterator[Points], spec: CrowdSpec) -> list[CameraMeasures]:
    """The measures of every second."""
    observer = Observer(spec, size_wh=SIZE_WH, camera=CameraId("made"))
    seconds = []
    for index, people in enumerate(frames):
        observer.see(boxes(people, index), at_s=index / FPS)
        if (index + 1) % FPS == 0:
            end_s = (index + 1) / FPS
            seconds.append(observer.measures(start_s=end_s - 1, end_s=end_s, at_s=index / FPS))
    return seconds


def walking(*, per_m2: float, speed: float, seconds: int) -> Iterator[Points]:
    """A stream 6 m wide without end that goes ahead."""
    side = 1 / np.sqrt(per_m2)
    x, y = np.meshgrid(np.arange(-3, 3, side) + side / 2, np.arange(-2 * seconds, 20, side))
    for index in range(int(seconds * FPS)):
        at = np.stack([x.ravel(), y.ravel() + speed * index / FPS], axis=1)
        yield at[(at[:, 1] > 4.5) & (at[:, 1] < 13.5)]


def of(second: CameraMeasures, place: PlaceId, measure: Measure) -> Quantity:
    return next(one for one in second.places if one.place == place).values[measure]


def test_a_stream_is_measured_as_it_is() -> None:
    """1 per m2 at 1.2 m/s through 6 m: 36 people in 36 m2, 7.2 crossings a second."""
    seconds = observed(walking(per_m2=1.0, speed=1.2, seconds=12), crowd())
    last = seconds[-1]
    assert of(last, HALL, Measure.COUNT).value == pytest.approx(36, abs=3)
    assert of(last, HALL, Measure.DENSITY).value == pytest.approx(1.0, rel=0.08)
    # Cells reach 1 m out of the stream.
    assert of(last, HALL, Measure.VORONOI_DENSITY).value == pytest.approx(0.9, rel=0.1)
    assert of(last, HALL, Measure.SPEED).value == pytest.approx(1.2, rel=0.05)
    assert of(last, HALL, Measure.VELOCITY_Y).value == pytest.approx(1.2, rel=0.05)
    assert of(last, HALL, Measure.WRONG_WAY_SHARE).value == 0.0
    crossed = sum(of(one, GATE, Measure.CROSSED_FORWARD).value or 0 for one in seconds[4:])
    assert crossed == pytest.approx(7.2 * 8, rel=0.08)
    assert {of(one, GATE, Measure.CROSSED_BACKWARD).value for one in seconds} == {0.0}
    assert of(last, GATE, Measure.FLOW_FORWARD).unit is Measure.FLOW_FORWARD.unit


@pytest.mark.parametrize(("per_m2", "quality"), [(0.1, Quality.GOOD), (1.0, Quality.AT_LEAST)])
def test_people_who_hide_each_other_are_at_least_so_many(per_m2: float, quality: Quality) -> None:
    """From 6 m up, 1 per m2 stand before each other; a network then finds fewer than are there."""
    last = observed(walking(per_m2=per_m2, speed=1.2, seconds=2), crowd())[-1]
    assert of(last, HALL, Measure.COUNT).quality is quality


def test_who_goes_against_the_way_is_a_share_of_the_stream() -> None:
    seconds = observed(walking(per_m2=0.5, speed=-1.0, seconds=4), crowd())
    assert of(seconds[-1], HALL, Measure.WRONG_WAY_SHARE).value == pytest.approx(1.0, abs=0.05)


def test_past_what_boxes_can_count_a_number_is_only_at_least() -> None:
    dense = observed(walking(per_m2=3.0, speed=0.2, seconds=2), crowd())[-1]
    for measure in (Measure.COUNT, Measure.DENSITY, Measure.VORONOI_DENSITY, Measure.LOCAL_DENSITY_MAX):
        assert of(dense, HALL, measure).quality is Quality.AT_LEAST


def test_who_stands_in_a_queue_is_its_length() -> None:
    standing = observed(walking(per_m2=0.5, speed=0.0, seconds=3), crowd(use="queue"))[-1]
    assert of(standing, HALL, Measure.QUEUE_LENGTH).value == of(standing, HALL, Measure.COUNT).value
    assert not of(standing, HALL, Measure.QUEUE_WAIT).known  # nobody was served


def test_without_calibration_there_are_counts_and_never_densities() -> None:
    last = observed(walking(per_m2=0.5, speed=1.0, seconds=2), crowd(calibrated=False))[-1]
    assert of(last, HALL, Measure.COUNT).value == pytest.approx(18, abs=3)
    zone = next(one for one in last.places if one.place == HALL)
    assert set(zone.values) == {Measure.COUNT}
    assert not of(last, GATE, Measure.CROSSED_FORWARD).known


def test_numbers_age_and_are_no_longer_known_after_fifteen_seconds() -> None:
    observer = Observer(crowd(), size_wh=SIZE_WH, camera=CameraId("made"))
    for index, people in enumerate(walking(per_m2=1.0, speed=1.2, seconds=1)):
        observer.see(boxes(people, index), at_s=index / FPS)
    observer.measures(start_s=0, end_s=1, at_s=1)
    older = observer.measures(start_s=5, end_s=6, at_s=6)
    assert of(older, HALL, Measure.COUNT).age_s == pytest.approx(6 - 7 / FPS)
    assert of(older, HALL, Measure.COUNT).known
    assert not of(older, GATE, Measure.CROSSED_FORWARD).known
    gone = observer.measures(start_s=16, end_s=17, at_s=17)
    assert not any(quantity.known for place in gone.places for quantity in place.values.values())


def after_a_gap(frames: Iterator[Points], *, gap_s: float, before_s: int, spec: CrowdSpec) -> list[CameraMeasures]:
    """The measures of every second that had frames, with a gap after `before_s`."""
    observer = Observer(spec, size_wh=SIZE_WH, camera=CameraId("made"))
    seconds = []
    for index, people in enumerate(frames):
        at_s = index / FPS + (gap_s if index >= before_s * FPS else 0.0)
        observer.see(boxes(people, index), at_s=at_s)
        if (index + 1) % FPS == 0:
            seconds.append(observer.measures(start_s=at_s - 1, end_s=at_s, at_s=at_s))
    return seconds


def test_a_flow_after_a_gap_is_of_the_time_since() -> None:
    """7.2 a second pass; over the gap as well that would be 0.9 of 60 s."""
    frames = walking(per_m2=1.0, speed=1.2, seconds=16)
    seconds = after_a_gap(frames, gap_s=50, before_s=8, spec=crowd())
    flow = of(seconds[-1], GATE, Measure.FLOW_FORWARD)
    assert flow.value == pytest.approx(7.2, rel=0.1) and flow.quality is Quality.GOOD


def test_stays_after_a_gap_are_of_the_time_since() -> None:
    seconds = after_a_gap(walking(per_m2=0.42, speed=1.2, seconds=40), gap_s=200, before_s=15, spec=crowd())
    assert of(seconds[-1], HALL, Measure.MEAN_STAY).value == pytest.approx(5.0, rel=0.35)


def test_the_mean_of_a_minute_has_nobody_in_it_from_before_a_gap() -> None:
    full, empty = points_of([[0.0, 8.0], [1.0, 9.0]]), points_of([])
    frames = [full] * int(4 * FPS) + [empty] * int(2 * FPS)
    ends = {gap_s: after_a_gap(iter(frames), gap_s=gap_s, before_s=4, spec=crowd())[-1] for gap_s in (1.0, 600.0)}
    assert [of(one, HALL, Measure.OCCUPANCY).value for one in ends.values()] == [pytest.approx(4 / 3), 0.0]


def test_a_crowd_that_stood_still_before_a_gap_and_walks_after_it_has_no_pressure_of_the_gap() -> None:
    """Pressure is of velocities that vary within 15 s, and needs 5 s of them."""
    still, walks = (list(walking(per_m2=4.0, speed=speed, seconds=6)) for speed in (0.0, 1.0))
    frames = still + walks[: int(3 * FPS)]
    near, far = (after_a_gap(iter(frames), gap_s=gap_s, before_s=6, spec=crowd())[-1] for gap_s in (0.0, 60.0))
    assert [of(one, HALL, Measure.PRESSURE).known for one in (near, far)] == [True, False]


def test_nothing_is_known_before_the_first_frame() -> None:
    observer = Observer(crowd(), size_wh=SIZE_WH, camera=CameraId("made"))
    nothing = observer.measures(start_s=0, end_s=1, at_s=1)
    assert {one.place for one in nothing.places} == {HALL, GATE}
    assert not any(quantity.known for place in nothing.places for quantity in place.values.values())


def test_nobody_is_zero_and_not_unknown() -> None:
    last = observed(iter([points_of([])] * 8), crowd())[-1]
    assert of(last, HALL, Measure.COUNT).value == 0.0
    assert not of(last, HALL, Measure.SPEED).known


def test_what_is_dense_in_a_zone_follows_its_own_thresholds() -> None:
    spec = crowd()
    own = replace(spec, zones=(replace(spec.zones[0], orange=0.2, critical=0.4),))
    people = points_of([[0.0, 9.0], [1.0, 9.0]])
    usual, dense = (of(observed(repeat(people, int(FPS)), one)[-1], HALL, Measure.DENSE_AREA) for one in (spec, own))
    assert usual.value == 0 and dense.value is not None and dense.value > 1


@pytest.mark.parametrize(
    ("tilt_deg", "ends_m", "quality"),
    [
        (15, [[-4, 12], [4, 12]], Quality.GOOD),
        (15, [[-4, 35], [4, 35]], Quality.UNKNOWN),  # 0.2 m a pixel: boxes jitter over the line
        (15, [[0, 10], [0, 25]], Quality.DEGRADED),  # coarser than 0.1 m a pixel from 23 m on
        (15, [[0, 10], [0, 60]], Quality.UNKNOWN),  # most of it is, though one end is near
        (35, [[-4, 24], [4, 24]], Quality.UNKNOWN),  # the floor is in the picture, and heads are above it
    ],
)
def test_a_line_counts_only_where_heads_are_seen_and_fine_enough(
    tilt_deg: float, ends_m: list[list[float]], quality: Quality
) -> None:
    hung = Hung(6, tilt_deg, 1300)
    start, end = ((float(x), float(y)) for x, y in hung.given.pixels_of(points_of(ends_m)) / SIZE_WH)
    spec = CrowdSpec((), (LineSpec(GATE, start, end),), calibration_text(hung.given))
    last = observed(iter([points_of([])] * int(FPS)), spec)[-1]
    assert {one.quality for one in last.places[0].values.values()} == {quality}


def test_a_zone_that_reaches_the_horizon_is_refused() -> None:
    corners = ((0.2, 0.9), (0.8, 0.9), (0.5, -2.0))
    spec = CrowdSpec((ZoneSpec(HALL, "walkway", corners),), (), calibration_text(HUNG.given))
    with pytest.raises(MeasureRefused, match="horizon"):
        Observer(spec, size_wh=SIZE_WH, camera=CameraId("made"))


# --- heads ---------------------------------------------------------------------------------------------------------


def test_heads_and_feet_are_where_an_upright_line_leaves_the_box() -> None:
    straight_down = Hung(5, 90, 900)
    persons = np.array([[1300, 500, 1400, 580]], np.float32)  # right of the middle: heads lean outwards
    assert heads_px(persons, straight_down.given)[0] == pytest.approx((1400, 540), abs=1)
    assert feet_px(persons, straight_down.given)[0] == pytest.approx((1300, 540), abs=1)
    assert heads_px(persons, None).tolist() == [[1350, 500]]


def test_what_is_far_too_tall_or_short_is_nobody() -> None:
    people = points_of([[0.0, 8.0]] * 3)
    feet = HUNG.shows(people, np.zeros(3))
    heads = HUNG.shows(people, np.array([0.2, 1.7, 3.5]))
    assert plausible(heads, feet, HUNG.given).tolist() == [False, True, False]


# --- the calibration's text ----------------------------------------------------------------------------------------


def test_a_calibration_is_the_same_after_its_file() -> None:
    again = calibration_from(calibration_text(HUNG.given))
    pixels = points_of([[400, 700], [1500, 1000]])
    assert again.under_heads(pixels) == pytest.approx(HUNG.given.under_heads(pixels))
    assert again.fit == HUNG.given.fit


def test_a_smaller_picture_of_the_same_view_has_the_same_metres() -> None:
    half = calibration_from(calibration_text(HUNG.given), size_wh=(960, 540))
    pixels = points_of([[400, 700], [1500, 1000]])
    assert half.under_heads(pixels / 2) == pytest.approx(HUNG.given.under_heads(pixels))


def by_a_square_metre() -> Calibration:
    corners = HUNG.given.pixels_of(points_of([[-0.5, 6], [0.5, 6], [0.5, 7], [-0.5, 7]]))
    return from_rectangle(corners, width_m=1, depth_m=1, size_wh=SIZE_WH)


def test_how_wrong_an_area_may_be_is_the_same_after_its_file_and_in_a_smaller_picture() -> None:
    made, pixels = by_a_square_metre(), points_of([[700, 300], [1200, 300], [1200, 200], [700, 200]])
    text = calibration_text(made)
    sigma = made.area_sigma_of(made.floor_of(pixels))
    for again, scale in ((calibration_from(text), 1), (calibration_from(text, size_wh=(960, 540)), 2)):
        assert again.area_sigma_of(again.floor_of(pixels / scale)) == pytest.approx(sigma)
    older = calibration_from(json.dumps({k: v for k, v in json.loads(text).items() if k != "floor_errors"}))
    assert older.area_sigma_of(older.floor_of(pixels)) == older.fit.area_sigma < sigma / 5


def test_a_zone_whose_area_may_be_wrong_by_more_than_a_tenth_is_degraded() -> None:
    near, far = shares([[-2, 5.5], [2, 5.5], [2, 8], [-2, 8]]), shares([[-3, 13], [3, 13], [3, 17], [-3, 17]])
    zones = ZoneSpec(HALL, "walkway", near), ZoneSpec(PlaceId("far"), "walkway", far)
    spec = CrowdSpec(zones, (), calibration_text(by_a_square_metre()))
    last = observed(iter([points_of([[0.0, 15.0]])] * int(FPS)), spec)[-1]
    qualities = [of(last, one.id, Measure.DENSITY).quality for one in zones]
    assert qualities == [Quality.GOOD, Quality.DEGRADED]
    told = of(last, PlaceId("far"), Measure.DENSITY)
    area = by_a_square_metre().area_sigma_of(by_a_square_metre().floor_of(points_of(far) * SIZE_WH))
    # One person is counted to 15 % and half a person.
    assert told.value is not None and told.sigma == pytest.approx(told.value * np.hypot(np.hypot(0.15, 0.5), area))


@pytest.mark.parametrize(
    ("text", "size_wh", "message"),
    [
        ("{}", None, "can not be read"),
        ("not json", None, "can not be read"),
        ('{"format": "other"}', None, "no calibration of the format"),
        (calibration_text(HUNG.given), (1024, 768), "calibrate again"),
        (re.sub(r'"size_wh": [^]]*]', '"size_wh": [0, 0]', calibration_text(HUNG.given)), (1024, 768), "larger than 0"),
        (
            re.sub(r'"size_wh": [^]]*]', '"size_wh": [Infinity, 1]', calibration_text(HUNG.given)),
            None,
            "can not be read",
        ),
        (
            calibration_text(HUNG.given).replace('"floor_errors": []', '"floor_errors": [1]'),
            None,
            "can not be read",
        ),
        (re.sub('"head_m": [0-9.]*', '"head_m": NaN', calibration_text(HUNG.given)), None, "finite"),
    ],
)
def test_what_is_no_calibration_of_this_camera_is_refused(
    text: str, size_wh: tuple[int, int] | None, message: str
) -> None:
    with pytest.raises(MeasureRefused, match=message):
        calibration_from(text, size_wh=size_wh)


def test_who_comes_and_goes_makes_the_mean_stay() -> None:
    """A stream of 3 a second needs 5 s for the 6 m of the zone; a visit counts from its third frame on."""
    seconds = observed(walking(per_m2=0.42, speed=1.2, seconds=25), crowd())
    assert of(seconds[-1], HALL, Measure.MEAN_STAY).value == pytest.approx(5.0, rel=0.35)
