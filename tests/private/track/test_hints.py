"""Hints: what of many weak answers is kept to be asked about again."""

import numpy as np

from skyveil.core.ids import FrameId
from skyveil.private.detect.boxes import nothing, together
from skyveil.private.track.hints import hints_of
from tests.private.made import SOURCE, scored

OF = FrameId(SOURCE, 3)
HERE, THERE = (10.0, 10.0, 18.0, 20.0), (60.0, 10.0, 68.0, 20.0)


def test_an_enlarged_answer_stands_for_the_first_one_beside_it() -> None:
    hints = hints_of(OF, enlarged=scored([HERE], 0.05), first=scored([HERE, THERE], 0.02), below=0.08)
    assert hints.boxes.xyxy.tolist() == [list(HERE), list(THERE)]
    assert hints.boxes.score.tolist() == [np.float32(0.05), np.float32(0.02)]
    assert hints.enlarged.tolist() == [True, False]


def test_what_is_found_is_no_hint_nor_is_what_lies_beside_it() -> None:
    assert not len(hints_of(OF, enlarged=scored([HERE], 0.5), first=scored([HERE], 0.02), below=0.08).boxes)


def test_of_very_many_hints_the_best_are_kept() -> None:
    boxes = [(20.0 * n, 10.0, 20.0 * n + 8, 20.0) for n in range(100)]
    first = together([scored([box], 0.015 + n / 10_000) for n, box in enumerate(boxes)])
    hints = hints_of(OF, enlarged=nothing(), first=first, below=0.08)
    assert hints.boxes.xyxy.tolist() == [list(box) for box in boxes[:35:-1]]


def test_nothing_gives_no_hint() -> None:
    assert not len(hints_of(OF, enlarged=nothing(), first=nothing(), below=0.08).boxes)
