"""Covers seen in a redacted picture: their place after a codec, the picture without them, and holes in them."""

import cv2
import numpy as np
import pytest

from skyveil.gate.fill import _INDIGO_RGB
from skyveil.private import covers_seen
from skyveil.private.covers_seen import FILL_RGB, enclosed, fill_of, without_covers
from skyveil.private.detect.view import Rgb
from tests.conftest import Picture

Box = tuple[float, float, float, float]


def of(*boxes: Box, fill: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> list[float]:
    shares: list[float] = enclosed(np.array(boxes, np.float32), fill).tolist()
    return shares


def test_the_fill_that_the_gate_paints_is_known() -> None:
    assert FILL_RGB == _INDIGO_RGB


def test_a_square_of_the_fill_is_fill_and_a_line_is_not() -> None:
    view = np.full((60, 60, 3), 200, np.uint8)
    view[10:30, 10:30] = np.add(FILL_RGB, 3)
    view[50:52, :] = FILL_RGB
    fill = fill_of(view)
    assert fill[10:30, 10:30].all()
    assert fill.sum() == 400


def test_a_thin_rim_that_is_joined_to_a_square_is_fill() -> None:
    view = np.full((40, 40, 3), 200, np.uint8)
    view[10:26, 10:30] = FILL_RGB
    view[12:24, 11:25] = 90
    assert fill_of(view)[10:26, 10].all()


def lit(astronaut: Picture, gain: float) -> Rgb:
    """The portrait in light of the colour of covers."""
    luma = cv2.cvtColor(np.array(astronaut[:256, 100:356]), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return np.asarray(np.clip(luma[..., None] * np.array(FILL_RGB) * gain, 0, 255), np.uint8)


@pytest.mark.parametrize("gain", [1.0, 1.3, 1.8, 2.5])
def test_a_face_in_light_of_that_colour_is_no_fill(astronaut: Picture, gain: float) -> None:
    assert fill_of(lit(astronaut, gain))[70:190, 70:185].mean() < 0.01


def test_a_cover_in_light_of_that_colour_is_fill(astronaut: Picture) -> None:
    view = lit(astronaut, 2.5)
    view[60:200, 60:195] = np.add(FILL_RGB, 3)
    fill = fill_of(view)
    assert fill[60:200, 60:195].all()
    assert fill.mean() < 0.32


def test_an_even_wall_of_a_colour_beside_that_of_covers_is_no_fill() -> None:
    assert not fill_of(np.full((40, 60, 3), np.add(FILL_RGB, 10), np.uint8)).any()


@pytest.mark.parametrize(("height", "width"), [(300, 211), (513, 64), (65, 300)])
def test_a_picture_in_strips_gives_what_one_strip_gives(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(height)
    view = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    for _ in range(8):
        x, y = rng.integers(0, width - 20), rng.integers(0, height - 20)
        view[y : y + 60, x : x + 30] = FILL_RGB
    monkeypatch.setattr(covers_seen, "_STRIP_ROWS", 64)
    fill = fill_of(view)
    shown = without_covers(view, fill)
    monkeypatch.setattr(covers_seen, "_STRIP_ROWS", 4096)
    assert fill.any()
    assert np.array_equal(fill_of(view), fill)
    assert np.array_equal(without_covers(view, fill), shown)


def test_a_cover_takes_the_colours_around_it_and_the_rest_stays() -> None:
    view = np.zeros((65, 90, 3), np.uint8)
    view[:, :45], view[:, 45:] = (200, 40, 40), (40, 200, 40)
    covered = view.copy()
    covered[20:40, 10:30] = FILL_RGB
    covered[20:40, 60:80] = FILL_RGB
    shown = without_covers(covered, fill_of(covered))
    assert np.abs(shown[20:40, 10:30].astype(int) - (200, 40, 40)).max() <= 1
    assert np.abs(shown[20:40, 60:80].astype(int) - (40, 200, 40)).max() <= 1
    bare = ~fill_of(covered)
    assert np.array_equal(shown[bare], view[bare])


def test_no_colour_of_a_cover_is_left_after_a_jpeg() -> None:
    view = np.full((64, 96, 3), (190, 180, 170), np.uint8)
    view[21:43, 33:60] = FILL_RGB
    coded = cv2.imdecode(cv2.imencode(".jpg", view[..., ::-1])[1], cv2.IMREAD_COLOR)
    assert coded is not None
    shown = np.ascontiguousarray(coded[..., ::-1], np.uint8)
    fill = fill_of(shown)
    assert fill[24:40, 36:57].all()
    assert np.abs(without_covers(shown, fill)[24:40, 36:57].astype(int) - (190, 180, 170)).max() < 40


@pytest.mark.parametrize("colour", [FILL_RGB, (10, 200, 10)])
def test_a_view_that_is_all_cover_or_has_none_stays(colour: tuple[int, int, int]) -> None:
    view = np.full((33, 47, 3), colour, np.uint8)
    assert without_covers(view, fill_of(view)) is view


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((30, 30, 50, 50), 1.0),  # the hole
        ((28, 27, 53, 52), 1.0),  # a network's box is not exact
        ((70, 70, 90, 90), 0.0),  # nowhere near the cover
        ((30, 60, 50, 80), 0.0),  # below it, as a neck is
        ((20, 20, 30, 30), None),  # covered itself
        ((12, 12, 36, 36), None),  # its middle is
    ],
)
def test_a_hole_has_fill_along_all_its_sides(box: Box, expected: float | None) -> None:
    fill = np.zeros((100, 100), np.bool_)
    fill[20:60, 20:60] = True
    fill[30:50, 30:50] = False
    (share,) = of(box, fill=fill)
    if expected is None:
        assert np.isnan(share)
    else:
        assert share == pytest.approx(expected, abs=0.01)


def test_a_notch_at_the_edge_of_a_cover_counts_by_what_is_left_of_its_sides() -> None:
    fill = np.zeros((100, 100), np.bool_)
    fill[20:60, 20:60] = True
    fill[30:50, 20:40] = False
    (open_side,) = of((20, 30, 40, 50), fill=fill)
    fill[30:46, 20:23] = True
    (mostly_closed,) = of((23, 30, 40, 50), fill=fill)
    assert open_side == pytest.approx(0.75**8)
    assert 0.5 < mostly_closed < 1


def test_a_side_out_of_the_picture_does_not_count_and_a_corner_is_no_hole() -> None:
    fill = np.ones((60, 60), np.bool_)
    fill[20:40, :20] = False
    fill[:15, 45:] = False
    assert of((0, 20, 20, 40), (45, 0, 60, 15), fill=fill) == [1.0, 0.0]
