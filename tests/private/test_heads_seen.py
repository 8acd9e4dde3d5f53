"""Where a person's head has no cover: places of faces in persons' boxes, and covers above them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.private.detect.boxes import Scored
from skyveil.private.heads_seen import bare_heads

Box = tuple[float, float, float, float]
PERSON: Box = (100, 100, 160, 260)


def boxes(*xyxy: Box) -> NDArray[np.float32]:
    return np.array(xyxy, np.float32).reshape(-1, 4)


def persons(*xyxy: Box, score: float = 0.8) -> Scored:
    return Scored(boxes(*xyxy), np.full(len(xyxy), score, np.float32))


def bare(*faces: Box, fill: NDArray[np.bool_] | None = None, of: Scored | None = None) -> list[float]:
    shown = np.zeros((300, 300), np.bool_) if fill is None else fill
    told: list[float] = bare_heads(boxes(*faces), persons(PERSON) if of is None else of, shown).tolist()
    return told


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        ((120, 105, 140, 130), 0.8),  # where the head is
        ((120, 97, 140, 110), 0.8),  # reaching over the top
        ((120, 180, 140, 205), 0.0),  # on the trunk
        ((95, 105, 110, 125), 0.0),  # beside the head
        ((128, 110, 132, 114), 0.0),  # a button
        ((102, 80, 158, 200), 0.0),  # too large for this person
    ],
)
def test_a_face_is_a_head_where_a_person_has_it(face: Box, expected: float) -> None:
    assert bare(face) == pytest.approx([expected])


def test_below_a_cover_there_is_a_neck_and_no_head() -> None:
    fill = np.zeros((300, 300), np.bool_)
    fill[95:130, 110:150] = True
    assert bare((120, 130, 140, 150), fill=fill) == [0.0]


def test_half_of_the_cover_that_rules_a_head_out_leaves_half_of_it() -> None:
    fill = np.zeros((300, 300), np.bool_)
    fill[:, 120:125] = True  # a quarter of the strip
    assert bare((120, 110, 140, 130), fill=fill) == pytest.approx([0.4])


def test_the_surest_person_counts() -> None:
    two = Scored(boxes(PERSON, (105, 95, 165, 255)), np.array([0.3, 0.6], np.float32))
    assert bare((120, 105, 140, 130), of=two) == pytest.approx([0.6])


def test_a_face_at_the_top_of_the_picture_has_no_cover_above() -> None:
    assert bare((120, -10, 140, 0.4), of=persons((100, -20, 160, 140))) == pytest.approx([0.8])


def test_without_faces_or_persons_nothing_is_a_head() -> None:
    assert bare() == []
    assert bare((1, 1, 9, 9), of=persons()) == [0.0]
