"""What has been given away of a day, and what may still be. Public side; `store.ledger` keeps it, the gate asks it.

docs/concept/anonymous-numbers.md says in plain words what is counted here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol, final

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Number

DAY_S: Final = 86400
EPSILON_PER_VISIT_DAY: Final = Fraction(2)
"""The most that everything published of one camera in one day may tell of one visit: a likelihood ratio of exp(2)."""


@final
@dataclass(frozen=True, slots=True)
class Charge:
    """One number that is to be published, and the series it belongs to.

    A series is one measure of one place in periods of one length, on one day (UTC). `sensitivity` bounds by how much
    one visit changes all numbers of the series together (L1), so the series as a whole costs `epsilon`, however many
    numbers it has, and is charged once.
    """

    camera: CameraId
    place: PlaceId
    measure: Measure
    period_s: int
    start_s: int
    sensitivity: int
    epsilon: Fraction

    @property
    def day(self) -> int:
        """Days since 1970-01-01, UTC."""
        return self.start_s // DAY_S


class Budget(Protocol):
    """What the gate asks before it lets a number out."""

    def noise(self, charge: Charge, draw: Callable[[], int]) -> int | None:
        """The noise of a number: drawn and stored with its charge the first time, the stored one ever after.

        None when the budget of the camera's day does not allow the series, or the number is published already.
        """
        ...

    def told(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> Sequence[Number]:
        """What staff were told already of a place between two times, in shorter periods."""
        ...


@final
class NoBudget:
    """For numbers that stay in the control room: whoever asks it for anything else has made a mistake."""

    def noise(self, charge: Charge, draw: Callable[[], int]) -> int | None:
        """Raise BoundaryViolated."""
        del draw
        raise BoundaryViolated(f"there is no budget for public numbers of {charge.camera} here")

    def told(self, camera: CameraId, place: PlaceId, start_s: int, end_s: int) -> Sequence[Number]:
        """Raise BoundaryViolated."""
        del place, start_s, end_s
        raise BoundaryViolated(f"nobody knows here what staff were told of {camera}")
