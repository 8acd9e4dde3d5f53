"""Densities agree with JPSreport and PedPy."""

from pathlib import Path

import numpy as np
import pytest

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import PlaceId
from skyveil.measure.density import LocalDensity, VoronoiDensity, classic_density
from skyveil.measure.places import Line, Raster, Zone
from skyveil.measure.points import Points, points_of
from tests.measure import oracle
from tests.measure.trajectories import Trajectories, read


def zone(*corners: tuple[float, float]) -> Zone:
    return Zone(PlaceId("zone"), points_of(corners))


ROOM = zone((-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0))
MIDDLE = zone((-2.0, -1.5), (2.0, -1.5), (2.0, 1.5), (-2.0, 1.5))
HALL = zone(
    (4.00, 6.25), (4.00, 0.53), (2.40, 0.53), (2.40, -0.53), (4.00, -0.53), (4.00, -8.5),
    (-2.25, -8.5), (-2.25, -0.53), (-0.60, -0.53), (-0.60, 0.53), (-2.25, 0.53), (-2.25, 6.25),
)  # fmt: skip
EXIT = zone((2.4, 0.53), (2.4, -0.53), (-0.6, -0.53), (-0.6, 0.53))


def standing(frames: int, people: int, *, seed: int = 0) -> Trajectories:
    """People somewhere else in the room in every frame."""
    random = np.random.default_rng(seed)
    number = np.tile(np.arange(people), frames)
    frame = np.repeat(np.arange(frames), people)
    return Trajectories(number, frame, random.uniform(-4.9, 4.9, (frames * people, 2)), 10.0)


@pytest.mark.parametrize("people", [1, 2, 40, 250])
@pytest.mark.parametrize("cut_off_m", [0.8, 1.0])
def test_voronoi_density_agrees_with_pedpy_on_made_crowds(people: int, cut_off_m: float) -> None:
    crowd = standing(6, people)
    expected = oracle.voronoi_density(crowd, MIDDLE, ROOM, cut_off_m=cut_off_m)
    raster = VoronoiDensity(MIDDLE, walkable=ROOM, cut_off_m=cut_off_m, side_m=0.05)
    found = np.array([raster.of(points) for _, points in crowd.frames])
    assert np.abs(found - expected).mean() <= 0.05
    assert np.abs(found - expected).max() <= 0.3


@pytest.mark.parametrize("people", [0, 1, 40])
def test_classic_density_is_pedpy_s(people: int) -> None:
    crowd = standing(6, people) if people else standing(6, 1)
    if not people:
        assert classic_density(MIDDLE, points_of([])) == 0.0
        return
    found = [classic_density(MIDDLE, points) for _, points in crowd.frames]
    assert found == pytest.approx(oracle.classic_density(crowd, MIDDLE).tolist())


@pytest.mark.parametrize(
    "points",
    [[], [[0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[50.0, 50.0]], [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]],
    ids=["nobody", "one", "two in one place", "far outside", "in a row"],
)
def test_few_and_odd_places_have_a_density(points: list[list[float]]) -> None:
    places = points_of(points)
    density = VoronoiDensity(MIDDLE).of(places)
    assert np.isfinite(density)
    assert density == pytest.approx(MIDDLE.holds(places).sum() / 12.0, abs=0.02)


def test_density_on_a_recorded_crowd_is_jpsreport_s(eval_data: Path) -> None:
    """AO_300, exit 3 m wide: the two results that JPSreport gave, with and without a cut-off of 0.8 m."""
    folder = eval_data / "trajectories" / "AO_300"
    frames = read(folder / "traj.txt", fps=16).frames
    name = "rho_v_Voronoi_Voronoi_traj.txt_id_1"
    for file, cut_off_m, every in ((f"{name}_blind_points_cut_off.dat", 0.8, 4), (f"{name}.dat", 9.0, 16)):
        expected = np.loadtxt(folder / file, usecols=1)[::every]
        raster = VoronoiDensity(EXIT, walkable=HALL, cut_off_m=cut_off_m)
        found = np.array([raster.of(points) for _, points in frames[::every][: len(expected)]])
        assert np.abs(found - expected).mean() <= 0.05
        assert np.abs(found - expected).max() <= 0.3


def test_density_before_a_recorded_gate_is_pedpy_s(eval_data: Path) -> None:
    """040_c_56_h-: 75 people before a gate of 0.5 m, up to 9 per m2."""
    crowd = read(eval_data / "trajectories" / "040_c_56_h-.txt", fps=25)
    rows = crowd.frame % 100 == 0
    few = Trajectories(crowd.number[rows], crowd.frame[rows] // 100, crowd.at_m[rows], 0.25)
    before = zone((-0.4, 0.5), (0.4, 0.5), (0.4, 1.3), (-0.4, 1.3))
    around = zone((-4.0, -4.0), (4.0, -4.0), (4.0, 8.0), (-4.0, 8.0))
    expected = oracle.voronoi_density(few, before, around, cut_off_m=0.8)
    raster = VoronoiDensity(before, walkable=around, cut_off_m=0.8, side_m=0.02)  # a small zone of very close people
    found = np.array([raster.of(points) for _, points in few.frames])
    assert expected.max() > 6
    assert np.abs(found - expected).mean() <= 0.05
    assert np.abs(found - expected).max() <= 0.3


# --- the local field -----------------------------------------------------------------------------------------------


def lattice(per_m2: float) -> Points:
    side = 1 / np.sqrt(per_m2)
    x, y = np.meshgrid(np.arange(-8, 8, side), np.arange(-8, 8, side))
    return np.stack([x.ravel(), y.ravel()], axis=1)


@pytest.mark.parametrize("per_m2", [1.0, 4.0, 6.5])
def test_local_density_of_an_even_crowd_is_its_density_everywhere(per_m2: float) -> None:
    local = LocalDensity(MIDDLE)
    people = lattice(per_m2)
    field = local.of(people, people, np.tile([0.3, -0.2], (len(people), 1)))
    assert field.density[local.inside] == pytest.approx(per_m2, rel=0.02)
    assert field.velocity[local.inside] == pytest.approx(np.tile([0.3, -0.2], (local.inside.sum(), 1)))
    assert local.hottest(field) == pytest.approx(per_m2, rel=0.02)
    assert local.dense_m2(field, from_per_m2=per_m2 * 0.9) == pytest.approx(12.0)
    # Each mean rests on the people within some 1.4 m: 2 pi R^2 rho.
    assert field.people[local.inside] == pytest.approx(2 * np.pi * per_m2, rel=0.02)


def test_a_hot_spot_is_at_least_four_square_metres() -> None:
    local = LocalDensity(ROOM)
    few = lattice(6.0)[np.abs(lattice(6.0)).max(axis=1) < 0.7]
    many = lattice(6.0)[np.abs(lattice(6.0)).max(axis=1) < 3]
    assert local.hottest(local.of(few, few, np.zeros_like(few))) < 2.5
    assert local.hottest(local.of(many, many, np.zeros_like(many))) > 5.7


def test_nobody_makes_no_field() -> None:
    local = LocalDensity(MIDDLE)
    field = local.of(points_of([]), points_of([]), points_of([]))
    assert (field.density == 0).all()
    assert (field.velocity == 0).all()


# --- places --------------------------------------------------------------------------------------------------------


def test_a_zone_holds_what_is_inside() -> None:
    notched = zone((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0))
    assert notched.holds(points_of([[2, 0.5], [2, 2], [0.5, 2.5], [5, 1], [np.nan, 0]])).tolist() == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert notched.area_m2 == pytest.approx(10.0)


def test_the_raster_of_a_zone_has_its_area() -> None:
    assert Raster(MIDDLE, side_m=0.1).inside.sum() * 0.01 == pytest.approx(MIDDLE.area_m2)


@pytest.mark.parametrize("corners", [[[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1]], [[0, 0], [1, 0], [np.nan, np.nan]]])
def test_a_zone_without_an_inside_is_refused(corners: list[list[float]]) -> None:
    with pytest.raises(MeasureRefused):
        Zone(PlaceId("flat"), points_of(corners))


def test_forward_is_to_the_left_of_a_line() -> None:
    line = Line(PlaceId("gate"), (0.0, 0.0), (4.0, 0.0))
    assert line.forward == (0.0, 1.0)
    away, along = line.beside(points_of([[1.0, 2.0], [3.0, -1.0]]))
    assert (away.tolist(), along.tolist()) == ([2.0, -1.0], [1.0, 3.0])
    with pytest.raises(MeasureRefused):
        Line(PlaceId("point"), (1.0, 1.0), (1.0, 1.05))
