"""`skyveil`: the commands and their version. CLI.

Heavy imports happen inside the commands: `skyveil --help` answers at once.
"""

import sys
from typing import Annotated

import typer

from skyveil import __version__
from skyveil.cli.redact import redact

app = typer.Typer(
    name="skyveil",
    help="Removes faces, heads, persons and number plates from video and pictures before anyone sees them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local values could quote a picture
    rich_markup_mode=None,
)
app.command()(redact)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"skyveil {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names need not be valid text
    app(prog_name="skyveil")
