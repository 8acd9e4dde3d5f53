"""The Python interface: `skyveil.redact_file` and `skyveil.redact_image`. App."""

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import final

from skyveil.app.batch import Already, Batch, Done, Lost, Options
from skyveil.app.jobs import Plan, plan, shown
from skyveil.app.models import ensure_for
from skyveil.app.sandbox import unsupported
from skyveil.core.errors import InputRefused, SettingsRefused
from skyveil.core.settings import RedactSettings
from skyveil.public.record.result import read_result


@final
@dataclass(frozen=True, slots=True)
class Redacted:
    """One redacted file.

    path: the output, complete and checked. result: its JSON, as docs/reference/result-json.md describes.
    frames: how many it has. damaged: whether the input was broken, so that frames are covered wholly or missing.
    suspects_left: what `verify` still saw at the end; 0 without it.
    """

    path: Path
    result: Path
    frames: int
    damaged: bool
    suspects_left: int


def redact_file(
    path: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    settings: RedactSettings | None = None,
    overwrite: bool = False,
    verify: bool = False,
    input_hash: bool = True,
) -> Redacted:
    """Redact one video or picture, in a walled process of its own, and wait for it.

    Args:
        path: the input; it stays as it is.
        output: the file to write; `NAME.redacted.EXT` beside the input when None.
        settings: what is covered, and how it is encoded; faces and heads, balanced, H.264 when None.
        overwrite: replace an output that exists. Without it, one that was made of this input with these settings
            counts as done.
        verify: look at the output again and cover what is found.
        input_hash: tell the hash and size of the input in the result.

    Raises:
        InputRefused: the input is missing, no media, or made by Skyveil.
        OutputRefused: the output exists or can not be written.
        SettingsRefused: a setting has a value that is not allowed, or this system is not supported.
        ModelMissing: weights are not on this machine; `skyveil models pull`.
        WorkerFailed, DetectorFailed, OutputWrong: the redaction failed; nothing was written.

    Example:
        >>> import skyveil
        >>> done = skyveil.redact_file("party.mp4", "party.redacted.mp4")  # doctest: +SKIP
        >>> done.frames, done.damaged  # doctest: +SKIP
        (250, False)
    """
    if (reason := unsupported()) is not None:
        raise SettingsRefused(reason)
    chosen = settings or RedactSettings()
    source = Path(path)
    if not source.is_file():
        raise InputRefused(f"{shown(source)}: is not a file; redact_file takes one")
    planned = plan([fspath(path)], output=None if output is None else fspath(output), codec=chosen.codec)
    _only_job(planned, source)
    options = Options(
        overwrite=overwrite, verify=verify, input_hash=input_hash, models=ensure_for(chosen, verify=verify)
    )
    return _done(Batch(planned, chosen, options))


def _only_job(planned: Plan, source: Path) -> None:
    """Raise InputRefused unless the plan does something."""
    for left in (*planned.refused, *planned.skipped):
        raise InputRefused(f"{shown(source)}: {left.why}")


def _done(batch: Batch) -> Redacted:
    """Run to the end and tell how it ended."""
    for event in batch.run():
        if isinstance(event, Lost):
            raise event.error
        if isinstance(event, Done):
            frames = event.result.finished.frames
            return Redacted(event.job.output, event.job.result, frames, event.result.damaged, len(event.suspects))
        if isinstance(event, Already):
            told = (read_result(event.job.result) or {}).get("frames")
            count = told if isinstance(told, int) else 0
            return Redacted(event.job.output, event.job.result, count, event.damaged, 0)
    raise InputRefused("nothing was redacted")
