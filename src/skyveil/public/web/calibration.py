"""Calibrating a camera on its redacted picture. Public side."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Final, final

from fastapi import APIRouter, Depends, HTTPException, status
from pydantic import Field

from skyveil.core.camera import AskedRulers
from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.measure.calibration import HEAD_M
from skyveil.measure.given import Given
from skyveil.public.store.audit import Plain
from skyveil.public.store.roles import Permission
from skyveil.public.web.drawing import CanDraw, may_tell
from skyveil.public.web.drawn import CalibrationView, DrawnPlace, Fitted, RulersView
from skyveil.public.web.state import STRICT, Access, Console, ConsoleDep, camera, refusals

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}", tags=["drawing"])
CHANGED: Final = "calibration.change"
ASKED: Final = "rulers.begin"
DROPPED: Final = "rulers.drop"
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
class RulersBody:
    """What people do not tell: degrees from the left to the right edge of the picture, and how tall they are."""

    __pydantic_config__: ClassVar = STRICT
    view: Annotated[float, Field(ge=12, le=118, examples=[70])]
    head_height: Annotated[float, Field(gt=1, lt=2.2)] = HEAD_M


@final
@dataclass(frozen=True, slots=True)
class TakeBody:
    """The wish whose fit is taken, and the version that is replaced."""

    __pydantic_config__: ClassVar = STRICT
    version: Annotated[str, Field(max_length=64)]
    number: Annotated[int, Field(ge=0)]


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
    _newest(console, access, body.version)
    try:
        fitted = console.site.fitted(access.id, body.given)
    except (SettingsRefused, MeasureRefused) as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    given = body.given
    ways = {"rectangle": given.rectangle, "camera": given.camera, "points": given.points, "people": given.people}
    save = partial(console.site.calibrate, access.id, given, version=body.version)
    return _written(console, access, fitted, ", ".join(name for name, value in ways.items() if value), save)


@router.get("/calibration/people")
def read_rulers(access: CanDraw, console: ConsoleDep) -> RulersView:
    """How far a camera is that takes people for rulers, and the calibration that they say."""
    return console.site.rulers(access.id)


@router.post("/calibration/people", status_code=status.HTTP_204_NO_CONTENT)
def ask_rulers(body: RulersBody, access: CanDraw, console: ConsoleDep) -> None:
    """Have people before a camera be rulers: its process collects feet and heads, in memory, until there is a fit."""
    console.audit.record(access.principal.name, ASKED, access.id, {"view_deg": body.view})
    with refusals():
        console.site.ask_rulers(access.id, AskedRulers(body.view, body.head_height))


@router.delete("/calibration/people", status_code=status.HTTP_204_NO_CONTENT)
def drop_rulers(access: CanDraw, console: ConsoleDep) -> None:
    """Forget the people, and what they said."""
    console.audit.record(access.principal.name, DROPPED, access.id)
    console.site.drop_rulers(access.id)


@router.put("/calibration/people")
def take_rulers(body: TakeBody, access: CanDraw, console: ConsoleDep) -> CalibrationOut:
    """Calibrate a camera by what people said: a new version, measured with from now on."""
    _newest(console, access, body.version)
    found = console.site.rulers(access.id)
    if found.fitted is None or found.number != body.number:
        detail = "what people said was dropped or made anew meanwhile: load the page again"
        raise HTTPException(status.HTTP_409_CONFLICT, detail)
    save = partial(console.site.calibrate_by_rulers, access.id, body.number, version=body.version)
    return _written(console, access, found.fitted, "people before the camera", save)


def _newest(console: Console, access: Access, version: str) -> None:
    """Refuse to replace a calibration that somebody else made meanwhile."""
    if console.site.calibration(access.id).version != version:
        detail = "the camera was calibrated by somebody else meanwhile: load the page again"
        raise HTTPException(status.HTTP_409_CONFLICT, detail)


def _written(
    console: Console, access: Access, fitted: Fitted, made_of: str, save: Callable[[], CalibrationView]
) -> CalibrationOut:
    """Save what was fitted, if no place refuses it, and say so in the audit log."""
    before = console.site.drawing(access.id)
    for place, one in zip(before.places, fitted.judged, strict=True):
        if one.refused:
            detail = f"{place.name}: {one.words}; draw it anew, or take it away, before you calibrate"
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, detail)
    may_tell(access, before, before.places, fitted.judged)
    console.audit.record(access.principal.name, CHANGED, access.id, _told(made_of, fitted))
    try:
        view = save()
    except (SettingsRefused, MeasureRefused) as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    return _out(console, access, view)


@router.post("/view/trusted", status_code=status.HTTP_204_NO_CONTENT)
def trust_view(access: CanTrust, console: ConsoleDep) -> None:
    """Say that what a camera sees now is the view that its places and its calibration were made for."""
    console.audit.record(access.principal.name, TRUSTED, access.id)
    console.site.trust_view(access.id)


def _told(made_of: str, fitted: Fitted) -> dict[str, Plain]:
    """What an entry of the audit log says."""
    return {
        "from": made_of,
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
