"""From paths to jobs: which files are redacted, where each output goes, and what is refused. App, parent side.

An output made beside its input is called `NAME.redacted.EXT`; in an output folder the tree and the names of the input
folder are kept. Beside every output lies `OUTPUT.json`, its result. A file whose name and size such a result tells is
ours to a later run, which leaves it out. A video keeps its container when that can hold the chosen codec and its exact
times (MP4, MOV, Matroska, WebM for AV1) and becomes MP4 otherwise; a still keeps its format, but GIF, BMP and AVIF
become PNG. The kind is read from the first bytes, not from the name.
"""

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from skyveil.app.made import is_own_output, result_of
from skyveil.app.names import shown
from skyveil.core.errors import InputRefused, OutputRefused, SettingsRefused
from skyveil.core.settings import Codec
from skyveil.core.stills import StillFormat, still_format_of
from skyveil.public.record.output import PART_SUFFIX
from skyveil.public.record.result import read_result

MARK: Final = ".redacted"
_NAME_BYTES: Final = 255
"""Of a file's name, on every file system of Linux."""
_INSIDE: Final = "lies in the output folder; name another one with --output"
_CONTAINERS: Final[dict[Codec, tuple[str, ...]]] = {
    "h264": (".mp4", ".m4v", ".mov", ".mkv"),
    "h265": (".mp4", ".m4v", ".mov", ".mkv"),
    "av1": (".mp4", ".mkv", ".webm"),
}
_VIDEO_SUFFIXES: Final = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".mpeg",
        ".vob",
        ".wmv",
        ".asf",
        ".flv",
        ".f4v",
        ".3gp",
        ".3g2",
        ".mxf",
        ".ogv",
        ".ogg",
        ".dv",
        ".divx",
        ".h264",
        ".264",
        ".h265",
        ".265",
        ".hevc",
        ".ivf",
        ".y4m",
        ".mjpeg",
        ".mjpg",
        ".rm",
        ".rmvb",
        ".m2v",
    ]
)
_STILL_SUFFIXES: Final[dict[StillFormat, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "heic": (".heic", ".heif", ".hif"),
}
_ALL_STILL_SUFFIXES: Final = frozenset(suffix for suffixes in _STILL_SUFFIXES.values() for suffix in suffixes) | {
    *(".gif", ".bmp", ".dib", ".avif", ".avifs"),  # which become PNG
}


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One file to redact. `within` is its place below the folder that was named, for people and reports."""

    source: Path
    output: Path
    kind: Literal["video", "still"]
    within: str

    @property
    def result(self) -> Path:
        """Where the result JSON of this job goes."""
        return result_of(self.output)

    @property
    def writes(self) -> tuple[Path, ...]:
        """All that this job makes or replaces, under the names that files have meanwhile as well; the report apart."""
        ends = ("", PART_SUFFIX, ".json", f".json{PART_SUFFIX}")
        return tuple(self.output.with_name(self.output.name + end) for end in ends)


@final
@dataclass(frozen=True, slots=True)
class Left:
    """A path that is not redacted, and why."""

    path: Path
    why: str


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does: `jobs` in order, `skipped` without blame, `refused` with it, and the folder of the report."""

    jobs: tuple[Job, ...]
    skipped: tuple[Left, ...]
    refused: tuple[Left, ...]
    report: Path


@final
@dataclass(frozen=True, slots=True)
class _Found:
    source: Path
    within: Path
    named: bool

    @property
    def root(self) -> Path:
        """The folder that was named, of a file in it."""
        return self.source.parents[len(self.within.parts) - 1]


def plan(paths: Iterable[str], *, output: str | None, codec: Codec) -> Plan:
    """Decide what happens to every path; nothing is written and no media is decoded.

    Raises SettingsRefused when the whole request makes no sense: no path, or one output file for several inputs.
    """
    named = list(paths)
    if not named:
        raise SettingsRefused("no input: name a file, a folder or a pattern")
    skipped: list[Left] = []
    refused: list[Left] = []
    found = _unique([item for path in named for item in _expand(path, skipped, refused)])
    target = _target(output, found, named)
    if target.folder is not None:
        inside = target.folder.resolve()
        refused += [Left(item.source, _INSIDE) for item in found if _met_below(item, inside, item.root)]
        skipped += [Left(item.source, "lies in the output folder") for item in found if _made_below(item, inside)]
        found = [item for item in found if not _met_below(item, inside, item.source)]
    jobs: list[Job] = []
    for item in found:
        _plan_one(item, target, codec, jobs, skipped, refused)
    jobs = _without_collisions(jobs, refused)
    return Plan(tuple(jobs), tuple(skipped), tuple(refused), _report_place(jobs, target))


def writable(job: Job, *, overwrite: bool) -> None:
    """Raise OutputRefused unless the output of `job` may be written now."""
    output = job.output
    if output.is_dir():
        raise OutputRefused(f"{shown(output)}: is a folder; name a file or another folder with --output")
    if output.exists() and not overwrite:
        raise OutputRefused(
            f"{shown(output)}: exists already; use --overwrite to replace it or --output for another name"
        )
    if job.result.exists() and not overwrite and read_result(job.result) is None:
        raise OutputRefused(f"{shown(job.result)}: exists and is no result of skyveil; move it away or use --overwrite")
    folder = next(parent for parent in output.parents if parent.exists())
    if not folder.is_dir():
        raise OutputRefused(f"{shown(folder)}: is not a folder; choose another --output")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputRefused(f"{shown(folder)}: can not be written; choose another --output")


def still_format(source: Path) -> StillFormat | None:
    """The format that a picture is written in again, None for video. Raises InputRefused when it can't be read."""
    try:
        with source.open("rb") as file:
            found = still_format_of(file)
            empty = file.tell() == 0
    except OSError as error:
        raise InputRefused(f"{shown(source)}: can not be read: {error.strerror}") from error
    if empty:
        raise InputRefused(f"{shown(source)}: is empty; nothing to redact")
    return found


@final
@dataclass(frozen=True, slots=True)
class _Target:
    """Where outputs go: one file, a folder, or (both None) beside each input."""

    file: Path | None
    folder: Path | None


def _target(output: str | None, found: list[_Found], named: list[str]) -> _Target:
    """Decide between file and folder: a folder that exists, a trailing slash or a folder input mean a folder."""
    if output is None:
        return _Target(None, None)
    path = Path(output).absolute()
    several = len(found) > 1 or len(named) > 1 or any(not item.named for item in found)
    if path.is_dir() or output.endswith(("/", os.sep)) or (several and not path.suffix) or Path(named[0]).is_dir():
        return _Target(None, path)
    if several:
        raise SettingsRefused(f"{shown(output)}: one output file for several inputs; name a folder with a trailing /")
    return _Target(path, None)


def _expand(path: str, skipped: list[Left], refused: list[Left]) -> Iterator[_Found]:
    """The files behind one argument: itself, a folder's tree, or a pattern's matches."""
    source = Path(path)
    try:
        mode = os.stat(source)  # noqa: PTH116 (is_dir hides a loop of links)
    except OSError as error:
        matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207 (absolute too)
        if not matches:
            why = (
                "no file matches this pattern"
                if glob.has_magic(path)
                else (error.strerror or "can not be read").lower()
            )
            refused.append(Left(source, f"{why}; check the path"))
        for match in matches:
            yield from _expand_pattern(Path(match), skipped)
        return
    if stat.S_ISDIR(mode.st_mode):
        yield from _walk(source, skipped)
    elif stat.S_ISREG(mode.st_mode):
        yield _Found(source.absolute(), Path(source.name), named=True)
    else:
        refused.append(Left(source, "is neither a file nor a folder; copy it to a file first"))


def _expand_pattern(match: Path, skipped: list[Left]) -> Iterator[_Found]:
    """One match of a pattern: a file like one in a folder, a folder with its tree."""
    if match.is_dir():
        yield from _walk(match, skipped)
    elif _is_media(match, skipped):
        yield _Found(match.absolute(), Path(match.name), named=False)


def _walk(root: Path, skipped: list[Left]) -> Iterator[_Found]:
    """Media files below `root` in name order; links to folders are not followed, so no loop can arise."""

    def unread(error: OSError) -> None:
        skipped.append(Left(Path(str(error.filename)), f"can not be read: {error.strerror}"))

    for folder, names, files in os.walk(root, onerror=unread):
        here = Path(folder)
        names.sort()
        skipped += [Left(here / name, "is a link to a folder") for name in names if (here / name).is_symlink()]
        for name in sorted(files):
            if _is_media(here / name, skipped):
                yield _Found((here / name).absolute(), (here / name).relative_to(root), named=False)


def _is_media(path: Path, skipped: list[Left]) -> bool:
    """Whether a file that nobody named is worth a try, by its name; else it is noted as skipped."""
    suffix = path.suffix.lower()
    if suffix == ".part" or path.name.endswith((".json", ".html")):
        return False
    if not path.is_file():
        skipped.append(Left(path, "is a link that leads nowhere" if path.is_symlink() else "is not a file"))
        return False
    if suffix not in _VIDEO_SUFFIXES and suffix not in _ALL_STILL_SUFFIXES:
        skipped.append(Left(path, "is not a video or picture by its name"))
        return False
    return True


def _unique(found: list[_Found]) -> list[_Found]:
    """Each file once, however often it was named."""
    seen: dict[Path, _Found] = {}
    for item in found:
        seen.setdefault(item.source.resolve(), item)
    return list(seen.values())


def _met_below(item: _Found, folder: Path, place: Path) -> bool:
    """Whether a file that nobody named is one, and this place, itself or the folder that was named, is in `folder`."""
    return not item.named and place.resolve().is_relative_to(folder)


def _made_below(item: _Found, folder: Path) -> bool:
    """Whether a file lies in the output folder, and the folder that was named does not."""
    return _met_below(item, folder, item.source) and not _met_below(item, folder, item.root)


def _plan_one(
    item: _Found, target: _Target, codec: Codec, jobs: list[Job], skipped: list[Left], refused: list[Left]
) -> None:
    """Add the job for one file, or the reason why there is none."""
    try:
        if is_own_output(item.source):
            skipped.append(Left(item.source, "was made by skyveil"))
            return
        still = still_format(item.source)
        output = _named_so(_output(item, target, still, codec))
    except (InputRefused, OutputRefused) as error:
        refused.append(Left(item.source, str(error).removeprefix(f"{shown(item.source)}: ")))
        return
    jobs.append(Job(item.source, output, "still" if still else "video", str(item.within)))


def _named_so(output: Path) -> Path:
    """The output itself; OutputRefused when its name, or that of what lies beside it, is longer than a name may be."""
    if len(os.fsencode(output.name)) + len(".json") + len(PART_SUFFIX) > _NAME_BYTES:
        raise OutputRefused(f"{shown(output)}: the name would be too long; give a shorter one with --output")
    return output


def _output(item: _Found, target: _Target, still: StillFormat | None, codec: Codec) -> Path:
    """Where one output goes; OutputRefused for a file name that can not hold it."""
    fits = _STILL_SUFFIXES[still] if still else _CONTAINERS[codec]
    if target.file is not None:
        if target.file.suffix.lower() not in fits:
            raise OutputRefused(
                f"{shown(target.file)}: can not hold {still or codec}; end the name in {' or '.join(fits)}"
            )
        return target.file
    kept = item.source.suffix.lower() in fits
    if target.folder is not None:
        return target.folder / (item.within if kept else item.within.with_name(item.within.name + fits[0]))
    stem, suffix = item.source.stem, item.source.suffix
    return item.source.with_name(f"{stem}{MARK}{suffix}" if kept else f"{item.source.name}{MARK}{fits[0]}")


def _without_collisions(jobs: list[Job], refused: list[Left]) -> list[Job]:
    """The jobs whose outputs are theirs alone and, with all that lies beside them, nobody's input."""
    claims: dict[str, list[Job]] = {}
    for job in jobs:
        # Case folded: on a disk that ignores case A.mp4 and a.mp4 are one file.
        claims.setdefault(os.path.realpath(job.output).casefold(), []).append(job)
    inputs = {os.path.realpath(job.source) for job in jobs}
    kept = []
    for job in jobs:
        rivals = claims[os.path.realpath(job.output).casefold()]
        if len(rivals) > 1:
            other = next(rival for rival in rivals if rival is not job)
            why = f"{shown(job.output.name)} would also be the output of {shown(other.source.name)}; redact them apart"
            refused.append(Left(job.source, why))
        elif taken := next((path for path in job.writes if os.path.realpath(path) in inputs), None):
            refused.append(Left(job.source, f"{shown(taken)} is itself an input; choose another --output"))
        else:
            kept.append(job)
    return kept


def _report_place(jobs: list[Job], target: _Target) -> Path:
    """Where the HTML report goes: beside a single output, else in the folder that all outputs share."""
    if len(jobs) == 1 and target.folder is None:
        return jobs[0].output.with_name(jobs[0].output.name + ".html")
    folder = target.folder
    if folder is None:
        folder = Path(os.path.commonpath([job.output.parent for job in jobs])) if jobs else Path.cwd()
    return folder / "skyveil-report.html"
