"""What a person, or a program, sees of a run: a bar or lines, a report, an exit code. CLI."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, TextIO, TypeAlias, final

import typer

from skyveil.app.batch import Advanced, Already, Done, Event, Lost, Stopped
from skyveil.app.jobs import Job, Plan, writable
from skyveil.app.names import shown
from skyveil.core.errors import SkyveilError
from skyveil.public.record.report import Entry, write_report
from skyveil.public.wire import Suspect

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
_LINE_EVERY_S: Final = 10.0

Show: TypeAlias = Callable[[Event], None]


@final
class Tally:
    """Adds up a run, tells of each file once, and knows the exit code."""

    def __init__(self, plan: Plan, *, overwrite: bool, as_json: bool) -> None:
        self._plan = plan
        self._overwrite = overwrite
        self._untold = False
        self._as_json = as_json
        self._done: dict[Job, Done] = {}  # by job: two files of one run may have one name
        self._already: list[Already] = []
        self._failed: dict[str, str] = {shown(left.path): left.why for left in plan.refused}
        self._signal: int | None = None
        for left in plan.refused:
            _line(f"skyveil: {shown(left.path)}: {left.why}", error=True)
        if not as_json:
            for left in plan.skipped:
                _line(f"skipped {shown(left.path)}: {left.why}")

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed or suspects are left, 2 nothing to do, 3 damaged frames, 128 + N by signal."""
        if self._signal is not None:
            return self._signal
        if self._failed or self._untold or any(done.suspects for done in self._done.values()):
            return 1
        if not self._plan.jobs:
            return 2
        damaged = any(done.result.damaged for done in self._done.values()) or any(one.damaged for one in self._already)
        return 3 if damaged else 0

    def note(self, event: Event) -> None:
        """Take one event; a failure is told at once."""
        if isinstance(event, Done):
            self._done[event.job] = event
        elif isinstance(event, Already):
            self._already.append(event)
        elif isinstance(event, Lost):
            name = shown(event.job.source)
            why = str(event.error)
            self._failed[name] = why
            said = why.removeprefix(f"{event.job.source.name}: ")  # the path says it already
            _line(f"skyveil: {said if said.startswith(name) else f'{name}: {said}'}", error=True)

    def stopped(self, stopped: Stopped) -> None:
        """The run was ended by a signal."""
        self._signal = stopped.exit_code
        _line(f"skyveil: {stopped}", error=True)

    def finish(self) -> None:
        """Write the report, and the JSON where it was asked for."""
        if not self._plan.jobs and not self._failed:
            _line("skyveil: nothing to redact: no video or picture among what was named", error=True)
        report = self._report() if self._done else None
        if self._as_json:
            self._untold = not _told(json.dumps(self._json(report), indent=2), error=False)
        elif report is not None:
            _line(f"report  {report}")

    def _report(self) -> str | None:
        entries = [self._entry(job) for job in self._plan.jobs]
        try:
            write_report(self._plan.report, entries, overwrite=self._overwrite)
        except SkyveilError as error:
            _line(f"skyveil: the report was not written: {error}", error=True)
            return None
        return shown(self._plan.report)

    def _entry(self, job: Job) -> Entry:
        done = self._done.get(job)
        if done is not None:
            return Entry(job.within, done.result, job.output, done.suspects)
        if any(one.job is job for one in self._already):
            return Entry(job.within, None, note="done by an earlier run")
        return Entry(job.within, None, note="not done")

    def _json(self, report: str | None) -> Json:
        left: dict[str, list[Json]] = {}
        for job, done in self._done.items():
            if done.suspects:
                left.setdefault(job.within, []).extend(_suspect(one) for one in done.suspects)
        suspects: dict[str, Json] = dict(left)
        return {
            "schema": "skyveil.run/1",
            "exit_code": self.exit_code,
            "report": report,
            "results": [done.result.as_json() for done in self._done.values()],
            "done_already": [one.job.within for one in self._already],
            "suspects": suspects,
            "failed": [{"path": path, "why": why} for path, why in self._failed.items()],
            "skipped": [{"path": shown(left.path), "why": left.why} for left in self._plan.skipped],
        }


def _suspect(one: Suspect) -> Json:
    return {"start_s": one.start_s, "end_s": one.end_s, "xyxy": list(one.xyxy), "kind": one.kind.name.lower()}


@contextmanager
def screen(plan: Plan, stream: TextIO, *, quiet: bool) -> Iterator[Show]:
    """What shows events as they come: bars on a terminal, a line per finished file elsewhere, nothing when quiet."""
    if quiet:
        with nullcontext():
            yield lambda event: None
    elif stream.isatty():
        with _bars(plan) as show:
            yield show
    else:
        yield _Lines()


@final
class _Lines:
    """One line for each file that ends, and one every 10 s for a file under way."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        name, now = event.job.within, time.monotonic()
        elapsed_s = now - self._began.setdefault(name, now)
        if isinstance(event, Advanced) and now - self._said.setdefault(name, now) >= _LINE_EVERY_S:
            self._said[name] = now
            _line(_under_way(event, elapsed_s))
        text = told(event, elapsed_s)
        if text:
            _line(text)


def _under_way(event: Advanced, elapsed_s: float) -> str:
    """How far a file is, how fast it goes, and how long it still takes if its container promises a length."""
    speed = event.frames / elapsed_s
    text = f"{shown(event.job.within)}: {event.frames} frames, {speed:.0f} frames/s"
    if event.expected is None or event.expected <= event.frames:
        return text
    return f"{text}, {(event.expected - event.frames) / speed:.0f} s left"


@contextmanager
def _bars(plan: Plan) -> Iterator[Show]:
    """One bar over all files, and one per file under way with its frames per second and what is left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        whole = progress.add_task("files", total=len(plan.jobs), speed="")
        bars: dict[str, TaskID] = {}
        began: dict[str, float] = {}

        def show(event: Event) -> None:
            name, now = event.job.within, time.monotonic()
            elapsed_s = now - began.setdefault(name, now)
            if isinstance(event, Advanced):
                if name not in bars:
                    bars[name] = progress.add_task(shown(name)[-40:], total=event.expected, speed="")
                speed = f"{event.frames / elapsed_s:.0f} frames/s" if elapsed_s > 0 else ""
                progress.update(bars[name], completed=event.frames, total=event.expected, speed=speed)
                return
            if name in bars:
                progress.remove_task(bars.pop(name))
            progress.advance(whole)
            text = told(event, elapsed_s)
            if text:
                console.print(Text(text))

        yield show


def told(event: Event, elapsed_s: float) -> str:
    """The line about a file that ended; empty for one that did not, or that failed (told elsewhere)."""
    if isinstance(event, Already):
        return f"done already {shown(event.job.within)}"
    if not isinstance(event, Done):
        return ""
    result = event.result
    parts = [f"{result.finished.frames} frames", f"{result.covered_share * 100:.1f} % covered"]
    if elapsed_s > 0 and result.finished.frames > 1:
        parts.append(f"{result.finished.frames / elapsed_s:.0f} frames/s")
    if result.damaged:
        parts.append(f"{result.finished.damaged} damaged frames covered wholly")
    if result.verified is not None:
        kind = "" if result.verified.independent else " (not independent)"
        parts.append(f"verified{kind}: {result.verified.suspects_found} suspects, {result.verified.suspects_left} left")
    return f"done {shown(event.job.within)} -> {shown(event.job.output)}: {', '.join(parts)}"


def told_plan(plan: Plan, *, overwrite: bool, as_json: bool) -> int:
    """Print what a run would do; 0 when all of it may be done, 1 when something is refused, 2 when there is nothing."""
    would: list[Json] = []
    failed: list[Json] = [{"path": shown(left.path), "why": left.why} for left in plan.refused]
    for job in plan.jobs:
        try:
            writable(job, overwrite=overwrite)
            would.append({"input": shown(job.source), "output": shown(job.output), "kind": job.kind})
        except SkyveilError as error:
            failed.append({"path": shown(job.source), "why": str(error)})
    skipped: list[Json] = [{"path": shown(left.path), "why": left.why} for left in plan.skipped]
    if as_json:
        sys.stdout.write(
            json.dumps({"schema": "skyveil.plan/1", "would": would, "failed": failed, "skipped": skipped}) + "\n"
        )
    else:
        _told_rows("would redact", would, "output", " -> ")
        _told_rows("skipped", skipped, "why", ": ")
        _told_rows("refused", failed, "why", ": ")
    if failed:
        return 1
    return 0 if would else 2


def _told_rows(verb: str, rows: list[Json], second: str, between: str) -> None:
    for row in rows:
        if isinstance(row, dict):
            _line(f"{verb} {row.get('input', row.get('path'))}{between}{row[second]}")


def _line(text: str, *, error: bool = False) -> None:
    """One line, whatever the terminal's encoding; where it can not be written, the work goes on without."""
    _told(text, error=error)


def _told(text: str, *, error: bool) -> bool:
    """Whether a text could be written. A reader that is gone or a full disk is told nothing more."""
    try:
        typer.echo(text, err=error)
    except OSError:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, (sys.stderr if error else sys.stdout).fileno())
        os.close(silent)
        return False
    return True
