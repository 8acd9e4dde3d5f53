"""Regions become whole blocks, outwards."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.core.geometry import Polygon
from skyveil.gate.hidden import BlockGrid, Hidden, hide, hide_all
from tests.gate.pictures import looked_at, polygon, regions_of

GRID = BlockGrid(40, 30, side_px=2)


def hidden_by(*polygons: Polygon, grid: BlockGrid = GRID) -> Hidden:
    looked = looked_at(grid.width_px, grid.height_px)
    return hide(regions_of(looked, polygons=polygons), looked, grid, max_look_age_s=1.0)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Polygon:
    return polygon((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def picture_of(hidden: Hidden) -> list[str]:
    return ["".join(".#"[block] for block in row) for row in hidden.blocks.tolist()]


def test_what_is_hidden_can_not_be_changed_afterwards() -> None:
    hidden = hidden_by(rectangle(10, 8, 18, 14))
    for value in (hidden, hidden.grid):
        assert not hasattr(value, "__dict__")
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, None)


def test_a_polygon_hides_the_blocks_it_touches_and_one_or_two_around() -> None:
    empty, covered = "....................", "....#######........."
    expected = [empty] * 3 + [covered] * 6 + [empty] * 6
    assert picture_of(hidden_by(rectangle(10, 8, 18, 14))) == expected


def test_a_polygon_thinner_than_a_block_is_hidden_over_its_whole_length() -> None:
    hidden = hidden_by(polygon((1.2, 9.1), (38.7, 9.2), (38.7, 9.3)))
    assert hidden.blocks[4].all()


def test_a_polygon_without_area_is_hidden_like_a_line() -> None:
    hidden = hidden_by(polygon((3, 3), (35, 25), (3, 3)))
    assert all(
        hidden.blocks[int(y) // 2, int(x) // 2] for x, y in zip(range(3, 36), np.linspace(3, 25, 33), strict=True)
    )


def test_the_hole_that_crossing_edges_leave_is_hidden_too() -> None:
    angles = np.arange(5) * 4 * np.pi / 5
    star = np.stack([20 + 14 * np.sin(angles), 15 - 14 * np.cos(angles)], axis=1).astype(np.float32)
    assert hidden_by(star).blocks[7, 10] == 1


def test_a_star_far_larger_than_the_picture_hides_all_of_it() -> None:
    angles = np.arange(5) * 4 * np.pi / 5
    star = np.stack([20 + 900 * np.sin(angles), 15 - 900 * np.cos(angles)], axis=1).astype(np.float32)
    assert hidden_by(star).blocks.all()


@pytest.mark.parametrize(
    "outside",
    [
        rectangle(-40, 2, -30, 9),
        rectangle(80, 2, 90, 9),
        rectangle(2, -40, 9, -30),
        rectangle(2, 80, 9, 90),
        rectangle(-8, 2, -6, 9),  # inside the margin that is drawn, still outside the picture
        rectangle(48, 2, 50, 9),
        rectangle(2, -8, 9, -6),
        rectangle(2, 38, 9, 40),
        polygon((-1e6, 5), (-1e6, 6), (-2e6, 5)),
    ],
)
def test_a_polygon_outside_hides_nothing(outside: Polygon) -> None:
    hidden = hidden_by(outside)
    assert not hidden.blocks.any()
    assert len(hidden.ragged) == 0


@pytest.mark.parametrize("reach", [1e3, 1e5, 2**24])
def test_corners_far_outside_neither_overflow_nor_move_the_edges(reach: float) -> None:
    below_the_diagonal = hidden_by(polygon((-reach, -reach), (reach, reach), (-reach, reach)))
    near = hidden_by(polygon((-50, -50), (80, 80), (-50, 80)))
    assert picture_of(below_the_diagonal) == picture_of(near)
    assert near.blocks[14, 0] == 1
    assert near.blocks[0, 19] == 0


@pytest.mark.parametrize("x", [-16, -15])  # where a polygon outside is cut, and within a block of it
def test_a_corner_that_is_there_twice_hides_as_much_as_once(x: int) -> None:
    once, twice = polygon((x, 4), (20, 4), (20, 20)), polygon((x, 4), (x, 4), (20, 4), (20, 20))
    assert picture_of(hidden_by(twice)) == picture_of(hidden_by(once))


@pytest.mark.parametrize("far", [rectangle(-(2**24), 4, 2**24, 9), rectangle(4, -(2**24), 9, 2**24)])
def test_corners_far_outside_one_way_only_take_no_more_memory_than_the_picture(far: Polygon) -> None:
    tracemalloc.start()
    try:
        hidden = hidden_by(far)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert hidden.blocks.any()
    assert most < 1_000_000


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        (rectangle(-9, 4, 6, 9), (3, 0), (3, 12)),
        (rectangle(34, 4, 99, 9), (3, 19), (3, 4)),
        (rectangle(4, -9, 9, 6), (0, 3), (12, 3)),
        (rectangle(4, 24, 9, 99), (14, 3), (4, 3)),
    ],
)
def test_a_polygon_partly_outside_is_hidden_up_to_the_edge(
    part: Polygon, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    blocks = hidden_by(part).blocks
    assert blocks[inside] == 1
    assert blocks[outside] == 0


def test_a_polygon_grows_by_two_rows_where_rows_are_hidden_together() -> None:
    together = hidden_by(rectangle(10, 8, 18, 14), grid=BlockGrid(40, 30, side_px=2, together=2))
    assert np.nonzero(together.blocks.any(axis=1))[0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert np.nonzero(together.blocks.any(axis=0))[0].tolist() == [4, 5, 6, 7, 8, 9, 10]


def test_polygons_near_each_other_add_up() -> None:
    one, two = rectangle(4, 4, 12, 12), rectangle(10, 10, 20, 20)
    both = hidden_by(one, two)
    assert np.array_equal(both.blocks, hidden_by(one).blocks | hidden_by(two).blocks)
    assert len(both.ragged) == 2


coordinates = st.floats(-60, 100, width=32)


@given(
    corners=st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3),
    weights=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=30, max_size=30),
    side_px=st.sampled_from([1, 2]),
    width_px=st.integers(1, 41),
    height_px=st.integers(1, 31),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_point_of_a_polygon_is_hidden(
    corners: list[tuple[float, float]],
    weights: list[tuple[float, float]],
    side_px: int,
    width_px: int,
    height_px: int,
) -> None:
    grid = BlockGrid(width_px, height_px, side_px=side_px)
    hidden = hidden_by(polygon(*corners), grid=grid)
    for x, y in points_in_triangle(np.array(corners, np.float32).astype(np.float64), np.array(weights)):
        if 0 <= x < width_px and 0 <= y < height_px:
            assert hidden.blocks[int(y) // side_px, int(x) // side_px] == 1
    assert_boxes_hold_all(hidden)


def points_in_triangle(corners: NDArray[np.float64], weights: NDArray[np.float64]) -> list[tuple[float, float]]:
    folded = np.where(weights.sum(axis=1, keepdims=True) > 1, 1 - weights, weights)
    points = corners[0] + folded @ (corners[1:] - corners[0])
    return [(float(x), float(y)) for x, y in points]


def assert_boxes_hold_all(hidden: Hidden) -> None:
    assert int(hidden.blocks.max()) <= 1
    left = hidden.blocks.copy()
    for x1, y1, x2, y2 in np.concatenate([hidden.full, hidden.ragged]).tolist():
        assert 0 <= x1 < x2 <= hidden.grid.columns
        assert 0 <= y1 < y2 <= hidden.grid.rows
        left[y1:y2, x1:x2] = 0
    assert not left.any()


@given(
    width_px=st.integers(1, 20),
    height_px=st.integers(1, 20),
    side_px=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_share_is_that_of_pixels_also_where_the_edge_is_odd(
    width_px: int, height_px: int, side_px: int, seed: int
) -> None:
    grid = BlockGrid(width_px, height_px, side_px=side_px)
    blocks = np.random.default_rng(seed).integers(0, 2, (grid.rows, grid.columns)).astype(np.uint8)
    none = np.zeros((0, 4), np.int64)
    pixels = blocks.repeat(side_px, axis=0).repeat(side_px, axis=1)[:height_px, :width_px]
    assert Hidden(grid, blocks, none, none).share == pytest.approx(float(pixels.mean()))


def test_everything_is_one_box() -> None:
    hidden = hide_all(BlockGrid(5, 3, side_px=2))
    assert hidden.blocks.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert hidden.full.tolist() == [[0, 0, 3, 2]]
    assert hidden.ragged.shape == (0, 4)
    assert hidden.share == 1.0


def test_undecided_neighbours_of_a_row_become_one_box() -> None:
    looked = looked_at(64, 32)
    looked.why[0, 1:3] = 0
    looked.why[1, 3] = 0
    hidden = hide(regions_of(looked), looked, BlockGrid(64, 32, side_px=2), max_look_age_s=1.0)
    assert hidden.full.tolist() == [[8, 0, 24, 8], [24, 8, 32, 16]]


def test_boxes_that_touch_the_picture_from_outside_are_no_boxes_in_it() -> None:
    outside = np.array([[-20, 0, 0, 10], [0, -9, 10, 0], [40, 0, 50, 10], [0, 30, 10, 40]], np.int64)
    assert GRID.touched(outside).shape == (0, 4)
