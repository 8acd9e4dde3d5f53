"""Evidence says of each tile whether a look that counts decided it."""

import numpy as np
import pytest

from skyveil.core.errors import BoundaryViolated
from skyveil.private.looked import Looked, Why
from tests.gate.pictures import name


def evidence(why: list[list[int]], age_s: list[list[float]]) -> Looked:
    return Looked(name(), 32, np.array(why, np.uint8), np.array(age_s, np.float32), ("net@0",))


@pytest.mark.parametrize(
    ("why", "age_s", "undecided"),
    [
        (Why.UNDECIDED, 0.0, True),  # no age makes up for no look
        (Why.LOOKED, 0.0, False),
        (Why.UNCHANGED, 1.0, False),  # as old as allowed
        (Why.UNCHANGED, 1.001, True),  # older
        (Why.BRACKETED, 0.5, False),
        (Why.BRACKETED, float("nan"), True),  # an age that is not known
        (Why.LOOKED, float("inf"), True),
    ],
)
def test_a_tile_is_undecided_without_a_look_or_with_one_too_old(why: Why, age_s: float, undecided: bool) -> None:
    looked = evidence([[why, Why.LOOKED]], [[age_s, 0.0]])
    assert looked.undecided(max_look_age_s=1.0).tolist() == [[undecided, False]]


@pytest.mark.parametrize(
    ("why", "age_s"),
    [
        ([[1, 1]], [[0.0]]),  # shapes differ
        ([[1]], [[0.0], [0.0]]),
    ],
)
def test_arrays_that_do_not_agree_are_refused(why: list[list[int]], age_s: list[list[float]]) -> None:
    with pytest.raises(BoundaryViolated, match="tiles"):
        evidence(why, age_s)


def test_tiles_that_are_not_a_table_are_refused() -> None:
    with pytest.raises(BoundaryViolated, match="tiles"):
        Looked(name(), 32, np.ones(3, np.uint8), np.zeros(3, np.float32), ("net@0",))


@pytest.mark.parametrize("tile_px", [0, -8])
def test_a_tile_has_a_size(tile_px: int) -> None:
    with pytest.raises(BoundaryViolated, match="tiles"):
        Looked(name(), tile_px, np.ones((1, 1), np.uint8), np.zeros((1, 1), np.float32), ("net@0",))


def test_evidence_without_a_network_is_refused() -> None:
    with pytest.raises(BoundaryViolated, match="names no network"):
        Looked(name(), 32, np.ones((1, 1), np.uint8), np.zeros((1, 1), np.float32), ())
