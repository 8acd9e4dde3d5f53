"""Accounts, tokens, audit log, health and settings. Public side."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, ClassVar, Final, final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, status
from fastapi.responses import FileResponse
from pydantic import Field

from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraHealth
from skyveil.public.store import Principal
from skyveil.public.store.roles import Permission, Role, Scope
from skyveil.public.web.cameras import camera_name
from skyveil.public.web.state import STRICT, Console, ConsoleDep, Somebody, allowed

router: Final = APIRouter(prefix="/api/v1")
CanUsers = Annotated[Principal, Depends(allowed(Permission.USERS))]
CanSettings = Annotated[Principal, Depends(allowed(Permission.SETTINGS))]
CanAudit = Annotated[Principal, Depends(allowed(Permission.AUDIT))]
UserName = Annotated[str, Path(max_length=64, examples=["control-room"])]


@final
@dataclass(frozen=True, slots=True)
class Me:
    """Who asks."""

    name: str
    role: Role


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
class UserBody:
    """A new account."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(min_length=1, max_length=64, examples=["control-room"])]
    password: Annotated[str, Field(min_length=1, max_length=256, examples=["correct horse battery"])]
    role: Role


@final
@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change of an account."""

    __pydantic_config__: ClassVar = STRICT
    role: Role | None = None
    enabled: bool | None = None


@final
@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    name: str
    role: Role
    enabled: bool
    cameras: list[str]
    last_login_s: float | None


@final
@dataclass(frozen=True, slots=True)
class Grants:
    """The cameras that are open to an account; `*` stands for all."""

    __pydantic_config__: ClassVar = STRICT
    cameras: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=10_000, examples=[["entrance"]])]


@final
@dataclass(frozen=True, slots=True)
class PasswordBody:
    """The old password and the new one."""

    __pydantic_config__: ClassVar = STRICT
    old: Annotated[str, Field(max_length=256)]
    new: Annotated[str, Field(max_length=256)]


@final
@dataclass(frozen=True, slots=True)
class TokenBody:
    """A token to make."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(min_length=1, max_length=64, examples=["Prometheus"])]
    scope: Scope
    days: Annotated[int, Field(ge=1, le=365)]


@final
@dataclass(frozen=True, slots=True)
class TokenMade:
    """A token, shown this once."""

    token: str


@final
@dataclass(frozen=True, slots=True)
class Token:
    """A token, without itself."""

    id: int
    name: str
    scope: Scope
    expires_s: float


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


@router.get("/me", tags=["accounts"])
def me(principal: Somebody) -> Me:
    """Who you are."""
    return Me(name=principal.name, role=principal.role)


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
    return Health(
        cameras=[
            _health(console, one)
            for one in console.site.health().values()
            if principal.may(Permission.VIEW, one.camera) or principal.may(Permission.METRICS)
        ],
        server=ServerHealth(
            version=console.version,
            started_s=console.started_s,
            now_s=time.time(),
            timezone=str(settings.get("timezone") or ""),
            disk_free_bytes=_free_bytes(settings.get("data")),
            problems=list(console.site.problems()),
        ),
    )


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


@router.get("/users", tags=["accounts"])
def users(_: CanUsers, console: ConsoleDep) -> list[User]:
    """All accounts."""
    return [
        User(
            name=one.name, role=one.role, enabled=one.enabled, cameras=list(one.cameras), last_login_s=one.last_login_s
        )
        for one in console.accounts.users()
    ]


@router.post("/users", status_code=status.HTTP_201_CREATED, tags=["accounts"])
def add_user(body: UserBody, principal: CanUsers, console: ConsoleDep) -> None:
    """Make an account."""
    with _refusals():
        console.accounts.add(body.name, body.password, body.role)
    console.audit.record(principal.name, "user.add", body.name, {"role": body.role})


@router.patch("/users/{name}", status_code=status.HTTP_204_NO_CONTENT, tags=["accounts"])
def change_user(name: UserName, body: UserChange, principal: CanUsers, console: ConsoleDep) -> None:
    """Change role or state of an account; its sessions end."""
    _not_oneself(name, principal)
    with _refusals():
        console.accounts.change(name, role=body.role, enabled=body.enabled)
    console.audit.record(principal.name, "user.change", name, {"role": body.role, "enabled": body.enabled})


@router.delete("/users/{name}", status_code=status.HTTP_204_NO_CONTENT, tags=["accounts"])
def remove_user(name: UserName, principal: CanUsers, console: ConsoleDep) -> None:
    """Remove an account."""
    _not_oneself(name, principal)
    with _refusals():
        console.accounts.remove(name)
    console.audit.record(principal.name, "user.remove", name)


@router.put("/users/{name}/grants", status_code=status.HTTP_204_NO_CONTENT, tags=["accounts"])
def grant(name: UserName, body: Grants, principal: CanUsers, console: ConsoleDep) -> None:
    """Open exactly these cameras to an account."""
    with _refusals():
        console.accounts.grant(name, body.cameras)
    console.audit.record(principal.name, "user.grant", name, {"cameras": ",".join(sorted(body.cameras))[:200]})


@router.post("/password", status_code=status.HTTP_204_NO_CONTENT, tags=["accounts"])
def own_password(body: PasswordBody, principal: Somebody, console: ConsoleDep) -> None:
    """Change your own password; all your sessions end."""
    if principal.token:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "a token can not change a password")
    key = f"name {principal.name}"
    if console.throttle.wait_s(key) or console.accounts.login(principal.name, body.old) is None:
        console.throttle.failed(key)
        raise HTTPException(status.HTTP_403_FORBIDDEN, "the old password is wrong")
    with _refusals():
        console.accounts.set_password(principal.name, body.new)
    console.audit.record(principal.name, "user.password", principal.name)


@router.get("/tokens", tags=["accounts"])
def tokens(principal: Somebody, console: ConsoleDep) -> list[Token]:
    """Your tokens."""
    found = console.accounts.tokens(principal.name)
    return [Token(id=one.id, name=one.name, scope=one.scope, expires_s=one.expires_s) for one in found]


@router.post("/tokens", status_code=status.HTTP_201_CREATED, tags=["accounts"])
def add_token(body: TokenBody, principal: Somebody, console: ConsoleDep) -> TokenMade:
    """Make a token; it is shown this once."""
    if principal.token:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "a token can not make tokens")
    with _refusals():
        token = console.accounts.new_token(principal.name, body.name, body.scope, days=body.days)
    console.audit.record(principal.name, "token.add", body.name, {"scope": body.scope, "days": body.days})
    return TokenMade(token=token)


@router.delete("/tokens/{token}", status_code=status.HTTP_204_NO_CONTENT, tags=["accounts"])
def remove_token(token: Annotated[int, Path(ge=1, le=2**31 - 1)], principal: Somebody, console: ConsoleDep) -> None:
    """End one of your tokens."""
    if not console.accounts.remove_token(principal.name, token):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such token")
    console.audit.record(principal.name, "token.remove", str(token))


@router.get("/settings", tags=["settings"])
def settings(_: CanSettings, console: ConsoleDep) -> Settings:
    """What the server is set to, and what is wrong."""
    return Settings(server=dict(console.site.settings()), problems=list(console.site.problems()))


@router.post("/reload", tags=["settings"])
def reload(principal: CanSettings, console: ConsoleDep) -> Reloaded:
    """Read the configuration again; a wrong one is refused and the old one runs on."""
    with _refusals():
        changed = console.site.reload()
    console.audit.record(principal.name, "config.reload", "", {"changed": changed[:200]})
    return Reloaded(changed=changed)


@router.get("/metrics", response_class=Response, tags=["health"], include_in_schema=False)
def metrics_moved() -> Response:
    """Where metrics are."""
    return Response(status_code=status.HTTP_308_PERMANENT_REDIRECT, headers={"Location": "/metrics"})


def _not_oneself(name: str, principal: Principal) -> None:
    if name == principal.name:
        raise HTTPException(status.HTTP_409_CONFLICT, "your own account is changed by another administrator")


class _refusals:  # noqa: N801 (reads as a statement)
    """Turns what an account or setting may not be into an answer."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, SettingsRefused):
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
