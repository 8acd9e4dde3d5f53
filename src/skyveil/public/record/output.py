"""One file that appears whole or not at all. Public side: the only place that makes, names and removes output files.

`NAME.skyveil.part` is made beside the target, private to its owner and locked; `commit` gives it the target's name in
one step after its bytes are on the disk. Whatever happens before that, the `.part` goes. A process killed on the spot
leaves the `.part`, which the next run over the same target removes: nobody holds its lock any more.
"""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from skyveil.core.errors import OutputRefused

PART_SUFFIX: Final = ".skyveil.part"
"""Nobody else's: what is left under such a name is removed, and a download that goes on is called NAME.part."""


def refuse_target(path: Path, *, overwrite: bool) -> None:
    """Raise OutputRefused when `path` can not become an output: taken, a link, a folder, or in no folder."""
    if not path.parent.is_dir():
        raise OutputRefused(f"{path.parent}: no such folder, make it first")
    if path.is_symlink():
        raise OutputRefused(f"{path}: is a symbolic link, which is not written through; name its target")
    if path.exists() and not path.is_file():
        raise OutputRefused(f"{path}: exists and is not a file")
    if path.exists() and not overwrite:
        raise OutputRefused(f"{path}: exists; choose another name or --overwrite")


@final
class OutputFile:
    """The `.part` of one target, from its making to `commit`. A context manager; without `commit` it leaves nothing."""

    def __init__(self, path: Path, *, overwrite: bool, durable: bool = True) -> None:
        """Make the `.part`. Raises OutputRefused when the target or its folder does not allow it.

        What can be made again from what is durable need not be, and saves a disk's turn for each file.
        """
        refuse_target(path, overwrite=overwrite)
        self.path = path
        self.part = path.with_name(path.name + PART_SUFFIX)
        self._overwrite = overwrite
        self._durable = durable
        self._flushed = False
        with translated(path):
            self._descriptor = _locked(self.part)
            self._final_mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
            os.fchmod(self._descriptor, 0o600)
        self._open = True

    @property
    def address(self) -> str:
        """A path that opens the `.part` itself, whoever may have put something else under its name meanwhile."""
        return f"/dev/fd/{self._descriptor}"

    def write(self, data: bytes) -> None:
        """Append bytes; OutputRefused when the disk is full or the file may not grow."""
        rest = memoryview(data)
        self._flushed = False
        with translated(self.path):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def empty(self) -> None:
        """Give the bytes of an output that will not be back to the disk; harmless after `commit`."""
        if self._open:
            os.ftruncate(self._descriptor, 0)

    def flush(self) -> None:
        """Return when the bytes are on the disk."""
        with translated(self.path):
            os.fsync(self._descriptor)
        self._flushed = True

    def commit(self) -> None:
        """Give the `.part` the target's name. The caller has checked it, and calls `flush_folders` when all are done.

        Raises OutputRefused, and leaves nothing, when the target appeared meanwhile and may not be overwritten.
        """
        if self._durable and not self._flushed:
            self.flush()
        with translated(self.path):
            if not os.path.samestat(os.fstat(self._descriptor), self.part.lstat()):
                raise OutputRefused(f"{self.part}: was replaced by someone else while it was written")
            os.fchmod(self._descriptor, self._final_mode)
            if self._overwrite:
                refuse_target(self.path, overwrite=True)
                self.part.replace(self.path)
            else:
                _name_exclusively(self.part, self.path)
            self._close()

    def discard(self) -> None:
        """Remove the `.part`; harmless after `commit`."""
        if not self._open:
            return
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._descriptor), self.part.lstat()):
                self.part.unlink()
        self._close()

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of the file system about `path` into OutputRefused."""
    try:
        yield
    except OSError as error:
        raise OutputRefused(f"{path}: can not be written: {error.strerror or error}") from error


def _locked(part: Path) -> int:
    """A new, locked `.part`; one that a killed run left behind is removed first."""
    made = _made(part)
    if made is None:
        _remove_stale(part)
        made = _made(part)
    if made is None or not _lock(made):
        if made is not None:
            os.close(made)
        raise OutputRefused(f"{part}: is being written by another process")
    return made


def _made(part: Path) -> int | None:
    """A new file, or None when the name is taken."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        return os.open(part, flags, 0o666)
    return None


def _remove_stale(part: Path) -> None:
    """Remove a `.part` that nobody holds; what is held, a link or no file stays."""
    if not stat.S_ISREG(part.lstat().st_mode):
        raise OutputRefused(f"{part}: exists and is not a file")
    descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _lock(descriptor):
            part.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the file is ours now: locked, and still under some name."""
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_nlink > 0
    return False


def _name_exclusively(part: Path, path: Path) -> None:
    """Rename without ever replacing: a second name first, which fails when it is taken."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError as error:
        raise OutputRefused(f"{path}: appeared while it was being made; choose another name or --overwrite") from error
    except OSError:
        _claim_and_replace(part, path)
    else:
        part.unlink()


def _claim_and_replace(part: Path, path: Path) -> None:
    """For file systems without links (FAT, some network folders): claim the name with an empty file, replace that."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError as error:
        raise OutputRefused(f"{path}: appeared while it was being made; choose another name or --overwrite") from error
    part.replace(path)


def flush_folders(folders: Iterable[Path]) -> None:
    """Return when the names in these folders survive a power cut; once for many files, for each takes a disk's turn.

    Raises OutputRefused.
    """
    for folder in sorted(set(folders)):
        with translated(folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
