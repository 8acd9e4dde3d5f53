"""`skyveil redact PATH...`. CLI: options in, plan and batch, lines and exit code out.

Exit codes: 0 every file done and its output checked; 1 some failed, or suspects are left; 2 the request makes no
sense; 3 all done, but damaged frames had to be covered wholly; 128 + N ended by signal N.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from skyveil.app.jobs import Plan
    from skyveil.cli.progress import Tally
    from skyveil.core.settings import RedactSettings

_PRESET_HELP = "Speed of the encoder: ultrafast ... veryslow; for av1 also 0 to 13. [default: fast]"


def redact(
    paths: Annotated[
        list[str], typer.Argument(help="Files, folders (with all below) or patterns.", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File or folder to write. [default: NAME.redacted.EXT beside the input]"),
    ] = None,
    target: Annotated[
        str, typer.Option(help="What to cover, with commas between: face, head, person, plate.")
    ] = "face,head",
    mode: Annotated[
        Literal["balanced", "strict"], typer.Option(help="strict covers more and misses less.")
    ] = "balanced",
    fill: Annotated[
        Literal["solid", "background", "mosaic"], typer.Option(help="What stands in place of what is covered.")
    ] = "solid",
    mount: Annotated[
        Literal["standard", "overhead", "fisheye", "vehicle"],
        typer.Option(help="How the camera hangs; all but standard cover whole persons in place of heads."),
    ] = "standard",
    codec: Annotated[Literal["h264", "h265", "av1"], typer.Option(help="Codec of the output video.")] = "h264",
    preset: Annotated[str | None, typer.Option(help=_PRESET_HELP, show_default=False)] = None,
    crf: Annotated[
        int | None,
        typer.Option(help="Quality of the encoder, lower is better. [default: the codec's]", show_default=False),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            help='Cover a polygon too: "X,Y X,Y X,Y" or "X,Y X,Y X,Y@START-END". Repeatable.', show_default=False
        ),
    ] = None,
    add: Annotated[
        Path | None, typer.Option(help="Cover the suspects in a file of `skyveil verify --json`.", show_default=False)
    ] = None,
    keep_audio: Annotated[
        bool, typer.Option("--keep-audio", help="Encode the sound anew and keep it. Voices identify people.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Look at every output again and cover what is found.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    jobs: Annotated[int, typer.Option(help="Files at a time. 0: as many as there are processors.", min=0, max=256)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of lines.")] = False,
    no_input_hash: Annotated[
        bool, typer.Option("--no-input-hash", help="Tell neither hash nor size of the input in the result.")
    ] = False,
    precision: Annotated[
        Literal["auto", "f32"], typer.Option(help="Numbers the networks compute in; auto takes bf16 where it is fast.")
    ] = "auto",
) -> None:
    """Cover faces and heads, or persons and plates, in videos and pictures.

    The input stays as it is. Sound, subtitles, metadata and everything else but the first video stream is left out.
    """
    from skyveil.app.additions import mask_from, masks_from_file
    from skyveil.app.jobs import plan
    from skyveil.app.sandbox import unsupported
    from skyveil.core.errors import SettingsRefused, SkyveilError
    from skyveil.core.settings import RedactSettings, targets_from
    from skyveil.public.encode.header import EncodeSettings

    try:
        if (reason := unsupported()) is not None:
            raise SettingsRefused(reason)
        masks = tuple(mask_from(text) for text in mask or ())
        if add is not None:
            if len(paths) != 1 or not Path(paths[0]).is_file():
                raise SettingsRefused("--add belongs to one file; name that file alone")
            masks += masks_from_file(add)
        EncodeSettings(codec, preset, crf)
        settings = RedactSettings(
            targets=targets_from(target.split(",")),
            mode=mode,
            mount=mount,
            fill=fill,
            masks=masks,
            codec=codec,
            preset=preset,
            crf=crf,
            keep_audio=keep_audio,
            precision=precision,
        )
        plan_ = plan(paths, output=output, codec=codec)
        if keep_audio:
            typer.echo("skyveil: --keep-audio: voices identify people; listen before you publish", err=True)
        if dry_run:
            raise typer.Exit(_dry(plan_, overwrite=overwrite, as_json=as_json))
        tally = _run(
            plan_,
            settings,
            overwrite=overwrite,
            slots=jobs or _slots(),
            input_hash=not no_input_hash,
            verify=verify,
            as_json=as_json,
        )
    except SettingsRefused as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(2) from None
    except SkyveilError as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(tally.exit_code)


def _slots() -> int:
    """One worker per processor that this process may use; each is one thread and takes up to 700 MB."""
    return max(1, len(os.sched_getaffinity(0)))


def _dry(plan: "Plan", *, overwrite: bool, as_json: bool) -> int:
    """Say what would happen; 1 when something would be refused."""
    from skyveil.cli.progress import told_plan

    return told_plan(plan, overwrite=overwrite, as_json=as_json)


def _run(
    plan: "Plan",
    settings: "RedactSettings",
    *,
    overwrite: bool,
    slots: int,
    input_hash: bool,
    verify: bool,
    as_json: bool,
) -> "Tally":
    """Do it, telling as it goes."""
    from skyveil.app.batch import Batch, Options, Stopped
    from skyveil.app.models import ensure_for
    from skyveil.cli.progress import Tally, screen

    tally = Tally(plan, overwrite=overwrite, as_json=as_json)
    if plan.jobs:
        models = ensure_for(settings, verify=verify)
        options = Options(overwrite=overwrite, slots=slots, input_hash=input_hash, verify=verify, models=models)
        with screen(plan, sys.stderr, quiet=as_json) as show:
            try:
                for event in Batch(plan, settings, options).run():
                    tally.note(event)
                    show(event)
            except Stopped as stopped:
                tally.stopped(stopped)
    tally.finish()
    return tally
