"""Calibrating a camera on its redacted picture. Public side."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from fastapi import APIRouter, Depends, HTTPException, status
from pydantic import Field

from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.measure.given import Given
from skyveil.public.store.audit import Plain
from skyveil.public.store.roles import Permission
from skyveil.public.web.drawing import CanDraw, may_tell
from skyveil.public.web.drawn import CalibrationView, DrawnPlace, Fitted
from skyveil.public.web.state import STRICT, Access, Console, ConsoleDep, camera

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}", tags=["drawing"])
CHANGED: Final = "calibration.change"
TRUSTED: Final = "view.trust"
CanTrust = Annotated[Access, Depends(camera(Permission.TRUST_VIEW))]


@final
@dataclass(frozen=True, slots=True)
class CalibrationBody:
    """What to calibrate from, and the version that is replaced."""

    __pydantic_config__: ClassVar = STRICT
    version: Annotated[str, Field(max_length=64)]
    given: Given


@final
@dataclass(frozen=True, slots=True)
class CalibrationOut:
    """How a camera is calibrated. by, at_s: who did that here, and when; null where the log does not say."""

    version: str
    by: str | None
    at_s: float | None
    fitted: Fitted | None
    places: list[DrawnPlace]


@final
@dataclass(frozen=True, slots=True)
class FitOut:
    """What a calibration would be, or in words why there is none."""

    refused: str
    fitted: Fitted | None


@router.get("/calibration")
def read_calibration(access: CanDraw, console: ConsoleDep) -> CalibrationOut:
    """How a camera is calibrated, with what shows whether that is right."""
    return _out(console, access, console.site.calibration(access.id))


@router.post("/calibration/fitted")
def fit(body: Given, access: CanDraw, console: ConsoleDep) -> FitOut:
    """What the calibration from this would be: errors, a grid of metres, the horizon, figures; nothing is changed."""
    try:
        return FitOut("", console.site.fitted(access.id, body))
    except (SettingsRefused, MeasureRefused) as error:
        return FitOut(str(error), None)


@router.put("/calibration")
def write_calibration(body: CalibrationBody, access: CanDraw, console: ConsoleDep) -> CalibrationOut:
    """Calibrate a camera: a new version, measured with from now on."""
    if console.site.calibration(access.id).version != body.version:
        detail = "the camera was calibrated by somebody else meanwhile: load the page again"
        raise HTTPException(status.HTTP_409_CONFLICT, detail)
    try:
        fitted = console.site.fitted(access.id, body.given)
    except (SettingsRefused, MeasureRefused) as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    before = console.site.drawing(access.id)
    for place, one in zip(before.places, fitted.judged, strict=True):
        if one.refused:
            detail = f"{place.name}: {one.words}; draw it anew, or take it away, before you calibrate"
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, detail)
    may_tell(access, before, before.places, fitted.judged)
    console.audit.record(access.principal.name, CHANGED, access.id, _told(body.given, fitted))
    try:
        view = console.site.calibrate(access.id, body.given, version=body.version)
    except (SettingsRefused, MeasureRefused) as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    return _out(console, access, view)


@router.post("/view/trusted", status_code=status.HTTP_204_NO_CONTENT)
def trust_view(access: CanTrust, console: ConsoleDep) -> None:
    """Say that what a camera sees now is the view that its places and its calibration were made for."""
    console.audit.record(access.principal.name, TRUSTED, access.id)
    console.site.trust_view(access.id)


def _told(given: Given, fitted: Fitted) -> dict[str, Plain]:
    """What an entry of the audit log says."""
    ways = {"rectangle": given.rectangle, "camera": given.camera, "points": given.points, "people": given.people}
    return {
        "from": ", ".join(name for name, value in ways.items() if value),
        "points": fitted.points,
        "rms_px": None if fitted.rms_px is None else round(fitted.rms_px, 2),
        "area_error": round(fitted.area_sigma, 3),
        "height_m": round(fitted.height_m, 2),
    }


def _out(console: Console, access: Access, view: CalibrationView) -> CalibrationOut:
    last = console.audit.entries(action=CHANGED, object=access.id, limit=1)
    return CalibrationOut(
        view.version,
        last[0].actor if last else None,
        last[0].at_s if last else None,
        view.fitted,
        list(console.site.drawing(access.id).places),
    )
