"""How many people pass, and how they move. Measure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.points import Points
from skyveil.measure.quantity import Quality, Quantity, Unit, measured, unknown

STANDS_BELOW: Final = 0.3
"""Speed below which somebody stands, m/s; a head sways by less."""
WRONG_WAY_PEOPLE: Final = 3
"""Fewer people against the stream are somebody who turned round."""
LEAST_ARRIVALS: Final = 10
"""Fewer arrivals say nothing about a mean, and may be one person."""


def flow(crossings: int, *, over_s: float) -> Quantity:
    """Crossings in one direction per second; their error is that of a count, its square root (Poisson)."""
    return measured(crossings / over_s, Unit.PER_S, sigma=np.sqrt(max(crossings, 1)) / over_s)


def specific_flow(flow_per_s: Quantity, *, width_m: float) -> Quantity:
    """Flow per metre of width, 1/(m s)."""
    if flow_per_s.value is None:
        return unknown(Unit.PER_M_S, age_s=flow_per_s.age_s)
    sigma = None if flow_per_s.sigma is None else flow_per_s.sigma / width_m
    return Quantity(flow_per_s.value / width_m, sigma, Unit.PER_M_S, flow_per_s.quality, flow_per_s.age_s)


def cumulated(crossed_s: NDArray[np.float64], at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """N-t: how many crossed up to and at each time, (T,)."""
    return np.searchsorted(np.sort(crossed_s), at_s, side="right").astype(np.int64)


def flow_between(crossed_s: NDArray[np.float64]) -> float | None:
    """Flow from the first to the last of some crossings, 1/s, as PedPy gives it; None for fewer than two."""
    if len(crossed_s) < 2 or not np.ptp(crossed_s):
        return None
    return float(len(crossed_s) / np.ptp(crossed_s))


def mean_velocity(velocity: Points) -> tuple[float, float] | None:
    """Mean velocity of people, (x, y) m/s; None when there is nobody."""
    if not len(velocity):
        return None
    x, y = velocity.mean(axis=0)
    return float(x), float(y)


def median_speed(velocity: Points) -> float | None:
    """Median speed of people, m/s; None when there is nobody."""
    return float(np.median(np.hypot(velocity[:, 0], velocity[:, 1]))) if len(velocity) else None


def wrong_way_share(velocity: Points, allowed: tuple[float, float], *, least: int = WRONG_WAY_PEOPLE) -> float:
    """Share of those who move that move against the allowed direction, 0 to 1; 0 for fewer than `least` of them."""
    moves = np.hypot(velocity[:, 0], velocity[:, 1]) >= STANDS_BELOW
    along = velocity[moves] @ np.array(allowed) / np.hypot(*allowed)
    wrong = int((along <= -STANDS_BELOW).sum())
    return wrong / int(moves.sum()) if wrong >= least else 0.0


def queue_wait(queue: float, served: int, *, over_s: float) -> Quantity:
    """How long who joins a queue now will wait, seconds: its length over the rate of service (Little, 1961).

    served: people who left at the head of the queue in the last `over_s`. UNKNOWN while nobody is served.
    """
    if served < 1:
        return unknown(Unit.S)
    wait_s = queue * over_s / served
    quality = Quality.GOOD if served >= LEAST_ARRIVALS else Quality.DEGRADED
    return Quantity(wait_s, wait_s / np.sqrt(served), Unit.S, quality, 0.0)


def mean_stay(mean_people: float, arrivals: int, *, over_s: float) -> Quantity:
    """How long people stay on average, seconds: mean number over rate of arrival (Little, 1961).

    UNKNOWN below 10 arrivals. Nobody's own time is taken.
    """
    if arrivals < LEAST_ARRIVALS:
        return unknown(Unit.S)
    stay_s = mean_people * over_s / arrivals
    return measured(stay_s, Unit.S, sigma=stay_s / np.sqrt(arrivals))
