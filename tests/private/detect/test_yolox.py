"""YOLOX's cells, made by hand, and the boxes they mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.yolox import STRIDES_PX, decode
from tests.private.made import Box, steady

INPUT_HW = 96, 160


class Cells:
    """Cells of one picture in which bodies are put where a test wants them."""

    def __init__(self) -> None:
        count = sum((INPUT_HW[0] // stride) * (INPUT_HW[1] // stride) for stride in STRIDES_PX)
        self._cells: NDArray[np.float32] = np.zeros((1, count, 85), np.float32)

    def put(self, box: Box, *, stride: int, kind: int, objectness: float = 1.0, chance: float = 1.0) -> "Cells":
        """A box in the cell of its centre, at one stride."""
        x, y = (box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride
        before = sum((INPUT_HW[0] // one) * (INPUT_HW[1] // one) for one in STRIDES_PX if one < stride)
        cell = self._cells[0, before + int(y) * (INPUT_HW[1] // stride) + int(x)]
        cell[:4] = x - int(x), y - int(y), np.log((box[2] - box[0]) / stride), np.log((box[3] - box[1]) / stride)
        cell[4], cell[5 + kind] = objectness, chance
        return self

    def found(self, *, threshold: float = 0.1) -> Scored:
        return decode((self._cells,), input_hw=INPUT_HW, threshold=threshold)


def test_empty_cells_are_nobody() -> None:
    assert Cells().found().xyxy.shape == (0, 4)


@steady
@given(
    st.sampled_from(STRIDES_PX),
    st.floats(0.5, 159, width=32),
    st.floats(0.5, 95, width=32),
    st.floats(4, 150, width=32),
    st.floats(4, 90, width=32),
)
def test_a_body_comes_out_where_it_was_put_at_every_stride(
    stride: int, x: float, y: float, width: float, height: float
) -> None:
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    found = Cells().put(box, stride=stride, kind=0, objectness=0.5).found()
    assert np.allclose(found.xyxy, [box], atol=0.01)
    assert found.score.tolist() == [0.5]
    assert found.xyxy.dtype == found.score.dtype == np.float32


BODY: Box = (20, 20, 40, 80)


def test_the_score_is_objectness_times_class() -> None:
    cells = Cells().put(BODY, stride=8, kind=0, objectness=0.8, chance=0.5)
    assert cells.found().score.tolist() == pytest.approx([0.4])
    assert len(cells.found(threshold=0.41).xyxy) == 0
    assert len(cells.found(threshold=0.39).xyxy) == 1


def test_other_classes_are_left_out() -> None:
    cells = Cells().put(BODY, stride=16, kind=0).put((90, 20, 150, 60), stride=32, kind=3)
    assert cells.found().xyxy.tolist() == pytest.approx([pytest.approx(BODY, abs=0.01)])


def test_a_body_seen_at_two_strides_is_one() -> None:
    cells = Cells().put(BODY, stride=8, kind=0, chance=0.6).put(BODY, stride=16, kind=0, chance=0.9)
    assert cells.found().score.tolist() == pytest.approx([0.9])


def test_people_who_stand_close_both_stay() -> None:
    cells = Cells().put(BODY, stride=8, kind=0).put((28, 20, 48, 80), stride=8, kind=0, chance=0.5)
    assert len(cells.found().xyxy) == 2


@pytest.mark.parametrize("logarithm", [12.0, 22.0, 90.0])
def test_a_size_beyond_all_numbers_is_a_box_that_holds_the_picture(logarithm: float) -> None:
    cells = Cells().put(BODY, stride=32, kind=0)
    cells._cells[0, :, 2:4] = logarithm
    x1, y1, x2, y2 = cells.found().xyxy[0].tolist()
    assert -(2**24) < x1 < 0 and -(2**24) < y1 < 0
    assert INPUT_HW[1] < x2 < 2**24 and INPUT_HW[0] < y2 < 2**24
