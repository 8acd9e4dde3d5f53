"""`skyveil models`: which weights there are, where they come from, and whether they are the right ones. CLI."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from skyveil.app import models
from skyveil.app.fetch import Pulled, pull
from skyveil.core.errors import SettingsRefused, SkyveilError
from skyveil.core.manifest import MODELS, ModelEntry, entry_named

models_app: Final = typer.Typer(name="models", help="List, pull and verify the weights.", no_args_is_help=True)

_Names: TypeAlias = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All, when none is named.")]
_To: TypeAlias = Annotated[
    Path | None, typer.Option("--to", metavar="FOLDER", help="For a machine without a network; not compiled there.")
]


@models_app.command("list")
def list_models() -> None:
    """Show every network: its purpose, size, licence, sources, and where it lies on this machine."""
    for entry in MODELS.values():
        path = models.locate(entry)
        typer.echo(f"{entry.name}  ({'required' if entry.required else 'optional'}, {_size(entry)}, {entry.licence})")
        typer.echo(f"  {entry.purpose}")
        typer.echo(f"  sha256  {entry.sha256}")
        for source in entry.sources:
            typer.echo(f"  source  {source}")
        typer.echo(f"  here    {path if path is not None else 'no; run: skyveil models pull ' + entry.name}")


@models_app.command("pull")
def pull_models(names: _Names = None, to: _To = None) -> None:
    """Fetch weights from the first source that gives them, check them, and compile them for this machine.

    Exit 1 when a required network, or one that was named, did not come.
    """
    with _one_line():
        pulled = pull(names or tuple(MODELS), to=to, starting=_starting)
        for answer in pulled:
            _report(answer)
        lost = [one.entry for one in pulled if one.path is None and (one.entry.required or names)]
        if to is None and not lost:
            typer.echo(f"compiled  {len(models.compile_ahead())} networks in {models.compiled_folder()}")
    if lost:
        typer.echo(f"did not come: {', '.join(entry.name for entry in lost)}", err=True)
        raise typer.Exit(1)


@models_app.command("verify")
def verify_models(names: _Names = None) -> None:
    """Hash the weights on this machine. Exit 1 when one is not the manifest's, or a required one is missing."""
    with _one_line():
        checked = models.verify(names or tuple(MODELS))
    for one in checked:
        typer.echo(f"{one.state:<8}  {one.entry.name}  {one.path or ''}".rstrip())
    wanted = {entry_named(name) for name in names or ()}
    if any(
        one.state is models.State.CORRUPT
        or (one.state is models.State.MISSING and (one.entry.required or one.entry in wanted))
        for one in checked
    ):
        raise typer.Exit(1)


@models_app.command("density")
def try_density_networks(
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration of the site.")
    ] = Path("skyveil.yaml"),
) -> None:
    """Try the density networks of a configuration, and compile those that answer with one map for this machine.

    Exit 1 when one can not be used.
    """
    from skyveil.app.config import load
    from skyveil.app.density_networks import tried

    with _one_line():
        answers = list(tried(load(config)))
    for one in answers:
        typer.echo(f"{'wrong' if one.problem else 'ok':<8}  {one.name}  {one.problem or one.words}")
    if any(one.problem for one in answers):
        raise typer.Exit(1)


def _starting(entry: ModelEntry, source: str) -> None:
    typer.echo(f"asking    {entry.name}  {source}")


def _report(answer: Pulled) -> None:
    for failure in answer.failures:
        typer.echo(f"          {failure}", err=True)
    if answer.path is not None:
        typer.echo(f"ok        {answer.entry.name}  {answer.path}")
    elif not answer.entry.required:
        typer.echo(f"without   {answer.entry.name}  optional: it {answer.entry.purpose}")


def _size(entry: ModelEntry) -> str:
    return f"{entry.size_bytes / 1e6:.1f} MB"


@contextmanager
def _one_line() -> Iterator[None]:
    """End with one line and exit code 2 for a wrong argument, 1 for the rest."""
    try:
        yield
    except SkyveilError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2 if isinstance(error, SettingsRefused) else 1) from error
