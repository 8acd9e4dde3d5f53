"""Where a zone was full within an hour, for the control room. Public side; made of released maps only."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final, Self, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.ids import CameraId, PlaceId
from skyveil.public.density_map import OUTSIDE, STEP_PER_M2, STEPS, DensityMap, sealed_map

HOUR_S: Final = 3600
_NONE: Final = 255
"""The step of a square outside of the zone."""
_STEP_OF: Final = np.full(256, _NONE, np.uint8)
_STEP_OF[np.frombuffer(STEPS.encode(), np.uint8)] = np.arange(len(STEPS))


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """The squares of a zone as it is drawn, calibrated and judged; whoever changes one of these begins another map.

    side_m, low_m, columns, floor_to_picture: as in `DensityMap`. inside: one character a square, `OUTSIDE` where the
    zone is not. thresholds: persons per m2 from which yellow, orange, red and critical begin.
    """

    side_m: float
    low_m: tuple[float, float]
    columns: int
    inside: str
    floor_to_picture: tuple[float, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, density_map: DensityMap, thresholds: Sequence[float]) -> Self:
        """The layout of a released map; BoundaryViolated for any other."""
        one = sealed_map(density_map)
        inside = one.squares.translate(dict.fromkeys(map(ord, STEPS), "0"))
        return cls(one.side_m, one.low_m, one.columns, inside, one.floor_to_picture, tuple(thresholds))

    @property
    def key(self) -> str:
        """A name: the same for the same layout, 32 characters."""
        parts = [self.side_m, self.low_m, self.columns, self.inside, self.floor_to_picture, self.thresholds]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@final
@dataclass(slots=True)
class HourMap:
    """How full each square of a zone was from `start_s` for an hour, as far as it was measured.

    until_s: the newest map in it, unix time. measured_s: seconds that were measured. steps: (N,) int64, sum over the
    seconds of the steps of 0.5 per m2. highest: (N,) uint8, the highest step; 255 outside of the zone. over_s: (T, N)
    int64, seconds at or over each threshold. N squares row after row, T thresholds.
    """

    camera: CameraId
    place: PlaceId
    start_s: int
    layout: Layout
    until_s: float
    measured_s: int
    steps: NDArray[np.int64]
    highest: NDArray[np.uint8]
    over_s: NDArray[np.int64]

    @classmethod
    def empty(cls, camera: CameraId, place: PlaceId, start_s: int, layout: Layout) -> Self:
        """An hour of which nothing was measured yet."""
        many = len(layout.inside)
        outside = np.frombuffer(layout.inside.encode(), np.uint8) == ord(OUTSIDE)
        highest = np.where(outside, _NONE, 0).astype(np.uint8)
        over_s = np.zeros((len(layout.thresholds), many), np.int64)
        return cls(camera, place, start_s, layout, 0.0, 0, np.zeros(many, np.int64), highest, over_s)

    def add(self, density_map: DensityMap, seconds: int) -> None:
        """Count a released map of this layout for so many seconds; BoundaryViolated for any other map."""
        one = sealed_map(density_map)
        found = _STEP_OF[np.frombuffer(one.squares.encode(), np.uint8)]
        inside = found != _NONE
        self.steps += np.where(inside, found, 0) * np.int64(seconds)
        self.highest = np.maximum(self.highest, found)
        lowest = found * STEP_PER_M2  # a step is counted by its lower end, so that a level is never told too early
        for over_s, threshold in zip(self.over_s, self.layout.thresholds, strict=True):
            over_s += np.where(inside & (lowest >= threshold), seconds, 0)
        self.measured_s += seconds
        self.until_s = max(self.until_s, one.at_s)

    def __add__(self, other: "HourMap") -> "HourMap":
        """Both together, from the earlier one on. They are of one layout."""
        return HourMap(
            self.camera,
            self.place,
            min(self.start_s, other.start_s),
            self.layout,
            max(self.until_s, other.until_s),
            self.measured_s + other.measured_s,
            self.steps + other.steps,
            np.maximum(self.highest, other.highest),
            self.over_s + other.over_s,
        )

    @property
    def mean_per_m2(self) -> list[float | None]:
        """The mean over the seconds that were measured, in hundredths of a person per m2; None outside of the zone."""
        return self._shown(self.steps * STEP_PER_M2 / max(1, self.measured_s), 2)

    @property
    def highest_per_m2(self) -> list[float | None]:
        """The highest density, the lower end of its step; None outside of the zone."""
        return self._shown(self.highest.astype(np.float64) * STEP_PER_M2, 1)

    @property
    def over_share(self) -> list[list[float | None]]:
        """For each threshold, the share of the measured seconds at or over it, 0 to 1; None outside of the zone."""
        return [self._shown(one / max(1, self.measured_s), 3) for one in self.over_s]

    def _shown(self, values: NDArray[np.float64], digits: int) -> list[float | None]:
        rounded: list[float] = np.round(values, digits).tolist()
        return [None if step == _NONE else value for value, step in zip(rounded, self.highest.tolist(), strict=True)]


def joined(maps: Iterable[HourMap]) -> tuple[HourMap, int]:
    """What maps of one zone, at least one, say together, and how many seconds are left out.

    Only the newest layout is told: squares of a zone that was drawn anew lie elsewhere.
    """
    every = sorted(maps, key=lambda one: one.until_s)
    layout = every[-1].layout
    same = [one for one in every if one.layout == layout]
    return reduce(HourMap.__add__, same), sum(one.measured_s for one in every if one.layout != layout)
