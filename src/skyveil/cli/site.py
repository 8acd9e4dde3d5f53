"""`skyveil run`, `check`, `doctor` and `user`: a live site on the command line. CLI."""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from skyveil.core.errors import SettingsRefused, SkyveilError
from skyveil.core.names import refuse_unknown
from skyveil.core.secret import Secret

if TYPE_CHECKING:
    from skyveil.public.store import Accounts, AuditLog

_Config: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration of the site.")
]
_DEFAULT: Final = Path("skyveil.yaml")
_Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME")]


def run(config: _Config = _DEFAULT) -> None:
    """Run the cameras, the console and the API of a site until it is stopped."""
    from skyveil.app.logs import log_to_stderr
    from skyveil.app.sandbox import unsupported
    from skyveil.app.server import serve

    with one_line():
        refusal = unsupported()
        if refusal is not None:
            raise SettingsRefused(refusal)
        log_to_stderr()
        serve(config)


def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]")] = None,
    config: _Config = _DEFAULT,
    as_schema: Annotated[bool, typer.Option("--schema", help="Only print the JSON Schema, for editors.")] = False,
) -> None:
    """Read a configuration and tell every problem in it, with its line.

    Exit 1 when there is one.
    """
    from skyveil.app.config import Secrets, load, refuse_unusable, schema, sent_on, specs, told
    from skyveil.app.voucher import voucher_of

    if as_schema:
        sys.stdout.write(schema())
        return
    path = file or config
    try:
        loaded = load(path)
        secrets = Secrets(loaded.server.secrets)
        found = specs(loaded, secrets)
        told(loaded, secrets)
        sent_on(loaded, secrets)
        voucher_of(loaded)
        refuse_unusable(loaded)
    except SettingsRefused as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{path}: nothing wrong; cameras: {len(loaded.cameras)}, enabled: {len(found)}")


def doctor(
    config: _Config = _DEFAULT,
    plan: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only say what N cameras need.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for what is wrong with this machine or configuration, and say what to do.

    Exit 1 for an error.
    """
    from skyveil.app.doctor import diagnose, told_of
    from skyveil.app.sizing import measured
    from skyveil.app.sizing import plan as sized

    if plan is not None:
        size = sized(plan, measured())
        if as_json:
            typer.echo(json.dumps(asdict(size)))
            return
        typer.echo(f"{size.cameras} cameras of 1280x720 at 10 pictures a second, people in all of them:")
        typer.echo(f"  {size.cores:g} cores, {size.memory_gb:g} GB of memory")
        typer.echo(f"  {size.disk_gb_per_day:g} GB of disk a day, {size.network_in_mbit:g} Mbit/s from the cameras")
        typer.echo(f"  {told_of(size)}")
        return
    found = diagnose(config)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            typer.echo(f"{one.level:<8} {one.what}" + (f"\n         {one.do}" if one.do else ""))
    if any(one.level == "error" for one in found):
        raise typer.Exit(1)


user_app: Final = typer.Typer(name="user", help="Accounts of the console.", no_args_is_help=True)


@user_app.command("add")
def add_user(
    name: _Name,
    role: Annotated[str, typer.Option(help="viewer, operator, privacy_officer or admin")] = "viewer",
    cameras: Annotated[str, typer.Option(metavar="LIST", help="Cameras open to it; * for all.")] = "",
    config: _Config = _DEFAULT,
) -> None:
    """Make an account; its password is asked for, or read from a pipe."""
    from skyveil.public.store.roles import Role

    with one_line(), site_accounts(config) as (accounts, audit):
        if role not in set(Role):
            raise SettingsRefused(f"unknown role {role!r}: choose {', '.join(Role)}")
        wanted = _cameras(config, cameras)
        accounts.add(name, ask_password().reveal(), Role(role), cameras=wanted)
        audit.record("(command line)", "user.add", name, {"role": role})
        typer.echo(f"added {name} as {role}")


@user_app.command("list")
def list_users(config: _Config = _DEFAULT) -> None:
    """Show every account with its role and cameras."""
    from skyveil.public.store.roles import NEED_GRANTS

    with one_line(), site_accounts(config) as (accounts, _):
        for one in accounts.users():
            state = "" if one.enabled else "  disabled"
            cameras = one.cameras if one.role in NEED_GRANTS else ["*"]
            typer.echo(f"{one.name}  {one.role}  {','.join(cameras) or '-'}{state}")


@user_app.command("remove")
def remove_user(name: _Name, config: _Config = _DEFAULT) -> None:
    """Remove an account."""
    with one_line(), site_accounts(config) as (accounts, audit):
        accounts.remove(name)
        audit.record("(command line)", "user.remove", name)
        typer.echo(f"removed {name}")


@user_app.command("password")
def password_of_user(name: _Name, config: _Config = _DEFAULT) -> None:
    """Give an account another password; its sessions, login links and tokens end."""
    with one_line(), site_accounts(config) as (accounts, audit):
        accounts.set_password(name, ask_password().reveal())
        audit.record("(command line)", "user.password", name)
        typer.echo(f"changed the password of {name}")


@user_app.command("grant")
def grant_user(
    name: _Name,
    cameras: Annotated[str, typer.Argument(metavar="LIST", help="Ids with commas between, or *.")],
    config: _Config = _DEFAULT,
) -> None:
    """Open exactly these cameras to an account."""
    from skyveil.public.store.roles import NEED_GRANTS

    with one_line(), site_accounts(config) as (accounts, audit):
        accounts.grant(name, _cameras(config, cameras))
        audit.record("(command line)", "user.grant", name, {"cameras": cameras[:200]})
        role = next(one.role for one in accounts.users() if one.name == name)
        if role in NEED_GRANTS:
            typer.echo(f"{name} may see {cameras or 'no camera'}")
        else:
            typer.echo(f"{name} sees all cameras, as every {role}: a grant counts for viewers and operators")


def _cameras(config: Path, text: str) -> list[str]:
    """The cameras of a list with commas; SettingsRefused for one that the configuration does not have."""
    from skyveil.app.config import load

    found = [one for one in text.split(",") if one]
    refuse_unknown(found, [one.id for one in load(config).cameras])
    return found


@user_app.command("login-link")
def login_link(name: _Name, config: _Config = _DEFAULT) -> None:
    """Print a link that logs in once, within ten minutes."""
    from skyveil.app.config import load
    from skyveil.app.server import address_of

    with one_line(), site_accounts(config) as (accounts, audit):
        token = accounts.new_link(name)
        audit.record("(command line)", "user.login-link", name)
        typer.echo(f"{address_of(load(config))}/login?token={token}")


@contextmanager
def site_accounts(path: Path) -> "Iterator[tuple[Accounts, AuditLog]]":
    """Accounts and audit log of the site that a configuration describes."""
    from skyveil.app.config import load
    from skyveil.app.server import accounts_of, audit_of, database_of

    config = load(path)
    engine = database_of(config)
    try:
        yield accounts_of(config, engine), audit_of(config, engine)
    finally:
        engine.dispose()


def ask_password(*, twice: bool = True) -> Secret:
    """Asked for on a terminal, a new one twice; the first line of a pipe."""
    if not sys.stdin.isatty():
        return Secret(sys.stdin.readline().rstrip("\n"))
    first = getpass.getpass("Password: ")
    if twice and first != getpass.getpass("Again: "):
        raise SettingsRefused("the two passwords are not the same")
    return Secret(first)


@contextmanager
def one_line() -> Iterator[None]:
    """End with the message and exit code 2 for a wrong argument or setting, 1 for the rest."""
    try:
        yield
    except BrokenPipeError:  # who read what we print has gone
        raise
    except OSError as error:
        typer.echo(f"{error.filename or 'the system'}: {error.strerror or type(error).__name__}", err=True)
        raise typer.Exit(1) from error
    except SkyveilError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2 if isinstance(error, SettingsRefused) else 1) from error
