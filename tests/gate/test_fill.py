"""What is drawn over hidden blocks."""

import av
import numpy as np
import pytest

from skyveil.core.settings import FillName
from skyveil.gate.fill import Background, Fill, Mosaic, Solid, make_fill
from skyveil.gate.redact import redact
from skyveil.private._pixels import plane_array
from skyveil.private.regions import whole_frame
from tests.gate.pictures import FORMATS, LeaveBlack, looked_at, name, noise, planes_of, polygon, raw_frame, regions_of

Box = tuple[int, int, int, int]


def flat(pixel_format: str, value: int, width: int = 32, height: int = 32) -> av.VideoFrame:
    picture = av.VideoFrame(width, height, pixel_format)
    for plane in planes_of(picture):
        plane[:] = value
    return picture


def filled(fill: Fill, picture: av.VideoFrame, *boxes: Box) -> av.VideoFrame:
    regions = regions_of(looked_at(picture.width, picture.height), boxes=boxes)
    return redact(raw_frame(picture), regions, fill, max_look_age_s=1.0).picture


@pytest.mark.parametrize(("fill_name", "kind"), [("solid", Solid), ("background", Background), ("mosaic", Mosaic)])
def test_each_name_makes_its_fill(fill_name: FillName, kind: type[Solid | Background | Mosaic]) -> None:
    assert type(make_fill(fill_name)) is kind


def test_two_videos_never_share_a_background() -> None:
    one, two = make_fill("mosaic"), make_fill("mosaic")
    filled(one, flat("yuv420p", 200))
    assert int(plane_array(filled(two, flat("yuv420p", 50), (0, 0, 32, 32)), 0).max()) == 16


def test_a_mosaic_by_name_is_drawn_from_the_background() -> None:
    fill = make_fill("mosaic")
    filled(fill, flat("yuv420p", 200))
    assert (plane_array(filled(fill, flat("yuv420p", 50), (0, 0, 32, 32)), 0) == 200).all()


# Background


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_background_shows_what_was_there_before(pixel_format: str) -> None:
    fill = Background()
    scene, later = noise(pixel_format, 33, 31, 1), noise(pixel_format, 33, 31, 2)
    filled(fill, scene)
    for plane, before in zip(planes_of(filled(fill, later, (0, 0, 33, 31))), planes_of(scene), strict=True):
        assert np.array_equal(plane, before)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_background_is_drawn_over_hidden_blocks_only(pixel_format: str) -> None:
    fill = Background()
    scene, later = noise(pixel_format, 32, 32, 1), noise(pixel_format, 32, 32, 2)
    filled(fill, scene)
    out = filled(fill, later, (8, 12, 16, 20))
    for index, plane in enumerate(planes_of(out)):
        side = 32 // plane.shape[0]
        expected = plane_array(later, index).copy()
        part = np.s_[12 // side : 20 // side, 8 // side : 16 // side]
        expected[part] = plane_array(scene, index)[part]
        assert np.array_equal(plane, expected)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_what_was_never_in_sight_stays_black(pixel_format: str) -> None:
    fill = Background()
    box = (8, 12, 16, 20)
    outs = [filled(fill, noise(pixel_format, 32, 32, seed), box) for seed in range(10)]
    black = filled(LeaveBlack(), noise(pixel_format, 32, 32, 9), box)
    for plane, expected in zip(planes_of(outs[-1]), planes_of(black), strict=True):
        assert np.array_equal(plane, expected)


def test_a_block_that_comes_into_sight_late_is_learned_within_eight_frames() -> None:
    fill = Background()
    filled(fill, flat("yuv420p", 100), (0, 0, 32, 32))
    for _ in range(8):
        filled(fill, flat("yuv420p", 100))
    assert (plane_array(filled(fill, flat("yuv420p", 30), (0, 0, 32, 32)), 0) == 100).all()


def test_every_frame_after_the_first_teaches_every_eighth_row_of_blocks() -> None:
    fill = Background()
    filled(fill, flat("yuv420p", 100), (0, 0, 32, 32))
    filled(fill, flat("yuv420p", 100))
    learned = plane_array(filled(fill, flat("yuv420p", 30), (0, 0, 32, 32)), 0) == 100
    assert np.nonzero(learned.all(axis=1))[0].tolist() == [2, 3, 18, 19]
    assert not learned[:2].any()


def test_the_background_moves_a_sixteenth_of_the_way_with_each_lesson() -> None:
    fill = Background()
    filled(fill, flat("yuv420p", 100))
    for _ in range(8):  # one lesson for each row of blocks
        filled(fill, flat("yuv420p", 180))
    assert (plane_array(filled(fill, flat("yuv420p", 0), (0, 0, 32, 32)), 0) == 105).all()
    for _ in range(7):
        filled(fill, flat("yuv420p", 180))
    rows = plane_array(filled(fill, flat("yuv420p", 0), (0, 0, 32, 32)), 0)
    # 105 + 75 / 16 = 109.69 is shown as 110. Row 0 had its second lesson in frame 16, the one before this.
    assert set(np.unique(rows).tolist()) <= {105, 110}
    assert int(rows[4, 4]) == 110


def test_the_mean_keeps_a_fraction_so_that_small_changes_are_learned() -> None:
    fill = Background()
    filled(fill, flat("yuv420p", 100))
    for _ in range(8 * 40):
        filled(fill, flat("yuv420p", 103))
    assert (plane_array(filled(fill, flat("yuv420p", 0), (0, 0, 32, 32)), 0) == 103).all()


def background_after(*lessons: int) -> list[int]:
    """What a picture of one row of blocks shows when all is hidden, after each lesson of one flat value."""
    fill, shown = Background(), []
    for value in lessons:
        filled(fill, flat("rgb24", value, 1, 1))
        shown.append(int(plane_array(filled(fill, flat("rgb24", 0, 1, 1), (0, 0, 1, 1)), 0).max()))
        for _ in range(6):  # the row's next turn is eight frames after its last
            filled(fill, flat("rgb24", 0, 1, 1), (0, 0, 1, 1))
    return shown


def test_the_mean_has_eight_binary_digits_behind_the_point_and_is_shown_rounded() -> None:
    mean, expected = 10 << 8, [10]
    for _ in range(60):
        mean += ((200 << 8) - mean) // 16
        expected.append((mean + 128) // 256)
    assert background_after(10, *[200] * 60) == expected


def test_a_mean_of_almost_nothing_is_not_taken_for_never_seen() -> None:
    assert background_after(0, 1, *[0] * 15, 200)[-2:] == [0, 13]
    assert background_after(0, 200)[-1] == 13


def test_a_wholly_hidden_frame_teaches_nothing() -> None:
    fill = Background()
    filled(fill, flat("yuv420p", 100))
    for _ in range(20):
        redact(raw_frame(flat("yuv420p", 250)), whole_frame(name()), fill, max_look_age_s=1.0)
    assert (plane_array(filled(fill, flat("yuv420p", 0), (0, 0, 32, 32)), 0) == 100).all()


@pytest.mark.parametrize(
    ("picture", "black"),
    [
        (flat("yuv420p", 90, 30, 32), 16),  # another width
        (flat("yuv420p10le", 90), 64),  # another depth
        (flat("yuvj420p", 90), 0),  # another range, in the same shape
    ],
)
def test_a_picture_of_another_shape_or_range_starts_the_background_anew(picture: av.VideoFrame, black: int) -> None:
    fill = Background()
    for _ in range(3):
        filled(fill, flat("yuv420p", 100))
    out = filled(fill, picture, (0, 0, 16, 16))
    assert (plane_array(out, 0)[:16, :16] == black).all()
    shown = plane_array(filled(fill, picture, (0, 0, 32, 32)), 0)
    assert (shown[16:, 16:] == 90).all()
    assert (shown[:16, :16] == black).all()


# Mosaic


def test_a_mosaic_cell_is_the_mean_of_what_the_other_fill_drew() -> None:
    fill = Mosaic(Background())
    scene = noise("yuv420p", 48, 40, 1)
    filled(fill, scene)
    out = filled(fill, noise("yuv420p", 48, 40, 2), (8, 4, 40, 40))
    for index, side in ((0, 1), (1, 2), (2, 2)):
        before, after = plane_array(scene, index).astype(int), plane_array(out, index)
        # (rows, columns) of the cells, cut by the box on the left, above and below
        for y1, y2 in ((4, 16), (16, 32), (32, 40)):
            for x1, x2 in ((8, 16), (16, 32), (32, 40)):
                part = np.s_[y1 // side : y2 // side, x1 // side : x2 // side]
                assert (after[part] == before[part].sum() // before[part].size).all()


def test_a_mosaic_in_rgb_has_cells_of_sixteen_pixels_for_each_colour() -> None:
    fill = Mosaic(Background())
    scene = noise("rgb24", 33, 17, 1)
    filled(fill, scene)
    before, after = plane_array(scene, 0).astype(int), plane_array(filled(fill, scene, (0, 0, 33, 17)), 0)
    assert (after[:16, :16] == before[:16, :16].sum(axis=(0, 1)) // 256).all()
    assert (after[:16, 32:] == before[:16, 32:].sum(axis=(0, 1)) // 16).all()
    assert (after[16:, 32:] == before[16:, 32:].sum(axis=(0, 1))).all()


def test_a_mosaic_leaves_what_is_not_hidden() -> None:
    picture = noise("yuv420p", 48, 48, 3)
    regions = regions_of(looked_at(48, 48), polygons=[polygon((4, 4), (44, 8), (20, 40))])
    solid = redact(raw_frame(picture), regions, LeaveBlack(), max_look_age_s=1.0).picture
    fill = Mosaic(Background())
    filled(fill, flat("yuv420p", 200, 48, 48))
    mosaic = redact(raw_frame(picture), regions, fill, max_look_age_s=1.0).picture
    for before, painted, after, black in zip(
        planes_of(picture), planes_of(solid), planes_of(mosaic), (16, 128, 128), strict=True
    ):
        in_sight = painted != black
        assert in_sight.any()
        assert np.array_equal(after[in_sight], before[in_sight])


def test_a_mosaic_of_black_is_black() -> None:
    out = filled(Mosaic(LeaveBlack()), noise("yuv420p10le", 48, 48, 3), (0, 0, 48, 48))
    assert [np.unique(plane).tolist() for plane in planes_of(out)] == [[64], [512], [512]]


# Indigo as the format says it: limited and full range, 10 bits, RGB.
@pytest.mark.parametrize(
    ("pixel_format", "color_range", "expected"),
    [
        ("yuv420p", 1, [[76], [172], [124]]),
        ("yuv420p", 2, [[70], [179], [124]]),
        ("yuv420p10le", 1, [[304], [688], [496]]),
        ("rgb24", 2, [[56, 64, 160]]),
    ],
)
def test_a_solid_cover_is_indigo(pixel_format: str, color_range: int, expected: list[list[int]]) -> None:
    picture = noise(pixel_format, 32, 32, 3)
    picture.color_range = color_range
    out = filled(Solid(), picture, (0, 0, 32, 32))
    assert [np.unique(plane).tolist() for plane in planes_of(out)] == expected
