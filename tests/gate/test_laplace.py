"""The noise has exactly the distribution that the promise is computed with."""

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction

import opendp.prelude as dp
import pytest
from scipy.stats import chi2, chi2_contingency

from skyveil.core.errors import SettingsRefused
from skyveil.gate.laplace import SCALE_LIMIT, _below, _bernoulli_exp, discrete_laplace

ALMOST_NEVER = 1e-4
"""A right sampler fails a test at this level once in ten thousand seeds; the seeds are fixed."""


def probability(x: int, scale: Fraction) -> float:
    """Canonne, Kamath, Steinke 2020, definition 1."""
    q = math.exp(1 / scale)
    return (q - 1) / (q + 1) * q ** -abs(x)


def binned(draws: list[int], edge: int) -> list[int]:
    """How many draws are -edge or less, each whole number between, and edge or more."""
    counted = Counter(max(-edge, min(edge, draw)) for draw in draws)
    return [counted[x] for x in range(-edge, edge + 1)]


def edge_of(scale: Fraction) -> int:
    return max(1, math.floor(4 * scale))


class TapeEnds(Exception):
    """A draw asked for more bits than there are."""


def drawn_from(scale: Fraction, tape: str) -> int:
    """What is drawn where the bits are those of `tape`."""
    at = 0

    def bits(size: int) -> int:
        nonlocal at
        assert size > 0
        at += size
        if at > len(tape):
            raise TapeEnds
        return int(tape[at - size : at], 2)

    return discrete_laplace(scale, bits)


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(1, 2), Fraction(2), Fraction(3, 2)])
def test_all_that_can_be_drawn_from_few_bits_is_as_likely_as_is_promised(scale: Fraction) -> None:
    """Every tape of up to 14 bits is tried: no number comes more often than it may, nor so seldom that the tapes that
    were not enough could not make up for it."""
    found: defaultdict[int, Fraction] = defaultdict(Fraction)
    open_share, tapes = Fraction(0), [""]
    while tapes:
        tape = tapes.pop()
        share = Fraction(1, 2 ** len(tape))
        try:
            found[drawn_from(scale, tape)] += share
        except TapeEnds:
            if len(tape) < 14:
                tapes += [tape + "0", tape + "1"]
            else:
                open_share += share
    assert open_share < 0.6
    for x in range(-max(found) - 1, max(found) + 2):
        assert found[x] == found[-x]
        assert found[x] <= probability(x, scale) * (1 + 1e-9)
        assert found[x] + open_share >= probability(x, scale) * (1 - 1e-9)


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(3), Fraction(7, 3), Fraction(15)])
def test_draws_have_the_exact_distribution(scale: Fraction) -> None:
    bits = random.Random(f"exact {scale}").getrandbits  # noqa: S311 (a test repeats)
    seen = binned([discrete_laplace(scale, bits) for _ in range(20_000)], edge_of(scale))
    inner = [probability(x, scale) for x in range(1 - edge_of(scale), edge_of(scale))]
    tail = (1 - sum(inner)) / 2
    expected = [20_000 * share for share in (tail, *inner, tail)]
    distance = sum((a - b) ** 2 / b for a, b in zip(seen, expected, strict=True))
    assert chi2.sf(distance, len(seen) - 1) > ALMOST_NEVER


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(3), Fraction(15, 2)])
def test_draws_agree_with_those_of_opendp(scale: Fraction) -> None:
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i32")), dp.l1_distance(T="i32")
    theirs = list(dp.m.make_laplace(*space, scale=float(scale))([0] * 20_000))
    bits = random.Random(f"opendp {scale}").getrandbits  # noqa: S311
    ours = [discrete_laplace(scale, bits) for _ in range(20_000)]
    table = [binned(ours, edge_of(scale)), binned(theirs, edge_of(scale))]
    # OpenDP draws from the system: the level is what a right sampler misses once in a hundred million runs.
    assert chi2_contingency(table).pvalue > 1e-8


def test_a_sampler_of_another_scale_would_be_noticed() -> None:
    bits = random.Random("wrong").getrandbits  # noqa: S311
    table = [
        binned([discrete_laplace(scale, bits) for _ in range(20_000)], 12) for scale in (Fraction(3), Fraction(33, 10))
    ]
    assert chi2_contingency(table).pvalue < ALMOST_NEVER


def test_the_same_bits_give_the_same_draw_and_the_system_s_give_others() -> None:
    draws = [[discrete_laplace(Fraction(1000), random.Random(7).getrandbits) for _ in range(3)] for _ in range(2)]  # noqa: S311
    assert draws[0] == draws[1]
    assert len({discrete_laplace(Fraction(10**9)) for _ in range(20)}) == 20


def every(size: int) -> Callable[[int], int]:
    """Bits that count up, and refuse to be asked for more than once."""
    counter = itertools.count()
    return lambda wanted: next(counter) % (1 << wanted) if wanted == size else -1


def test_a_number_below_a_limit_is_never_folded() -> None:
    source = every(3)
    assert [_below(5, source) for _ in range(10)] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert _below(1, lambda _: pytest.fail("no bit is needed")) == 0


def test_the_probability_of_going_on_is_exact_at_its_ends() -> None:
    assert _bernoulli_exp(0, 5, lambda size: (1 << size) - 1 if size < 3 else 4)
    # 1 below 1 is always 0, which is below 1; then 1 of 2 ends it: k = 2, which is no.
    assert not _bernoulli_exp(1, 1, lambda _: 1)


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(-1), Fraction(SCALE_LIMIT + 1)])
def test_a_scale_that_makes_no_noise_is_refused(scale: Fraction) -> None:
    with pytest.raises(SettingsRefused, match="scale of noise"):
        discrete_laplace(scale)
    assert isinstance(discrete_laplace(Fraction(SCALE_LIMIT)), int)
    assert SCALE_LIMIT == 2**40
