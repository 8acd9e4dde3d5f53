"""The raw frame is opaque, keeps its name, and can be opened once."""

import copy
import pickle  # noqa: TID251 (that it fails is what is tested)

import av
import numpy as np
import pytest

from skyveil.core.errors import BoundaryViolated
from skyveil.private._pixels import look, picture_format, plane_array, take
from skyveil.private.frame import RawFrame
from tests.gate.pictures import FORMATS, name, noise, planes_of, raw_frame


def test_its_repr_says_name_and_size_and_shows_no_pixels() -> None:
    assert repr(raw_frame(noise("yuv420p", 32, 18, 1), 4)) == "RawFrame(camera:4, 32x18)"


def test_a_pixel_format_that_the_gate_can_not_paint_is_refused() -> None:
    for other in ("yuv444p", "yuvj420p"):
        with pytest.raises(BoundaryViolated, match=f"pixel format {other} is not one of"):
            raw_frame(av.VideoFrame(16, 16, other))


def test_it_can_not_be_subclassed() -> None:
    with pytest.raises(BoundaryViolated, match="subclassed"):
        type("Open", (RawFrame,), {})


@pytest.mark.parametrize("escape", [pickle.dumps, copy.copy, copy.deepcopy, np.asarray])
def test_it_can_not_be_pickled_copied_or_made_an_array(escape: object) -> None:
    assert callable(escape)
    with pytest.raises(BoundaryViolated):
        escape(raw_frame(noise("yuv420p", 16, 16, 1)))


@pytest.mark.parametrize("field", ["id", "damaged", "width", "_RawFrame__picture", "new"])
def test_no_field_can_be_set_or_deleted(field: str) -> None:
    raw = raw_frame(noise("yuv420p", 16, 16, 1))
    with pytest.raises(BoundaryViolated, match="can not be set"):
        setattr(raw, field, name(9))
    with pytest.raises(BoundaryViolated, match="can not be deleted"):
        delattr(raw, field)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_look_borrows_planes_that_can_not_be_written(pixel_format: str) -> None:
    picture = noise(pixel_format, 21, 13, 1)
    raw = raw_frame(picture)
    views = look(raw)
    assert picture_format(raw) == pixel_format
    assert len(views) == (1 if pixel_format == "rgb24" else 3)
    for view, plane in zip(views, planes_of(picture), strict=True):
        assert np.array_equal(view, plane)
        assert not view.flags.writeable
        assert view.shape[:2] in {(13, 21), (7, 11)}


def test_a_plane_is_a_view_also_where_rows_are_padded() -> None:
    picture = av.VideoFrame(5, 3, "rgb24")
    plane_array(picture, 0)[:] = 7
    assert picture.to_ndarray().tolist() == [[[7, 7, 7]] * 5] * 3


def test_taking_the_picture_leaves_an_empty_frame() -> None:
    picture = noise("yuv420p", 16, 16, 1)
    raw = raw_frame(picture)
    assert take(raw) is picture
    for use in (take, look, picture_format):
        with pytest.raises(BoundaryViolated, match="frame 0 was already consumed by the gate"):
            use(raw)
    assert repr(raw) == "RawFrame(camera:0, 16x16)"
