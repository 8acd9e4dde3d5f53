"""What can be measured of a place, and the measures of places over a span of time. Measure.

docs/reference/measures.md gives the formula, unit and source of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, final

from skyveil.core.errors import MeasureRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.quantity import Quantity, Unit, unknown


@final
class Measure(StrEnum):
    """Everything that is measured. All of it is about a place; nothing here is about one person."""

    COUNT = "count"
    DENSITY = "density"
    VORONOI_DENSITY = "voronoi_density"
    LOCAL_DENSITY_MAX = "local_density_max"
    DENSE_AREA = "dense_area"
    SPEED = "speed"
    VELOCITY_X = "velocity_x"
    VELOCITY_Y = "velocity_y"
    CROSSED_FORWARD = "crossed_forward"
    CROSSED_BACKWARD = "crossed_backward"
    FLOW_FORWARD = "flow_forward"
    FLOW_BACKWARD = "flow_backward"
    SPECIFIC_FLOW_FORWARD = "specific_flow_forward"
    SPECIFIC_FLOW_BACKWARD = "specific_flow_backward"
    OCCUPANCY = "occupancy"
    QUEUE_LENGTH = "queue_length"
    QUEUE_WAIT = "queue_wait"
    MEAN_STAY = "mean_stay"
    WRONG_WAY_SHARE = "wrong_way_share"
    PRESSURE = "pressure"
    PRESSURE_RATIO = "pressure_ratio"
    STOP_AND_GO = "stop_and_go"
    STOP_AND_GO_PERIOD = "stop_and_go_period"
    OSCILLATION = "oscillation"
    OSCILLATION_PERIOD = "oscillation_period"
    TIME_TO_CRITICAL = "time_to_critical"

    @property
    def unit(self) -> Unit:
        """The only unit that a value of this measure has."""
        return UNITS[self]


UNITS: Final[Mapping[Measure, Unit]] = MappingProxyType(
    {
        Measure.COUNT: Unit.PERSONS,
        Measure.DENSITY: Unit.PER_M2,
        Measure.VORONOI_DENSITY: Unit.PER_M2,
        Measure.LOCAL_DENSITY_MAX: Unit.PER_M2,
        Measure.DENSE_AREA: Unit.M2,
        Measure.SPEED: Unit.M_PER_S,
        Measure.VELOCITY_X: Unit.M_PER_S,
        Measure.VELOCITY_Y: Unit.M_PER_S,
        Measure.CROSSED_FORWARD: Unit.PERSONS,
        Measure.CROSSED_BACKWARD: Unit.PERSONS,
        Measure.FLOW_FORWARD: Unit.PER_S,
        Measure.FLOW_BACKWARD: Unit.PER_S,
        Measure.SPECIFIC_FLOW_FORWARD: Unit.PER_M_S,
        Measure.SPECIFIC_FLOW_BACKWARD: Unit.PER_M_S,
        Measure.OCCUPANCY: Unit.PERSONS,
        Measure.QUEUE_LENGTH: Unit.PERSONS,
        Measure.QUEUE_WAIT: Unit.S,
        Measure.MEAN_STAY: Unit.S,
        Measure.WRONG_WAY_SHARE: Unit.SHARE,
        Measure.PRESSURE: Unit.PER_S2,
        Measure.PRESSURE_RATIO: Unit.SHARE,
        Measure.STOP_AND_GO: Unit.SHARE,
        Measure.STOP_AND_GO_PERIOD: Unit.S,
        Measure.OSCILLATION: Unit.SHARE,
        Measure.OSCILLATION_PERIOD: Unit.S,
        Measure.TIME_TO_CRITICAL: Unit.S,
    }
)


@final
@dataclass(frozen=True, slots=True)
class PlaceMeasures:
    """The measures of one zone or line from `start_s` (included) to `end_s` (not included).

    start_s, end_s: seconds of unix time, given by who made the span. values: only what was measured or tried; a
    measure that does not apply to the place is absent, one that was tried in vain is UNKNOWN.
    """

    place: PlaceId
    start_s: float
    end_s: float
    values: Mapping[Measure, Quantity]

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a span that does not run forward or a value in a foreign unit."""
        if not self.end_s > self.start_s:
            raise MeasureRefused(f"{self.place}: a span must end after it starts")
        for measure, quantity in self.values.items():
            if quantity.unit is not measure.unit:
                raise MeasureRefused(f"{self.place}: {measure} is in {measure.unit}, got {quantity.unit}")
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))


@final
@dataclass(frozen=True, slots=True)
class CameraMeasures:
    """The measures of every place of one camera over one span."""

    camera: CameraId
    places: tuple[PlaceMeasures, ...]

    def unknown(self) -> "CameraMeasures":
        """The same places and spans, and nothing known of them: what is told while no value can be trusted."""
        nothing = [{one: unknown(one.unit) for one in place.values} for place in self.places]
        return CameraMeasures(
            self.camera,
            tuple(
                PlaceMeasures(place.place, place.start_s, place.end_s, values)
                for place, values in zip(self.places, nothing, strict=True)
            ),
        )
