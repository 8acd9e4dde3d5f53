"""Detections are boxes of four kinds, checked where they are made."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed
from skyveil.core.kinds import Kind
from skyveil.private.detections import Detections, joined, none_found
from tests.gate.pictures import name


def two_found(index: int = 0) -> Detections:
    xyxy = np.array([[0, 0, 4, 4], [2, 2, 8, 9]], np.float32)
    return Detections(name(index), xyxy, np.array([0.9, 0.4], np.float32), np.array([0, 2], np.uint8))


def test_it_holds_place_score_and_kind_and_nothing_else() -> None:
    assert [field.name for field in dataclasses.fields(Detections)] == ["of", "xyxy", "score", "kind"]
    assert [kind.name for kind in Kind] == ["FACE", "HEAD", "PERSON", "PLATE"]


def test_one_kind_can_be_picked() -> None:
    assert two_found().of_kind(Kind.PERSON).xyxy.tolist() == [[2, 2, 8, 9]]
    assert len(two_found().of_kind(Kind.PLATE)) == 0


@pytest.mark.parametrize(
    ("xyxy", "score", "kind"),
    [
        (np.zeros((1, 5), np.float32), np.zeros(1, np.float32), np.zeros(1, np.uint8)),  # a column more
        (np.zeros((1, 4), np.float32), np.zeros(2, np.float32), np.zeros(1, np.uint8)),
        (np.zeros((1, 4), np.float32), np.zeros((1, 128), np.float32), np.zeros(1, np.uint8)),  # a vector per person
        (np.zeros((1, 4), np.float32), np.zeros(1, np.float32), np.zeros(2, np.uint8)),
        (np.zeros((1, 4), np.float64), np.zeros(1, np.float32), np.zeros(1, np.uint8)),
        (np.zeros((1, 4), np.float32), np.zeros(1, np.float64), np.zeros(1, np.uint8)),
        (np.zeros((1, 4), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int64)),
        (np.full((1, 4), np.nan, np.float32), np.zeros(1, np.float32), np.zeros(1, np.uint8)),
        (np.full((1, 4), np.inf, np.float32), np.zeros(1, np.float32), np.zeros(1, np.uint8)),
        (np.zeros((1, 4), np.float32), np.full(1, np.nan, np.float32), np.zeros(1, np.uint8)),
        (np.zeros((1, 4), np.float32), np.zeros(1, np.float32), np.full(1, 4, np.uint8)),  # a fifth kind
    ],
)
def test_anything_else_is_refused(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], kind: NDArray[np.uint8]
) -> None:
    with pytest.raises(DetectorFailed, match="detections of frame 0"):
        Detections(name(), xyxy, score, kind)


def test_nothing_found_is_an_answer() -> None:
    assert len(none_found(name())) == 0
    assert len(joined(name(), [])) == 0


def test_answers_for_one_frame_join() -> None:
    both = joined(name(), [two_found(), none_found(name()), two_found()])
    assert both.kind.tolist() == [0, 2, 0, 2]
    assert both.of == name()


def test_an_answer_for_another_frame_is_refused() -> None:
    with pytest.raises(DetectorFailed, match="answered for frame 6 when asked about 0"):
        joined(name(), [two_found(), two_found(6)])
