"""Signs that a dense crowd becomes unstable: pressure, stop-and-go, swaying as one, and the trend. Measure.

None of them is an alarm by itself: each depends on how it is measured, and harmless walking shows some of each.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.measure.quantity import Quantity, Unit, measured, unknown

SIGNS_FROM: Final = 3.0
"""Density of a zone from which on waves and swaying mean anything, persons per m2: thinner crowds walk as they like."""
PRESSURE_FROM: Final = 3.5
"""Density from which on pressure means anything, persons per m2."""
PRESSURE_WINDOW_S: Final = 15.0
NORMAL_FROM: Final = 60
"""How many earlier values make a zone's normal."""
OSCILLATION_HZ: Final = (0.03, 0.25)
OSCILLATION_WINDOW_S: Final = 90.0
"""Crowds above 4 per m2 sway with periods of 4 to 30 s (Gu et al., Nature 638:112, 2025: 18 s in Pamplona)."""
STOP_AND_GO_S: Final = (4.0, 60.0)
TREND_LEAST_S: Final = 120.0


def pressure(
    density: NDArray[np.float64], velocity: NDArray[np.float64], people: NDArray[np.float64], *, speed_sd: float
) -> Quantity:
    """Crowd pressure, 1/s2: density times the variance in time of the local mean velocity (Helbing et al., 2007).

    density: (T, C), persons per m2 in C cells at T times of some 15 s. velocity: (T, C, 2), local mean velocity over 1
    s or more, m/s. people: (T, C), how many people each mean rests on. speed_sd: error of one person's velocity in x
    and in y, m/s; what it adds is removed, and so is a steady change of the flow. The value is the mean over cells of
    3.5 per m2 or more; UNKNOWN without such cells or with fewer than 5 times.
    """
    dense = density.mean(axis=0) >= PRESSURE_FROM if len(density) else np.zeros(0, np.bool_)
    if len(density) < 5 or not dense.any():
        return unknown(Unit.PER_S2)
    moved = _detrended(velocity[:, dense])
    free = len(density) - 2
    variance = (moved**2).sum(axis=(0, 2)) / free
    noise = 2 * speed_sd**2 * (1 / np.maximum(people[:, dense], 1.0)).mean(axis=0)
    values = density[:, dense].mean(axis=0) * np.maximum(variance - noise, 0.0)
    return measured(float(values.mean()), Unit.PER_S2, sigma=float(values.mean() * np.sqrt(2 / free)))


def ratio_to_normal(now: Quantity, before: NDArray[np.float64]) -> Quantity:
    """How many times its normal a pressure is: over the median of the zone's earlier values, (K,).

    UNKNOWN before there are 60 of them, and where the normal is 0.
    """
    if now.value is None or len(before) < NORMAL_FROM or not np.median(before) > 0:
        return unknown(Unit.SHARE, age_s=now.age_s)
    return measured(float(now.value / np.median(before)), Unit.SHARE, age_s=now.age_s)


def stop_and_go(speed: NDArray[np.float64], *, step_s: float) -> tuple[Quantity, Quantity]:
    """How regularly people of a zone stop and go together, 0 to 1, and with which period, seconds.

    speed: (T,), mean speed along the way at equal steps. The highest peak of the autocorrelation of the detrended speed
    between 4 and 60 s, and at most half of what was seen. UNKNOWN for less than three shortest periods.
    """
    low, high = round(STOP_AND_GO_S[0] / step_s), round(min(STOP_AND_GO_S[1] / step_s, len(speed) / 2))
    if len(speed) * step_s < 3 * STOP_AND_GO_S[0] or high <= low:
        return unknown(Unit.SHARE), unknown(Unit.S)
    moved = _detrended(speed[:, None])[:, 0]
    power = float(moved @ moved)
    if power <= 1e-12:
        return measured(0.0, Unit.SHARE), unknown(Unit.S)
    lags = np.arange(low, high)
    alike = np.array([moved[:-lag] @ moved[lag:] / power * len(moved) / (len(moved) - lag) for lag in lags])
    peaks = np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] >= alike[2:])) + 1
    if not len(peaks):
        return measured(0.0, Unit.SHARE), unknown(Unit.S)
    best = peaks[np.argmax(alike[peaks])]
    strength = float(np.clip(alike[best], 0, 1))
    return measured(strength, Unit.SHARE), measured(float(lags[best] * step_s), Unit.S, sigma=step_s)


def oscillation(velocity: NDArray[np.float64], *, step_s: float) -> tuple[Quantity, Quantity]:
    """How much of a crowd's motion is one swaying or circling, 0 to 1, and its period, seconds.

    velocity: (T, 2), mean velocity of one part of the crowd some 5 m wide, at equal steps over 90 s. From the rotary
    spectrum of Vx + i Vy (Gonella, 1972), detrended and under a Hann window: the share of all power that the strongest
    frequency between 0.03 and 0.25 Hz and its neighbours hold, both senses together. UNKNOWN for less than 60 s.
    """
    if len(velocity) * step_s < 2 / 3 * OSCILLATION_WINDOW_S:
        return unknown(Unit.SHARE), unknown(Unit.S)
    moved = _detrended(velocity)
    series = (moved[:, 0] + 1j * moved[:, 1]) * np.hanning(len(moved))
    power = np.abs(np.fft.fft(series)) ** 2
    half = len(series) // 2
    both = power[1:half] + power[:-half:-1][: half - 1]
    hertz = np.arange(1, half) / (len(series) * step_s)
    band = np.flatnonzero((hertz >= OSCILLATION_HZ[0]) & (hertz <= OSCILLATION_HZ[1]))
    if not len(band) or not both.sum() > 1e-12:
        return measured(0.0, Unit.SHARE), unknown(Unit.S)
    best = int(band[np.argmax(both[band])])
    share = both[max(best - 1, 0) : best + 2].sum() / both.sum()
    # White noise holds as much in any three of its frequencies: only what is above that speaks.
    nothing = min(3 / len(both) * 2, 0.9)
    strength = float(np.clip((share - nothing) / (1 - nothing), 0, 1))
    return measured(strength, Unit.SHARE), measured(float(1 / hertz[best]), Unit.S)


def time_to_critical(at_s: NDArray[np.float64], density: NDArray[np.float64], *, critical: float) -> Quantity:
    """When a zone that goes on filling as it did reaches its critical density, seconds from the last time.

    A line is fitted through the densities, (T,), at times, (T,), of at least 2 minutes; its error counts only as many
    independent values as their correlation leaves. UNKNOWN unless the rise is sure (twice its error above 0): then
    sigma says how far the time is off.
    """
    if len(at_s) < 10 or np.ptp(at_s) < TREND_LEAST_S:
        return unknown(Unit.S)
    times = at_s - at_s.mean()
    slope = float(times @ density / (times @ times))
    now = float(density.mean() + slope * times[-1])
    rest = density - density.mean() - slope * times
    alike = float(rest[1:] @ rest[:-1] / max(float(rest @ rest), 1e-12))
    independent = max(len(at_s) * (1 - max(alike, 0.0)) / (1 + max(alike, 0.0)), 3.0)
    sigma = float(np.sqrt(rest @ rest / (times @ times) / max(independent - 2, 1.0)))
    if slope <= 2 * sigma or slope <= 1e-6:
        return unknown(Unit.S)
    left_s = max(critical - now, 0.0) / slope
    return measured(left_s, Unit.S, sigma=left_s * sigma / slope)


def _detrended(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without mean and straight trend along the first axis."""
    times = np.arange(len(values)) - (len(values) - 1) / 2
    shape = (-1,) + (1,) * (values.ndim - 1)
    slope = np.tensordot(times, values, axes=(0, 0)) / max(float(times @ times), 1e-12)
    return np.asarray(values - values.mean(axis=0) - times.reshape(shape) * slope, np.float64)
