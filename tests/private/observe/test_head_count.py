"""Heads of a density network's map are counted where they stand, and only where boxes can not count."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.measure.places import Zone
from skyveil.measure.points import Points, points_of
from skyveil.measure.quantity import Quality, Quantity
from skyveil.private.detect.density import PerCell
from skyveil.private.observe.head_count import HeadCount, HeadMap
from skyveil.private.observe.observer import Observer
from tests.measure.cameras import HUNG as CAMERAS
from tests.measure.cameras import SIZE_WH, Hung
from tests.measure.cameras import crowd as spread
from tests.private.observe.test_observer import HALL, HUNG, boxes, crowd

CELLS: Final = (72, 128)
ZONE_M: Final = points_of([[-3, 6], [3, 6], [3, 12], [-3, 12]])


def seen_by(hung: Hung, people_m: Points, cells: tuple[int, int] = CELLS) -> PerCell:
    """What a perfect network gives: each head a 1 in the cell of its middle, 12 cm below its top."""
    at = hung.shows(people_m, np.full(len(people_m), 1.56)) / SIZE_WH
    found = np.zeros(cells, np.float32)
    for x, y in at[((at >= 0) & (at < 1)).all(axis=1)]:
        found[int(y * cells[0]), int(x * cells[1])] += 1
    return found


@pytest.mark.parametrize("hung", CAMERAS, ids=lambda hung: f"{hung.height_m:g} m")
def test_the_map_counts_who_stands_in_the_zone(hung: Hung) -> None:
    """Heads put on the floor would count those before the zone: a quarter too few to twice as many."""
    ahead = hung.ahead_m
    zone = Zone(HALL, points_of([[-2, ahead - 2], [2, ahead - 2], [2, ahead + 2], [-2, ahead + 2]]))
    everybody = spread(4.0, (-6, ahead - 6), (6, ahead + 6), np.random.default_rng(4))
    told = HeadCount(zone, hung.given).of(seen_by(hung, everybody))
    assert told == pytest.approx(zone.holds(everybody).sum(), rel=0.08)


def test_cells_count_by_how_much_of_them_is_over_the_zone() -> None:
    count = HeadCount(Zone(HALL, ZONE_M), HUNG.given)
    shares = [count.of(np.ones(cells, np.float32)) / (cells[0] * cells[1]) for cells in ((36, 64), (72, 128), (45, 80))]
    assert shares == pytest.approx([shares[0]] * 3, rel=0.04)
    assert 0.05 < shares[0] < 0.5


def told(
    people_m: Points,
    heads: PerCell | None,
    *,
    age_s: float = 0.0,
    seconds: int = 1,
    error: float = 0.2,
    from_s: int = 0,
) -> dict[Measure, Quantity]:
    """The values of the hall, whose boxes show these people and whose map is this, from that second on."""
    observer = Observer(crowd(), size_wh=SIZE_WH, camera=CameraId("made"))
    values: dict[Measure, Quantity] = {}
    for second in range(seconds):
        for index in range(8):
            observer.see(boxes(people_m, 8 * second + index), at_s=second + index / 8)
        at_s = second + 0.875
        seen = None if heads is None or second < from_s else HeadMap(heads, at_s - age_s, error)
        measures = observer.measures(start_s=second, end_s=second + 1, at_s=at_s, heads=seen)
        (hall,) = (one for one in measures.places if one.place == HALL)
        values = dict(hall.values)
    return values


DENSE: Final = spread(3.0, (-3, 6), (3, 12), np.random.default_rng(1))
INSIDE: Final = int(Zone(HALL, ZONE_M).holds(DENSE).sum())
FEW: Final = points_of([[-2.0, 7.0], [0.0, 9.0], [2.0, 11.0]])


def test_a_crowd_past_counting_is_estimated_by_the_map() -> None:
    values = told(DENSE[::2], seen_by(HUNG, DENSE))
    count, density = values[Measure.COUNT], values[Measure.DENSITY]
    assert (count.quality, density.quality) == (Quality.ESTIMATED, Quality.ESTIMATED)
    assert count.value == pytest.approx(INSIDE, rel=0.06)
    assert density.value == pytest.approx(3.0, rel=0.06)
    assert count.sigma == pytest.approx(0.2 * (count.value or 0), rel=0.01)
    occupancy = values[Measure.OCCUPANCY]
    assert (occupancy.value, occupancy.quality) == (count.value, Quality.ESTIMATED)
    # What only boxes say stays a lower bound.
    for one in (Measure.VORONOI_DENSITY, Measure.LOCAL_DENSITY_MAX, Measure.DENSE_AREA):
        assert values[one].quality is Quality.AT_LEAST


def test_a_minute_that_boxes_counted_in_part_is_at_least_for_as_long_as_it_lasts() -> None:
    heads = seen_by(HUNG, DENSE)
    boxes_alone, mapped = told(DENSE[::2], None), told(DENSE[::2], heads)
    values = told(DENSE[::2], heads, seconds=4, from_s=3)
    assert values[Measure.COUNT].quality is Quality.ESTIMATED
    occupancy, count, least = (
        values[Measure.OCCUPANCY], mapped[Measure.COUNT], boxes_alone[Measure.COUNT],
    )  # fmt: skip
    assert occupancy.quality is Quality.AT_LEAST
    assert occupancy.value == pytest.approx((3 * (least.value or 0) + (count.value or 0)) / 4, rel=0.02)
    assert occupancy.sigma == pytest.approx((3 * (least.sigma or 0) + (count.sigma or 0)) / 4, rel=0.02)


def test_without_a_map_a_crowd_past_counting_stays_at_least() -> None:
    assert told(DENSE, None)[Measure.COUNT].quality is Quality.AT_LEAST


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_map_that_sees_fewer_than_boxes_changes_nothing(share: float) -> None:
    plain, mapped = told(DENSE, None), told(DENSE, seen_by(HUNG, DENSE) * np.float32(share))
    assert plain == mapped


def test_where_boxes_can_count_the_map_is_not_asked() -> None:
    assert told(FEW, seen_by(HUNG, FEW) * 2) == told(FEW, None)
    assert told(FEW, None)[Measure.COUNT].quality is Quality.GOOD


def test_a_crowd_that_boxes_do_not_see_is_not_taken_for_few() -> None:
    """In a crowd far away a box network finds nearly nobody, and so nobody who hides anybody."""
    values = told(FEW, seen_by(HUNG, DENSE))
    assert values[Measure.COUNT].quality is Quality.ESTIMATED
    assert values[Measure.COUNT].value == pytest.approx(INSIDE, rel=0.06)
    assert values[Measure.VORONOI_DENSITY].quality is Quality.AT_LEAST


@pytest.mark.parametrize(
    ("age_s", "quality"), [(3.0, Quality.ESTIMATED), (15.5, Quality.AT_LEAST), (-1.0, Quality.AT_LEAST)]
)
def test_a_map_tells_its_age_and_ends_with_it(age_s: float, quality: Quality) -> None:
    count = told(DENSE[::2], seen_by(HUNG, DENSE), age_s=age_s)[Measure.COUNT]
    assert count.quality is quality
    assert count.age_s == (3.0 if quality is Quality.ESTIMATED else 0.0)


def test_the_age_of_a_map_grows_while_no_picture_comes() -> None:
    observer = Observer(crowd(), size_wh=SIZE_WH, camera=CameraId("made"))
    observer.see(boxes(DENSE[::2], 0), at_s=10.0)
    heads = HeadMap(seen_by(HUNG, DENSE), 8.0, 0.2)
    ages = []
    for at_s in (10.0, 14.0):
        measures = observer.measures(start_s=at_s, end_s=at_s + 1, at_s=at_s, heads=heads)
        (hall,) = (one for one in measures.places if one.place == HALL)
        ages.append(hall.values[Measure.COUNT].age_s)
    assert ages == [2.0, 6.0]


def test_a_camera_without_calibration_has_no_use_for_a_map() -> None:
    observer = Observer(crowd(calibrated=False), size_wh=SIZE_WH, camera=CameraId("made"))
    assert not observer.calibrated
    observer.see(boxes(FEW, 0), at_s=0.0)
    plain = observer.measures(start_s=0, end_s=1, at_s=0.0, heads=HeadMap(seen_by(HUNG, DENSE), 0.0, 0.2))
    (hall,) = (one for one in plain.places if one.place == HALL)
    assert hall.values[Measure.COUNT].value == 3


def test_only_the_zone_where_people_stand_is_estimated() -> None:
    beside = replace(crowd().zones[0], id=PlaceId("beside"), corners=_corners([[4, 6], [9, 6], [9, 12], [4, 12]]))
    spec = replace(crowd(), zones=(crowd().zones[0], beside))
    observer = Observer(spec, size_wh=SIZE_WH, camera=CameraId("made"))
    observer.see(boxes(FEW, 0), at_s=0.0)
    measures = observer.measures(start_s=0, end_s=1, at_s=0.0, heads=HeadMap(seen_by(HUNG, DENSE), 0.0, 0.2))
    quality = {one.place: one.values[Measure.COUNT].quality for one in measures.places if one.place != PlaceId("gate")}
    assert quality[HALL] is Quality.ESTIMATED
    assert quality[PlaceId("beside")] is not Quality.ESTIMATED


def _corners(points_m: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    pixels = HUNG.given.pixels_of(points_of(points_m)) / SIZE_WH
    return tuple((float(x), float(y)) for x, y in pixels)
