"""Foreign errors become ours here, and nowhere else in capture. Private side.

Every class of `av.error` derives from `FFmpegError` (a test walks them), every failure of the file system from
`OSError`. Messages name the file, never its folder, and fit on one line whatever the name holds.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from skyveil.core.errors import InputRefused


def shown(path: Path) -> str:
    """The file's name on one line: line breaks, control and direction-changing characters become question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in path.name)


@contextmanager
def translated(path: Path, *, doing: str) -> Iterator[None]:
    """Turn what FFmpeg and the file system raise into InputRefused, with the cause kept."""
    try:
        yield
    except FFmpegError as error:
        raise InputRefused(
            f"{shown(path)}: {doing} failed ({_reason(error)}): check that the file plays, or convert it first"
        ) from error
    except OSError as error:
        raise InputRefused(
            f"{shown(path)}: {doing} failed ({_reason(error)}): check the file and its permissions"
        ) from error


def _reason(error: OSError | FFmpegError) -> str:
    return " ".join((error.strerror or type(error).__name__).split()).lower()


def refuse_unless_file(path: Path) -> None:
    """Raise InputRefused unless `path` is an ordinary file with something in it."""
    with translated(path, doing="opening the file"):
        about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise InputRefused(f"{shown(path)} is a folder: name a file in it")
    if not stat.S_ISREG(about.st_mode):
        raise InputRefused(f"{shown(path)} is a device, pipe or socket: only ordinary files are read")
    if about.st_size == 0:
        raise InputRefused(f"{shown(path)} is empty: copy it again from where it came")
