"""The measure of what stays visible, against cases counted by hand."""

import numpy as np
import pytest

from skyveil.app.leak import (
    HEIGHT_CLASSES_PX,
    BoxXyxy,
    Picture,
    Runs,
    Tally,
    changed,
    differing,
    head_zone,
    hidden,
    is_covered,
    is_point_covered,
    needless,
    wilson,
)


def grey(level: int, height: int = 100, width: int = 100) -> Picture:
    return np.full((height, width), level, np.uint8)


def textured(height: int = 100, width: int = 100) -> Picture:
    """A chequerboard whose every 3x3 neighbourhood spans 60 levels."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.asarray(100 + 60 * ((rows + columns) % 2), np.uint8)


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263, and 0 of 20, score method.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_without_observations_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_change_within_jpeg_noise_hides_nothing() -> None:
    before = np.dstack([grey(100)] * 3)
    assert not changed(before, before + np.uint8(12)).any()
    one_channel = before.copy()
    one_channel[..., 2] += 13
    assert changed(before, one_channel).all()


def test_a_fill_of_the_same_brightness_still_hides_what_had_texture() -> None:
    before = textured()
    filled = grey(150)
    assert hidden(before, filled).mean() == 1.0
    assert differing(before, filled).mean() == pytest.approx(0.5)


def test_what_is_flat_and_unchanged_is_not_hidden() -> None:
    assert not hidden(grey(90), grey(90)).any()


@pytest.mark.parametrize(
    ("rows_hidden", "expected"),
    [
        (8, True),  # 80 % of 10 rows: the least that counts as covered
        (7, False),  # 70 %
        (10, True),
        (0, False),
    ],
)
def test_a_box_is_covered_from_four_fifths_of_its_pixels(rows_hidden: int, *, expected: bool) -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[20 : 20 + rows_hidden, 30:40] = True
    assert is_covered(mask, (30, 20, 40, 30)) is expected


@pytest.mark.parametrize(
    "outside",
    [
        (-30, 10, -10, 30),  # left of the picture: a negative slice must not count from its right edge
        (120, 10, 140, 30),  # right of it
        (10.2, 10.2, 10.4, 10.4),  # rounds to no pixel
    ],
)
def test_a_box_without_a_pixel_is_not_covered(outside: BoxXyxy) -> None:
    assert not is_covered(np.ones((100, 100), np.bool_), outside)


def test_the_head_is_the_top_sixth_and_the_middle_of_a_person() -> None:
    assert head_zone(10, 20, 100, 200) == pytest.approx((30, 20, 90, 54))


def test_needless_counts_only_outside_the_grown_boxes() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[:50] = True
    # A box of 20 x 20 grown to 40 x 40 takes 1600 pixels out of the 10000, 40 x 30 of them changed.
    assert needless(mask, [(40, 30, 60, 50)]) == pytest.approx((5000 - 40 * 30) / (10_000 - 1600))


def test_needless_is_nothing_where_boxes_fill_the_picture() -> None:
    assert needless(np.ones((10, 10), np.bool_), [(0, 0, 10, 10)]) == 0.0


def test_a_tally_puts_each_height_in_one_class() -> None:
    tally = Tally(HEIGHT_CLASSES_PX)
    for height, leaked in ((11.9, True), (12, False), (19, True), (64, True)):
        tally.add(leaked=leaked, size=height)
    assert (tally.leaked, tally.total, tally.share) == (3, 4, 0.75)
    assert tally.by_size[0, 12] == (1, 1)
    assert tally.by_size[12, 20] == (1, 2)
    assert tally.by_size[64, 10_000] == (1, 1)


def test_a_covered_or_an_absent_frame_ends_a_run() -> None:
    runs = Runs()
    for frame, leaked in ((1, True), (2, True), (3, False), (4, True), (6, True), (7, True)):
        runs.add(1, frame, leaked=leaked)
    assert runs.longest == {1: 2}
    runs.add(1, 8, leaked=True)
    assert runs.tracks_with(3) == 1
    assert runs.tracks_with(4) == 0


def test_a_head_point_is_covered_by_a_fill_as_dark_as_the_hair() -> None:
    hair = np.dstack([textured() // 8] * 3)  # 12 and 20: a black fill is within noise of half of it
    black = np.zeros_like(hair)
    assert is_point_covered(hair, black, (50, 50))
    assert not is_point_covered(hair, hair, (50, 50))
    assert not is_point_covered(hair, black, (300, 50))


def test_a_head_point_beside_a_fill_is_not_covered() -> None:
    before = np.dstack([textured()] * 3)
    after = before.copy()
    after[:, :48] = 0
    assert not is_point_covered(before, after, (50, 50))
    assert is_point_covered(before, after, (44, 50))
