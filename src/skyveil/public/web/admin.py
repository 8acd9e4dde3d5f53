"""Accounts, tokens, audit log, health and settings. Public side."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Final, final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, status
from fastapi.responses import FileResponse

from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId
from skyveil.public.store import Principal
from skyveil.public.store.roles import Permission
from skyveil.public.web.cameras import camera_name
from skyveil.public.web.state import Console, ConsoleDep, Somebody, allowed, refusals

router: Final = APIRouter(prefix="/api/v1")
CanSettings = Annotated[Principal, Depends(allowed(Permission.SETTINGS))]
CanAudit = Annotated[Principal, Depends(allowed(Permission.AUDIT))]


@final
@dataclass(frozen=True, slots=True)
class HealthOf:
    """The health of one camera."""

    camera: str
    name: str
    state: str
    cause: str
    since_s: float
    fps: float
    age_s: float | None
    frames: int
    dropped: int
    whole: int
    restarts: int
    rss_bytes: int
    descriptors: int
    clock_offset_s: float | None


@final
@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How the server is doing."""

    version: str
    started_s: float
    now_s: float
    timezone: str
    disk_free_bytes: int | None
    problems: list[str]


@final
@dataclass(frozen=True, slots=True)
class Health:
    """Technical health; nothing in it depends on people."""

    cameras: list[HealthOf]
    server: ServerHealth


@final
@dataclass(frozen=True, slots=True)
class SiteOut:
    """A site."""

    id: str
    name: str
    plan: str | None


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry."""

    id: int
    at_s: float
    actor: str
    action: str
    object: str
    details: dict[str, str | int | float | bool | None]


@final
@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some audit entries, and whether the chain of all of them is whole."""

    entries: list[Entry]
    chain_ok: bool
    actions: list[str]


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is set to."""

    server: dict[str, str | int | float | None]
    problems: list[str]


@final
@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload changed."""

    changed: str


@router.get("/sites", tags=["cameras"])
def sites(principal: Somebody, console: ConsoleDep) -> list[SiteOut]:
    """The sites where you may see a camera."""
    seen = {one.site for one in console.site.cameras() if principal.may(Permission.VIEW, one.id)}
    return [
        SiteOut(id=one.id, name=one.name, plan=None if one.plan is None else f"/api/v1/sites/{one.id}/plan")
        for one in console.site.sites()
        if one.id in seen
    ]


@router.get("/sites/{site}/plan", response_class=FileResponse, tags=["cameras"])
def plan(site: Annotated[str, Path(max_length=63)], principal: Somebody, console: ConsoleDep) -> FileResponse:
    """The picture of a site's plan."""
    seen = {one.site for one in console.site.cameras() if principal.may(Permission.VIEW, one.id)}
    found = next((one for one in console.site.sites() if one.id == site and one.id in seen), None)
    if found is None or found.plan is None or not found.plan.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such plan")
    return FileResponse(found.plan)


@router.get("/health", tags=["health"])
def health(principal: Somebody, console: ConsoleDep) -> Health:
    """How cameras and server are doing."""
    if not principal.may(Permission.VIEW) and not principal.may(Permission.METRICS):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "your role does not allow this: view")
    settings = console.site.settings()
    seen = [
        one
        for one in console.site.health().values()
        if principal.may(Permission.VIEW, one.camera) or principal.may(Permission.METRICS)
    ]
    return Health(
        cameras=[_health(console, one) for one in seen],
        server=ServerHealth(
            version=console.version,
            started_s=console.started_s,
            now_s=time.time(),
            timezone=str(settings.get("timezone") or ""),
            disk_free_bytes=_free_bytes(settings.get("data")),
            problems=_problems(console, principal, {one.camera for one in seen}),
        ),
    )


def _problems(console: Console, principal: Principal, seen: set[CameraId]) -> list[str]:
    """Problems of these cameras, which begin with their id; those of the site only for who may see its settings."""
    found = console.site.problems()
    return [one for one in found if principal.may(Permission.SETTINGS) or one.partition(": ")[0] in seen]


def _health(console: Console, one: CameraHealth) -> HealthOf:
    return HealthOf(
        camera=one.camera,
        name=camera_name(console, one.camera),
        state=one.state,
        cause=one.cause,
        since_s=one.since_s,
        fps=one.fps,
        age_s=one.age_s,
        frames=one.frames,
        dropped=one.dropped,
        whole=one.whole,
        restarts=one.restarts,
        rss_bytes=one.rss_bytes,
        descriptors=one.descriptors,
        clock_offset_s=one.clock_offset_s,
    )


def _free_bytes(folder: str | float | None) -> int | None:
    if not isinstance(folder, str) or not FilePath(folder).is_dir():
        return None
    return shutil.disk_usage(folder).free


@router.get("/audit", tags=["audit"])
def audit(
    _: CanAudit,
    console: ConsoleDep,
    actor: Annotated[str, Query(max_length=64)] = "",
    action: Annotated[str, Query(max_length=64)] = "",
    from_s: Annotated[float | None, Query(alias="from", ge=0, le=1e11)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    """The audit log, newest first."""
    found = console.audit.entries(actor=actor, action=action, from_s=from_s, before=before, limit=limit)
    entries = [
        Entry(id=one.id, at_s=one.at_s, actor=one.actor, action=one.action, object=one.object, details=one.details)
        for one in found
    ]
    return AuditPage(entries=entries, chain_ok=console.audit.broken_at() is None, actions=console.audit.actions())


@router.get("/settings", tags=["settings"])
def settings(_: CanSettings, console: ConsoleDep) -> Settings:
    """What the server is set to, and what is wrong."""
    return Settings(server=dict(console.site.settings()), problems=list(console.site.problems()))


@router.post("/reload", tags=["settings"])
def reload(principal: CanSettings, console: ConsoleDep) -> Reloaded:
    """Read the configuration again; a wrong one is refused and the old one runs on."""
    with refusals():
        changed = console.site.reload()
    console.audit.record(principal.name, "config.reload", "", {"changed": changed[:200]})
    return Reloaded(changed=changed)


@router.get("/metrics", response_class=Response, tags=["health"], include_in_schema=False)
def metrics_moved() -> Response:
    """Where metrics are."""
    return Response(status_code=status.HTTP_308_PERMANENT_REDIRECT, headers={"Location": "/metrics"})
