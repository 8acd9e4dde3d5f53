"""The Python interface: `skyveil.redact_file` and `skyveil.redact_image`. App."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias, final

import av
import numpy as np
from numpy.typing import NDArray

from skyveil.app.batch import Already, Batch, Done, Lost, Options
from skyveil.app.jobs import Plan, plan
from skyveil.app.models import ensure_for
from skyveil.app.names import shown
from skyveil.app.sandbox import unsupported
from skyveil.core.errors import DetectorFailed, InputRefused, SettingsRefused
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.settings import Precision, RedactSettings
from skyveil.core.time import MediaTime
from skyveil.gate.fill import make_fill
from skyveil.gate.redact import redact
from skyveil.private.detect.finder import Finder
from skyveil.private.frame import RawFrame
from skyveil.private.still_watch import StillWatch
from skyveil.public.record.result import read_result

Picture: TypeAlias = NDArray[np.uint8]
"""(H, W, 3), RGB."""


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


def redact_image(picture: Picture, *, settings: RedactSettings | None = None) -> Picture:
    """A copy of a picture with faces and heads, or what `settings` names, covered.

    Runs in the calling process, which holds the raw pixels already; networks stay loaded for the next call. Nothing is
    written. The wall around raw pixels stands around files only: see `redact_file`.

    Args:
        picture: (H, W, 3) uint8, RGB, upright; H and W at least 1. It stays as it is.
        settings: as for `redact_file`; what concerns encoding is not used.

    Returns:
        An array of its own, of the same shape.

    Raises:
        InputRefused: not an array of this shape and type.
        ModelMissing: weights are not on this machine; `skyveil models pull`.

    Example:
        >>> import numpy as np, skyveil
        >>> picture = np.zeros((48, 64, 3), np.uint8)
        >>> skyveil.redact_image(picture).shape  # doctest: +SKIP
        (48, 64, 3)
    """
    given: object = picture  # callers without a type checker give anything
    if not isinstance(given, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        kind = getattr(picture, "dtype", type(picture).__name__)
        raise InputRefused(f"expected an array (H, W, 3) of uint8, got {kind} {getattr(picture, 'shape', '')}")
    if not picture.size:
        raise InputRefused(f"expected a picture of at least one pixel, got {picture.shape}")
    chosen = settings or RedactSettings()
    height, width = picture.shape[:2]
    raw = RawFrame(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
        FrameId(SourceId("array"), 0),
        MediaTime(0, Fraction(1)),
    )
    watch = StillWatch(_finder(chosen), chosen, width=width, height=height)
    for decided, regions in watch.see(raw):
        frame = redact(decided, regions, make_fill(chosen.fill), max_look_age_s=chosen.max_look_age_s)
        return np.asarray(frame.picture.to_ndarray(), np.uint8)
    raise DetectorFailed("the watch of a picture gave no frame back")


def _finder(settings: RedactSettings) -> Finder:
    """The networks for these settings, loaded once for each set of them."""
    paths = ensure_for(settings, verify=False)
    return _loaded(tuple(sorted(paths.items())), settings.precision)


@lru_cache(maxsize=2)
def _loaded(paths: tuple[tuple[str, Path], ...], precision: Precision) -> Finder:
    return Finder(dict(paths), precision=precision, shapes="any")
