"""Pixels become metres, on the floor and under heads."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.core.errors import MeasureRefused
from skyveil.measure.calibrating import from_height, from_points, from_rectangle, with_people
from skyveil.measure.calibration import Calibration
from skyveil.measure.lens import Lens
from skyveil.measure.points import Points, points_of, polygon_area, stretch
from skyveil.measure.rulers import from_people
from tests.measure.cameras import HUNG, SIZE_WH, Hung, crowd, heights, people_seen

TRUE_PER_M2 = 4.0
SEEDS = range(12)


def density_seen(hung: Hung, calibration: Calibration, seed: int, *, floor_only: bool = False) -> float:
    """Density in a zone that an operator draws on the floor, from heads with 2 px of error, persons per m2."""
    random = np.random.default_rng(seed)
    low, high = (-2.5, hung.ahead_m - 2.0), (2.5, hung.ahead_m + 2.5)
    people = crowd(TRUE_PER_M2, (-9, low[1] - 8), (9, high[1] + 9), random)
    heads_px = hung.shows(people, heights(len(people), random))
    heads_px += random.normal(0, 2, heads_px.shape)
    corners = points_of([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    zone_m = calibration.floor_of(hung.given.pixels_of(corners))
    places = calibration.floor_of(heads_px) if floor_only else calibration.under_heads(heads_px)
    inside = [cv2.pointPolygonTest(zone_m.astype(np.float32), (x, y), False) >= 0 for x, y in places.tolist()]
    return sum(inside) / polygon_area(zone_m)


def share_seen(hung: Hung, *, by_people: bool, floor_only: bool = False) -> float:
    """Median of seen over true density."""
    shares = []
    for seed in SEEDS:
        feet, heads = people_seen(hung, 60, np.random.default_rng(100 + seed))
        calibration = from_people(feet, heads, size_wh=SIZE_WH) if by_people else hung.given
        shares.append(density_seen(hung, calibration, seed, floor_only=floor_only) / TRUE_PER_M2)
    return float(np.median(shares))


@pytest.mark.parametrize("hung", HUNG, ids=lambda one: f"{one.height_m} m")
def test_a_given_calibration_sees_the_true_density(hung: Hung) -> None:
    assert 0.95 <= share_seen(hung, by_people=False) <= 1.05


@pytest.mark.parametrize("hung", HUNG, ids=lambda one: f"{one.height_m} m")
def test_people_as_rulers_see_the_true_density(hung: Hung) -> None:
    assert 0.90 <= share_seen(hung, by_people=True) <= 1.10


@pytest.mark.parametrize("hung", HUNG, ids=lambda one: f"{one.height_m} m")
def test_heads_put_on_the_floor_would_look_too_thin_by_the_known_share(hung: Hung) -> None:
    """The trap itself: (1 - h/H)^2 of the density, from which the head plane saves."""
    expected = (1 - 1.68 / hung.height_m) ** 2
    assert share_seen(hung, by_people=False, floor_only=True) == pytest.approx(expected, rel=0.1)


@settings(deadline=None)
@given(st.floats(2.5, 12), st.floats(15, 75), st.floats(0.5, 2.5), st.floats(-8, 8), st.integers(0, 1000))
def test_pixels_and_metres_are_the_inverse_of_each_other(
    height_m: float, tilt_deg: float, focal: float, roll_deg: float, seed: int
) -> None:
    lens = Lens((focal * 1920, focal * 1920), (960, 540), (-0.08, 0.02, 0.0005, -0.0005, 0.0))
    calibration = from_height(
        size_wh=SIZE_WH, height_m=height_m, tilt_deg=tilt_deg, focal_px=focal * 1920, roll_deg=roll_deg, lens=lens
    )
    pixels = np.random.default_rng(seed).uniform((300, 400), (1600, 1000), (20, 2))
    for places, over_m in ((calibration.floor_of(pixels), 0.0), (calibration.under_heads(pixels), calibration.head_m)):
        seen = np.isfinite(places).all(axis=1)
        assert calibration.pixels_of(places[seen], height_m=over_m) == pytest.approx(pixels[seen], abs=0.2)


@pytest.mark.parametrize(
    ("focal_px", "coefficients"),
    [
        (1000, (-0.35, 0.12, 0.0, 0.0, 0.0)),  # barrels, as lenses of 2.8 mm have them
        (900, (-0.3, 0.07, 0.0, 0.0, 0.0)),
        (1000, (-0.2, 0.02, 0.002, -0.001, 0.0)),  # and one that is not straight before its sensor
        (800, (0.8, 0.1, 0.0, 0.0, 0.0)),  # a cushion
    ],
)
def test_pixels_of_a_wide_lens_are_straightened_up_to_the_corners(
    focal_px: float, coefficients: tuple[float, float, float, float, float]
) -> None:
    lens = Lens((focal_px, focal_px), (960, 540), coefficients)
    x, y = np.meshgrid(np.linspace(0, 1920, 25), np.linspace(0, 1080, 15))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    assert lens.bent(lens.straightened(pixels)) == pytest.approx(pixels, abs=1e-6)


def test_beyond_where_a_lens_folds_nothing_is_seen() -> None:
    """r (1 - 0.35 r^2) is 0.65 at most, at r = 0.976."""
    lens = Lens((1000, 1000), (0, 0), (-0.35, 0.0, 0.0, 0.0, 0.0))
    assert np.isfinite(lens.bent(points_of([[970, 0], [980, 0]])))[:, 0].tolist() == [True, False]
    assert np.isfinite(lens.straightened(points_of([[0, 649], [0, 655]])))[:, 0].tolist() == [True, False]


def test_a_lens_that_folds_inside_the_picture_is_refused() -> None:
    folds = Lens((1000, 1000), (960, 540), (-0.35, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(MeasureRefused, match="folds before the corners"):
        from_height(size_wh=SIZE_WH, height_m=4, tilt_deg=35, focal_px=1000, lens=folds)
    square = points_of([[0, 0], [3, 0], [3, 4], [0, 4]])
    with pytest.raises(MeasureRefused, match="folds before the corners"):
        from_points(clicked(HUNG[0], square + np.array([0.0, 4.0])), square, size_wh=SIZE_WH, lens=folds)


def test_heads_that_a_lens_would_fold_into_the_picture_are_not_shown() -> None:
    """It folds 1111 px from the middle, and corners are 1101 px away; 18 m to the side nobody is in the picture."""
    lens = Lens((1000, 1000), (960, 540), (-0.12, 0.0, 0.0, 0.0, 0.0))
    calibration = from_height(size_wh=SIZE_WH, height_m=4, tilt_deg=35, focal_px=1000, lens=lens)
    assert calibration.shows_heads(points_of([[2, 6], [18, 6]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("side_m", "zone_m", "told"),
    [
        (1, [[-4, 15], [4, 15], [4, 22], [-4, 22]], 0.89),  # ten metres behind a square metre: any size
        (2, [[-4, 15], [4, 15], [4, 22], [-4, 22]], 0.24),
        (6, [[-4, 15], [4, 15], [4, 22], [-4, 22]], 0.03),
        (2, [[-2, 5], [2, 5], [2, 9], [-2, 9]], 0.02),  # around what was given
    ],
)
def test_the_error_of_an_area_is_that_of_its_place(side_m: float, zone_m: list[list[float]], told: float) -> None:
    """As by clicks that are wrong by 2 px along x and y, solved again and again."""
    hung = Hung(5, 25, 1250)
    square = points_of([[0, 0], [side_m, 0], [side_m, side_m], [0, side_m]]) + np.array([-side_m / 2, 5.0])
    zone_px, clicks = hung.given.pixels_of(points_of(zone_m)), hung.given.pixels_of(square)
    exact = from_rectangle(clicks, width_m=side_m, depth_m=side_m, size_wh=SIZE_WH)
    sigma = exact.area_sigma_of(exact.floor_of(zone_px))
    assert sigma == pytest.approx(told, abs=0.01)
    random, areas = np.random.default_rng(0), []
    for _ in range(200):
        wrong = clicks + random.normal(0, 2, clicks.shape)
        again = cv2.getPerspectiveTransform(wrong.astype(np.float32), square.astype(np.float32))
        areas.append(polygon_area(cv2.perspectiveTransform(zone_px[None], again)[0]))
    low, high = np.quantile(areas, [0.16, 0.84])
    assert sigma == pytest.approx(np.log(high / low) / 2, rel=0.25)


def test_a_plan_far_from_its_origin_has_the_same_errors() -> None:
    """Plans of surveyors have coordinates of 100 km and more; points that agree badly have larger errors."""
    hung = Hung(5, 25, 1250)
    points = points_of([[-3, 6], [3, 6], [3, 14], [-3, 14], [0, 10], [2, 9]])
    zone_px = hung.given.pixels_of(points_of([[-4, 15], [4, 15], [4, 22], [-4, 22]]))
    beside, said = np.random.default_rng(1).normal(0, 1, points.shape), []
    for off_m, wrong_px in ((0.0, 1.0), (500_000.0, 1.0), (0.0, 5.0)):
        clicks = hung.given.pixels_of(points) + wrong_px * beside
        one = from_points(clicks, points + off_m, size_wh=SIZE_WH)
        said.append(one.area_sigma_of(one.floor_of(zone_px)))
    assert said[1] == pytest.approx(said[0], rel=1e-3) and said[2] == pytest.approx(5 * said[0], rel=0.2)


def test_above_the_horizon_there_is_no_floor() -> None:
    calibration = from_height(size_wh=SIZE_WH, height_m=4, tilt_deg=10, focal_px=1200)
    left, right = calibration.horizon_px()
    assert left[1] == pytest.approx(right[1])
    row = float(left[1])
    assert np.isnan(calibration.floor_of(points_of([[960, row - 1]]))).all()
    assert calibration.floor_of(points_of([[960, row + 1]]))[0, 1] > 1000


def test_far_heads_and_heads_beside_the_picture_are_not_shown() -> None:
    calibration = from_height(size_wh=SIZE_WH, height_m=4, tilt_deg=20, focal_px=1200)
    near, far, behind, beside = calibration.shows_heads(points_of([[0, 8], [0, 80], [0, -5], [30, 8]]))
    assert (near, far, behind, beside) == (True, False, False, False)


def test_the_stretch_is_what_a_small_step_becomes() -> None:
    calibration = from_height(size_wh=SIZE_WH, height_m=4, tilt_deg=30, focal_px=1200)
    pixel, angles = points_of([[700, 500]]), np.linspace(0, np.pi, 180)
    steps = calibration.floor_of(pixel + 0.01 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    longest = np.linalg.norm(steps - calibration.floor_of(pixel), axis=1).max() / 0.01
    assert stretch(calibration.floor, pixel)[0] == pytest.approx(longest, rel=1e-3)


# --- what operators give -------------------------------------------------------------------------------------------


def clicked(hung: Hung, points_m: Points, *, noise_px: float = 0.0) -> Points:
    exact = hung.shows(points_m, np.zeros(len(points_m)))
    return exact + np.random.default_rng(1).normal(0, noise_px, exact.shape)


@pytest.mark.parametrize("hung", HUNG, ids=lambda one: f"{one.height_m} m")
def test_a_rectangle_with_two_lengths_says_where_the_camera_hangs(hung: Hung) -> None:
    near = hung.ahead_m - 1.5
    corners = points_of([[-1.5, near], [1.5, near], [1.5, near + 4], [-1.5, near + 4]])
    calibration = from_rectangle(clicked(hung, corners), width_m=3, depth_m=4, size_wh=SIZE_WH)
    assert calibration.camera_m == pytest.approx((1.5, -near, hung.height_m), abs=0.01)
    assert calibration.fit.rms_px == pytest.approx(0, abs=1e-3)
    assert calibration.fit.left_out_m is None  # four corners fit exactly: nothing speaks of their error
    assert calibration.fit.area_sigma > 0


@pytest.mark.parametrize("flipped", [False, True], ids=["y away", "y down, as on a plan"])
def test_points_on_a_plan_tell_their_own_error(flipped: bool) -> None:
    hung = HUNG[2]
    places = crowd(0.15, (-5, 4), (5, 14), np.random.default_rng(2))
    plan = places * [1, -1] if flipped else places
    calibration = from_points(clicked(hung, places, noise_px=2), plan, size_wh=SIZE_WH)
    assert calibration.camera_m[2] == pytest.approx(6, rel=0.1)
    assert 1 < (calibration.fit.rms_px or 0) < 4
    assert calibration.fit.left_out_m is not None
    assert (calibration.fit.rms_m or 0) < calibration.fit.left_out_m < 0.3


def test_points_of_which_each_is_needed_have_no_error_of_what_was_left_out() -> None:
    # Four of the six lie in one line: without one of the two others, so does all but one.
    points_m = points_of([[-2, 6], [2, 6], [2, 10], [-2, 10], [0, 8], [1, 7]])
    found = from_points(HUNG[2].given.pixels_of(points_m), points_m, size_wh=SIZE_WH)
    assert found.fit.left_out_m is None
    assert found.camera_m[2] == pytest.approx(6, rel=1e-3)


def test_a_wrong_point_shows_in_the_error_of_what_was_left_out() -> None:
    places = crowd(0.15, (-5, 4), (5, 14), np.random.default_rng(2))
    pixels = clicked(HUNG[2], places, noise_px=1)
    good = from_points(pixels, places, size_wh=SIZE_WH, camera_height_m=6).fit
    pixels[3] += [60, 0]
    bad = from_points(pixels, places, size_wh=SIZE_WH, camera_height_m=6).fit
    assert bad.left_out_m is not None
    assert good.left_out_m is not None
    assert bad.left_out_m > 3 * good.left_out_m


def test_two_people_are_enough_to_find_the_head_plane_of_a_known_floor() -> None:
    hung = HUNG[1]
    people = points_of([[-1.0, 5.0], [1.5, 8.0]])
    straight_down = hung.given
    wrong = Calibration(SIZE_WH, straight_down.floor, (0.5, 1.0, 9.0), None, straight_down.fit)
    feet, heads = hung.shows(people, np.zeros(2)), hung.shows(people, np.full(2, 1.68))
    assert with_people(wrong, feet, heads).camera_m == pytest.approx((0, 0, 4), abs=1e-6)
    with pytest.raises(MeasureRefused, match="exchanged"):
        with_people(wrong, heads, feet)


@pytest.mark.parametrize(
    ("points_px", "points_m", "message"),
    [
        ([[0, 0], [1, 1], [2, 0]], [[0, 0], [1, 1], [2, 0]], "4 or more points"),
        ([[100, 100], [200, 200], [300, 300], [400, 400]], [[0, 0], [1, 0], [1, 1], [0, 1]], "in one line"),
        ([[100, 500], [500, 500], [400, 300], [200, 300]], [[0, 0], [1, 1], [2, 2], [3, 3]], "in one line"),
        # the far corners in the wrong order: the floor would be folded
        ([[100, 500], [500, 500], [400, 300], [200, 300]], [[0, 0], [2, 0], [0, 3], [2, 3]], "in the same order"),
    ],
)
def test_points_that_make_no_floor_are_refused(
    points_px: list[list[float]], points_m: list[list[float]], message: str
) -> None:
    with pytest.raises(MeasureRefused, match=message):
        from_points(points_of(points_px), points_of(points_m), size_wh=SIZE_WH)


def test_a_camera_straight_above_does_not_tell_its_height_from_points() -> None:
    hung = Hung(4, 90, 1200)
    corners = points_of([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    with pytest.raises(MeasureRefused, match="do not say where the camera hangs"):
        from_points(clicked(hung, corners), corners, size_wh=SIZE_WH)
    lens = Lens((1200, 1200), (960, 540))
    assert from_points(clicked(hung, corners), corners, size_wh=SIZE_WH, lens=lens).camera_m[2] == pytest.approx(4)


def test_a_camera_below_heads_is_refused() -> None:
    with pytest.raises(MeasureRefused, match="below heads"):
        from_height(size_wh=SIZE_WH, height_m=1.5, tilt_deg=20, focal_px=1000)


# --- people as rulers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hung", HUNG, ids=lambda one: f"{one.height_m} m")
def test_single_wrong_pairs_count_little(hung: Hung) -> None:
    feet, heads = people_seen(hung, 60, np.random.default_rng(5))
    heads[:4] += [40, 90]
    calibration = from_people(feet, heads, size_wh=SIZE_WH)
    assert calibration.camera_m[2] == pytest.approx(hung.height_m, rel=0.12)


def test_the_error_said_is_the_error_made() -> None:
    """Areas found from 15 sets of people differ by about what each fit says of itself, the mean height aside."""
    hung, areas, said = HUNG[2], [], []
    corners = hung.given.pixels_of(points_of([[-2, 7], [2, 7], [2, 11], [-2, 11]]))
    for seed in range(15):
        calibration = from_people(*people_seen(hung, 60, np.random.default_rng(seed)), size_wh=SIZE_WH)
        areas.append(polygon_area(calibration.floor_of(corners)))
        said.append(calibration.fit.area_sigma)
    made = np.std(areas) / np.mean(areas)
    assert 0.4 * made < np.median(said) < 4 * made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda feet, heads: (feet[:11], heads[:11]), "12 or more people"),
        (lambda feet, heads: (feet * [1, 0] + [0, 700], heads), "near and far"),
        (lambda feet, heads: (heads, feet), "no camera shows these people"),
    ],
)
def test_people_that_say_too_little_are_refused(change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(MeasureRefused, match=message):
        from_people(*change(*people_seen(HUNG[2], 40, np.random.default_rng(0))), size_wh=SIZE_WH)
