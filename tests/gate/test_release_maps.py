"""The door for maps of density."""

import copy

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated, MeasureRefused, WorkerFailed
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release_maps import release_maps
from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.public.density_map import MOST_SQUARES, DensityMap, sealed_map
from skyveil.public.wire.bodies import packed
from skyveil.public.wire.cameras import TYPES

CAMERA, HALL = CameraId("c"), PlaceId("hall")


def grids(*per_m2: NDArray[np.float64]) -> CameraGrids:
    return CameraGrids(CAMERA, np.eye(3), tuple(DensityGrid(HALL, 0.5, (-1.0, 2.0), one) for one in per_m2))


def released(per_m2: list[list[float]]) -> DensityMap:
    (one,) = release_maps(grids(np.array(per_m2, np.float64)), at_s=1000.0)
    return one


def test_densities_are_told_in_steps_of_a_half_and_nothing_outside_of_the_zone() -> None:
    one = released([[0.0, 0.49, 0.5], [np.nan, 1.99, 99.0]])
    assert one.squares == "001.3z"
    assert one.per_m2 == [0, 0, 0.5, None, 1.5, 17.5]
    assert (one.columns, one.side_m, one.low_m, one.at_s) == (3, 0.5, (-1.0, 2.0), 1000.0)


def test_a_zone_with_too_many_squares_has_no_map() -> None:
    assert release_maps(grids(np.zeros((1, MOST_SQUARES + 1))), at_s=0.0) == ()
    assert len(release_maps(grids(np.zeros((1, MOST_SQUARES))), at_s=0.0)) == 1


@pytest.mark.parametrize("per_m2", [np.zeros(3), np.zeros((0, 3)), np.full((1, 1), -0.1), np.full((1, 1), np.inf)])
def test_what_is_no_density_is_refused(per_m2: NDArray[np.float64]) -> None:
    with pytest.raises(MeasureRefused):
        grids(per_m2)


def test_a_map_crosses_the_pipe_unchanged() -> None:
    one = released([[0.0, 3.2], [np.nan, 1.0]])
    number, body, payload = packed(one)
    again = TYPES[number].unpack(body)
    assert payload == b""
    assert isinstance(again, DensityMap)
    for name in ("camera", "place", "at_s", "side_m", "low_m", "columns", "squares", "floor_to_picture"):
        assert getattr(again, name) == getattr(one, name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"squares":"0.', b'"squares":"0!'),  # no step
        (b'"columns":2', b'"columns":3'),  # a row that is cut
        (b'"columns":2', b'"columns":0'),
        (b'"low_m":[-1.0,2.0]', b'"low_m":[-1.0]'),
        (b'"floor_to_picture":[1.0,', b'"floor_to_picture":['),
        (b'"camera":"c"', b'"camera":"../c"'),
        (b'"at_s"', b'"person":1,"at_s"'),  # a field that nobody asked for
    ],
)
def test_a_map_that_says_anything_else_is_refused(old: bytes, new: bytes) -> None:
    number, body, _ = packed(released([[0.0, np.nan], [0.0, 0.0]]))
    assert old in body
    with pytest.raises(WorkerFailed):
        TYPES[number].unpack(body.replace(old, new))


def test_only_the_gate_makes_a_map_and_nobody_changes_or_copies_one() -> None:
    with pytest.raises(BoundaryViolated):
        DensityMap(
            CAMERA,
            HALL,
            at_s=0,
            side_m=1,
            low_m=(0, 0),
            columns=1,
            squares="0",
            floor_to_picture=(),
            seal=object(),  # type: ignore[arg-type]  # the attack
        )
    one = released([[1.0]])
    assert sealed_map(one) is one
    with pytest.raises(BoundaryViolated):
        one.squares = "1"
    with pytest.raises(BoundaryViolated):
        del one.squares
    for act in (copy.copy, copy.deepcopy):
        with pytest.raises(BoundaryViolated):
            act(one)
    with pytest.raises(BoundaryViolated):
        type("Tracked", (DensityMap,), {})
    with pytest.raises(BoundaryViolated):
        sealed_map(object.__new__(DensityMap))
    assert "1.0" not in repr(one)
