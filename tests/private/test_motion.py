"""The motion test: what changed between two frames, and when the scene was replaced."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.private.motion import CHANGE_LEVELS, MotionTest
from tests.private.made import HEIGHT, WIDTH, Luma, frame_of, painted, plain, steady


def motion_of(luma: Luma) -> MotionTest:
    return MotionTest(width=luma.shape[1], height=luma.shape[0])


def moved(before: Luma, now: Luma) -> list[tuple[int, int]]:
    """The tiles that changed, as (row, column)."""
    motion = motion_of(before)
    tiles = motion.tiles(motion.changed(motion.small(frame_of(before)), motion.small(frame_of(now))))
    assert tiles.shape == motion.tiles_shape
    return [(int(row), int(column)) for row, column in np.argwhere(tiles)]


def test_two_equal_frames_differ_nowhere() -> None:
    assert moved(plain(), plain()) == []


def test_a_change_is_seen_where_it_is() -> None:
    side = motion_of(plain()).tile_px
    assert moved(plain(), painted([(2 * side, side, 2 * side + 8, side + 8)])) == [(1, 2)]


def test_darker_is_a_change_as_much_as_brighter() -> None:
    assert moved(plain(), painted([(0, 0, 8, 8)], level=50)) == moved(plain(), painted([(0, 0, 8, 8)], level=150))


def test_noise_of_a_sensor_is_no_change() -> None:
    random = np.random.default_rng(3)
    before, now = (np.clip(100 + random.normal(0, 5, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8) for _ in range(2))
    assert moved(before, now) == []


def test_a_change_of_all_the_light_is_a_change_everywhere_or_nowhere() -> None:
    rows, columns = motion_of(plain()).tiles_shape
    assert moved(plain(100), plain(100 + CHANGE_LEVELS)) == []
    assert len(moved(plain(100), plain(101 + CHANGE_LEVELS))) == rows * columns


@steady
@given(st.integers(1, 700), st.integers(1, 700))
def test_tiles_lie_over_any_picture(width: int, height: int) -> None:
    motion = MotionTest(width=width, height=height)
    rows, columns = motion.tiles_shape
    assert (columns - 1) * motion.tile_px < width <= columns * motion.tile_px
    assert (rows - 1) * motion.tile_px < height <= rows * motion.tile_px
    small = motion.small(frame_of(plain(width=width, height=height)))
    changed = motion.changed(small, small + CHANGE_LEVELS + 1)
    assert changed.all()
    tiles = motion.tiles(changed)
    assert tiles.shape == (rows, columns) and tiles.all()


@steady
@given(st.data())
def test_one_square_is_in_one_tile_and_that_is_where_it_lies(data: st.DataObject) -> None:
    motion = MotionTest(width=WIDTH, height=HEIGHT)
    shape = HEIGHT // motion.step_px, WIDTH // motion.step_px
    row, column = data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))
    changed = np.zeros(shape, np.bool_)
    changed[row, column] = True
    tiles = motion.tiles(changed)
    assert np.argwhere(tiles).tolist() == [
        [row * motion.step_px // motion.tile_px, column * motion.step_px // motion.tile_px]
    ]


def cuts(levels: list[Luma]) -> list[int]:
    motion = motion_of(levels[0])
    smalls = [motion.small(frame_of(luma)) for luma in levels]
    return [index for index in range(1, len(smalls)) if motion.is_cut(smalls[index - 1], smalls[index])]


def test_a_replaced_scene_is_a_cut() -> None:
    assert cuts([plain(60)] * 10 + [plain(160)] * 10 + [plain(90)] * 5) == [10, 20]


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_large_things_that_move_are_no_cut(share: float) -> None:
    def one(index: int) -> Luma:
        return painted([(10 * index, 0, 10 * index + WIDTH * share, HEIGHT)])

    assert cuts([one(index) for index in range(20)]) == []


def test_a_camera_that_pans_is_no_series_of_cuts_though_all_of_it_changes() -> None:
    random = np.random.default_rng(5)
    wide = random.integers(0, 255, (HEIGHT // 8, 4 * WIDTH // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    panned = [np.ascontiguousarray(wide[:, 8 * index : 8 * index + WIDTH]) for index in range(30)]
    # A pan that begins all of a sudden looks like cuts for the first frames, which costs looks and leaks nothing.
    assert [index for index in cuts(panned) if index > 3] == []
