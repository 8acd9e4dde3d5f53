"""Flows agree with PedPy, and means come from Little's law."""

from pathlib import Path

import numpy as np
import pytest

from skyveil.core.ids import PlaceId
from skyveil.measure import flow
from skyveil.measure.places import Line
from skyveil.measure.points import points_of
from skyveil.measure.quantity import Quality, Unit, unknown
from skyveil.private.observe.crossings import Crossings
from skyveil.private.observe.linker import Linked
from tests.measure import oracle
from tests.measure.trajectories import Trajectories, read

GATE = Line(PlaceId("gate"), (-2.25, 0.0), (4.0, 0.0))


def crossed_s(crowd: Trajectories, line: Line) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """When people crossed forward, from their true places."""
    crossings, times = Crossings(line), []
    first = int(crowd.frame.min())
    for index, (numbers, points) in enumerate(crowd.frames, start=first):
        linked = Linked(numbers, points, np.zeros_like(points), np.ones(len(numbers), np.bool_))
        times += [one.at_s for one in crossings.update(linked, at_s=index / crowd.fps) if one.forward]
    return np.array(times)


def walkers() -> Trajectories:
    """40 people walk over the line at 1.2 m/s, 0.4 s apart."""
    number, frame = np.repeat(np.arange(40), 60), np.tile(np.arange(60), 40) + np.repeat(np.arange(40) * 4, 60)
    y = -3 + np.tile(np.arange(60), 40) * 0.12 + 0.003 * np.repeat(np.arange(40), 60)
    x = np.repeat(np.linspace(-2, 3.5, 40), 60)
    return Trajectories(number.astype(np.int64), frame.astype(np.int64), np.stack([x, y], axis=1), 10.0)


def agrees(crowd: Trajectories, line: Line) -> None:
    times = crossed_s(crowd, line)
    frames, expected = oracle.cumulated(crowd, line)
    assert flow.cumulated(np.rint(times * crowd.fps), frames.astype(np.float64)).tolist() == expected.tolist()
    assert flow.flow_between(times) == pytest.approx(oracle.flow(crowd, line), rel=0.02)


def test_n_t_and_flow_are_pedpy_s_on_walkers() -> None:
    agrees(walkers(), GATE)


def test_n_t_and_flow_are_pedpy_s_on_recorded_crowds(eval_data: Path) -> None:
    crowd = read(eval_data / "trajectories" / "AO_300" / "traj.txt", fps=16)
    agrees(crowd, GATE)
    times = crossed_s(crowd, GATE)
    assert len(times) == 348
    assert (flow.flow_between(times) or 0) / 3.0 == pytest.approx(2.22, rel=0.02)  # JPSreport: 6.65/s through 3 m


def test_flow_and_its_error() -> None:
    through = flow.flow(100, over_s=50)
    assert [through.value, through.sigma] == pytest.approx([2.0, 0.2])
    assert through.unit is Unit.PER_S
    per_metre = flow.specific_flow(through, width_m=4)
    assert [per_metre.value, per_metre.sigma] == pytest.approx([0.5, 0.05])
    assert per_metre.unit is Unit.PER_M_S
    assert flow.specific_flow(unknown(Unit.PER_S, age_s=3), width_m=4) == unknown(Unit.PER_M_S, age_s=3)
    assert flow.flow_between(np.array([1.0])) is None


def test_velocities() -> None:
    velocity = points_of([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert flow.mean_velocity(velocity) == pytest.approx((1 / 3, 1 / 3))
    assert flow.median_speed(velocity) == 1.0
    assert flow.mean_velocity(points_of([])) is None
    assert flow.median_speed(points_of([])) is None


@pytest.mark.parametrize(
    ("against", "along", "standing", "share"),
    [
        (3, 3, 4, 0.5),  # who stands goes nowhere
        (2, 10, 0, 0.0),  # two who turned round are no stream
        (0, 5, 5, 0.0),
        (5, 0, 0, 1.0),
    ],
)
def test_the_share_that_goes_the_wrong_way(against: int, along: int, standing: int, share: float) -> None:
    velocity = points_of([[0, -1.0]] * against + [[0.4, 1.0]] * along + [[0, -0.1]] * standing)
    assert flow.wrong_way_share(velocity, (0.0, 2.0)) == share
    if against:
        assert flow.wrong_way_share(velocity, (0.0, 2.0), least=1) > 0  # an escalator


def test_waiting_follows_from_length_and_service() -> None:
    wait = flow.queue_wait(20, 30, over_s=300)
    assert (wait.value, wait.quality) == (200.0, Quality.GOOD)
    assert flow.queue_wait(20, 4, over_s=300).quality is Quality.DEGRADED
    assert flow.queue_wait(20, 0, over_s=300) == unknown(Unit.S)


def test_a_mean_stay_needs_ten_arrivals() -> None:
    stay = flow.mean_stay(12.0, 24, over_s=600)
    assert [stay.value, stay.sigma] == pytest.approx([300.0, 61.2], abs=0.1)
    assert flow.mean_stay(12.0, 9, over_s=600) == unknown(Unit.S)
