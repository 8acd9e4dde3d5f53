"""What a moved camera does to numbers in metres."""

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.measure.points import points_of
from skyveil.measure.shifted import Steadiness
from tests.measure.cameras import SIZE_WH, Hung

HUNG = Hung(6, 35, 1300)
ZONE = HUNG.given.pixels_of(points_of([[-3, 6], [3, 6], [3, 12], [-3, 12]]))
LINE = HUNG.given.pixels_of(points_of([[-4, 9], [4, 9]]))


def shifted(x_px: float, y_px: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0.0, x_px], [0.0, 1.0, y_px]])


def steady(*, calibrated: bool = True) -> Steadiness:
    return Steadiness([ZONE], [LINE], HUNG.given if calibrated else None, long_px=float(max(SIZE_WH)))


def test_a_camera_that_stands_still_changes_nothing() -> None:
    judged = steady().judged(shifted(0, 0))
    assert (judged.px, judged.too_far) == (0.0, False)
    assert judged.m == pytest.approx(0)
    assert judged.area == pytest.approx(0)


def test_people_are_placed_aside_by_the_metres_of_a_pixel() -> None:
    # The middle of the zone is 11.0 m away from a camera of 1300 px focal length: 8.5 mm a pixel across.
    judged = steady().judged(shifted(10, 0))
    assert judged.px == pytest.approx(10)
    assert judged.m == pytest.approx(0.085, rel=0.1)
    assert judged.area == pytest.approx(0, abs=1e-9)  # a level camera that is turned sees the same areas
    assert not judged.too_far


def test_a_camera_that_sinks_gets_areas_wrong_before_places() -> None:
    judged = steady().judged(shifted(0, 25))
    assert judged.area is not None
    assert judged.area > 0.05
    assert judged.too_far


@pytest.mark.parametrize(("px", "too_far"), [(20, False), (60, True)])  # 0.17 m and 0.51 m at 11 m
def test_a_turn_is_too_far_from_a_quarter_of_a_metre_on(px: float, too_far: bool) -> None:
    assert steady().judged(shifted(px, 0)).too_far is too_far


@pytest.mark.parametrize(("px", "too_far"), [(30, False), (45, True)])  # 2 % of 1920 px are 38.4 px
def test_without_metres_a_share_of_the_picture_decides(px: float, too_far: bool) -> None:
    judged = steady(calibrated=False).judged(shifted(px, 0))
    assert (judged.m, judged.area, judged.too_far) == (None, None, too_far)


def test_a_view_above_the_horizon_is_too_far() -> None:
    judged = steady().judged(shifted(0, -2000))
    assert judged.too_far
