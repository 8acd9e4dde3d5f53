"""Signs of unrest are found where they are, and not in noise or in harmless walking."""

import numpy as np
import pytest

from skyveil.measure.quantity import Unit, measured, unknown
from skyveil.measure.unrest import oscillation, pressure, ratio_to_normal, stop_and_go, time_to_critical

STEP_S = 1.0


def swaying(
    amplitude: float, *, noise: float, seconds: int = 90, seed: int = 0
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Mean velocity of 30 heads that circle once in 18 s, each with its own motion of 0.35 m/s."""
    random, time = np.random.default_rng(seed), np.arange(seconds) * STEP_S
    circle = amplitude * np.stack([np.cos(2 * np.pi * time / 18), np.sin(2 * np.pi * time / 18)], axis=1)
    return np.asarray(circle + random.normal(0, noise / np.sqrt(30), (seconds, 2)), np.float64)


def test_noise_alone_is_no_pressure() -> None:
    """5 cm of jitter over 1 s of base is 0.07 m/s a head: what it makes is removed."""
    random = np.random.default_rng(0)
    people = np.full((15, 40), 20.0)
    velocity = random.normal(0, 0.07 / np.sqrt(20), (15, 40, 2))
    found = pressure(np.full((15, 40), 5.0), velocity, people, speed_sd=0.07)
    assert found.value == pytest.approx(0, abs=5e-4)


def test_pressure_is_density_times_variance() -> None:
    random = np.random.default_rng(1)
    velocity = random.normal(0, 0.1, (200, 20, 2))
    found = pressure(np.full((200, 20), 5.0), velocity, np.full((200, 20), 1e9), speed_sd=0.0)
    assert found.value == pytest.approx(5.0 * 2 * 0.1**2, rel=0.05)


def test_a_stream_that_grows_steadily_is_no_pressure() -> None:
    velocity = np.broadcast_to(np.linspace(0, 1.5, 15)[:, None, None], (15, 40, 2))
    found = pressure(np.full((15, 40), 5.0), velocity, np.full((15, 40), 20.0), speed_sd=0.0)
    assert found.value == pytest.approx(0, abs=1e-9)


def test_below_three_and_a_half_per_m2_there_is_no_pressure_to_speak_of() -> None:
    assert pressure(np.full((15, 4), 3.4), np.ones((15, 4, 2)), np.ones((15, 4)), speed_sd=0.0) == unknown(Unit.PER_S2)
    assert pressure(np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros((0, 4)), speed_sd=0.0) == unknown(Unit.PER_S2)


def test_pressure_is_compared_with_the_zone_s_own_normal() -> None:
    now = measured(0.06, Unit.PER_S2)
    assert ratio_to_normal(now, np.full(60, 0.02)).value == pytest.approx(3.0)
    assert not ratio_to_normal(now, np.full(59, 0.02)).known
    assert not ratio_to_normal(now, np.zeros(60)).known
    assert not ratio_to_normal(unknown(Unit.PER_S2), np.full(60, 0.02)).known


@pytest.mark.parametrize(("amplitude", "least", "most"), [(0.0, 0.0, 0.1), (0.05, 0.1, 0.4), (0.2, 0.8, 1.0)])
def test_a_crowd_that_sways_as_one_is_found(amplitude: float, least: float, most: float) -> None:
    found = [oscillation(swaying(amplitude, noise=0.35, seed=seed), step_s=STEP_S) for seed in range(10)]
    strength = np.median([one[0].value or 0.0 for one in found])
    assert least <= strength <= most
    if amplitude:
        assert np.median([one[1].value or 0.0 for one in found]) == pytest.approx(18, abs=1)


@pytest.mark.parametrize("velocity", [np.zeros((90, 2)), swaying(0.3, noise=0.0, seconds=40)], ids=["still", "short"])
def test_no_sway_is_said_without_motion_or_time(velocity: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    strength, period = oscillation(velocity, step_s=STEP_S)
    assert not strength.value
    assert not period.known


def test_stop_and_go_waves_have_their_period() -> None:
    time = np.arange(120) * 0.5
    random = np.random.default_rng(0)
    waves = 0.3 + 0.3 * np.sign(np.sin(2 * np.pi * time / 12)) + random.normal(0, 0.05, 120)
    strength, period = stop_and_go(waves, step_s=0.5)
    assert (strength.value or 0) > 0.7
    assert period.value == pytest.approx(12, abs=1)


def test_even_walking_is_no_wave() -> None:
    random = np.random.default_rng(0)
    values = [stop_and_go(0.8 + random.normal(0, 0.1, 120), step_s=0.5)[0].value or 0.0 for _ in range(20)]
    assert np.median(values) < 0.4
    assert stop_and_go(np.full(10, 0.8), step_s=0.5)[0] == unknown(Unit.SHARE)
    assert stop_and_go(np.full(120, 0.8), step_s=0.5)[0].value == 0.0


def test_the_time_to_critical_is_when_the_line_gets_there() -> None:
    time = np.arange(0, 180, 1.0)
    random = np.random.default_rng(0)
    found = time_to_critical(time, 1.0 + time / 100 + random.normal(0, 0.1, 180), critical=5.0)
    assert found.value == pytest.approx((5.0 - 1.0 - 1.79) * 100, rel=0.05)
    assert found.sigma is not None
    assert 0 < found.sigma < 30


@pytest.mark.parametrize(
    ("seconds", "slope", "noise"),
    [(100, 0.02, 0.0), (180, 0.0, 0.1), (180, -0.01, 0.05), (180, 0.0002, 0.3)],
    ids=["too short", "steady", "emptying", "not sure"],
)
def test_no_time_is_told_without_a_sure_rise(seconds: int, slope: float, noise: float) -> None:
    time = np.arange(0, seconds, 1.0)
    density = 2.0 + slope * time + np.random.default_rng(0).normal(0, noise, len(time))
    assert time_to_critical(time, density, critical=5.0) == unknown(Unit.S)
