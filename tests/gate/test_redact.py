"""The rules of the door for pictures, one by one."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from numpy.typing import NDArray

from skyveil.core.errors import BoundaryViolated
from skyveil.core.geometry import Polygon
from skyveil.gate.fill import Background, Fill, Mosaic, Solid
from skyveil.gate.hidden import Hidden
from skyveil.gate.planes import Planes
from skyveil.gate.redact import redact
from skyveil.private._pixels import Plane, plane_array
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions, whole_frame
from skyveil.public.types import RedactedFrame, sealed
from tests.gate.pictures import (
    FORMATS,
    FULL_RANGE,
    PLANAR,
    TIME_BASE,
    LeaveBlack,
    looked_at,
    name,
    noise,
    planes_of,
    polygon,
    raw_frame,
    regions_of,
)

LIMITED_BLACK = {"yuv420p": (16, 128, 128), "yuv420p10le": (64, 512, 512), "rgb24": (0,)}
FULL_BLACK = {"yuv420p": (0, 128, 128), "yuv420p10le": (0, 512, 512), "rgb24": (0,)}


def redacted(picture: av.VideoFrame, regions: Regions, fill: Fill | None = None) -> RedactedFrame:
    return redact(raw_frame(picture), regions, fill or LeaveBlack(), max_look_age_s=1.0)


def changed(before: av.VideoFrame, after: av.VideoFrame, plane: int) -> NDArray[np.bool_]:
    """Which samples of a plane differ; for RGB which pixels."""
    different = plane_array(before, plane) != plane_array(after, plane)
    return np.asarray(different.any(axis=2) if different.ndim == 3 else different, np.bool_)


def is_black(plane: Plane, value: int) -> bool:
    return bool((plane == value).all())


# Which frames are hidden wholly


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_frame_that_nobody_looked_at_is_black(pixel_format: str) -> None:
    frame = redacted(noise(pixel_format, 21, 13, 1), whole_frame(name()))
    assert frame.whole
    assert frame.covered_share == 1.0
    for plane, black in zip(planes_of(frame.picture), LIMITED_BLACK[pixel_format], strict=True):
        assert is_black(plane, black)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_damaged_frame_is_black_even_when_it_was_looked_at(pixel_format: str) -> None:
    raw = raw_frame(noise(pixel_format, 21, 13, 1), damaged=True)
    frame = redact(raw, regions_of(looked_at(21, 13)), Solid(), max_look_age_s=1.0)
    assert frame.whole
    assert frame.covered_share == 1.0
    for plane, black in zip(planes_of(frame.picture), LIMITED_BLACK[pixel_format], strict=True):
        assert is_black(plane, black)


def test_a_hidden_frame_is_black_under_every_fill_so_that_it_can_not_be_taken_for_an_empty_scene() -> None:
    for fill in (Solid(), Background(), Mosaic(Background())):
        redacted(noise("yuv420p", 32, 32, 1), regions_of(looked_at(32, 32)), fill)
        frame = redacted(noise("yuv420p", 32, 32, 2), whole_frame(name()), fill)
        assert all(
            is_black(plane, black) for plane, black in zip(planes_of(frame.picture), (16, 128, 128), strict=True)
        )


def test_a_frame_with_evidence_and_nothing_to_hide_passes_as_it_is() -> None:
    picture = noise("yuv420p", 34, 18, 1)
    frame = redacted(picture, regions_of(looked_at(34, 18)))
    assert not frame.whole
    assert frame.covered_share == 0.0
    assert not any(changed(picture, frame.picture, plane).any() for plane in range(3))


# Black


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(("color_range", "blacks"), [(0, LIMITED_BLACK), (1, LIMITED_BLACK), (2, FULL_BLACK)])
def test_black_fits_the_range_and_depth(
    pixel_format: str, color_range: int, blacks: dict[str, tuple[int, ...]]
) -> None:
    picture = noise(pixel_format, 16, 16, 1)
    picture.color_range = color_range
    frame = redacted(picture, regions_of(looked_at(16, 16), boxes=[(0, 0, 16, 16)]))
    assert not frame.whole
    for plane, black in zip(planes_of(frame.picture), blacks[pixel_format], strict=True):
        assert is_black(plane, black)


# Which blocks are hidden


@pytest.mark.parametrize("pixel_format", PLANAR)
@pytest.mark.parametrize(
    ("box", "chroma"),
    [
        ((4, 4, 8, 8), (2, 2, 4, 4)),  # on the grid: nothing more
        ((5, 5, 7, 7), (2, 2, 4, 4)),  # off the grid: outwards on every side
        ((5, 4, 6, 5), (2, 2, 3, 3)),  # one pixel hides its block
        ((-7, -3, 3, 2), (0, 0, 2, 1)),  # partly outside to the left and above
        ((17, 9, 99, 99), (8, 4, 11, 7)),  # partly outside to the right and below, over the odd edge
        ((20, 12, 21, 13), (10, 6, 11, 7)),  # the last, odd pixel alone
        ((-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), (0, 0, 11, 7)),  # the largest box there is
        ((3, 3, 3, 9), (1, 1, 2, 5)),  # no width, off the grid: hidden, for rounding may have taken the width
        ((4, 2, 4, 8), (2, 1, 2, 4)),  # no width, on the grid: nothing
        ((2, 4, 8, 4), (1, 2, 4, 2)),  # no height, on the grid: nothing
        ((-9, 0, -1, 5), (0, 0, 0, 0)),  # outside
        ((22, 0, 30, 5), (0, 0, 0, 0)),  # outside
        ((0, 14, 5, 20), (0, 0, 0, 0)),  # outside
    ],
)
def test_a_box_grows_outwards_to_the_chroma_grid(
    pixel_format: str, box: tuple[int, int, int, int], chroma: tuple[int, int, int, int]
) -> None:
    picture = noise(pixel_format, 21, 13, 3)
    frame = redacted(picture, regions_of(looked_at(21, 13), boxes=[box]))
    x1, y1, x2, y2 = chroma
    for index, side in ((0, 2), (1, 1), (2, 1)):
        before, after = plane_array(picture, index), plane_array(frame.picture, index)
        expected = before.copy()
        expected[y1 * side : y2 * side, x1 * side : x2 * side] = LIMITED_BLACK[pixel_format][index]
        assert np.array_equal(after, expected)
    hidden = (min(2 * x2, 21) - 2 * x1) * (min(2 * y2, 13) - 2 * y1)
    assert frame.covered_share == pytest.approx(hidden / (21 * 13), abs=1e-12)


def test_rgb_hides_the_pixels_of_the_box_and_no_more() -> None:
    picture = noise("rgb24", 21, 13, 3)
    frame = redacted(picture, regions_of(looked_at(21, 13), boxes=[(5, 3, 8, 4)]))
    expected = plane_array(picture, 0).copy()
    expected[3:4, 5:8] = 0
    assert np.array_equal(plane_array(frame.picture, 0), expected)
    assert frame.covered_share == pytest.approx(3 / (21 * 13))


def test_interlaced_rows_are_hidden_four_at_a_time_because_each_field_has_chroma_of_its_own() -> None:
    picture = interlaced(noise("yuv420p", 16, 16, 3))
    frame = redacted(picture, regions_of(looked_at(16, 16), boxes=[(2, 5, 4, 6)]))
    black = plane_array(frame.picture, 1)[:, 1]
    assert (black[2:4] == 128).all()
    assert changed(picture, frame.picture, 0)[4:8, 2:4].all()
    assert not changed(picture, frame.picture, 0)[:4].any()
    assert not changed(picture, frame.picture, 0)[8:].any()


def interlaced(picture: av.VideoFrame) -> av.VideoFrame:
    """The same picture with the flag that says it is made of two fields."""
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 25)
    )
    flag, sink = graph.add("setfield", "tff"), graph.add("buffersink")
    source.link_to(flag)
    flag.link_to(sink)
    graph.configure()
    graph.push(picture)
    flagged = graph.pull()
    assert isinstance(flagged, av.VideoFrame)
    return flagged


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(
    "triangle",
    [
        polygon((1, 8), (5, 8), (3, 39)),  # tall, at the left edge: its box ends further down than to the right
        polygon((8, 1), (8, 5), (39, 3)),  # wide, at the upper edge: the other way round
        polygon((30, 39), (39, 30), (39, 39)),  # up to the last, odd corner
    ],
)
def test_the_blocks_of_a_polygon_are_painted_and_no_other_sample(pixel_format: str, triangle: Polygon) -> None:
    picture, seen = noise(pixel_format, 39, 39, 3), HiddenBlocks()
    frame = redacted(picture, regions_of(looked_at(39, 39), polygons=[triangle]), seen)
    sides = (1,) if pixel_format == "rgb24" else (2, 1, 1)
    blacks = LIMITED_BLACK[pixel_format]
    for before, after, side, black in zip(planes_of(picture), planes_of(frame.picture), sides, blacks, strict=True):
        hidden = np.kron(seen.blocks, np.ones((side, side), np.uint8))[: after.shape[0], : after.shape[1]] == 1
        assert hidden.any()
        assert is_black(after[hidden], black)
        assert np.array_equal(after[~hidden], before[~hidden])


class HiddenBlocks:
    """A fill that draws nothing, and keeps which blocks are hidden."""

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        self.blocks = hidden.blocks


def test_overlapping_regions_are_counted_once() -> None:
    picture = noise("yuv420p", 40, 40, 3)
    triangle = polygon((0, 0), (39, 0), (0, 39))
    frame = redacted(
        picture, regions_of(looked_at(40, 40), boxes=[(0, 0, 20, 20), (10, 10, 30, 30)], polygons=[triangle])
    )
    black = (plane_array(frame.picture, 1) == 128) & (plane_array(frame.picture, 2) == 128)
    assert frame.covered_share == pytest.approx(float(black.mean()), abs=0.01)
    assert frame.covered_share < 1.0


# Evidence


def tiles(why: list[list[Why]], age_s: list[list[float]]) -> Looked:
    return Looked(name(), 16, np.array(why, np.uint8), np.array(age_s, np.float32), ("net@0",))


def test_a_tile_that_no_look_decided_is_hidden() -> None:
    looked = tiles([[Why.LOOKED, Why.UNDECIDED], [Why.UNCHANGED, Why.BRACKETED]], [[0, 0], [0.5, 0.5]])
    assert black_tiles(looked) == [[False, True], [False, False]]


def test_a_tile_whose_look_is_too_old_is_hidden() -> None:
    looked = tiles([[Why.LOOKED, Why.UNCHANGED], [Why.UNCHANGED, Why.BRACKETED]], [[0, 1.5], [1.0, 2.0]])
    assert black_tiles(looked) == [[False, True], [False, True]]


def test_a_tile_whose_age_is_not_a_number_is_hidden() -> None:
    looked = tiles([[Why.LOOKED, Why.LOOKED], [Why.LOOKED, Why.LOOKED]], [[0, float("nan")], [0, float("inf")]])
    assert black_tiles(looked) == [[False, True], [False, True]]


def test_every_tile_of_a_row_can_be_undecided() -> None:
    looked = tiles([[Why.UNDECIDED, Why.UNDECIDED], [Why.LOOKED, Why.LOOKED]], [[0, 0], [0, 0]])
    assert black_tiles(looked) == [[True, True], [False, False]]


def black_tiles(looked: Looked) -> list[list[bool]]:
    """Which tiles of 16 px a picture of 31 x 29 shows black: all of it; every other tile must be as it was."""
    picture = noise("yuv420p", 31, 29, 4)
    frame = redacted(picture, regions_of(looked))
    answer = []
    for y in (0, 16):
        row = []
        for x in (0, 16):
            part = changed(picture, frame.picture, 1)[y // 2 : y // 2 + 8, x // 2 : x // 2 + 8]
            luma = plane_array(frame.picture, 0)[y : y + 16, x : x + 16]
            row.append(is_black(luma, 16))
            assert row[-1] or not part.any()
        answer.append(row)
    return answer


def test_odd_tiles_grow_to_the_chroma_grid() -> None:
    looked = Looked(name(), 5, np.array([[1, 0, 1]], np.uint8), np.zeros((1, 3), np.float32), ("net@0",))
    picture = noise("yuv420p", 15, 5, 4)
    luma = plane_array(redacted(picture, regions_of(looked)).picture, 0)
    assert is_black(luma[:, 4:10], 16)
    assert np.array_equal(luma[:, :4], plane_array(picture, 0)[:, :4])
    assert np.array_equal(luma[:, 10:], plane_array(picture, 0)[:, 10:])


@pytest.mark.parametrize(("width", "height"), [(33, 32), (32, 33), (16, 32), (32, 16)])
def test_evidence_with_the_tiles_of_another_size_raises(width: int, height: int) -> None:
    with pytest.raises(BoundaryViolated, match=r"expected \(2, 2\) tiles"):
        redacted(noise("yuv420p", 32, 32, 4), regions_of(looked_at(width, height)))


# Whose regions


def test_regions_of_another_frame_raise_and_leave_the_frame_to_its_owner() -> None:
    raw = raw_frame(noise("yuv420p", 16, 16, 5), index=7)
    with pytest.raises(BoundaryViolated, match="frame 7 was given the regions of frame 6"):
        redact(raw, regions_of(looked_at(16, 16, index=6), index=6), Solid(), max_look_age_s=1.0)
    assert redact(raw, whole_frame(name(7)), Solid(), max_look_age_s=1.0).whole


def test_a_frame_can_be_redacted_once() -> None:
    raw = raw_frame(noise("yuv420p", 16, 16, 5))
    redact(raw, regions_of(looked_at(16, 16)), Solid(), max_look_age_s=1.0)
    with pytest.raises(BoundaryViolated, match="already consumed"):
        redact(raw, regions_of(looked_at(16, 16)), Solid(), max_look_age_s=1.0)


class Recorder:
    """A fill that keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, ...]] = []

    def fill(self, planes: Planes, hidden: Hidden) -> None:
        assert not hasattr(planes, "__dict__")
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(planes, dataclasses.fields(planes)[0].name, ())
        self.seen.append(tuple(array.tobytes() for array in planes.arrays))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_fill_is_never_shown_a_hidden_sample(pixel_format: str) -> None:
    recorder = Recorder()
    regions = regions_of(looked_at(21, 13), boxes=[(3, 3, 11, 9)], polygons=[polygon((12, 2), (20, 2), (15, 11))])
    redacted(noise(pixel_format, 21, 13, 5), regions, recorder)
    solid = redacted(noise(pixel_format, 21, 13, 5), regions)
    assert recorder.seen == [tuple(plane.tobytes() for plane in planes_of(solid.picture))]


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_what_the_fill_draws_is_what_is_shown(pixel_format: str) -> None:
    frame = redacted(noise(pixel_format, 16, 16, 5), regions_of(looked_at(16, 16), boxes=[(0, 0, 16, 16)]), Solid())
    for plane, black in zip(planes_of(frame.picture), LIMITED_BLACK[pixel_format], strict=True):
        assert not (plane == black).any()  # black under a cover is what a whole hidden frame has


# What the fresh frame carries


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_time_size_and_colour_pass_and_nothing_else(pixel_format: str) -> None:
    picture = noise(pixel_format, 16, 16, 6)
    picture.pts, picture.time_base, picture.dts = 1, Fraction(1, 1000), 5
    picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = FULL_RANGE, 1, 9, 16
    picture.opaque = "what a decoder left here"
    frame = redact(raw_frame(picture, 3), regions_of(looked_at(16, 16, 3), index=3), Solid(), max_look_age_s=1.0)
    out = sealed(frame).picture
    assert (frame.id, frame.time.ticks, frame.width, frame.height) == (name(3), 3 * 3600, 16, 16)
    assert (out.pts, out.time_base, out.format.name) == (3 * 3600, TIME_BASE, pixel_format)
    assert (out.color_range, out.colorspace, out.color_primaries, out.color_trc) == (FULL_RANGE, 1, 9, 16)
    assert out.dts is None
    assert out.opaque is None
    assert not out.metadata
    assert len(out.side_data) == 0


@pytest.mark.parametrize("height", [13, 1])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_what_pads_a_row_is_zero(pixel_format: str, height: int) -> None:
    picture = noise(pixel_format, 21, height, 6)
    out = redacted(picture, regions_of(looked_at(21, height))).picture
    for plane, view in zip(out.planes, planes_of(out), strict=True):
        used = view[0].nbytes
        padded = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
        assert plane.line_size > used
        assert not padded[:, used:].any()


def test_the_fresh_frame_shares_no_memory_with_the_decoder() -> None:
    picture, same = noise("yuv420p", 32, 32, 6), noise("yuv420p", 32, 32, 6)
    out = redacted(picture, regions_of(looked_at(32, 32), boxes=[(0, 0, 32, 32)])).picture
    for before, untouched, after in zip(planes_of(picture), planes_of(same), planes_of(out), strict=True):
        assert not np.shares_memory(before, after)
        assert np.array_equal(before, untouched)


def test_a_picture_stored_upside_down_is_hidden_where_the_viewer_sees_the_box() -> None:
    picture = noise("yuv420p", 32, 32, 6)
    graph = Graph()
    source = graph.add_buffer(width=32, height=32, format=picture.format, time_base=Fraction(1, 25))
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    graph.push(picture)
    flipped = graph.pull()
    assert isinstance(flipped, av.VideoFrame)
    assert flipped.planes[0].line_size < 0
    frame = redacted(flipped, regions_of(looked_at(32, 32), boxes=[(0, 0, 32, 8)]))
    expected = plane_array(picture, 0)[::-1].copy()
    expected[:8] = 16
    assert np.array_equal(plane_array(frame.picture, 0), expected)
