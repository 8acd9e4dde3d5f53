"""CenterFace's maps, made by hand, and the boxes they mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.private.detect.centerface import STRIDE_PX, decode
from skyveil.private.detect.engine import Outputs
from tests.private.made import Box, steady

ROWS, COLUMNS = 24, 40


class Maps:
    """Maps of a batch in which faces are put where a test wants them."""

    def __init__(self, batch: int = 1) -> None:
        self._heat: NDArray[np.float32] = np.zeros((batch, 1, ROWS, COLUMNS), np.float32)
        self._size: NDArray[np.float32] = np.zeros((batch, 2, ROWS, COLUMNS), np.float32)
        self._offset: NDArray[np.float32] = np.zeros((batch, 2, ROWS, COLUMNS), np.float32)

    def put(self, box: Box, score: float, *, picture: int = 0) -> "Maps":
        """A face with this box, in the cell of its centre."""
        x, y = (box[0] + box[2]) / 2 / STRIDE_PX - 0.5, (box[1] + box[3]) / 2 / STRIDE_PX - 0.5
        row, column = round(y), round(x)
        self._heat[picture, 0, row, column] = score
        self._size[picture, :, row, column] = np.log([(box[3] - box[1]) / STRIDE_PX, (box[2] - box[0]) / STRIDE_PX])
        self._offset[picture, :, row, column] = y - row, x - column
        return self

    @property
    def outputs(self) -> Outputs:
        return self._heat, self._size, self._offset


def test_no_heat_is_no_face() -> None:
    (found,) = decode(Maps().outputs, threshold=0.1)
    assert found.xyxy.shape == (0, 4)
    assert found.score.shape == (0,)


@steady
@given(st.floats(8, 150, width=32), st.floats(8, 80, width=32), st.floats(4, 90, width=32), st.floats(4, 90, width=32))
def test_a_face_comes_out_where_it_was_put(x: float, y: float, width: float, height: float) -> None:
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    (found,) = decode(Maps().put(box, 0.75).outputs, threshold=0.1)
    assert np.allclose(found.xyxy, [box], atol=0.01)
    assert found.score.tolist() == [0.75]
    assert found.xyxy.dtype == found.score.dtype == np.float32


@pytest.mark.parametrize(("score", "count"), [(0.49, 0), (0.51, 1)])
def test_a_face_counts_from_the_threshold_on(score: float, count: int) -> None:
    (found,) = decode(Maps().put((40, 40, 60, 64), score).outputs, threshold=0.5)
    assert len(found.xyxy) == count


def test_cells_that_say_the_same_are_one_face() -> None:
    maps = Maps().put((40, 40, 60, 64), 0.6).put((43, 40, 65, 64), 0.9).put((100, 40, 120, 64), 0.4)
    (found,) = decode(maps.outputs, threshold=0.1)
    assert sorted(found.score.tolist()) == pytest.approx([0.4, 0.9])


def test_pictures_of_a_batch_are_answered_one_by_one() -> None:
    maps = Maps(3).put((40, 40, 60, 64), 0.5, picture=0).put((80, 20, 100, 44), 0.7, picture=2)
    assert [found.score.tolist() for found in decode(maps.outputs, threshold=0.1)] == [
        [0.5],
        [],
        [np.float32(0.7)],
    ]


@pytest.mark.parametrize("logarithm", [12.0, 22.0, 90.0])
def test_a_size_beyond_all_numbers_is_a_box_that_holds_the_picture(logarithm: float) -> None:
    heat, size, offset = Maps().put((40, 40, 60, 64), 0.9).outputs
    (found,) = decode((heat, np.full_like(size, logarithm), offset), threshold=0.1)
    x1, y1, x2, y2 = found.xyxy[0].tolist()
    assert -(2**24) < x1 < 0 and -(2**24) < y1 < 0
    assert COLUMNS * STRIDE_PX < x2 < 2**24 and ROWS * STRIDE_PX < y2 < 2**24
