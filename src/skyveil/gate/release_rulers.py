"""The door for a camera that people were rulers of. Gate: four numbers of the camera, over many, and rounded.

What is kept back: every box and pair, when they were, how many there were to the last one, and digits that no camera's
calibration needs (docs/adr/0019-people-as-rulers.md).
"""

from typing import TYPE_CHECKING, Final

from skyveil.core.errors import BoundaryViolated
from skyveil.public._seal import SEAL
from skyveil.public.ruler_report import (
    LEAST_PAIRS,
    MOST_ERROR,
    MOST_PAIRS,
    PAIRS_STEP,
    RulerFit,
    RulerReport,
    RulerState,
)

if TYPE_CHECKING:  # it loads scipy: 50 MB and a second of CPU of every camera's process
    from skyveil.measure.rulers import RulerCamera

HEIGHT_STEP_M: Final = 0.05
"""Half of it is 1 % of the height of the lowest camera; the fit itself is 10 to 20 % wrong."""
ANGLE_STEP_DEG: Final = 0.1
_RMS_STEP_PX: Final = 0.5
_SHARE_STEP: Final = 0.01


def release_progress(state: RulerState, pairs: int) -> RulerReport:
    """How far a camera is; raises BoundaryViolated for a state that has a camera to tell."""
    if state is RulerState.FITTED:
        raise BoundaryViolated("a camera that people are rulers of is told by release_camera, with what it rests on")
    return RulerReport(state, _tens(pairs), None, seal=SEAL)


def release_camera(found: "RulerCamera", *, size_wh: tuple[int, int]) -> RulerReport:
    """The camera of pictures of this size, rounded.

    Raises BoundaryViolated when it rests on fewer than 30 pairs, or nobody knows how well they agree with it.
    """
    fit = found.fit
    if fit.points < LEAST_PAIRS or fit.rms_px is None:
        raise BoundaryViolated(
            f"a camera that people say rests on {LEAST_PAIRS} pairs or more, and has their error, got {fit.points}"
        )
    told = RulerFit(
        size_wh,
        height_m=_rounded(found.height_m, HEIGHT_STEP_M),
        tilt_deg=_rounded(found.tilt_deg, ANGLE_STEP_DEG),
        roll_deg=_rounded(found.roll_deg, ANGLE_STEP_DEG),
        view_deg=_rounded(found.view_deg, ANGLE_STEP_DEG),
        rms_px=_rounded(fit.rms_px, _RMS_STEP_PX),
        left_out_m=None if fit.left_out_m is None else _rounded(min(fit.left_out_m, MOST_ERROR), _SHARE_STEP),
        area_sigma=_rounded(min(fit.area_sigma, MOST_ERROR), _SHARE_STEP),
    )
    return RulerReport(RulerState.FITTED, _tens(fit.points), told, seal=SEAL)


def _rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 2)


def _tens(pairs: int) -> int:
    return min(pairs, MOST_PAIRS) // PAIRS_STEP * PAIRS_STEP
