"""`skyveil recordings`: list, verify, export and hold what was recorded. CLI."""

import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from skyveil.cli.site import one_line, site_accounts
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.names import known_camera, nearest

if TYPE_CHECKING:
    from skyveil.app.config import Config
    from skyveil.public.archive import Archive, Policy
    from skyveil.public.store import Accounts
    from skyveil.public.store.roles import Permission

recordings_app: Final = typer.Typer(name="recordings", help="What was recorded, redacted.", no_args_is_help=True)
_Config: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration of the site.")
]
_Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Camera: TypeAlias = Annotated[str, typer.Argument(metavar="CAMERA")]
_Time: TypeAlias = Annotated[
    str, typer.Argument(metavar="TIME", help="Like 2026-05-01T14:00:00+02:00; UTC without zone.")
]
_DEFAULT: Final = Path("skyveil.yaml")
_ACTOR: Final = "(command line)"


@recordings_app.command("list")
def list_recordings(config: _Config = _DEFAULT, as_json: _Json = False) -> None:
    """Show every camera's days, with how much of each is there."""
    from skyveil.app.config import load
    from skyveil.app.recordings import archive_of

    with one_line():
        archive, _, _ = archive_of(load(config))
        rows = []
        for camera in archive.cameras():
            for day in archive.days(camera):
                start_s = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
                stored = [one for _, one in archive.entries(camera, start_s, start_s + 86400) if one.kind == "segment"]
                seconds = sum(one.end_s - one.start_s for one in stored)
                size = sum(one.bytes for one in stored)
                rows.append({"camera": camera, "day": day, "seconds": round(seconds), "bytes": size})
        if as_json:
            typer.echo(json.dumps(rows))
            return
        for row in rows:
            typer.echo(f"{row['camera']}  {row['day']}  {row['seconds']} s  {row['bytes']} bytes")


@recordings_app.command("verify")
def verify_recordings(config: _Config = _DEFAULT, as_json: _Json = False) -> None:
    """Check chain, signatures and bytes of everything that is stored or should be, and the audit log.

    Exit 1 when something was changed.
    """
    from skyveil.app.config import load
    from skyveil.app.recordings import archive_of

    with one_line(), site_accounts(config) as (_, audit):
        loaded = load(config)
        archive, _, holds = archive_of(loaded)
        cameras, policies = archive.traces(), _policies(loaded)
        found = [one for camera in cameras for one in archive.verify(camera, holds, policies.get(camera))]
        broken = audit.broken_at()
        if as_json:
            rows = [{"camera": one.camera, "day": one.day, "what": one.what} for one in found]
            typer.echo(json.dumps({"recordings": rows, "audit_broken_at": broken}))
        else:
            for one in found:
                typer.echo(f"{one.camera} {one.day}: {one.what}")
            if broken is not None:
                typer.echo(f"audit log: from entry {broken} on it is not as it was written")
            typer.echo(f"{len(cameras)} cameras, {len(found) + (broken is not None)} findings")
    if found or broken is not None:
        raise typer.Exit(1)


def _policies(config: "Config") -> dict[CameraId, "Policy"]:
    """How long the configured cameras' recordings are kept; what those of others were kept for is not known."""
    from skyveil.app.recordings import policy_of

    return {camera_id(one.id): policy_of(one.retention or config.defaults.retention) for one in config.cameras}


@recordings_app.command("export")
def export_recording(
    camera: _Camera,
    start: _Time,
    end: _Time,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER")] = Path(),
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit log and in the statement.")] = "",
    config: _Config = _DEFAULT,
) -> None:
    """Write a span as one MP4 in which whole persons and plates are covered, with a statement beside it."""
    from skyveil.app.config import load
    from skyveil.app.exports import export
    from skyveil.app.recordings import archive_of

    with one_line(), site_accounts(config) as (_, audit):
        if not reason.strip():
            raise SettingsRefused("an export needs a reason: --reason 'report of an accident'")
        loaded = load(config)
        archive, _, _ = archive_of(loaded)
        name = known_camera(camera, _cameras(loaded, archive))
        from_s, to_s = seconds_of(start), seconds_of(end)
        audit.record(_ACTOR, "export", name, {"from_s": from_s, "to_s": to_s, "reason": reason[:200]})
        typer.echo(export(loaded, archive, name, from_s, to_s, actor=_ACTOR, reason=reason, to=output))


hold_app: Final = typer.Typer(name="hold", help="Keep a span past its retention.", no_args_is_help=True)
recordings_app.add_typer(hold_app)
_Id: TypeAlias = Annotated[str, typer.Argument(metavar="HOLD")]
_Who: TypeAlias = Annotated[str, typer.Option(help="The account of the person who does this.")]


@hold_app.command("add")
def add_hold(
    camera: _Camera,
    start: _Time,
    end: _Time,
    reason: Annotated[str, typer.Option(help="accident, crime, complaint, authority, insurance or technical")],
    user: _Who,
    days: Annotated[int, typer.Option(min=1, max=30)] = 14,
    config: _Config = _DEFAULT,
) -> None:
    """Ask for a hold; it holds once a privacy officer approved it."""
    from skyveil.app.config import load
    from skyveil.app.recordings import archive_of
    from skyveil.public.store.roles import Permission

    with one_line(), site_accounts(config) as (accounts, audit):
        loaded = load(config)
        archive, _, holds = archive_of(loaded)
        name = _open_to(accounts, user, Permission.ASK_HOLD, camera, _cameras(loaded, archive))
        from_s, to_s = seconds_of(start), seconds_of(end)
        made = holds.ask(name, from_s, to_s, reason=reason, days=days, actor=user)
        audit.record(user, "hold.ask", name, {"hold": made.id, "reason": reason, "days": days})
        typer.echo(made.id)
        if not any(one.kind == "segment" for _, one in archive.entries(name, from_s, to_s)):
            typer.echo(f"nothing is recorded of {name} in this span: only what still comes would be kept", err=True)


@hold_app.command("list")
def list_holds(camera: _Camera, config: _Config = _DEFAULT) -> None:
    """Show the holds of a camera."""
    from skyveil.app.config import load
    from skyveil.app.recordings import archive_of

    with one_line():
        loaded = load(config)
        archive, _, holds = archive_of(loaded)
        for one in holds.of(known_camera(camera, _cameras(loaded, archive))):
            typer.echo(f"{one.id}  {one.state(time.time())}  {_shown(one.from_s)} to {_shown(one.to_s)}  {one.reason}")


@hold_app.command("approve")
def approve_hold(camera: _Camera, hold: _Id, user: _Who, config: _Config = _DEFAULT) -> None:
    """Approve a hold, as a privacy officer."""
    _decide(config, camera, hold, user, approve=True)


@hold_app.command("release")
def release_hold(camera: _Camera, hold: _Id, user: _Who, config: _Config = _DEFAULT) -> None:
    """Let a hold go, as a privacy officer."""
    _decide(config, camera, hold, user, approve=False)


def _decide(config: Path, camera: str, hold: str, user: str, *, approve: bool) -> None:
    from skyveil.app.config import load
    from skyveil.app.recordings import archive_of
    from skyveil.public.store.roles import Permission

    with one_line(), site_accounts(config) as (accounts, audit):
        loaded = load(config)
        archive, _, holds = archive_of(loaded)
        name = _open_to(accounts, user, Permission.DECIDE_HOLD, camera, _cameras(loaded, archive))
        holds.decide(name, hold, approve=approve, actor=user)
        audit.record(user, "hold.approve" if approve else "hold.release", name, {"hold": hold})
        typer.echo("approved" if approve else "released")


def _cameras(config: "Config", archive: "Archive") -> set[str]:
    """The cameras of the configuration, and those that are in it no more of which something is left."""
    return {*(one.id for one in config.cameras), *archive.traces()}


def _open_to(
    accounts: "Accounts", user: str, permission: "Permission", camera: str, cameras: Collection[str]
) -> CameraId:
    """A camera with which an account may do this, by the rules of the API; SettingsRefused for another account, and
    alike for a camera that is not there and one that is not granted."""
    from skyveil.public.store.accounts import ALL
    from skyveil.public.store.roles import ALLOWED, NEED_GRANTS

    able = {one.name: one for one in accounts.users() if one.enabled and permission in ALLOWED[one.role]}
    if user not in able:
        raise SettingsRefused(f"no account that may do this is named {user!r}{nearest(user, able)}")
    granted = able[user].cameras if able[user].role in NEED_GRANTS else (ALL,)
    seen = {one for one in cameras if ALL in granted or one in granted}
    if camera not in seen:
        raise SettingsRefused(f"there is no camera `{camera}` for {user}{nearest(camera, seen)}")
    return CameraId(camera)


def seconds_of(text: str) -> float:
    """The unix time of a text like 2026-05-01T14:00:00+02:00; SettingsRefused when it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsRefused(f"{text!r} is no time: write it like 2026-05-01T14:00:00+02:00") from error
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
