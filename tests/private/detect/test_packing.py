"""Packing: every part lies once on some canvas, apart from the others, and what is found there is mapped back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.finder import _of_piece
from skyveil.private.detect.packing import EDGE_PX, HIGH_WH, SMALL_WH, WIDE_WH, Piece, _pixels, enlarged, fits, packed
from skyveil.private.detect.pyramid import Area
from tests.private.made import steady

PICTURE_WH = (4000, 3000)
SCALES = st.sampled_from([0.5, 1.0, 1.37, 2.0])


@st.composite
def _areas(draw: st.DrawFn, scale: float) -> list[Area]:
    sides = draw(st.sampled_from([SMALL_WH, WIDE_WH, HIGH_WH]))
    wide, high = int(sides[0] / scale), int(sides[1] / scale)
    found: list[Area] = []
    for _ in range(draw(st.integers(0, 25))):
        x, y = 2 * draw(st.integers(0, 900)), 2 * draw(st.integers(0, 500))
        found.append((x, y, x + draw(st.integers(1, wide)), y + draw(st.integers(1, high))))
    return found


PLANS = SCALES.flatmap(lambda scale: st.tuples(_areas(scale), st.just(scale)))


@steady
@given(PLANS)
def test_every_area_is_placed_once(plan: tuple[list[Area], float]) -> None:
    areas, scale = plan
    placed = [piece.area for canvas in packed(areas, scale) for piece in canvas.pieces]
    assert sorted(placed) == sorted(areas)


@steady
@given(PLANS)
def test_pieces_lie_inside_their_canvas_and_never_touch(plan: tuple[list[Area], float]) -> None:
    for canvas in packed(*plan):
        used = np.zeros(canvas.size_wh[::-1], np.uint8)
        for piece in canvas.pieces:
            assert piece.left >= 0
            assert piece.left + piece.width <= canvas.size_wh[0]
            assert piece.top >= 0
            assert piece.top + piece.height <= canvas.size_wh[1]
            around = used[
                max(0, piece.top - 1) : piece.top + piece.height + 1,
                max(0, piece.left - 1) : piece.left + piece.width + 1,
            ]
            assert not around.any()
            used[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width] = 1


@steady
@given(PLANS)
def test_no_canvas_is_empty_and_pieces_have_the_scale_that_was_asked_for(plan: tuple[list[Area], float]) -> None:
    areas, scale = plan
    for canvas in packed(areas, scale):
        assert canvas.pieces
        for piece in canvas.pieces:
            x1, y1, x2, y2 = piece.area
            assert abs(piece.width - (x2 - x1) * scale) <= 1
            assert abs(piece.height - (y2 - y1) * scale) <= 1


def on_canvas(piece: Piece, xyxy: tuple[float, float, float, float]) -> Scored:
    """Where a box of the picture lies on the canvas."""
    x1, y1, x2, y2 = piece.area
    wide, high = piece.width / (x2 - x1), piece.height / (y2 - y1)
    a, b, c, d = xyxy
    box = [piece.left + (a - x1) * wide, piece.top + (b - y1) * high]
    box += [piece.left + (c - x1) * wide, piece.top + (d - y1) * high]
    return Scored(np.array([box], np.float32), np.ones(1, np.float32))


@steady
@given(PLANS, st.floats(0, 1), st.floats(0, 1))
def test_a_box_found_well_inside_a_piece_is_where_it_was_in_the_picture_and_on_no_other_piece(
    plan: tuple[list[Area], float], across: float, down: float
) -> None:
    for canvas in packed(*plan):
        for piece in (one for one in canvas.pieces if min(one.width, one.height) > 2 * EDGE_PX + 1):
            x1, y1, x2, y2 = piece.area
            wide, high = piece.width / (x2 - x1), piece.height / (y2 - y1)
            x = x1 + (EDGE_PX + 0.5 + across * (piece.width - 2 * EDGE_PX - 1)) / wide
            y = y1 + (EDGE_PX + 0.5 + down * (piece.height - 2 * EDGE_PX - 1)) / high
            box = (x - 3, y - 4, x + 3, y + 4)
            found = on_canvas(piece, box)
            assert np.allclose(_of_piece(found, piece, PICTURE_WH).xyxy, [box], atol=0.02)
            assert not any(
                len(_of_piece(found, other, PICTURE_WH).xyxy) for other in canvas.pieces if other is not piece
            )


@steady
@given(PLANS)
def test_enlarged_or_not_every_area_is_on_one_canvas_and_none_is_shrunk(plan: tuple[list[Area], float]) -> None:
    areas, scale = plan
    canvases = enlarged(areas, scale)
    assert sorted(piece.area for canvas in canvases for piece in canvas.pieces) == sorted(areas)
    assert _pixels(canvases) <= _pixels(packed(areas, scale))
    for size_wh, piece in ((canvas.size_wh, piece) for canvas in canvases for piece in canvas.pieces):
        x1, y1, x2, y2 = piece.area
        assert piece.left + piece.width <= size_wh[0]
        assert piece.top + piece.height <= size_wh[1]
        assert piece.width >= (x2 - x1) * scale - 1
        assert piece.height >= (y2 - y1) * scale - 1


def test_parts_are_enlarged_on_the_canvas_that_they_need_anyway_and_on_no_larger_one() -> None:
    (canvas,) = enlarged([(0, 0, 90, 90)], 1.0)
    assert (canvas.size_wh, canvas.pieces[0].width) == (SMALL_WH, 180)
    (canvas,) = enlarged([(0, 0, 150, 90)], 1.0)
    assert (canvas.size_wh, canvas.pieces[0].width) == (SMALL_WH, 150)


def test_what_is_found_in_the_grey_between_pieces_is_dropped() -> None:
    (canvas,) = packed([(0, 0, 40, 40), (100, 0, 140, 40)], 1.0)
    grey = Scored(np.array([[41, 10, 47, 20], [10, 60, 30, 80]], np.float32), np.ones(2, np.float32))
    assert not any(len(_of_piece(grey, piece, PICTURE_WH).xyxy) for piece in canvas.pieces)


def test_parts_that_fit_on_a_small_canvas_get_one() -> None:
    (canvas,) = packed([(0, 0, 150, 90), (200, 0, 350, 90)], 1.0)
    assert canvas.size_wh == SMALL_WH
    assert [canvas.size_wh for canvas in packed([(0, 0, 150, 90), (200, 0, 350, 90), (400, 0, 500, 90)], 1.0)] == [
        WIDE_WH
    ]


def test_a_high_part_takes_others_along_on_its_canvas() -> None:
    assert fits((0, 0, 120, 300), 1.0)
    (canvas,) = packed([(0, 0, 120, 300), (400, 100, 440, 150)], 1.0)
    assert canvas.size_wh == HIGH_WH
    assert len(packed([(0, 0, 120, 300), (400, 100, 700, 150)], 1.0)) == 2
