"""Recorded trajectories of the Juelich archive, where SKYVEIL_EVAL_DATA has them."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.points import Points


@dataclass(frozen=True)
class Trajectories:
    """Rows of number, frame, x, y (metres), and the frame rate."""

    number: NDArray[np.int64]
    frame: NDArray[np.int64]
    at_m: Points
    fps: float

    @property
    def frames(self) -> list[tuple[NDArray[np.int64], Points]]:
        """Numbers and places in each frame, from the first to the last."""
        first, last = int(self.frame.min()), int(self.frame.max())
        order = np.argsort(self.frame, kind="stable")
        ends = np.searchsorted(self.frame[order], np.arange(first, last + 2))
        rows = [order[start:end] for start, end in pairwise(ends)]
        return [(self.number[one], self.at_m[one]) for one in rows]


@cache
def read(path: Path, *, fps: float, metres: float = 1.0) -> Trajectories:
    """The trajectories of a file of `id frame x y z`; `metres` is the length of its unit."""
    table = np.loadtxt(path, usecols=(0, 1, 2, 3), comments="#")
    return Trajectories(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:4] * metres, fps)
