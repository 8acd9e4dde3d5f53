"""A crowd that walks by social forces (Helbing, Farkas and Vicsek, Nature 407:487, 2000).

    dv_i/dt = (v0_i e_i - v_i) / tau + sum_j f_ij + sum_W f_iW
    f_ij = [A exp((r_ij - d_ij) / B) w_ij + k g(r_ij - d_ij)] n_ij + kappa g(r_ij - d_ij) dv_t t_ij

d_ij is the distance of two centres, r_ij the sum of the radii, n_ij points from j to i, t_ij across, g(x) = max(x, 0).
Forces are divided by the mass. What is in front counts more than what is behind: w = lambda + (1 - lambda) (1 + cos
phi) / 2 (Helbing, Buzna, Johansson and Werner, Transportation Science 39:1, 2005).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from examples.simulated.trajectories import Metres

TAU_S: Final = 0.5
MASS_KG: Final = 80.0
A_M_PER_S2: Final = 2000.0 / MASS_KG
B_M: Final = 0.08
K_PER_S2: Final = 1.2e5 / MASS_KG
KAPPA_PER_M_S: Final = 2.4e5 / MASS_KG
LAMBDA: Final = 0.5
REACH_M: Final = 1.2
"""Beyond it a force is below A exp(-0.8 / B) = 0.1 % of the will to walk."""
STEP_S: Final = 0.01
"""The step of Helbing's own runs; bodies in contact swing with sqrt(2 k) = 55 per second."""
SPEED_M_PER_S, SPEED_SD_M_PER_S = 1.34, 0.26
"""Free walking speed and its spread (Weidmann 1993)."""
RADIUS_M: Final = (0.17, 0.21)
"""Circles of the area of a body's ellipse (0.45 m by 0.25 m with clothes), so that 6 per square metre can stand."""
HEIGHT_M, HEIGHT_SD_M = 1.70, 0.09


class Crowd:
    """Everybody who is there now, as parallel arrays."""

    def __init__(self, *, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.xy: Metres = np.zeros((0, 2))
        self.velocity: Metres = np.zeros((0, 2))
        self.speed_m_per_s: NDArray[np.float64] = np.zeros(0)
        self.radius_m: NDArray[np.float64] = np.zeros(0)
        self.height_m: NDArray[np.float64] = np.zeros(0)
        self.person: NDArray[np.int64] = np.zeros(0, np.int64)
        self._next = 0

    def enter(self, xy: Metres, *, speed: float = SPEED_M_PER_S) -> None:
        """Put people at these places, shape (N, 2), with wills and bodies drawn at random."""
        count = len(xy)
        wish = self.random.normal(speed, SPEED_SD_M_PER_S * speed / SPEED_M_PER_S, count)
        self.xy = np.concatenate([self.xy, xy])
        self.velocity = np.concatenate([self.velocity, np.zeros((count, 2))])
        self.speed_m_per_s = np.concatenate([self.speed_m_per_s, np.clip(wish, 0.5 * speed, 1.6 * speed)])
        self.radius_m = np.concatenate([self.radius_m, self.random.uniform(*RADIUS_M, count)])
        self.height_m = np.concatenate(
            [self.height_m, np.clip(self.random.normal(HEIGHT_M, HEIGHT_SD_M, count), 1.4, 2.0)]
        )
        self.person = np.concatenate([self.person, np.arange(self._next, self._next + count)])
        self._next += count

    def keep(self, staying: NDArray[np.bool_]) -> None:
        """Let the others leave."""
        self.xy, self.velocity = self.xy[staying], self.velocity[staying]
        self.speed_m_per_s, self.radius_m = self.speed_m_per_s[staying], self.radius_m[staying]
        self.height_m, self.person = self.height_m[staying], self.person[staying]

    def free(self, xy: Metres, *, room_m: float = 0.45) -> NDArray[np.bool_]:
        """Which of these places nobody stands on."""
        if not len(self.xy):
            return np.ones(len(xy), np.bool_)
        nearest, _ = cKDTree(self.xy).query(xy)
        return np.asarray(nearest > room_m, np.bool_)

    def step(self, goal: Metres, walls: NDArray[np.float64], drift: Metres) -> None:
        """Move on by `STEP_S` towards each one's goal (N, 2), away from wall segments (W, 2, 2).

        `drift` (N, 2) is how fast the floor under each one moves: not zero on an escalator.
        """
        if not len(self.xy):
            return
        away = goal - self.xy
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        # The last third of a metre is walked slower, so that nobody swings around the own place.
        wish = away / np.maximum(distance, 1e-9) * self.speed_m_per_s[:, None] * np.minimum(distance / 0.3, 1)
        force = (wish + drift - self.velocity) / TAU_S
        force += self._from_others() + self._from_walls(walls)
        self.velocity += force * STEP_S
        fastest = 1.6 * self.speed_m_per_s + np.linalg.norm(drift, axis=1)
        now = np.linalg.norm(self.velocity, axis=1)
        self.velocity *= np.minimum(1, fastest / np.maximum(now, 1e-9))[:, None]
        self.xy = self.xy + self.velocity * STEP_S

    def _from_others(self) -> Metres:
        pairs = cKDTree(self.xy).query_pairs(REACH_M, output_type="ndarray")
        first, second = pairs[:, 0], pairs[:, 1]
        away = self.xy[first] - self.xy[second]
        distance = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
        towards = away / distance[:, None]
        deep = self.radius_m[first] + self.radius_m[second] - distance
        touch = np.maximum(deep, 0)
        social, push = A_M_PER_S2 * np.exp(np.minimum(deep, 0.1) / B_M), K_PER_S2 * touch
        across = np.stack([-towards[:, 1], towards[:, 0]], axis=1)
        slip = np.einsum("ij,ij->i", self.velocity[second] - self.velocity[first], across)
        rub = (KAPPA_PER_M_S * touch * slip)[:, None] * across
        on_first = (social * self._attention(first, -towards) + push)[:, None] * towards + rub
        on_second = -(social * self._attention(second, towards) + push)[:, None] * towards - rub
        return _summed(first, on_first, len(self.xy)) + _summed(second, on_second, len(self.xy))

    def _attention(self, who: NDArray[np.intp], direction: Metres) -> NDArray[np.float64]:
        """How much each one minds what lies in a direction, `LAMBDA` behind to 1 ahead."""
        velocity = self.velocity[who]
        speed = np.maximum(np.linalg.norm(velocity, axis=1), 1e-3)
        cosine = np.einsum("ij,ij->i", velocity, direction) / speed
        return np.asarray(LAMBDA + (1 - LAMBDA) * (1 + cosine) / 2, np.float64)

    def _from_walls(self, walls: NDArray[np.float64]) -> Metres:
        total: Metres = np.zeros_like(self.xy)
        for start, end in walls:
            away = self.xy - nearest_on(self.xy, start, end)
            distance = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
            deep = self.radius_m - distance
            touch = np.maximum(deep, 0)
            towards = away / distance[:, None]
            across = np.stack([-towards[:, 1], towards[:, 0]], axis=1)
            slip = np.einsum("ij,ij->i", self.velocity, across)
            push = A_M_PER_S2 * np.exp(np.minimum(deep, 0.1) / B_M) + K_PER_S2 * touch
            total += push[:, None] * towards - (KAPPA_PER_M_S * touch * slip)[:, None] * across
        return total


def nearest_on(xy: Metres, start: Metres, end: Metres) -> Metres:
    """The nearest point of a segment to each point, shape (N, 2)."""
    along = end - start
    share = np.clip((xy - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    return np.asarray(start + share[:, None] * along, np.float64)


def _summed(who: NDArray[np.intp], forces: Metres, count: int) -> Metres:
    return np.stack([np.bincount(who, forces[:, axis], count) for axis in (0, 1)], axis=1)
