"""Numbers as the gate would give them, for tests of what happens afterwards."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import grounds
from skyveil.gate.release import ControlRoom, Policy, Public, Staff, release
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import measured
from skyveil.public.aggregate import Aggregate, Number
from skyveil.public.budget import Budget, Charge

CAMERA, HALL, GATE = CameraId("north"), PlaceId("hall"), PlaceId("gate")
GROUNDS = grounds({HALL: np.array([[0, 0], [10, 0], [10, 5], [0, 5]], np.float64)}, frozenset({GATE}))
T = 1_790_000_000 // 86400 * 86400
COUNT, IN = Measure.COUNT, Measure.CROSSED_FORWARD


class NoBudget:
    """For numbers that need none."""

    def noise(self, charge: Charge, draw: Callable[[], int]) -> int | None:
        raise AssertionError("nothing public was meant to be released")

    def told(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> Sequence[Number]:
        return ()


def place(name: PlaceId, values: Mapping[Measure, float], *, start_s: float = T, period_s: float = 60) -> PlaceMeasures:
    return PlaceMeasures(
        name, start_s, start_s + period_s, {one: measured(value, one.unit) for one, value in values.items()}
    )


def numbers(
    policy: Policy, *places: PlaceMeasures, camera: CameraId = CAMERA, budget: Budget | None = None
) -> tuple[Aggregate, ...]:
    return release(CameraMeasures(camera, places), policy, budget or NoBudget())


EXACT, STAFF, PUBLIC = ControlRoom(), Staff(GROUNDS), Public(GROUNDS)
