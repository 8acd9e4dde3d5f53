"""Deletes what is too old or too much of one camera's recordings. Public side."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from skyveil.core.ids import CameraId
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry, day_of, days_of
from skyveil.public.archive.holds import Holds
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.segment import SUFFIX, file_name

AHEAD_S: Final = 600.0
"""A segment that ends so far in the future was written while the clock was ahead."""
_UNCHAINED_S: Final = 60.0
"""How long a file without a line may last: more than a segment, so that a hold keeps it rather than not."""


@final
@dataclass(frozen=True, slots=True)
class Policy:
    """How long one camera's recordings are kept."""

    hours: float = 72.0
    gigabytes: float | None = None


@final
class Retention:
    """What deletes one camera's recordings; the lock of the camera's recording is held for every sweep."""

    def __init__(self, folder: Path, camera: CameraId, keys: KeyStore, holds: Holds) -> None:
        self._folder = folder
        self._camera = camera
        self._keys = keys
        self._holds = holds
        self._swept: dict[str, int] = {}

    def sweep(self, now_s: float, policy: Policy, writing: Path | None) -> None:
        """Delete segments that are too old or too many, and the keys of days of which none is left.

        The chain is gone through from its beginning to the first segment that is to stay; what was written while the
        clock was ahead goes with what follows it. writing: the file that is being written, if there is one. Raises
        OSError when something can not be deleted, after the rest was.
        """
        run = _Run(now_s, now_s - policy.hours * 3600)
        if policy.gigabytes is not None:
            run.excess = self._stored_bytes() - policy.gigabytes * 1e9
        today, oldest = day_of(now_s), True
        for folder in days_of(self._folder):
            if not run.young:
                kept = self._sweep_day(folder, run)
                self._sweep_unchained(folder, run, kept if writing is None else {*kept, writing.name})
            in_use = folder.name == today or (writing is not None and writing.parent == folder)
            if not in_use and not any(folder.glob(f"*{SUFFIX}")):
                self._keys.destroy(self._camera, folder.name)
                # The lines of a day after one that is held stay with it: they tie what follows to what is held.
                if oldest:
                    shutil.rmtree(folder)
                    self._swept.pop(folder.name, None)
            else:
                oldest = False
        if run.failed is not None:
            raise run.failed

    def _sweep_day(self, folder: Path, run: "_Run") -> set[str]:
        """Delete what is too old or too much in a day, oldest first; gives the names of the files that stay."""
        last: int | None = None
        kept: dict[str, int] = {}
        for at, entry in chain.unchecked(folder, self._swept.get(folder.name, 0)):
            last = at
            path = folder / file_name(entry.number)
            if entry.kind == "gap" or not path.exists():
                continue
            kept[path.name] = at
            if run.excess <= 0 and entry.end_s > run.now_s + AHEAD_S:
                run.ahead.append((path, entry))
                continue
            if run.excess <= 0 and entry.end_s >= run.until_s:
                run.young = entry.number
                break
            for older, one in (*run.ahead, (path, entry)):
                if self._deleted(older, one.start_s, one.end_s, run):
                    run.excess -= one.bytes
                    kept.pop(older.name, None)
            run.ahead.clear()
        if last is not None:
            # The next sweep begins here: days have 43,000 lines, and a minute 30.
            self._swept[folder.name] = min(kept.values(), default=last)
        return set(kept)

    def _sweep_unchained(self, folder: Path, run: "_Run", kept: set[str]) -> None:
        """Delete files that no line tells of, by the time at which they were written last."""
        with os.scandir(folder) as found:
            names = [one.name for one in found if one.name.endswith(SUFFIX) and one.name not in kept]
        for name in names:
            if run.young and name >= file_name(run.young):
                continue
            end_s = (folder / name).stat().st_mtime
            if end_s < run.until_s:
                self._deleted(folder / name, end_s - _UNCHAINED_S, end_s, run)

    def _deleted(self, path: Path, start_s: float, end_s: float, run: "_Run") -> bool:
        """Delete a file unless a hold keeps it; whether it is gone."""
        if self._holds.keeps(self._camera, start_s, end_s):
            return False
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            run.failed = error
            return False
        return True

    def _stored_bytes(self) -> int:
        return sum(path.stat().st_size for day in days_of(self._folder) for path in day.glob(f"*{SUFFIX}"))


@dataclass(slots=True)
class _Run:
    """How far one sweep has come.

    excess: bytes that are too many. ahead: what was written while the clock was ahead, and nothing after it was
    found to be too old yet. young: the number of the first segment that is to stay; 0 until it was found.
    """

    now_s: float
    until_s: float
    excess: float = 0.0
    ahead: list[tuple[Path, Entry]] = field(default_factory=list)
    young: int = 0
    failed: OSError | None = None
