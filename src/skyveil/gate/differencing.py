"""What a reader can work out about numbers that were not told. Gate: the attack, made before anybody else makes it.

A number told of an hour narrows what its minutes can have been. Each number is an interval to its reader; sums over a
tree of periods are carried up and down once, which gives the exact range of every number (a tree of sums has no loops).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Known:
    """What a reader knows of one number: it lies from `low` to `high`, and is the sum of its parts.

    secret: it must not be narrowed by what is told later.
    """

    low: float
    high: float
    secret: bool = False
    parts: tuple["Known", ...] = ()


ANYTHING = Known(0.0, math.inf)
"""A number of which nothing is told."""


_EXACT_TO = 1e-9
"""Weights of means are as exact as floating point."""


def narrows(whole: Known) -> bool:
    """Whether knowing `whole` tells more about a secret below it than its parts tell by themselves."""
    before = replace(whole, low=ANYTHING.low, high=ANYTHING.high)
    ranges = zip(_secrets(whole), _secrets(before), strict=True)
    return any(
        not math.isclose(now, then, abs_tol=_EXACT_TO)
        for one, other in ranges
        for now, then in zip(one, other, strict=True)
    )


def reach(parts: tuple[Known, ...]) -> tuple[float, float]:
    """The least and the most that parts can add up to; anything where there are none."""
    whole = _up(replace(ANYTHING, parts=parts))
    return whole.low, whole.high


def _secrets(whole: Known) -> list[tuple[float, float]]:
    return list(_down(_up(replace(whole, secret=False))))


def _up(node: Known) -> Known:
    """The node with what its parts say about it."""
    if not node.parts:
        return node
    parts = tuple(_up(part) for part in node.parts)
    low = max(node.low, math.fsum(part.low for part in parts))
    return Known(low, min(node.high, math.fsum(part.high for part in parts)), node.secret, parts)


def _down(node: Known) -> Iterator[tuple[float, float]]:
    """The range of every secret at or below a node, with what the node says about its parts."""
    if node.secret:
        yield node.low, node.high
    lows = math.fsum(part.low for part in node.parts)
    highs = math.fsum(part.high for part in node.parts if math.isfinite(part.high))
    endless = any(math.isinf(part.high) for part in node.parts)
    for part in node.parts:
        most = node.high - (lows - part.low)
        # Where one part has no limit, it can make up for all others; nothing of it is a secret itself.
        least = 0.0 if endless else node.low - (highs - part.high)
        yield from _down(replace(part, low=max(part.low, least), high=min(part.high, most)))
