"""How far a live camera is with people as rulers, and the camera that they say. Public side.

Made by `gate.release_rulers` only. Numbers of the camera, and none of anybody: no box, no time, no order
(docs/adr/0019-people-as-rulers.md).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from skyveil.public._seal import Sealed, _Seal, made_by_gate

LEAST_PAIRS: Final = 30
"""Pairs of foot and head below which no camera is told; `measure.rulers` takes so many for independent."""
ENOUGH_PAIRS: Final = 60
"""Pairs that are waited for; more make nothing surer."""
PAIRS_STEP: Final = 10
"""How many pairs there are is told in steps of this, rounded down."""
MOST_PAIRS: Final = 400
MOST_ERROR: Final = 1000.0
"""Largest error that is told, in metres or as a share: a fit beside the horizon has no bound of its own."""


class RulerState(Enum):
    """How far it is. The last three are ends without a camera."""

    COLLECTING = "collecting"
    FITTED = "fitted"
    FEW = "few"
    ONE_ROW = "one-row"
    UNLIKE = "unlike"


@final
@dataclass(frozen=True, slots=True)
class RulerFit:
    """The camera that people say, rounded: metres over the floor, degrees below the horizontal, clockwise about its
    axis, and from the left to the right edge of its picture of `size_wh` pixels; and how well they agree with it.

    rms_px, left_out_m, area_sigma: as in `measure.calibration.Fit`.
    """

    size_wh: tuple[int, int]
    height_m: float
    tilt_deg: float
    roll_deg: float
    view_deg: float
    rms_px: float
    left_out_m: float | None
    area_sigma: float


@final
class RulerReport(Sealed, made_by="gate.release_rulers"):
    """How far a camera is. pairs: in steps of ten. fit: there when the state is FITTED, and then only."""

    __slots__ = ("fit", "pairs", "state")

    state: RulerState
    pairs: int
    fit: RulerFit | None

    def __init__(self, state: RulerState, pairs: int, fit: RulerFit | None, *, seal: _Seal) -> None:
        self._fill(seal, state=state, pairs=pairs, fit=fit)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, RulerReport) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        """By all that it says."""
        return hash((self.state, self.pairs, self.fit))

    def __repr__(self) -> str:
        """The state, without numbers."""
        return f"RulerReport({self.state.value})"


def sealed_report(one: object) -> RulerReport:
    """The report itself when the gate made it; BoundaryViolated otherwise."""
    return made_by_gate(one, RulerReport)
