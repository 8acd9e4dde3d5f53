"""Recordings of one camera: what is there, playing it, exports and holds. Public side."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal, final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, status
from fastapi.responses import FileResponse
from pydantic import Field

from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.public.store.audit import Plain
from skyveil.public.store.roles import Permission
from skyveil.public.web.site import ExportsFull, HoldView
from skyveil.public.web.state import STRICT, Access, Console, ConsoleDep, camera

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}", tags=["recordings"])
CanPlay = Annotated[Access, Depends(camera(Permission.PLAYBACK))]
CanExport = Annotated[Access, Depends(camera(Permission.EXPORT))]
ExportName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,120}\.mp4$")]
_AGAIN_S: Final = "120"
_LONGEST_EXPORT_S: Final = 6 * 3600
_AFTER_CAMERA: Final = r"-[0-9]{8}t[0-9]{6}z-[0-9a-f]{8}\.mp4"
"""What follows the camera in an export's name: when the span begins, and eight letters of chance."""
Reason = Literal["accident", "crime", "complaint", "authority", "insurance", "technical"]


@final
@dataclass(frozen=True, slots=True)
class Segment:
    """A stored segment and where to get it."""

    start_s: float
    end_s: float
    media_s: float
    url: str
    init: str


@final
@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without a recording."""

    start_s: float
    end_s: float
    cause: Annotated[str, Field(examples=["link-lost"])]


@final
@dataclass(frozen=True, slots=True)
class Span:
    """A span of time."""

    start_s: float
    end_s: float


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a camera."""

    days: Annotated[list[str], Field(examples=[["2026-05-01"]])]
    timezone: Annotated[str, Field(description="whose days these are", examples=["Europe/Zurich"])]
    segments: list[Segment] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    holds: list[Span] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class ExportBody:
    """What to export, and why."""

    __pydantic_config__: ClassVar = STRICT
    from_s: Annotated[float, Field(ge=0, le=1e11)]
    to_s: Annotated[float, Field(ge=0, le=1e11)]
    reason: Annotated[str, Field(min_length=1, max_length=200, examples=["Report of an accident, 14:05"])]


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export. statement: where to get what it holds: its gaps and what of it is damaged."""

    url: str
    name: str
    statement: str


@final
@dataclass(frozen=True, slots=True)
class HoldBody:
    """What to keep, why and for how long."""

    __pydantic_config__: ClassVar = STRICT
    from_s: Annotated[float, Field(ge=0, le=1e11)]
    to_s: Annotated[float, Field(ge=0, le=1e11)]
    reason: Reason
    days: Annotated[int, Field(ge=1, le=30)]


@final
@dataclass(frozen=True, slots=True)
class Hold:
    """A hold."""

    id: str
    from_s: float
    to_s: float
    reason: str
    state: str
    expires_s: float
    requested_by: str
    approved_by: str | None


@router.get("/recordings")
def stored(
    access: CanPlay,
    console: ConsoleDep,
    from_s: Annotated[float | None, Query(alias="from", ge=0, le=1e11)] = None,
    to_s: Annotated[float | None, Query(alias="to", ge=0, le=1e11)] = None,
) -> Stored:
    """The days with recordings in the time zone of the camera's site, else of the server.

    With `from` and `to` (unix seconds) also the segments and gaps between them.
    """
    zone = access.view.timezone
    days = list(console.recordings.days(access.id, ZoneInfo(zone)))
    if from_s is None or to_s is None:
        return Stored(days, zone)
    base = f"/api/v1/cameras/{access.id}/recordings"
    segments, gaps = console.recordings.span(access.id, from_s, to_s)
    holds = [one for one in console.recordings.holds(access.id) if one.state == "active"]
    return Stored(
        days,
        zone,
        [
            Segment(
                start_s=one.start_s,
                end_s=one.end_s,
                media_s=one.media_s,
                url=f"{base}/segments/{one.number}.m4s",
                init=f"{base}/init/{one.init}.mp4",
            )
            for one in segments
        ],
        [Gap(one.start_s, one.end_s, one.cause) for one in gaps],
        [Span(one.from_s, one.to_s) for one in holds if one.to_s > from_s and one.from_s < to_s],
    )


@router.get("/recordings/playlist.m3u8", response_class=Response)
def playlist(
    access: CanPlay,
    console: ConsoleDep,
    from_s: Annotated[float, Query(alias="from", ge=0, le=1e11)],
    to_s: Annotated[float, Query(alias="to", ge=0, le=1e11)],
) -> Response:
    """An HLS playlist of a span, for players."""
    _viewed(console, access, "view.playlist", {"from_s": from_s, "to_s": to_s})
    return Response(console.recordings.playlist(access.id, from_s, to_s), media_type="application/vnd.apple.mpegurl")


@router.get("/recordings/segments/{number}.m4s", response_class=Response)
def segment(access: CanPlay, console: ConsoleDep, number: Annotated[int, Path(ge=0, le=2**62)]) -> Response:
    """One stored segment, redacted, as fragmented MP4."""
    try:
        data = console.recordings.segment(access.id, number)
    except RecordingMissing as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error
    _viewed(console, access, "view.recording", {"segment": number})
    return _media(data)


@router.get("/recordings/init/{name}.mp4", response_class=Response)
def init(access: CanPlay, console: ConsoleDep, name: Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$")]) -> Response:
    """The init segment that stored segments need."""
    try:
        return _media(console.recordings.init(access.id, name))
    except RecordingMissing as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error


@router.post("/exports", responses={429: {"description": "an export is made, and as many wait as may"}})
def export(body: ExportBody, access: CanExport, console: ConsoleDep) -> Exported:
    """Make an MP4 of a span; whole persons and number plates are covered in it. One is made at a time."""
    if not 0 < body.to_s - body.from_s <= _LONGEST_EXPORT_S:
        raise HTTPException(
            status.HTTP_422_UNPROCESSABLE_CONTENT, "an export spans up to 6 hours, and ends after it begins"
        )
    details: dict[str, Plain] = {"from_s": body.from_s, "to_s": body.to_s, "reason": body.reason}
    _viewed(console, access, "export", details)
    try:
        name = console.recordings.export(
            access.id, body.from_s, body.to_s, actor=access.principal.name, reason=body.reason
        )
    except RecordingMissing as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error
    except ExportsFull as error:
        _viewed(console, access, "export.refused", {"from_s": body.from_s, "to_s": body.to_s})
        headers = {"Retry-After": _AGAIN_S}
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, str(error), headers) from error
    url = f"/api/v1/cameras/{access.id}/exports/{name}"
    return Exported(url=url, name=name, statement=f"{url}/statement")


@router.get("/exports/{name}", response_class=FileResponse)
def exported(access: CanExport, console: ConsoleDep, name: ExportName) -> FileResponse:
    """A finished export."""
    return _file_of(console, access, name, "", "video/mp4")


@router.get("/exports/{name}/statement", response_class=FileResponse)
def statement(access: CanExport, console: ConsoleDep, name: ExportName) -> FileResponse:
    """The statement of a finished export: its span, who made it and why, its gaps, and what of it is damaged."""
    return _file_of(console, access, name, ".statement.json", "application/json")


def _file_of(console: Console, access: Access, name: str, more: str, kind: str) -> FileResponse:
    # The whole id: `hall` is where the exports of `hall-2` begin, too.
    if re.fullmatch(rf"{re.escape(access.id)}{_AFTER_CAMERA}", name) is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such export")
    try:
        path = console.recordings.exported(name + more)
    except RecordingMissing as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error
    _viewed(console, access, "export.download", {"name": path.name})
    return FileResponse(path, media_type=kind, filename=path.name)


@router.get("/holds")
def holds(access: CanPlay, console: ConsoleDep) -> list[Hold]:
    """The holds of a camera."""
    return [_hold(one) for one in console.recordings.holds(access.id)]


@router.post("/holds", status_code=status.HTTP_201_CREATED)
def ask_hold(
    body: HoldBody, access: Annotated[Access, Depends(camera(Permission.ASK_HOLD))], console: ConsoleDep
) -> Hold:
    """Ask that a span be kept; the privacy officer decides."""
    actor = access.principal.name
    try:
        made = console.recordings.ask_hold(
            access.id, body.from_s, body.to_s, reason=body.reason, days=body.days, actor=actor
        )
    except SettingsRefused as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    console.audit.record(actor, "hold.ask", access.id, {"hold": made, "reason": body.reason, "days": body.days})
    return next(_hold(one) for one in console.recordings.holds(access.id) if one.id == made)


@router.post("/holds/{hold}/{decision}", status_code=status.HTTP_204_NO_CONTENT)
def decide_hold(
    access: Annotated[Access, Depends(camera(Permission.DECIDE_HOLD))],
    console: ConsoleDep,
    hold: Annotated[str, Path(pattern=r"^[0-9a-f-]{4,64}$")],
    decision: Literal["approve", "release"],
) -> None:
    """Approve a hold, or let it go."""
    actor = access.principal.name
    try:
        console.recordings.decide_hold(access.id, hold, approve=decision == "approve", actor=actor)
    except RecordingMissing as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error)) from error
    except SettingsRefused as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    console.audit.record(actor, f"hold.{decision}", access.id, {"hold": hold})


def _hold(one: HoldView) -> Hold:
    return Hold(
        id=one.id,
        from_s=one.from_s,
        to_s=one.to_s,
        reason=one.reason,
        state=one.state,
        expires_s=one.expires_s,
        requested_by=one.requested_by,
        approved_by=one.approved_by,
    )


def _viewed(
    console: Console, access: Access, action: str, details: Mapping[str, str | int | float | bool | None]
) -> None:
    console.audit.record(access.principal.name, action, access.id, details)


def _media(data: bytes) -> Response:
    return Response(data, media_type="video/mp4", headers={"Cache-Control": "private, no-store"})
