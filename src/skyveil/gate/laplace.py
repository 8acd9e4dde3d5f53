"""Integer noise, drawn exactly. Gate: whoever can guess a draw can take it off a published number.

Only whole numbers are used: noise from floating point gives away the number it hides (Mironov 2012). See
docs/adr/0014-noise-and-ledger.md for why this stands in the gate.
"""

import secrets
from collections.abc import Callable
from fractions import Fraction
from typing import Final, TypeAlias

from skyveil.core.errors import SettingsRefused

Bits: TypeAlias = Callable[[int], int]
"""Gives a whole number of that many independent, even bits."""

SCALE_LIMIT: Final = 1 << 40


def discrete_laplace(scale: Fraction, bits: Bits = secrets.randbits) -> int:
    """A draw of the discrete Laplace distribution: P(x) = (q - 1) / (q + 1) * q^-|x| with q = exp(1 / scale).

    Adding it to a whole number that one visit changes by at most `sensitivity` gives `sensitivity / scale`
    differential privacy. Canonne, Kamath, Steinke 2020 (arXiv 2004.00010), algorithm 2, with t / s = scale. Raises
    SettingsRefused for a scale that is not above 0 and at most 2^40.
    """
    if not 0 < scale <= SCALE_LIMIT:
        raise SettingsRefused(f"the scale of noise must be above 0 and at most 2^40, got {scale}")
    t, s = scale.numerator, scale.denominator
    while True:
        low = _below(t, bits)
        if not _bernoulli_exp(low, t, bits):
            continue
        high = 0
        while _bernoulli_exp(1, 1, bits):
            high += 1
        size = (low + t * high) // s
        negative = _below(2, bits) == 1
        if not negative or size:
            return -size if negative else size


def _bernoulli_exp(numerator: int, denominator: int, bits: Bits) -> bool:
    """True with probability exp(-numerator / denominator), a share of 0 to 1 (algorithm 1 there)."""
    k = 1
    while _below(denominator * k, bits) < numerator:
        k += 1
    return k % 2 == 1


def _below(limit: int, bits: Bits) -> int:
    """A whole number from 0 to limit - 1, each as likely: what is too large is thrown away, never folded."""
    size = (limit - 1).bit_length()
    while (drawn := bits(size) if size else 0) >= limit:
        pass
    return drawn
