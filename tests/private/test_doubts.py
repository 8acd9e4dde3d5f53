"""Doubts: weak, small answers are looked at again, enlarged, and scenery that answers again and again is left alone."""

import numpy as np

from skyveil.core.geometry import BoxesXyxy, no_boxes
from skyveil.private.detect.boxes import Scored, nothing
from skyveil.private.detect.packing import WIDE_WH, packed
from skyveil.private.detect.pyramid import Area
from skyveil.private.doubts import HINT, LEAST, SURE, Doubts
from tests.private.made import HEIGHT, WIDTH, Box

SMALL: Box = (100, 100, 110, 112)
ELSEWHERE: Box = (200, 50, 210, 62)


def doubts(scale: float = 1.0) -> Doubts:
    return Doubts(width=WIDTH, height=HEIGHT, scale=scale)


def answers(*some: tuple[Box, float]) -> Scored:
    return Scored(
        np.array([box for box, _ in some], np.float32).reshape(-1, 4), np.array([s for _, s in some], np.float32)
    )


def are_doubts(*some: tuple[Box, float], explained: BoxesXyxy | None = None, scale: float = 1.0) -> list[bool]:
    given = no_boxes() if explained is None else explained
    kept: list[bool] = doubts(scale).of(answers(*some), explained=given).tolist()
    return kept


def holds(area: Area, box: Box) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and area[2] >= box[2] and area[3] >= box[3]


def test_a_weak_small_answer_is_a_doubt_and_a_strong_or_a_large_one_is_none() -> None:
    weak = (LEAST + SURE) / 2
    assert are_doubts((SMALL, weak)) == [True]
    assert are_doubts((SMALL, SURE + 0.01)) == [False]
    assert are_doubts((SMALL, HINT / 2)) == [False]
    assert are_doubts(((100, 100, 130, 140), weak)) == [False]


def test_small_is_what_the_network_was_shown_small() -> None:
    assert are_doubts((SMALL, 0.1), scale=2.0) == [False]


def test_an_answer_beside_a_better_one_or_at_a_body_that_is_explained_is_no_doubt() -> None:
    assert are_doubts((SMALL, 0.1), ((103, 101, 113, 113), 0.6)) == [False, False]
    body = np.array([[98, 96, 112, 140]], np.float32)
    assert are_doubts((SMALL, 0.1), explained=body) == [False]


def test_places_hold_their_answers_well_inside_and_six_share_a_canvas() -> None:
    six = [((20.0 + 40 * index, 100, 30.0 + 40 * index, 112), 0.1) for index in range(6)]
    made = doubts()
    places = made.places(answers(*six), seconds=0.0)
    assert len(places) == 6
    assert all(any(holds(place, box) for place in places) for box, _ in six)
    assert [canvas.size_wh for canvas in packed(places, made.level.scale)] == [WIDE_WH]


def test_a_place_at_the_edge_stays_in_the_picture_with_even_corners() -> None:
    for box in ((0.0, 0.0, 9.0, 9.0), (WIDTH - 9.0, HEIGHT - 9.0, float(WIDTH), float(HEIGHT))):
        ((x1, y1, x2, y2),) = doubts().places(answers((box, 0.1)), seconds=0.0)
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        assert x1 % 2 == y1 % 2 == 0


def test_the_best_answers_are_taken_when_there_are_too_many() -> None:
    many = [((12.0 * i, 100, 12.0 * i + 9, 110), 0.05 + 0.001 * i) for i in range(24)]
    places = doubts().places(answers(*many), seconds=0.0)
    assert len(places) == 18
    assert all(any(holds(place, box) for place in places) for box, _ in many[6:])


def test_what_a_look_before_hinted_at_comes_first() -> None:
    many = [((12.0 * i, 100, 12.0 * i + 9, 110), 0.05 + 0.001 * i) for i in range(24)]
    places = doubts().places(answers(*many), np.arange(24) == 0, seconds=0.0)
    assert holds(places[0], many[0][0])
    assert len(places) == 18


def test_a_single_place_does_not_wait_after_a_look_that_found_some() -> None:
    made, one = doubts(), answers((SMALL, 0.02))
    for look in range(4):
        places = made.places(one, seconds=0.2 * look)
        assert len(places) == 1
        made.note(places, answers((SMALL, 0.06)), seconds=0.2 * look)


def test_a_place_that_was_empty_rests_for_a_second_and_one_that_was_not_does_not() -> None:
    made = doubts()
    both = answers((SMALL, 0.1), (ELSEWHERE, 0.09))
    places = made.places(both, seconds=0.0)
    made.note(places, answers((SMALL, 0.5)), seconds=0.0)
    again = made.places(answers((SMALL, 0.1), (SMALL, 0.1), (ELSEWHERE, 0.09)), seconds=0.5)
    assert again
    assert not any(holds(place, ELSEWHERE) for place in again)
    assert len(made.places(both, seconds=1.5)) == 2


def test_a_single_place_waits_for_one_look_after_a_second_look() -> None:
    made = doubts()
    one = answers((SMALL, 0.1))
    assert [len(made.places(one, seconds=0.2 * look)) for look in range(4)] == [1, 0, 1, 0]
    assert made.places(nothing(), seconds=1.0) == []


def test_a_cut_forgets_what_was_empty() -> None:
    made = doubts()
    made.note(made.places(answers((SMALL, 0.1)), seconds=0.0), nothing(), seconds=0.0)
    made.reset()
    assert len(made.places(answers((SMALL, 0.1)), seconds=0.2)) == 1
