"""`skyveil verify FILE...`: are faces left in what was redacted? CLI.

Exit codes: 0 nothing suspicious; 1 suspects, or a file that could not be inspected; 2 the request makes no sense.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from skyveil.app.verify import Unverified, Verdict
    from skyveil.public.wire import Progress


def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files that are redacted.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the suspects here, for `redact --add`. One FILE only.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --output if it exists.")] = False,
    precision: Annotated[
        Literal["auto", "f32"], typer.Option(help="Numbers the networks compute in, as for redact.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file in place of lines.")] = False,
) -> None:
    """Look again at redacted files, and list what may still be a face, by time and box.

    Another network than the one that decides is used where it is on this machine, with other sizes and turns.
    """
    from skyveil.app.models import ensure_for
    from skyveil.app.sandbox import unsupported
    from skyveil.app.verify import Verdict, write_regions
    from skyveil.app.verify import verify as verify_files
    from skyveil.core.errors import SettingsRefused, SkyveilError
    from skyveil.core.kinds import Kind
    from skyveil.core.settings import RedactSettings

    clean = True
    try:
        if (reason := unsupported()) is not None:
            raise SettingsRefused(reason)
        if output is not None and len(files) != 1:
            raise SettingsRefused("--output holds the suspects of one file; name that file alone, or use --json")
        if output is not None and output.exists() and files[0].exists() and output.samefile(files[0]):
            raise SettingsRefused("--output is the file that is looked at; name another one")
        settings = RedactSettings(targets=frozenset({Kind.FACE}), precision=precision)
        for answer in verify_files(files, settings, ensure_for(settings, verify=True), _tell):
            clean = clean and isinstance(answer, Verdict) and not answer.suspects
            _print(answer, as_json=as_json)
            if output is not None and isinstance(answer, Verdict):
                write_regions(output, [answer], overwrite=overwrite)
    except SettingsRefused as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(2) from None
    except SkyveilError as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if clean else 1)


def _print(answer: "Verdict | Unverified", *, as_json: bool) -> None:
    """One file's answer; a failure goes to stderr."""
    from skyveil.app.verify import Unverified

    if isinstance(answer, Unverified):
        typer.echo(f"skyveil: {answer.error}", err=True)
    elif as_json:
        typer.echo(json.dumps(answer.as_json()))
    else:
        typer.echo("\n".join(lines(answer)))


def lines(verdict: "Verdict") -> list[str]:
    """One file's suspects for a screen, and how they were looked for."""
    from skyveil.app.names import shown

    names = ", ".join(model.name for model in verdict.finished.models)
    how = "independent" if verdict.independent else "not independent: the network that decides looked again"
    count = len(verdict.suspects)
    said = "nothing suspicious" if not count else f"{count} suspect{'s' if count > 1 else ''}"
    return [
        f"{shown(verdict.file)}: {said} ({names}; {how})",
        *(
            f"  {suspect.start_s:9.2f} s to {suspect.end_s:9.2f} s  {suspect.kind.name.lower()}  "
            f"x {suspect.xyxy[0]} to {suspect.xyxy[2]}, y {suspect.xyxy[1]} to {suspect.xyxy[3]}"
            for suspect in verdict.suspects
        ),
    ]


def _tell(file: Path, progress: "Progress") -> None:
    """Counts frames on a terminal; silent elsewhere."""
    from skyveil.app.names import shown

    if sys.stderr.isatty():
        of = f" of {progress.expected}" if progress.expected else ""
        sys.stderr.write(f"\r{shown(file.name)}: {progress.frames}{of} frames\x1b[K\r")
