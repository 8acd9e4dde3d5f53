"""Points of one frame joined to those of the frames before, in metres. Private side, in memory only.

A track here is a place, a velocity and a counter of this instance; it has no appearance, and nothing that another
camera, or this one after the track has ended, could be compared with. Counters are never logged and never leave.
"""

from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from skyveil.measure.points import Points

CONFIRMED_AFTER: Final = 3
"""Times a point must be found before it is believed: false positives do not come back to the same place."""
_LOST_AFTER_S: Final = 1.2
"""A believed track that is not found for so long has ended."""
_DOUBTED_FOR_S: Final = 0.7
"""The same for one that is not believed yet."""
GAP_S: Final = 2.0
"""Time between two frames after which nothing is known of what went on: all tracks have ended, and means over time
(flows, stays, unrest) begin anew, as people who came and went meanwhile were counted by nobody."""
_GATE_M: Final = (0.25, 0.7)
"""Least and most distance from where a track should be to where it is found; far from the camera, where places are less
sure, the most is four times their error."""
_ACCELERATION: Final = 1.0
"""Usual acceleration of walking people, m/s2; gives a track's growing doubt between two finds."""
_PLACE_SD_M: Final = 0.06
"""Least error of one found place: heads sway, boxes jitter."""
_SPEED_SD: Final = 1.0
"""Spread of velocities of people of whom nothing is known yet, m/s."""
_PAIRS_AT_ONCE: Final = 12_000
"""Most distances that are all computed: a table of 500 by 500 no longer fits a processor's cache, and takes ten times
as long as two trees."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """The believed tracks after one frame, as parallel arrays.

    number: (N,) int64, counters that mean nothing outside of this linker. at_m: (N, 2) where each is or should be.
    velocity: (N, 2) m/s. found: (N,) whether it was found in this very frame.
    """

    number: NDArray[np.int64]
    at_m: Points
    velocity: Points
    found: NDArray[np.bool_]


def _ints() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _floats(*shape: int) -> NDArray[np.float64]:
    return np.zeros((0, *shape))


@final
@dataclass(slots=True)
class _State:
    """All tracks, as parallel arrays. doubt: variance of place, covariance, variance of velocity (Kalman, 1960)."""

    number: NDArray[np.int64] = field(default_factory=_ints)
    at_m: Points = field(default_factory=lambda: _floats(2))
    velocity: Points = field(default_factory=lambda: _floats(2))
    doubt: NDArray[np.float64] = field(default_factory=lambda: _floats(3))
    error_m: NDArray[np.float64] = field(default_factory=_floats)
    found_s: NDArray[np.float64] = field(default_factory=_floats)
    finds: NDArray[np.int64] = field(default_factory=_ints)

    def only(self, keep: NDArray[np.bool_]) -> "_State":
        return _State(
            self.number[keep],
            self.at_m[keep],
            self.velocity[keep],
            self.doubt[keep],
            self.error_m[keep],
            self.found_s[keep],
            self.finds[keep],
        )

    def joined(self, other: "_State") -> "_State":
        return _State(
            np.concatenate([self.number, other.number]),
            np.concatenate([self.at_m, other.at_m]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.doubt, other.doubt]),
            np.concatenate([self.error_m, other.error_m]),
            np.concatenate([self.found_s, other.found_s]),
            np.concatenate([self.finds, other.finds]),
        )


@final
class Linker:
    """Joins the points of one camera. One thread owns it; it forgets everything with the instance."""

    def __init__(self) -> None:
        self._state = _State()
        self._next = 0
        self._at_s: float | None = None

    def link(self, points_m: Points, *, at_s: float, error_m: NDArray[np.float64] | None = None) -> Linked:
        """The believed tracks after the points of the frame at `at_s`, (N, 2) metres; times run forward.

        error_m: (N,) standard error of each place; 6 cm at least, and where it is not given. Points that are no numbers
        are left out. Believed tracks choose first, then those in doubt; what is left begins new ones.
        """
        finite = np.isfinite(points_m).all(axis=1)
        errors_m = np.zeros(len(points_m)) if error_m is None else np.nan_to_num(error_m)
        points_m, errors_m = points_m[finite], np.maximum(errors_m[finite], _PLACE_SD_M)
        self._predict(at_s)
        state = self._state
        believed = state.finds >= CONFIRMED_AFTER
        free = np.ones(len(points_m), np.bool_)
        for turn in (believed, ~believed):
            tracks, candidates = np.flatnonzero(turn), np.flatnonzero(free)
            rows, columns = _pairs(state.at_m[tracks], self._gates()[tracks], points_m[candidates])
            self._update(tracks[rows], points_m[candidates[columns]], errors_m[candidates[columns]], at_s)
            free[candidates[columns]] = False
        self._begin(points_m[free], errors_m[free], at_s)
        patience_s = np.where(self._state.finds >= CONFIRMED_AFTER, _LOST_AFTER_S, _DOUBTED_FOR_S)
        self._state = self._state.only(at_s - self._state.found_s <= patience_s)
        return self._linked(at_s)

    def _predict(self, at_s: float) -> None:
        state = self._state
        step_s = 0.0 if self._at_s is None else max(0.0, at_s - self._at_s)
        self._at_s = at_s
        state.at_m = state.at_m + state.velocity * step_s
        place, both, speed = state.doubt.T
        noise = _ACCELERATION**2
        state.doubt = np.stack(
            [
                place + 2 * step_s * both + step_s**2 * speed + noise * step_s**4 / 4,
                both + step_s * speed + noise * step_s**3 / 2,
                speed + noise * step_s**2,
            ],
            axis=1,
        )

    def _gates(self) -> NDArray[np.float64]:
        least, most = _GATE_M
        error_m = self._state.error_m
        gates = 3 * np.sqrt(self._state.doubt[:, 0] + error_m**2)
        return np.asarray(np.clip(gates, least, np.maximum(most, 4 * error_m)), np.float64)

    def _update(self, rows: NDArray[np.intp], found_m: Points, error_m: NDArray[np.float64], at_s: float) -> None:
        state = self._state
        place, both, speed = state.doubt[rows].T
        seen = place + error_m**2
        gain_place, gain_speed = place / seen, both / seen
        off_m = found_m - state.at_m[rows]
        state.at_m[rows] += gain_place[:, None] * off_m
        state.velocity[rows] += gain_speed[:, None] * off_m
        state.doubt[rows] = np.stack(
            [(1 - gain_place) * place, (1 - gain_place) * both, speed - gain_speed * both], axis=1
        )
        state.error_m[rows] = error_m
        state.found_s[rows] = at_s
        state.finds[rows] += 1

    def _begin(self, points_m: Points, error_m: NDArray[np.float64], at_s: float) -> None:
        count = len(points_m)
        self._state = self._state.joined(
            _State(
                np.arange(self._next, self._next + count),
                points_m.copy(),
                np.zeros((count, 2)),
                np.stack([error_m**2, np.zeros(count), np.full(count, _SPEED_SD**2)], axis=1),
                error_m,
                np.full(count, at_s),
                np.ones(count, np.int64),
            )
        )
        self._next += count

    def _linked(self, at_s: float) -> Linked:
        state = self._state.only(self._state.finds >= CONFIRMED_AFTER)
        return Linked(state.number, state.at_m, state.velocity, state.found_s >= at_s)


def _pairs(
    tracks_m: Points, gates_m: NDArray[np.float64], points_m: Points
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which track is which point, as two arrays of equal length: the nearest within each track's gate.

    Pairs that are each other's nearest are taken at once; only what is left is weighed as a whole (Kuhn, 1955), which
    costs the cube of its number.
    """
    none = np.zeros(0, np.intp)
    if not len(tracks_m) or not len(points_m):
        return none, none
    away_m, nearest, back = _nearest(tracks_m, points_m)
    sure = (back[nearest] == np.arange(len(tracks_m))) & (away_m <= gates_m)
    rows, columns = np.flatnonzero(sure), nearest[sure]
    open_rows = np.flatnonzero(~sure)
    left = np.ones(len(points_m), np.bool_)
    left[columns] = False
    open_columns = np.flatnonzero(left)
    if not len(open_rows) or not len(open_columns):
        return rows, columns
    apart = np.linalg.norm(tracks_m[open_rows, None] - points_m[None, open_columns], axis=2)
    allowed = apart <= gates_m[open_rows, None]
    near_rows, near_columns = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
    cost = np.where(allowed, apart, 1e3)[np.ix_(near_rows, near_columns)]
    more_rows, more_columns = linear_sum_assignment(cost)
    within = cost[more_rows, more_columns] < 1e3
    return (
        np.concatenate([rows, open_rows[near_rows[more_rows[within]]]]),
        np.concatenate([columns, open_columns[near_columns[more_columns[within]]]]),
    )


def _nearest(tracks_m: Points, points_m: Points) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """How far the nearest point is from each track, which it is, both (N,), and the nearest track to each point, (M,).

    From all distances where they are few, which takes half the time of two trees for 200 people, and else from trees.
    """
    if len(tracks_m) * len(points_m) <= _PAIRS_AT_ONCE:
        x = tracks_m[:, 0, None] - points_m[:, 0]
        y = tracks_m[:, 1, None] - points_m[:, 1]
        squared = x * x + y * y
        nearest = squared.argmin(axis=1)
        return np.sqrt(squared[np.arange(len(tracks_m)), nearest]), nearest, squared.argmin(axis=0)
    away_m, nearest = cKDTree(points_m).query(tracks_m)
    _, back = cKDTree(tracks_m).query(points_m)
    return np.asarray(away_m, np.float64), np.asarray(nearest, np.intp), np.asarray(back, np.intp)
