"""Boxes of one look: chosen, moved, joined, and suppressed where they say the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import iou
from skyveil.private.detect.boxes import Scored, beside_better, merged, nothing, suppressed, together
from tests.private.made import Box, steady

HERE: Box = (10, 10, 30, 40)


def boxes(*some: tuple[Box, float]) -> Scored:
    return Scored(
        np.array([box for box, _ in some], np.float32).reshape(-1, 4), np.array([s for _, s in some], np.float32)
    )


def test_of_two_that_say_the_same_the_better_stays() -> None:
    kept = suppressed(boxes((HERE, 0.5), ((11, 10, 31, 40), 0.9)), iou=0.5)
    assert kept.xyxy.tolist() == [[11, 10, 31, 40]]
    assert kept.score.tolist() == [np.float32(0.9)]


def test_boxes_that_overlap_no_more_than_allowed_all_stay() -> None:
    assert len(suppressed(boxes((HERE, 0.5), ((10, 30, 30, 60), 0.9)), iou=0.5).xyxy) == 2


def test_a_box_is_dropped_only_for_one_that_stays() -> None:
    # The middle one falls to the first, so the last, which overlaps the middle one alone, stays.
    chain = boxes(((0, 0, 10, 10), 0.9), ((4, 0, 14, 10), 0.8), ((8, 0, 18, 10), 0.7))
    assert suppressed(chain, iou=0.3).score.tolist() == [np.float32(0.9), np.float32(0.7)]


def test_boxes_that_say_the_same_become_one_that_holds_them() -> None:
    found = merged(boxes((HERE, 0.5), ((12, 8, 33, 39), 0.9), ((100, 10, 120, 40), 0.7)), overlap=0.5)
    assert found.xyxy.tolist() == [[10, 8, 33, 40], [100, 10, 120, 40]]
    assert found.score.tolist() == [np.float32(0.9), np.float32(0.7)]


def test_boxes_that_overlap_less_stay_apart_and_what_they_were_made_from_is_left_alone() -> None:
    apart = boxes((HERE, 0.5), ((10, 30, 30, 60), 0.9))
    assert len(merged(apart, overlap=0.5).xyxy) == 2
    assert apart.xyxy.tolist() == [[*HERE], [10, 30, 30, 60]]


def test_nothing_stays_nothing() -> None:
    assert len(suppressed(nothing(), iou=0.5).xyxy) == 0
    assert len(merged(nothing(), overlap=0.5).xyxy) == 0
    assert together([]).xyxy.shape == (0, 4)
    assert together([nothing(), nothing()]).score.shape == (0,)


def test_thresholds_take_in_what_scores_exactly_that_much() -> None:
    assert boxes((HERE, 0.25), (HERE, 0.5), (HERE, 0.75)).above(0.5).score.tolist() == [0.5, 0.75]


def test_boxes_are_scaled_first_and_then_shifted() -> None:
    assert boxes((HERE, 1.0)).moved(scale_xy=(2, 0.5), offset_xy=(100, -3)).xyxy.tolist() == [[120, 2, 160, 17]]


@pytest.mark.parametrize(
    ("boxes_shape", "scores_shape"), [((2, 4), (1,)), ((1, 5), (1,)), ((0,), (0,)), ((1, 4), (1, 1))]
)
def test_arrays_that_do_not_agree_are_no_answer(boxes_shape: tuple[int, ...], scores_shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorFailed, match="expected boxes"):
        Scored(np.zeros(boxes_shape, np.float32), np.zeros(scores_shape, np.float32))


def test_parts_are_joined_in_order() -> None:
    assert together([boxes((HERE, 0.1)), nothing(), boxes((HERE, 0.2), (HERE, 0.3))]).score.tolist() == [
        np.float32(score) for score in (0.1, 0.2, 0.3)
    ]


def test_answers_beside_a_better_one_are_told_and_those_apart_are_not() -> None:
    found = boxes(((12, 10, 32, 30), 0.2), ((10, 10, 30, 30), 0.9), ((25, 10, 45, 30), 0.1), ((80, 10, 90, 20), 0.1))
    assert beside_better(found).tolist() == [True, False, True, False]
    assert beside_better(nothing()).tolist() == []


SCORED = st.lists(
    st.tuples(
        st.builds(
            lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)),
            st.integers(0, 60),
            st.integers(0, 60),
            st.integers(2, 40),
            st.integers(2, 40),
        ),
        st.integers(1, 1000).map(lambda thousandth: thousandth / 1000),
    ),
    max_size=12,
)


@steady
@given(SCORED, st.sampled_from([0.3, 0.5, 0.65]))
def test_every_dropped_box_overlaps_a_kept_one_that_is_no_worse(some: list[tuple[Box, float]], limit: float) -> None:
    found = boxes(*some)
    kept = suppressed(found, iou=limit)
    assert len(kept.xyxy) >= min(1, len(some))
    near = iou(found.xyxy, kept.xyxy)
    for row, score in enumerate(found.score):
        stays = bool((near[row] > 0.999).any())
        assert stays or bool((near[row][kept.score >= score] > limit - 1e-5).any())
    among = iou(kept.xyxy, kept.xyxy)
    np.fill_diagonal(among, 0)
    assert (among <= limit + 1e-5).all()
