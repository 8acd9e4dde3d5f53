"""`skyveil cameras`: the cameras of a configuration as a table, and their masks. CLI."""

import sys
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from skyveil.cli.site import one_line
from skyveil.core.errors import OutputRefused

cameras_app: Final = typer.Typer(
    name="cameras", help="Export and import cameras as a table, and copy their masks.", no_args_is_help=True
)
_Config: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration of the site.")
]
_DEFAULT: Final = Path("skyveil.yaml")


@cameras_app.command("export")
def export(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Where to write; - for the standard output.")],
    config: _Config = _DEFAULT,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Write every camera as a row of CSV, without any credential."""
    from skyveil.app.config import load
    from skyveil.app.config.table import export_cameras

    with one_line():
        loaded = load(config)
        text = export_cameras(loaded)
        if str(table) == "-":
            sys.stdout.write(text)
            return
        try:
            with table.open("w" if overwrite else "x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError as error:
            raise OutputRefused(f"{table}: exists; replace it with --overwrite") from error
        except OSError as error:
            raise OutputRefused(f"{table}: can not be written: {error.strerror}") from error
        typer.echo(f"{table}: {len(loaded.cameras)} cameras")


@cameras_app.command("trust-view")
def trust_view(
    camera: Annotated[str, typer.Argument(metavar="CAMERA")],
    config: _Config = _DEFAULT,
) -> None:
    """Say that a camera that was moved stands right again; a server that runs takes that over at once."""
    import time

    from skyveil.app.config import load
    from skyveil.app.places import named
    from skyveil.app.server import audit_of, database_of
    from skyveil.core.ids import camera_id
    from skyveil.public.store.views import ViewStore

    with one_line():
        loaded = load(config)
        name = camera_id(named(loaded, camera).id)
        engine = database_of(loaded)
        try:
            audit_of(loaded, engine).record("(command line)", "view.trust", name)
            ViewStore(engine).trust(name, at_s=time.time())
        finally:
            engine.dispose()
        typer.echo(f"{name}: what it sees now is its calibrated view")


@cameras_app.command("import")
def import_(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    config: _Config = _DEFAULT,
) -> None:
    """Add and change the cameras of a table; others, and columns that it does not have, stay as they are."""
    from skyveil.app.config.table import import_cameras

    with one_line():
        done = import_cameras(config, table)
        for word, names in (("added", done.added), ("changed", done.changed), ("not in the table", done.kept)):
            if names:
                typer.echo(f"{word}: {', '.join(names)}")
        if done.added or done.changed:
            typer.echo("a running server reads it with SIGHUP or on its settings page")
        else:
            typer.echo("nothing changed")


@cameras_app.command("copy-masks")
def copy_masks(
    source: Annotated[str, typer.Argument(metavar="FROM")],
    targets: Annotated[list[str], typer.Argument(metavar="TO...")],
    config: _Config = _DEFAULT,
    scaled: Annotated[bool, typer.Option("--scaled", help="Stretch masks to pictures of another size.")] = False,
) -> None:
    """Give cameras the masks of another one, in place of their own."""
    from skyveil.app.config import load
    from skyveil.app.config.masks import copy_masks as copy
    from skyveil.app.config.masks import recorded_sizes

    with one_line():
        sizes = {} if scaled else recorded_sizes(load(config), [source, *targets])
        count = copy(config, source, targets, sizes, scaled=scaled)
        typer.echo(f"{count} masks of {source} are now those of {', '.join(targets)}")
