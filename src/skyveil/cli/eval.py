"""`skyveil eval`: what the product leaves visible on labelled pictures and videos, and what it costs. CLI.

Exit codes: 0 measured; 1 something could not be redacted or read; 2 the request makes no sense.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from skyveil.app.batch import Event
    from skyveil.app.evaluate import Evaluation
    from skyveil.app.labelled import LabelledSet
    from skyveil.app.leak import Tally
    from skyveil.core.settings import RedactSettings


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="SKYVEIL_EVAL_DATA",
            help="A folder with labels.json, or gt.txt and its video, or a folder of such folders.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--set", help="Measure this set only. Repeatable.", show_default=False)
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="What to cover, with commas between: face, head, person, plate. [default: what is labelled]",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        Literal["balanced", "strict"], typer.Option(help="strict covers more and misses less.")
    ] = "balanced",
    preset: Annotated[str | None, typer.Option(help="Speed of the encoder, as for redact.", show_default=False)] = None,
    precision: Annotated[
        Literal["auto", "f32"], typer.Option(help="Numbers the networks compute in, as for redact.")
    ] = "auto",
    jobs: Annotated[int, typer.Option(help="Files at a time.", min=1, max=256)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a set in place of lines.")] = False,
) -> None:
    """Measure what stays visible on labelled data, by comparing pixels before and after.

    Every set is redacted into a temporary folder. Leaked shares come with 95 % intervals, and with the cost.
    """
    from skyveil.app.sandbox import unsupported
    from skyveil.core.errors import SettingsRefused, SkyveilError
    from skyveil.core.settings import RedactSettings, targets_from

    try:
        if (reason := unsupported()) is not None:
            raise SettingsRefused(reason)
        if data is None:
            raise SettingsRefused("no data: name a folder with --data or in SKYVEIL_EVAL_DATA")
        covers = None if target is None else targets_from(target.split(","))
        failed = False
        for labelled in _chosen(data, only):
            settings = RedactSettings(targets=covers or labelled.targets, mode=mode, preset=preset, precision=precision)
            measured = _measured(labelled, settings, jobs)
            failed = failed or bool(measured.failed)
            typer.echo(json.dumps(measured.as_json()) if as_json else "\n".join(lines(measured)))
    except SettingsRefused as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(2) from None
    except SkyveilError as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if failed else 0)


def lines(measured: "Evaluation") -> list[str]:
    """One set's figures for a screen: the judgement first, then its parts, then the cost."""
    from skyveil.app.evaluate import EXPOSED_FRAMES, PictureScore

    score, cover = measured.score, measured.score.cover
    targets = ", ".join(kind.name.lower() for kind in sorted(measured.settings.targets))
    shown = [f"{measured.name}: {measured.settings.mode}, {targets}"]
    if isinstance(score, PictureScore):
        if score.boxes.total:
            shown += [_share("boxes", score.boxes), *_classes("px high", score.boxes)]
            shown.append(f"  needless     {_percent(cover.needless_share)} of the picture, changed away from boxes")
        if score.points.total:
            shown += [_share("head points", score.points), *_classes("points in the picture", score.points)]
        if score.missing:
            shown.append(f"  missing      {score.missing} pictures without a redacted one of the same size")
    else:
        shown += [_share("head-frames", score.heads), *_classes("px high", score.heads)]
        exposed = score.runs.tracks_with(EXPOSED_FRAMES)
        shown.append(
            f"  tracks       {exposed} of {len(score.runs.longest)} with {EXPOSED_FRAMES} leaked frames in a row"
        )
        shown.append(f"  needless     {_percent(cover.needless_share)} of the picture, changed away from heads")
    shown.append(f"  changed      {_percent(cover.changed_share)} of the picture")
    cost = measured.cost
    frame = 1000 / max(cost.frames, 1)
    shown.append(
        f"  cost         {cost.cpu_s * frame:.1f} ms of CPU and {cost.wall_s * frame:.1f} ms of wall a frame, "
        f"start-up included, {cost.frames} frames"
    )
    shown.append(f"  networks     {', '.join(measured.models)} in {', '.join(measured.precision)}")
    return [*shown, *(f"  failed       {failure}" for failure in measured.failed)]


def _chosen(data: Path, only: list[str] | None) -> "list[LabelledSet]":
    """The sets to measure; SettingsRefused names a set that is not there."""
    from skyveil.app.labelled import read_sets
    from skyveil.core.errors import SettingsRefused

    found = read_sets(data)
    names = [one.name for one in found]
    for name in only or ():
        if name not in names:
            raise SettingsRefused(f"no set {name!r} in {data}: there are {', '.join(names)}")
    return [one for one in found if not only or one.name in only]


def _measured(labelled: "LabelledSet", settings: "RedactSettings", jobs: int) -> "Evaluation":
    from skyveil.app.batch import Options
    from skyveil.app.evaluate import evaluate as evaluate_set
    from skyveil.app.models import ensure_for

    options = Options(slots=jobs, input_hash=False, models=ensure_for(settings, verify=False))
    return evaluate_set(labelled, settings, options, _teller(labelled.name))


def _teller(name: str) -> "Callable[[Event], None]":
    """Counts files on a terminal; silent elsewhere."""
    from skyveil.app.batch import Done, Lost

    done = 0

    def tell(event: "Event") -> None:
        nonlocal done
        if isinstance(event, Done | Lost):
            done += 1
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{name}: {done} files\x1b[K\r")

    return tell


def _share(what: str, tally: "Tally") -> str:
    from skyveil.app.leak import wilson

    low, high = wilson(tally.leaked, tally.total)
    return (
        f"  leaked       {_percent(tally.share)} of {tally.total} {what} "
        f"(95 % interval {_percent(low)} to {_percent(high)})"
    )


def _classes(unit: str, tally: "Tally") -> list[str]:
    """One line for each class that was seen."""
    rows = [(low, high, leaked, seen) for (low, high), (leaked, seen) in tally.by_size.items() if seen]
    return [
        f"    {f'{low} to {high}' if high < 10_000 else f'from {low}':>10} {unit}: "
        f"{leaked} of {seen}, {_percent(leaked / seen)}"
        for low, high, leaked, seen in rows
    ]


def _percent(share: float) -> str:
    return f"{share * 100:.2f} %"
