"""Exact numbers on disk until they are in the database: one file for each minute. Public side.

Every number goes through here, whether the database works or not, so that there is one way and it is always tried. A
minute's file is deleted when its numbers are stored. Killing the process loses nothing that was added; a power cut can
lose the minute that was being written.
"""

import json
import os
from pathlib import Path
from typing import BinaryIO, Final, final

from skyveil.core.errors import StoreFailed, WorkerFailed
from skyveil.public.aggregate import Aggregate
from skyveil.public.wire.numbers import aggregate_json, read_aggregate

MINUTE_S: Final = 60


@final
class Spool:
    """Numbers of minutes that are not stored yet. One thread at a time may call it, but for `read` of an ended one."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; raises StoreFailed when that can not be done."""
        self._folder = folder
        self._file: tuple[int, BinaryIO] | None = None
        self._taken = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreFailed(f"the folder {folder.name} for numbers can not be made: {error.strerror}") from error

    def add(self, aggregate: Aggregate) -> bool:
        """Write numbers down; they survive the process when this returns. Raises StoreFailed for a full disk.

        False when they came after their minute was taken out, and so were left out.
        """
        minute_s = int(aggregate.start_s // MINUTE_S) * MINUTE_S
        if minute_s < self._taken:
            return False
        line = json.dumps(aggregate_json(aggregate), allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            written = self._open(minute_s).write(line)
        except OSError as error:
            raise StoreFailed(f"numbers can not be written to disk: {error.strerror}") from error
        if written < len(line):
            self.close()  # opened again, so that the next one begins on a line of its own
            raise StoreFailed("numbers can not be written to disk: it is full")
        return True

    def _open(self, minute_s: int) -> BinaryIO:
        if self._file is not None and self._file[0] == minute_s:
            return self._file[1]
        self.close()
        # Unbuffered: a line is one write, so that a kill leaves whole lines. A torn one is of a power cut.
        made = self._path(minute_s).open("ab", buffering=0)
        if made.tell() and not _ends_whole(self._path(minute_s)):
            made.write(b"\n")
        self._file = (minute_s, made)
        return made

    def minutes(self, before_s: float) -> list[int]:
        """Minutes that have ended before a time and wait to be stored, oldest first; no more is added to them."""
        ended = [one for one in self.waiting() if one + MINUTE_S <= before_s]
        if ended:
            self._taken = max(self._taken, ended[-1] + MINUTE_S)
        return ended

    def waiting(self) -> list[int]:
        """Every minute that is not stored yet, oldest first; the last may still be written."""
        return sorted(int(path.stem) for path in self._folder.glob("*.jsonl") if path.stem.isdigit())

    def read(self, minute_s: int) -> list[Aggregate]:
        """The numbers of a minute; a line that was torn is left out."""
        found = []
        for line in self._path(minute_s).read_bytes().splitlines():
            try:
                found.append(read_aggregate(line))
            except WorkerFailed:
                continue
        return found

    def done(self, minute_s: int) -> None:
        """Forget a minute: it is stored, or too old to be kept."""
        if self._file is not None and self._file[0] == minute_s:
            self.close()
        self._path(minute_s).unlink(missing_ok=True)
        self._aside(minute_s).unlink(missing_ok=True)

    def set_aside(self, minute_s: int) -> None:
        """Keep a minute that can not be stored out of the way of those behind it."""
        if self._file is not None and self._file[0] == minute_s:
            self.close()
        self._path(minute_s).rename(self._aside(minute_s))

    def aside(self) -> list[int]:
        """The minutes that are set aside, oldest first."""
        return sorted(int(path.stem) for path in self._folder.glob("*.aside") if path.stem.isdigit())

    def put_back(self) -> None:
        """Let the minutes that are set aside wait to be stored again."""
        for minute_s in self.aside():
            self._aside(minute_s).rename(self._path(minute_s))

    def clock_was_set_back(self) -> None:
        """Take numbers of minutes that were taken out before: they come a second time."""
        self._taken = 0

    def flush(self) -> None:
        """Make what was added survive a power cut."""
        if self._file is not None:
            os.fsync(self._file[1].fileno())

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file[1].close()
            self._file = None

    def _path(self, minute_s: int) -> Path:
        return self._folder / f"{minute_s}.jsonl"

    def _aside(self, minute_s: int) -> Path:
        return self._folder / f"{minute_s}.aside"


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
