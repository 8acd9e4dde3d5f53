"""Deletes what is too old or too much of one camera's recordings. Public side."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import final

from skyveil.core.ids import CameraId
from skyveil.public.archive import chain
from skyveil.public.archive.chain import day_of, days_of
from skyveil.public.archive.holds import Holds
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.segment import SUFFIX, file_name


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

    def sweep(self, now_s: float, policy: Policy, writing: str | None) -> None:
        """Delete segments that are too old or too many, and the keys of days of which none is left.

        writing: the day of the segment that is being written, if there is one.
        """
        until_s = now_s - policy.hours * 3600
        excess = 0.0
        if policy.gigabytes is not None:
            excess = self._stored_bytes() - policy.gigabytes * 1e9
        today, oldest = day_of(now_s), True
        for folder in days_of(self._folder):
            if folder.name <= day_of(until_s) or excess > 0:
                excess = self._sweep_day(folder, until_s, excess)
            if folder.name < today and folder.name != writing and not any(folder.glob(f"*{SUFFIX}")):
                self._keys.destroy(self._camera, folder.name)
                # The lines of a day after one that is held stay with it: they tie what follows to what is held.
                if oldest:
                    shutil.rmtree(folder)
                    self._swept.pop(folder.name, None)
            else:
                oldest = False

    def _sweep_day(self, folder: Path, until_s: float, excess: float) -> float:
        """Delete what is too old or too much in a day, oldest first; gives how many bytes are still too many."""
        last: int | None = None
        first_kept: int | None = None
        for at, entry in chain.unchecked(folder, self._swept.get(folder.name, 0)):
            last = at
            path = folder / file_name(entry.number)
            if entry.kind == "gap" or not path.exists():
                continue
            if entry.end_s >= until_s and excess <= 0:
                break
            if self._holds.keeps(self._camera, entry.start_s, entry.end_s):
                first_kept = at if first_kept is None else first_kept
                continue
            path.unlink(missing_ok=True)
            excess -= entry.bytes
        if last is not None:
            # The next sweep begins here: days have 43,000 lines, and a minute 30.
            self._swept[folder.name] = last if first_kept is None else first_kept
        return excess

    def _stored_bytes(self) -> int:
        return sum(path.stat().st_size for day in days_of(self._folder) for path in day.glob(f"*{SUFFIX}"))
