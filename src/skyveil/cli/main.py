"""`skyveil`: the commands and their version. CLI.

Only the module of the command that is asked for is imported; of the others this module knows name and summary, so
`skyveil --help` answers at once and `skyveil redact` does not pay for what fetches weights or evaluates.
"""

import os
import sys
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Annotated, Final

import typer

from skyveil import __version__


def _add_redact(app: typer.Typer) -> None:
    from skyveil.cli.redact import redact

    app.command()(redact)


def _add_models(app: typer.Typer) -> None:
    from skyveil.cli.models import models_app

    app.add_typer(models_app)


def _add_verify(app: typer.Typer) -> None:
    from skyveil.cli.verify import verify

    app.command()(verify)


def _add_eval(app: typer.Typer) -> None:
    from skyveil.cli.eval import evaluate

    app.command("eval")(evaluate)


def _add_run(app: typer.Typer) -> None:
    from skyveil.cli.site import run

    app.command()(run)


def _add_check(app: typer.Typer) -> None:
    from skyveil.cli.site import check

    app.command()(check)


def _add_cameras(app: typer.Typer) -> None:
    from skyveil.cli.cameras import cameras_app

    app.add_typer(cameras_app)


def _add_doctor(app: typer.Typer) -> None:
    from skyveil.cli.site import doctor

    app.command()(doctor)


def _add_discover(app: typer.Typer) -> None:
    from skyveil.cli.discover import discover

    app.command()(discover)


def _add_calibrate(app: typer.Typer) -> None:
    from skyveil.cli.calibrate import calibrate

    app.command()(calibrate)


def _add_user(app: typer.Typer) -> None:
    from skyveil.cli.site import user_app

    app.add_typer(user_app)


def _add_recordings(app: typer.Typer) -> None:
    from skyveil.cli.recordings import recordings_app

    app.add_typer(recordings_app)


def _add_numbers(app: typer.Typer) -> None:
    from skyveil.cli.numbers import numbers

    app.command()(numbers)


COMMANDS: Final[dict[str, tuple[Callable[[typer.Typer], None], str]]] = {
    "redact": (_add_redact, "Cover faces and heads, or persons and plates, in videos and pictures."),
    "verify": (_add_verify, "Look again at redacted files, and list what may still be a face, by time and box."),
    "eval": (_add_eval, "Measure what stays visible on labelled data, by comparing pixels before and after."),
    "run": (_add_run, "Run the cameras, the console and the API of a site until it is stopped."),
    "check": (_add_check, "Read a configuration and tell every problem in it, with its line."),
    "cameras": (_add_cameras, "Export and import cameras as a table, and copy their masks."),
    "doctor": (_add_doctor, "Look for what is wrong with this machine or configuration, and say what to do."),
    "discover": (
        _add_discover,
        "Find ONVIF cameras in the networks of this machine, and the addresses of their streams.",
    ),
    "calibrate": (_add_calibrate, "Calibrate a camera, so that people per square metre can be measured."),
    "user": (_add_user, "Accounts of the console."),
    "recordings": (_add_recordings, "List, verify, export and hold what was recorded."),
    "numbers": (
        _add_numbers,
        "Write numbers of a place as a table: what staff are told, or with --public what everybody is.",
    ),
    "models": (_add_models, "List, pull and verify the weights."),
}
"""How each command is added, and its summary while its module is not imported."""


def build(wanted: Container[str]) -> typer.Typer:
    """The command line with the commands in `wanted` ready to run and the others by name and summary only."""
    app = typer.Typer(
        name="skyveil",
        help="Removes faces, heads, persons and number plates from video and pictures before anyone sees them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # a traceback with local values could quote a picture
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for name, (add, summary) in COMMANDS.items():
        if name in wanted:
            add(app)
        else:
            app.command(name, help=summary)(_not_imported)
    return app


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names need not be valid text
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")][:1]
    try:
        build(wanted)(prog_name="skyveil")
    except SystemExit as ended:
        if wanted == ["redact"] and (ended.code is None or isinstance(ended.code, int)):
            _leave(ended.code or 0)
        raise


def _open_streams() -> None:
    """Open what leads nowhere for standard streams that are closed: the next file would get their number."""
    for number, name, way in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, way))


def _leave(code: int) -> None:
    """End the process at once, whose threads and workers are gone: taking the interpreter down took 0.03 s of CPU.

    Returns when what was printed can not be written: Python's own end tells that.
    """
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def __getattr__(name: str) -> typer.Typer:
    """`app`: the whole command line, for documentation and tests."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return build(COMMANDS)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"skyveil {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Removes faces, heads, persons and number plates from video and pictures before anyone sees them."""


def _not_imported() -> None:
    raise AssertionError("a command was run that was not asked for")


if __name__ == "__main__":
    main()
