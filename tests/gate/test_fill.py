"""What is drawn over hidden blocks."""

import av
import numpy as np
import pytest

from skyveil.core.settings import FillName
from skyveil.gate.fill import Background, Fill, Mosaic, Solid, make_fill
from skyveil.gate.redact import redact
from skyveil.private._pixels import plane_array
from skyveil.private.regions import whole_frame
from tests.gate.pictures import (
    FORMATS,
    FULL_RANGE,
    LeaveBlack,
    looked_at,
    name,
    noise,
    planes_of,
    polygon,
    raw_frame,
    regions_of,
)

Box = tuple[int, int, int, int]
ALL: Box = (0, 0, 33, 32)
SPAN = 256
"""Frames that a place must be in sight for before, and after, what is shown of it."""
INDIGO = 76


def flat(
    pixel_format: str, value: int, width: int = 32, height: int = 32, *, full_range: bool = False
) -> av.VideoFrame:
    picture = av.VideoFrame(width, height, pixel_format)
    picture.color_range = FULL_RANGE if full_range else picture.color_range
    for plane in planes_of(picture):
        plane[:] = value
    return picture


def filled(fill: Fill, picture: av.VideoFrame, *boxes: Box) -> av.VideoFrame:
    regions = regions_of(looked_at(picture.width, picture.height), boxes=boxes)
    return redact(raw_frame(picture), regions, fill, max_look_age_s=1.0).picture


def see(fill: Fill, picture: av.VideoFrame, frames: int, *boxes: Box) -> None:
    """Show a fill one picture for so many frames, with these boxes hidden."""
    for _ in range(frames):
        filled(fill, picture, *boxes)


def shown(fill: Fill) -> list[int]:
    """The luma that a fill draws in each of the 16 rows of blocks of a picture of 32 x 32, all hidden."""
    rows = plane_array(filled(fill, flat("yuv420p", 30), ALL), 0)[::2]
    assert (rows == rows[:, :1]).all()
    return [int(row[0]) for row in rows]


@pytest.mark.parametrize(("fill_name", "kind"), [("solid", Solid), ("background", Background), ("mosaic", Mosaic)])
def test_each_name_makes_its_fill(fill_name: FillName, kind: type[Solid | Background | Mosaic]) -> None:
    assert type(make_fill(fill_name)) is kind


def test_two_videos_never_share_a_background() -> None:
    one, two = make_fill("mosaic"), make_fill("mosaic")
    see(one, flat("yuv420p", 200), 2 * SPAN)
    assert (plane_array(filled(two, flat("yuv420p", 50), ALL), 0) == 76).all()


def test_a_mosaic_by_name_is_drawn_from_the_background() -> None:
    fill = make_fill("mosaic")
    see(fill, flat("yuv420p", 200), 2 * SPAN)
    assert (plane_array(filled(fill, flat("yuv420p", 50), ALL), 0) == 200).all()


# Background


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_background_shows_what_was_there_before(pixel_format: str) -> None:
    fill = Background()
    scene, later = noise(pixel_format, 33, 31, 1), noise(pixel_format, 33, 31, 2)
    see(fill, scene, 2 * SPAN)
    for plane, before in zip(planes_of(filled(fill, later, (0, 0, 33, 31))), planes_of(scene), strict=True):
        assert np.array_equal(plane, before)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_background_is_drawn_over_hidden_blocks_only(pixel_format: str) -> None:
    fill = Background()
    scene, later = noise(pixel_format, 32, 32, 1), noise(pixel_format, 32, 32, 2)
    see(fill, scene, 2 * SPAN)
    out = filled(fill, later, (8, 12, 16, 20))
    for index, plane in enumerate(planes_of(out)):
        side = 32 // plane.shape[0]
        expected = plane_array(later, index).copy()
        part = np.s_[12 // side : 20 // side, 8 // side : 16 // side]
        expected[part] = plane_array(scene, index)[part]
        assert np.array_equal(plane, expected)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_what_was_never_in_sight_is_indigo(pixel_format: str) -> None:
    fill = Background()
    box = (8, 12, 16, 20)
    see(fill, noise(pixel_format, 32, 32, 1), 3 * SPAN, box)
    indigo = filled(Solid(), noise(pixel_format, 32, 32, 9), box)
    for plane, expected in zip(
        planes_of(filled(fill, noise(pixel_format, 32, 32, 9), box)), planes_of(indigo), strict=True
    ):
        assert np.array_equal(plane, expected)


@pytest.mark.parametrize("row", range(9))
def test_nothing_is_shown_before_it_was_in_sight_for_two_spans(row: int) -> None:
    """A video that is shorter, and a single picture, has covers of one colour."""
    fill = Background()
    see(fill, flat("yuv420p", 100), 2 * SPAN - 8 + row)
    assert shown(fill) == ([100] * row + [INDIGO] * (8 - row)) * 2


def test_who_was_missed_in_a_single_frame_is_never_drawn_on_their_own_cover() -> None:
    for missed in (0, 7, SPAN - 1, SPAN, 2 * SPAN + 40):
        fill = Background()
        see(fill, flat("yuv420p", 200), missed, ALL)
        see(fill, flat("yuv420p", 200), 1)
        for _ in range(3 * SPAN):
            assert (plane_array(filled(fill, flat("yuv420p", 200), ALL), 0) == INDIGO).all()


def test_who_is_found_in_most_frames_is_never_drawn_on_their_own_cover() -> None:
    fill = Background()
    for _ in range(3 * SPAN // 10):
        see(fill, flat("yuv420p", 200), 7, ALL)
        see(fill, flat("yuv420p", 200), 3)
    assert shown(fill) == [INDIGO] * 16


def test_who_walks_into_a_known_scene_and_is_missed_for_a_span_leaves_nothing_on_their_cover() -> None:
    for walks_in in (2 * SPAN, 2 * SPAN + 1, 2 * SPAN + 130, 3 * SPAN - 1):
        fill = Background()
        see(fill, flat("yuv420p", 100), walks_in)
        see(fill, flat("yuv420p", 200), SPAN)
        see(fill, flat("yuv420p", 200), 2 * SPAN, ALL)
        assert shown(fill) == [100] * 16


def test_a_cover_begins_the_count_anew_for_its_own_blocks_alone() -> None:
    fill = Background()
    see(fill, flat("yuv420p", 100), 2 * SPAN - 9)
    see(fill, flat("yuv420p", 100), 1, (0, 0, 32, 4))
    see(fill, flat("yuv420p", 100), 8)
    assert shown(fill) == [INDIGO] * 2 + [100] * 14
    see(fill, flat("yuv420p", 100), 2 * SPAN - 1)
    assert shown(fill) == [INDIGO] * 2 + [100] * 14
    see(fill, flat("yuv420p", 100), 3 * SPAN)
    assert shown(fill) == [100] * 16


def test_a_wholly_hidden_frame_is_a_cover_too() -> None:
    fill = Background()
    see(fill, flat("yuv420p", 100), 2 * SPAN)
    see(fill, flat("yuv420p", 200), SPAN)
    redact(raw_frame(flat("yuv420p", 200)), whole_frame(name()), fill, max_look_age_s=1.0)
    see(fill, flat("yuv420p", 200), SPAN - 1)
    assert shown(fill) == [100] * 16


def test_what_is_shown_is_the_mean_of_the_span_before_the_last_rounded() -> None:
    for value, expected in ((115, 100), (116, 101)):
        fill = Background()
        see(fill, flat("yuv420p", 70), SPAN)
        see(fill, flat("yuv420p", 100), SPAN - 8)
        see(fill, flat("yuv420p", value), 8)  # one lesson of 32: 15/32 or 16/32 of a level more
        see(fill, flat("yuv420p", 250), SPAN)
        assert shown(fill) == [expected] * 16
        see(fill, flat("yuv420p", 30), 3 * SPAN)
        assert shown(fill) == [30] * 16


def test_a_span_of_the_lightest_samples_does_not_run_over() -> None:
    fill = Background()
    see(fill, flat("yuv420p10le", 1023), 2 * SPAN)
    assert set(np.unique(plane_array(filled(fill, flat("yuv420p10le", 9), ALL), 0)).tolist()) == {1023}


@pytest.mark.parametrize(
    ("picture", "indigo"),
    [
        (flat("yuv420p", 90, 30, 32), 76),  # another width
        (flat("yuv420p10le", 90), 304),  # another depth
        (flat("yuv420p", 90, full_range=True), 70),  # another range, in the same shape
    ],
)
def test_a_picture_of_another_shape_or_range_starts_the_background_anew(picture: av.VideoFrame, indigo: int) -> None:
    fill = Background()
    see(fill, flat("yuv420p", 100), 2 * SPAN + 9)
    see(fill, picture, 2 * SPAN - 8)
    assert (plane_array(filled(fill, picture, ALL), 0) == indigo).all()
    fill = Background()
    see(fill, flat("yuv420p", 100), 2 * SPAN + 9)
    see(fill, picture, 2 * SPAN)
    assert (plane_array(filled(fill, picture, ALL), 0) == 90).all()


# Mosaic


def test_a_mosaic_cell_is_the_mean_of_what_the_other_fill_drew() -> None:
    fill = Mosaic(Background())
    scene = noise("yuv420p", 48, 40, 1)
    see(fill, scene, 2 * SPAN)
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
    see(fill, scene, 2 * SPAN)
    before, after = plane_array(scene, 0).astype(int), plane_array(filled(fill, scene, (0, 0, 33, 17)), 0)
    assert (after[:16, :16] == before[:16, :16].sum(axis=(0, 1)) // 256).all()
    assert (after[:16, 32:] == before[:16, 32:].sum(axis=(0, 1)) // 16).all()
    assert (after[16:, 32:] == before[16:, 32:].sum(axis=(0, 1))).all()


def test_a_mosaic_leaves_what_is_not_hidden() -> None:
    picture = noise("yuv420p", 48, 48, 3)
    regions = regions_of(looked_at(48, 48), polygons=[polygon((4, 4), (44, 8), (20, 40))])
    solid = redact(raw_frame(picture), regions, LeaveBlack(), max_look_age_s=1.0).picture
    fill = Mosaic(Background())
    see(fill, flat("yuv420p", 200, 48, 48), 2 * SPAN)
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
