"""Drawing zones and lines on the redacted picture of a camera. Public side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from fastapi import APIRouter, Depends, HTTPException, status
from pydantic import Field

from skyveil.core.errors import SettingsRefused
from skyveil.public.store.audit import Plain
from skyveil.public.store.roles import Permission
from skyveil.public.web.drawn import Drawing, DrawnPlace, DrawnThresholds, Judged
from skyveil.public.web.state import STRICT, Access, Console, ConsoleDep, camera

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}", tags=["drawing"])
CanDraw = Annotated[Access, Depends(camera(Permission.DRAW))]
CHANGED: Final = "places.change"
_MOST: Final = 64
_TOLD: Final = 200
"""Characters of names that an entry of the audit log tells."""


@final
@dataclass(frozen=True, slots=True)
class PlacesBody:
    """Places to be judged."""

    __pydantic_config__: ClassVar = STRICT
    places: Annotated[list[DrawnPlace], Field(max_length=_MOST)]


@final
@dataclass(frozen=True, slots=True)
class DrawingBody:
    """Places to be saved, and the version that they were made from."""

    __pydantic_config__: ClassVar = STRICT
    version: Annotated[str, Field(max_length=64)]
    places: Annotated[list[DrawnPlace], Field(max_length=_MOST)]


@final
@dataclass(frozen=True, slots=True)
class DrawingOut:
    """The places of a camera. by, at_s: who drew this version here, and when; null where the log does not say."""

    version: str
    by: str | None
    at_s: float | None
    calibrated: bool
    places: list[DrawnPlace]
    judged: list[Judged]
    defaults: dict[str, DrawnThresholds]


@router.get("/drawing")
def read_drawing(access: CanDraw, console: ConsoleDep) -> DrawingOut:
    """The zones and lines of a camera, with what they are on the floor."""
    return _out(console, access, console.site.drawing(access.id))


@router.post("/drawing/judged")
def judge(body: PlacesBody, access: CanDraw, console: ConsoleDep) -> list[Judged]:
    """What places would be on the floor, who would be told of them and what refuses them; nothing is changed."""
    return list(console.site.judged(access.id, body.places))


@router.put("/drawing")
def write_drawing(body: DrawingBody, access: CanDraw, console: ConsoleDep) -> DrawingOut:
    """Replace the zones and lines of a camera: a new version, counted from now on."""
    before = console.site.drawing(access.id)
    if before.version != body.version:
        detail = "the places were drawn anew by somebody else meanwhile: load the page again"
        raise HTTPException(status.HTTP_409_CONFLICT, detail)
    judged = console.site.judged(access.id, body.places)
    for place, one in zip(body.places, judged, strict=True):
        if one.refused:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"{place.name}: {one.words}")
    may_tell(access, before, body.places, judged)
    console.audit.record(access.principal.name, CHANGED, access.id, _changes(before.places, body.places))
    try:
        drawing = console.site.draw(access.id, body.places, version=body.version)
    except SettingsRefused as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    return _out(console, access, drawing)


def may_tell(access: Access, before: Drawing, places: Sequence[DrawnPlace], judged: Sequence[Judged]) -> None:
    """Refuse that the public is told of places, or of other ground, that it was not told of, unless the role may."""
    old = {one.id: one for one, told in zip(before.places, before.judged, strict=True) if told.public}
    new = [
        one.name
        for one, told in zip(places, judged, strict=True)
        if told.public and (one.id not in old or old[one.id].points != one.points)
    ]
    if new and not access.principal.may(Permission.TELL_PUBLIC, access.id):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"the public would be told of {', '.join(new)}: that is for the privacy officer to save",
        )


def _changes(before: Sequence[DrawnPlace], after: Sequence[DrawnPlace]) -> dict[str, Plain]:
    """What an entry of the audit log says."""
    old, new = {one.id: one for one in before}, {one.id: one for one in after}
    changed = [name for name in new if name in old and old[name] != new[name]]
    found: dict[str, Plain] = {"places": len(after)}
    for word, names in (("added", new.keys() - old.keys()), ("changed", changed), ("removed", old.keys() - new.keys())):
        if names:
            found[word] = ", ".join(sorted(names))[:_TOLD]
    return found


def _out(console: Console, access: Access, drawing: Drawing) -> DrawingOut:
    last = console.audit.entries(action=CHANGED, object=access.id, limit=1)
    return DrawingOut(
        drawing.version,
        last[0].actor if last else None,
        last[0].at_s if last else None,
        drawing.calibrated,
        list(drawing.places),
        list(drawing.judged),
        dict(drawing.defaults),
    )
