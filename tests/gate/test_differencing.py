"""The attack on sums is made as well as anybody could make it."""

import itertools
import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.gate.differencing import ANYTHING, Known, _secrets, narrows, reach

HIDDEN = Known(0, 4, secret=True)


def shown(value: int) -> Known:
    return Known(max(5, value - 2), value + 2)


def test_one_hidden_part_is_told_by_the_sum() -> None:
    assert narrows(Known(23, 27, parts=(shown(20), HIDDEN)))
    assert not narrows(Known(18, 22, parts=(shown(20), HIDDEN)))  # rounding hides it


def test_many_hidden_parts_hide_each_other() -> None:
    assert not narrows(Known(18, 22, parts=(HIDDEN,) * 12))
    assert not narrows(Known(28, 32, parts=(shown(20), HIDDEN, HIDDEN, HIDDEN, HIDDEN)))


def test_parts_that_all_must_be_at_their_most_are_told() -> None:
    assert narrows(Known(8, 12, parts=(HIDDEN, HIDDEN)))
    assert not narrows(Known(5, 7, parts=(HIDDEN,) * 3))
    assert narrows(Known(0, 3, parts=(HIDDEN,) * 3))


def test_a_part_of_which_nothing_is_told_takes_up_the_slack() -> None:
    withheld = Known(ANYTHING.low, ANYTHING.high, parts=(HIDDEN, shown(7)))
    assert narrows(Known(18, 22, parts=(shown(20), withheld)))
    assert not narrows(Known(38, 42, parts=(shown(20), ANYTHING, HIDDEN)))
    assert not narrows(Known(38, 42, parts=(ANYTHING, ANYTHING, HIDDEN)))
    assert narrows(Known(0, 3, parts=(ANYTHING, HIDDEN)))


def test_hidden_sums_are_secrets_too() -> None:
    hour = Known(0, 4, secret=True, parts=(HIDDEN, HIDDEN))
    assert narrows(Known(23, 27, parts=(shown(20), hour)))
    assert not narrows(Known(18, 30, parts=(shown(20), hour, ANYTHING)))


def test_what_floating_point_loses_is_no_narrowing() -> None:
    parts = (Known(10.1, 15.1), Known(0, 5, secret=True))
    assert not narrows(Known(0, 15.1 - 1e-12, parts=parts))
    assert narrows(Known(0, 15.1 - 1e-6, parts=parts))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), (0, math.inf)),
        ((HIDDEN, shown(20)), (18, 26)),
        ((HIDDEN, ANYTHING), (0, math.inf)),
        ((Known(2, 30, parts=(HIDDEN, shown(20))),), (18, 26)),
    ],
)
def test_parts_reach_from_their_least_to_their_most(parts: tuple[Known, ...], expected: tuple[float, float]) -> None:
    assert reach(parts) == expected


def test_what_is_known_can_not_be_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        ANYTHING.high = 4  # type: ignore[misc]  # that it fails is what is tested


leaves = st.one_of(st.just(HIDDEN), st.integers(1, 2).map(lambda n: shown(5 * n)))
nodes = st.tuples(st.integers(0, 12), st.integers(0, 6), st.lists(leaves, min_size=1, max_size=3)).map(
    lambda made: Known(made[0], made[0] + made[1], parts=tuple(made[2]))
)


def possible(node: Known) -> list[tuple[int, ...]]:
    """Every way the hidden leaves below a node can be, by trying; the last number of each is the node's value."""
    if not node.parts:
        return [(value, value) if node.secret else (value,) for value in range(math.ceil(node.low), int(node.high) + 1)]
    found = []
    for ways in itertools.product(*(possible(part) for part in node.parts)):
        total = sum(way[-1] for way in ways)
        if node.low <= total <= node.high:
            found.append((*(value for way in ways for value in way[:-1]), total))
    return found


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(0, 25), st.integers(0, 6), st.lists(st.one_of(leaves, nodes), min_size=1, max_size=2)))
def test_ranges_are_those_that_trying_everything_finds(made: tuple[int, int, list[Known]]) -> None:
    tree = Known(made[0], made[0] + made[1], parts=tuple(made[2]))
    ways = possible(tree)
    if ways:  # what nobody could have told has no ranges
        seen = [(min(values), max(values)) for values in list(zip(*ways, strict=True))[:-1]]
        assert _secrets(tree) == seen
