"""What a network is shown: right colours, right place, right size, for every kind of frame."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.core.ids import FrameId
from skyveil.core.time import MediaTime
from skyveil.private._pixels import Plane, plane_array
from skyveil.private.detect.view import blank, edged, letterboxed, rgb_view, shrunk_luma
from skyveil.private.frame import RawFrame
from tests.conftest import Picture
from tests.private.made import SOURCE, frame_of, plain, steady

LIMITED, FULL = 1, 2
"""AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG."""
BT601 = 5
"""AVCOL_SPC_BT470BG."""
KINDS = [("yuv420p", LIMITED), ("yuv420p", FULL), ("yuv420p10le", LIMITED), ("yuv420p10le", FULL)]


def raw_of(picture: av.VideoFrame) -> RawFrame:
    return RawFrame(picture, FrameId(SOURCE, 0), MediaTime(0, Fraction(1, 25)))


def encoded(rgb: Picture, pixel_format: str, color_range: int) -> av.VideoFrame:
    """The picture in another format, by PyAV's own conversion."""
    made = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format=pixel_format, dst_colorspace=BT601, src_color_range=FULL, dst_color_range=color_range
    )
    made.color_range = color_range
    return made


def coloured(width: int = 64, height: int = 48) -> Picture:
    """Smooth colours, without edges that halved chroma would blur."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 200 // width + 20, y * 200 // height + 20, 220 - x * 100 // width - y * 100 // height]
    return np.stack(channels, axis=2).astype(np.uint8)


def whole(raw: RawFrame) -> NDArray[np.uint8]:
    return rgb_view(raw, (0, 0, raw.width, raw.height), (raw.width, raw.height))


@pytest.mark.parametrize(("pixel_format", "color_range"), KINDS)
def test_colours_are_those_that_the_media_library_gives(pixel_format: str, color_range: int) -> None:
    picture = encoded(coloured(), pixel_format, color_range)
    trusted = picture.reformat(
        format="rgb24", src_colorspace=BT601, src_color_range=color_range, dst_color_range=FULL
    ).to_ndarray()
    seen = whole(raw_of(picture))
    difference = np.abs(seen.astype(int) - trusted)
    assert difference.mean() <= 2  # PyAV dithers and takes chroma from the nearest sample
    assert difference.max() <= 8
    assert np.abs(seen.astype(int) - coloured()).max() <= 8


@pytest.mark.parametrize(("pixel_format", "color_range"), KINDS)
@pytest.mark.parametrize("grey", [0, 255])
def test_black_and_white_are_black_and_white(pixel_format: str, color_range: int, grey: int) -> None:
    picture = encoded(np.full((16, 16, 3), grey, np.uint8), pixel_format, color_range)
    assert np.abs(whole(raw_of(picture)).astype(int) - grey).max() <= 2


def test_a_picture_in_rgb_is_shown_as_it_is() -> None:
    rgb = coloured()
    picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    assert np.array_equal(whole(raw_of(picture)), rgb)
    part = rgb_view(raw_of(picture), (10, 4, 40, 30), (30, 26))
    assert np.array_equal(part, rgb[4:30, 10:40])


@steady
@given(st.data())
def test_a_part_is_exactly_that_part(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(4, 61)), data.draw(st.integers(4, 47))
    x1, y1 = 2 * data.draw(st.integers(0, (width - 2) // 2)), 2 * data.draw(st.integers(0, (height - 2) // 2))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    luma = np.random.default_rng(1).integers(16, 236, (height, width), np.uint8)
    seen = rgb_view(frame_of(luma), (x1, y1, x2, y2), (x2 - x1, y2 - y1))
    expected = np.clip(np.rint((luma[y1:y2, x1:x2].astype(float) - 16) * 255 / 219), 0, 255)
    assert seen.shape == (y2 - y1, x2 - x1, 3)
    assert np.abs(seen.astype(float) - expected[..., None]).max() <= 1


@pytest.mark.parametrize(("pixel_format", "color_range"), [*KINDS, ("rgb24", FULL)])
def test_the_chroma_of_a_part_is_that_of_the_part(pixel_format: str, color_range: int) -> None:
    rgb = np.zeros((32, 48, 3), np.uint8)
    rgb[8:20, 16:30, 0] = 200
    raw = raw_of(encoded(rgb, pixel_format, color_range))
    red = rgb_view(raw, (16, 8, 30, 20), (14, 12)).astype(int)
    assert (red[2:-2, 2:-2, 0] > 180).all()
    assert (red[2:-2, 2:-2, 1:] < 20).all()
    assert rgb_view(raw, (32, 8, 48, 20), (16, 12)).max() < 20


@pytest.mark.parametrize("size", [(128, 96), (32, 24), (50, 70)])
def test_a_part_takes_the_size_that_is_asked_for(size: tuple[int, int]) -> None:
    picture = encoded(coloured(), "yuv420p", LIMITED)
    seen = rgb_view(raw_of(picture), (0, 0, 64, 48), size)
    trusted = cv2.resize(coloured(), size, interpolation=cv2.INTER_LINEAR)
    assert seen.shape == (size[1], size[0], 3)
    assert np.abs(seen.astype(int) - trusted).max() <= 10


def test_looking_changes_nothing() -> None:
    picture = encoded(coloured(), "yuv420p", LIMITED)
    before = [bytes(plane) for plane in picture.planes]
    raw = raw_of(picture)
    whole(raw)[:] = 0
    shrunk_luma(raw, shrink=8)[:] = 0
    rgb_view(raw, (0, 0, 64, 48), (64, 48))[:] = 0
    assert [bytes(plane) for plane in picture.planes] == before


def test_a_view_of_rgb_is_no_door_to_the_frame() -> None:
    picture = av.VideoFrame.from_ndarray(coloured(), format="rgb24")
    before = bytes(picture.planes[0])
    seen = whole(raw_of(picture))
    if seen.flags.writeable:
        seen[:] = 0
    assert bytes(picture.planes[0]) == before


@pytest.mark.parametrize("shrink", [1, 2])
def test_shrunk_luma_is_the_mean_of_each_square(shrink: int) -> None:
    luma = np.random.default_rng(2).integers(0, 256, (48, 64), np.uint8)
    means = luma.reshape(48 // shrink, shrink, 64 // shrink, shrink).mean(axis=(1, 3))
    assert np.abs(shrunk_luma(frame_of(luma), shrink=shrink) - means).max() <= 0.51


@pytest.mark.parametrize("shrink", [4, 8, 16])
def test_luma_shrunk_far_is_the_mean_of_what_lies_in_the_middle_of_every_four_pixels(shrink: int) -> None:
    luma = np.random.default_rng(2).integers(0, 256, (48, 64), np.uint8)
    middle = luma.reshape(12, 4, 16, 4)[:, 1:3, :, 1:3]
    squares = shrink // 4
    means = middle.mean(axis=(1, 3)).reshape(12 // squares, squares, 16 // squares, squares).mean(axis=(1, 3))
    assert np.abs(shrunk_luma(frame_of(luma), shrink=shrink) - means).max() <= 2


def test_shrunk_luma_of_ten_bits_is_that_of_eight() -> None:
    picture = av.VideoFrame(64, 48, "yuv420p10le")
    luma = np.random.default_rng(2).integers(0, 1024, (48, 64)).astype(np.uint16)
    filled: Plane = plane_array(picture, 0)
    filled[:] = luma
    means = luma.reshape(24, 2, 32, 2).mean(axis=(1, 3)) / 4
    assert np.abs(shrunk_luma(raw_of(picture), shrink=2) - means).max() <= 1


@pytest.mark.parametrize(
    ("width", "height", "shape"), [(64, 48, (6, 8)), (71, 55, (6, 8)), (7, 3, (1, 1)), (9, 8, (1, 1))]
)
def test_shrunk_luma_leaves_out_what_is_less_than_a_square(width: int, height: int, shape: tuple[int, int]) -> None:
    small = shrunk_luma(frame_of(plain(77, width=width, height=height)), shrink=8)
    assert small.shape == shape
    assert (small == 77).all()


def test_shrunk_luma_of_rgb_follows_green() -> None:
    picture = av.VideoFrame.from_ndarray(coloured(), format="rgb24")
    means = coloured()[..., 1].reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(shrunk_luma(raw_of(picture), shrink=2) - means).max() <= 0.51


def test_a_view_smaller_than_its_canvas_lies_in_the_top_left_of_grey() -> None:
    canvas = letterboxed(coloured(), (96, 64))
    assert canvas.shape == (64, 96, 3)
    assert np.array_equal(canvas[:48, :64], coloured())
    assert (canvas[48:] == blank((1, 1))).all()
    assert (canvas[:, 64:] == blank((1, 1))).all()


def test_a_view_goes_on_in_its_last_row_and_column() -> None:
    view = coloured()
    canvas = edged(view, (96, 64))
    assert canvas.shape == (64, 96, 3)
    assert np.array_equal(canvas[:48, :64], view)
    assert (canvas[48:, :64] == view[-1]).all()
    assert (canvas[:48, 64:] == view[:, -1:]).all()
    assert np.array_equal(edged(view, (64, 48)), view)


def test_a_view_that_fills_its_canvas_is_its_canvas() -> None:
    view = coloured()
    assert letterboxed(view, (64, 48)) is view
