"""Numbers about a place, as one audience may have them. Public side; made by `gate.release` only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, final

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality, Quantity
from skyveil.public._seal import Sealed, _Seal, made_by_gate
from skyveil.public.audience import Audience


@final
class Told(StrEnum):
    """In which way a number is told."""

    EXACT = "exact"
    ROUNDED = "rounded"
    NOISY = "noisy"
    FEWER = "fewer"
    """Fewer than the least number that this audience is told."""
    WITHHELD = "withheld"
    """Not told, because it would tell another number that is not told."""
    UNKNOWN = "unknown"
    """Not measured."""


_VALUED: Final = frozenset({Told.EXACT, Told.ROUNDED, Told.NOISY})


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """One number. It has a value exactly when it is EXACT, ROUNDED or NOISY."""

    told: Told
    quantity: Quantity

    def __post_init__(self) -> None:
        """Raise BoundaryViolated when the value contradicts how it is told."""
        if self.quantity.known != (self.told in _VALUED):
            raise BoundaryViolated(f"a figure that is {self.told} has a value or lacks one")


def hidden(told: Told, quantity: Quantity) -> Figure:
    """A figure without its value; its age stays."""
    return Figure(told, Quantity(None, None, quantity.unit, Quality.UNKNOWN, quantity.age_s))


@final
@dataclass(frozen=True, slots=True)
class Number:
    """One figure as it stands in the store: of one measure of one place, from `start_s` for `period_s` seconds."""

    camera: CameraId
    place: PlaceId
    measure: Measure
    period_s: int
    start_s: int
    figure: Figure

    @property
    def end_s(self) -> int:
        """Where the period ends, unix seconds."""
        return self.start_s + self.period_s


@final
@dataclass(frozen=True, slots=True)
class NumberSeries:
    """The numbers of one measure of one place as they stand in the store, in order of time: one entry for each period.

    For charts, which have thousands. told, quality: values of `Told` and `Quality`.
    """

    place: PlaceId
    measure: Measure
    period_s: int
    start_s: list[int]
    told: list[str]
    value: list[float | None]
    sigma: list[float | None]
    quality: list[str]

    def __post_init__(self) -> None:
        """Raise BoundaryViolated when a value contradicts how it is told, as `Figure` does."""
        if any(
            known != (told in _VALUED) for told, known in set(zip(self.told, map(_is_known, self.value), strict=True))
        ):
            raise BoundaryViolated("a figure has a value that is not told, or lacks one")


def _is_known(value: float | None) -> bool:
    return value is not None


@final
class Aggregate(Sealed, made_by="gate.release"):
    """The numbers of one place from `start_s` (included) to `end_s` (unix seconds), for one audience.

    Made by `gate.release`, and by the reader of the pipe from what the gate made on its other side. It has no field for
    a person, a position or a track.
    """

    __slots__ = ("audience", "camera", "end_s", "figures", "place", "start_s")

    audience: Audience
    camera: CameraId
    place: PlaceId
    start_s: float
    end_s: float
    figures: Mapping[Measure, Figure]

    def __init__(
        self,
        audience: Audience,
        camera: CameraId,
        place: PlaceId,
        *,
        start_s: float,
        end_s: float,
        figures: Mapping[Measure, Figure],
        seal: _Seal,
    ) -> None:
        self._fill(
            seal,
            audience=audience,
            camera=camera,
            place=place,
            start_s=start_s,
            end_s=end_s,
            figures=MappingProxyType(dict(figures)),
        )

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, Aggregate) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        """By place and time."""
        return hash((self.audience, self.camera, self.place, self.start_s, self.end_s))

    def __repr__(self) -> str:
        """Place, audience and time, without numbers."""
        return f"Aggregate({self.audience}, {self.camera}/{self.place}, {self.start_s:.0f} to {self.end_s:.0f})"


def released(aggregate: object, *audiences: Audience) -> Aggregate:
    """The aggregate itself when the gate made it for one of these audiences; BoundaryViolated otherwise.

    Everything that stores, shows or sends numbers calls it first, and so declares its audience.
    """
    one = made_by_gate(aggregate, Aggregate)
    if one.audience not in audiences:
        raise BoundaryViolated(f"numbers for {one.audience} were about to reach {', '.join(audiences)}")
    return one
