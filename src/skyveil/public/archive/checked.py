"""Finds what is not as it was written in one camera's recordings. Public side."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry
from skyveil.public.archive.holds import Hold
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.recording import CUT_OFF
from skyveil.public.archive.retention import AHEAD_S, Policy
from skyveil.public.archive.segment import SUFFIX, Place, file_name, opened

_WRITTEN_S: Final = 60.0
"""A file that was written to in this time may be the one that is being written: a segment lasts 2 s or a bit more."""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the recordings of a camera that is not as it was written."""

    camera: CameraId
    day: str
    what: str


@final
class Checked:
    """What was found in the recordings of one camera, day after day in the order of their chain."""

    def __init__(
        self,
        camera: CameraId,
        keys: KeyStore,
        holds: Sequence[Hold],
        policy: Policy | None,
        now: Callable[[], float],
    ) -> None:
        self._camera = camera
        self._keys = keys
        self._holds = holds
        self._now = now
        self._keep_s = None if policy is None else policy.hours * 3600
        self._by_age = policy is not None and policy.gigabytes is None
        self._before: str | None = None
        self._kept_s: float | None = None
        self._newest = 0
        self.digests: set[str] = set()
        self.found: list[Finding] = []

    def note(self, day: str, what: str) -> None:
        """Keep a finding."""
        self.found.append(Finding(self._camera, day, what))

    def day(self, folder: Path) -> None:
        """Check the lines and segments of a day."""
        note = partial(self.note, folder.name)
        known: set[int] = set()
        number = 0
        for number, line in enumerate(chain.read(folder, self._keys.public), 1):
            if not line.signed:
                note(f"line {number} of the chain was changed")
            elif self._before is not None and line.before != self._before:
                note(f"line {number} of the chain does not follow the one before it: something was removed or moved")
            self._before = line.digest
            self.digests.add(line.digest)
            if line.entry is not None and line.entry.cause == CUT_OFF:
                note(f"line {number} of the chain: lines before it were removed, a signed head told of them")
            if line.entry is not None and line.entry.kind == "segment":
                known.add(line.entry.number)
                self._segment(folder, line.entry, note)
        self._newest = max([self._newest, *known])
        files = sorted(folder.glob(f"*{SUFFIX}"))
        for path in files:
            if (not path.stem.isdigit() or int(path.stem) not in known) and not self._is_being_written(path):
                note(f"{path.name} is in no line of the chain (it may be the one being written)")
        if not number and not files and self._keys.has_day(self._camera, folder.name):
            note("the recordings of this day were removed: its key is still there")

    def _segment(self, folder: Path, entry: Entry, note: Callable[[str], None]) -> None:
        path = folder / file_name(entry.number)
        held = [one for one in self._holds if one.from_s < entry.end_s and one.to_s > entry.start_s]
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            self._missing(entry, held, note)
            return
        except OSError as error:
            note(f"segment {entry.number} can not be read: {error.strerror}")
            return
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            note(f"segment {entry.number} was changed")
        if self._kept_s is None and not held:
            self._kept_s = entry.end_s

    def _missing(self, entry: Entry, held: Sequence[Hold], note: Callable[[str], None]) -> None:
        """Tell of a segment that is not there, unless it was deleted in order."""
        now_s = self._now()  # not the time of the beginning: a server deletes while this reads
        due_s = None if self._keep_s is None else entry.end_s + self._keep_s
        # What had been deleted before somebody asked for it is no finding.
        if any(one.state(now_s) == "active" and (due_s is None or one.requested_s < due_s) for one in held):
            note(f"segment {entry.number} was removed, though a hold keeps it")
        elif self._by_age and due_s is not None:
            # What was written while the clock was ahead goes before its time, with what follows it.
            if now_s < due_s and entry.end_s < now_s + AHEAD_S:
                note(f"segment {entry.number} was removed before its retention was over")
        elif self._kept_s is not None and entry.end_s > self._kept_s:
            # The oldest go first.
            note(f"segment {entry.number} was removed")

    def _is_being_written(self, path: Path) -> bool:
        """Whether this may be the file that a running server adds to: new, after all others, and of this site's key."""
        try:
            place = Place(self._camera, path.parent.name, int(path.stem))
            if place.number <= self._newest or path.stat().st_mtime < self._now() - _WRITTEN_S:
                return False
            records, _ = opened(path.read_bytes(), place, self._keys.day(self._camera, place.day))
        except FileNotFoundError:
            return True  # deleted meanwhile
        except (ValueError, OSError, RecordingMissing):
            return False
        return bool(records)
