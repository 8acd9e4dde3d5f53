"""YuNet's answers as boxes, against cells filled by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.private.detect.yunet import decode

HEIGHT_PX, WIDTH_PX = 64, 96


def silent() -> list[NDArray[np.float32]]:
    """An answer in which no cell sees anything: class, objectness, box, each for strides 8, 16, 32."""
    cells = [(HEIGHT_PX // stride) * (WIDTH_PX // stride) for stride in (8, 16, 32)]
    return [np.zeros((1, count, width), np.float32) for width in (1, 1, 4) for count in cells]


def test_nothing_seen_is_no_box() -> None:
    found = decode(tuple(silent()), height_px=HEIGHT_PX, width_px=WIDTH_PX, threshold=0.1)
    assert found.xyxy.shape == (0, 4)
    assert found.score.shape == (0,)


def test_a_cell_speaks_for_its_place_in_pixels() -> None:
    answer = silent()
    cell = 1 * (WIDTH_PX // 16) + 4  # row 1, column 4 of stride 16
    answer[1][0, cell], answer[4][0, cell] = 0.81, 0.64
    answer[7][0, cell] = [0.5, 0.25, np.log(2), np.log(1.5)]
    found = decode(tuple(answer), height_px=HEIGHT_PX, width_px=WIDTH_PX, threshold=0.1)
    # Centre (4.5, 1.25) * 16 = (72, 20), size (2, 1.5) * 16 = (32, 24), score sqrt(0.81 * 0.64).
    assert found.xyxy.tolist() == pytest.approx(np.array([[56.0, 8.0, 88.0, 32.0]]))
    assert found.score.tolist() == pytest.approx([0.72])


def test_two_cells_that_mean_one_face_give_one_box() -> None:
    answer = silent()
    for cell, score in ((0, 0.5), (1, 0.9)):
        answer[0][0, cell] = answer[3][0, cell] = score
        answer[6][0, cell] = [0.5 - cell, 0.5, np.log(4), np.log(4)]  # both centres at (4, 4)
    found = decode(tuple(answer), height_px=HEIGHT_PX, width_px=WIDTH_PX, threshold=0.1)
    assert found.score.tolist() == pytest.approx([0.9])


def test_scores_outside_zero_to_one_are_cut() -> None:
    answer = silent()
    answer[0][0, 0], answer[3][0, 0] = 1.5, 1.2
    answer[0][0, 5], answer[3][0, 5] = -1.0, -1.0
    found = decode(tuple(answer), height_px=HEIGHT_PX, width_px=WIDTH_PX, threshold=0.1)
    assert found.score.tolist() == [1.0]


@pytest.mark.parametrize("damage", ["arrays", "cells"])
def test_an_answer_of_another_shape_is_refused(damage: str) -> None:
    answer = silent()
    answer = answer[:-1] if damage == "arrays" else [part[:, :-1] for part in answer]
    with pytest.raises(DetectorFailed, match="YuNet answered"):
        decode(tuple(answer), height_px=HEIGHT_PX, width_px=WIDTH_PX, threshold=0.1)
