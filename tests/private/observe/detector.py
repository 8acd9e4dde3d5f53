"""A detector that misses, invents and jitters, looking straight down on people whose places are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.points import Points


@dataclass(frozen=True)
class SimulatedDetector:
    """miss: share of heads not found; burst: mean length in frames of a run of misses of one head, 1 for none.

    invented: false positives as a share of the people there, anywhere in the scene; jitter_m: standard deviation.
    """

    miss: float
    burst: float
    invented: float
    jitter_m: float

    def look(self, frames: Sequence[tuple[NDArray[np.int64], Points]], random: np.random.Generator) -> Iterator[Points]:
        """What it finds in each frame of people's numbers, (N,), and places, (N, 2)."""
        places = np.concatenate([points for _, points in frames])
        low, high = places.min(axis=0), places.max(axis=0)
        missing: dict[int, bool] = {}
        for numbers, points in frames:
            missing = {one: self._misses(missing.get(one), random) for one in numbers.tolist()}
            found = points[[not missing[one] for one in numbers.tolist()]]
            jitter = random.normal(0, self.jitter_m, found.shape)
            invented = random.uniform(low, high, (random.poisson(self.invented * len(numbers)), 2))
            yield np.concatenate([found + jitter, invented])

    def _misses(self, before: bool | None, random: np.random.Generator) -> bool:
        if self.burst <= 1 or before is None:
            return bool(random.random() < self.miss)
        if before:
            return bool(random.random() >= 1 / self.burst)
        return bool(random.random() < self.miss / (1 - self.miss) / self.burst)
