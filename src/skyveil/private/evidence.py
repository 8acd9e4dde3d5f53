"""Why each tile of a frame is decided, by the looks that stand beside it. Private side."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.motion import MotionTest, Small

LONGEST_BRACKET_S: Final = 0.65
"""Looks at a live camera that lie further apart do not decide what shows in neither of them: where few pictures a
second are shown, a path between two looks is a guess. At 3.3 and 2 a second 0.7 and 10.5 % of the heads on a street
leaked, and none and 0.8 % with this; at 5, which this leaves as it was, 0.3 % (docs/design/live.md)."""


@final
@dataclass(frozen=True, slots=True)
class Look:
    """A look that was made: at which frame, when, and what it looked like."""

    index: int
    seconds: float
    small: Small
    models: tuple[str, ...]


def evidence(raw: RawFrame, small: Small, looks: Iterable[Look], motion: MotionTest, *, live: bool) -> Looked | None:
    """Why each tile of a frame is decided; None when no look stands beside it.

    looks: in the order of time. A live camera's may lie so far apart that they do not decide all that is between them.
    """
    index, seconds = raw.id.index, raw.time.seconds
    known = tuple(looks)
    before = [look for look in known if look.index <= index]
    after = [look for look in known if look.index >= index]
    if not before:
        return None
    ages = [abs(seconds - look.seconds) for look in (before[-1], *after[:1])]
    shape = motion.tiles_shape
    if before[-1].index == index:
        why = np.full(shape, int(Why.LOOKED), np.uint8)
    else:
        moved = motion.tiles(motion.changed(small, before[-1].small))
        why = np.where(moved, int(Why.BRACKETED if after else Why.UNDECIDED), int(Why.UNCHANGED)).astype(np.uint8)
        if live and after and after[0].seconds - before[-1].seconds > LONGEST_BRACKET_S:
            why[motion.tiles(motion.unlike(small, before[-1].small, after[0].small))] = int(Why.UNDECIDED)
    return Looked(raw.id, motion.tile_px, why, np.full(shape, min(ages), np.float32), before[-1].models)
