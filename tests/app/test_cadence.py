"""How many pictures leave between two looks, by what they were measured to cost."""

import sys

import pytest

from skyveil.app.cadence import LONGEST_S, ROUND_S, Cadence


class Clock:
    """A clock that a test moves."""

    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def rooms(
    cadence: Cadence, clock: Clock, *, before_s: float, each_s: float, rounds: int, waiting: int = 10
) -> list[int]:
    """The room of each round: so long until its look was made, and so long for each picture that left."""
    found = []
    for _ in range(rounds):
        clock.now_s += before_s
        room = min(waiting, cadence.room())
        clock.now_s += room * each_s
        for _ in range(room):
            cadence.left()
        cadence.ended()
        found.append(room)
    return found


def test_a_few_leave_before_it_is_known_what_one_costs() -> None:
    assert Cadence(Clock(), most=sys.maxsize).room() == 3


@pytest.mark.parametrize(
    ("before_s", "room"),
    [
        (0.0, 10),  # all of them
        (0.28, 6),  # what is left of the round goes to pictures
        (0.45, 3),
        (0.6, 3),  # a few, rather than one, while the round is not too long
        (0.74, 3),
        (0.78, 2),
        (0.83, 1),  # the newest always leaves
        (5.0, 1),
    ],
)
def test_what_the_look_leaves_of_a_round_goes_to_pictures(before_s: float, room: int) -> None:
    clock = Clock()
    found = rooms(Cadence(clock, most=sys.maxsize), clock, before_s=before_s, each_s=0.05, rounds=5)
    assert found[1:] == [room] * 4
    assert before_s + room * 0.05 <= (ROUND_S if room > 3 else LONGEST_S) or room == 1


def test_what_a_picture_costs_is_learned_anew() -> None:
    clock = Clock()
    cadence = Cadence(clock, most=sys.maxsize)
    assert rooms(cadence, clock, before_s=0.18, each_s=0.04, rounds=20)[-1] == 10
    assert rooms(cadence, clock, before_s=0.18, each_s=0.1, rounds=20)[-1] == 4


def test_a_round_in_which_nothing_left_teaches_nothing() -> None:
    clock = Clock()
    cadence = Cadence(clock, most=sys.maxsize)
    cadence.room()
    clock.now_s += 9
    cadence.ended()
    assert cadence.room() == 3


def test_no_more_leave_than_may() -> None:
    clock = Clock()
    assert set(rooms(Cadence(clock, most=1), clock, before_s=0.1, each_s=0.01, rounds=3)) == {1}


def test_what_left_before_the_round_was_shared_out_teaches_nothing() -> None:
    clock = Clock()
    cadence = Cadence(clock, most=sys.maxsize)
    for _ in range(40):
        cadence.left()  # of a scene that was cut away
    cadence.room()
    clock.now_s += 0.2
    cadence.left()
    cadence.ended()
    assert cadence.room() == 3
