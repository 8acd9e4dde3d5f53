"""Writes what cameras give, and deletes what is too old. Public side.

A fragment is on its way to the disk when `take` returns, and a kill at any moment loses at most the one that was being
written. A segment is made durable, and enters the chain, when the next key frame after two seconds closes it. What a
killed process left open is closed and chained at the next start.
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry
from skyveil.public.archive.heads import Head, Heads, of_camera
from skyveil.public.archive.holds import Holds
from skyveil.public.archive.keys import KeyStore, sync_folder
from skyveil.public.archive.segment import SUFFIX, Place, Record, file_name, numbers, opened, sealed
from skyveil.public.live.fragments import Fragment

SEGMENT_S: Final = 2.0
GAP_S: Final = 1.5
"""A hole in wall time from which on it is a gap with a cause, and not two slow pictures."""
CLOCK_HZ: Final = 90_000
CUT_OFF: Final = "end-removed"
"""The cause of a gap where lines were missing that a published head tells of."""
_RETRY_S: Final = 10.0
_UNSEEN: Final = 1000
"""Numbers that are left out after an end was cut off: more than the segments that came after the last head, because a
number that is used again would use its nonces again."""


@final
@dataclass(frozen=True, slots=True)
class Policy:
    """How long one camera's recordings are kept."""

    hours: float = 72.0
    gigabytes: float | None = None


def day_of(wall_s: float) -> str:
    """The UTC day of a moment: the same everywhere, and never twice as long."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d")


@final
@dataclass(slots=True)
class _Open:
    """The segment that is being written."""

    place: Place
    key: AESGCM
    file: BinaryIO
    digest: "hashlib._Hash"
    start_s: float
    media_s: float
    end_s: float
    init: str
    index: int = 1
    size: int = 0


@final
class _Camera:
    """One camera's recording; its lock is held for every step."""

    def __init__(self, folder: Path, camera: CameraId, keys: KeyStore, heads: Heads) -> None:
        self.lock = threading.Lock()
        self._folder = folder
        self._camera = camera
        self._keys = keys
        self._heads = heads
        self._published = ""
        self._swept: dict[str, int] = {}
        self._init = b""
        self._open: _Open | None = None
        self._last_s: float | None = None
        self._number = 0
        self._day = ""
        self._before = chain.FIRST
        self._blocked_until_s = 0.0
        self.cause = ""
        self.trouble = ""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._recover()

    def begin(self, init: bytes) -> None:
        """A stream begins; what was open ends."""
        self.close()
        self._init = init

    def take(self, fragment: Fragment, wall_s: float) -> None:
        """Store a fragment; one before the first key frame has nothing to stand on."""
        if time.monotonic() < self._blocked_until_s or not self._init:
            return
        try:
            self._take(fragment, wall_s)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"recording failed: {error.strerror or 'the disk failed'}"
            self.cause = "disk-full"
            self._blocked_until_s = time.monotonic() + _RETRY_S
            self._abandon()

    def _take(self, fragment: Fragment, wall_s: float) -> None:
        open_ = self._open
        if open_ is not None and not -GAP_S < wall_s - open_.end_s < GAP_S:
            # A hole, or a clock that was set: times inside one segment never jump.
            self.close()
            open_ = None
        if open_ is not None and fragment.keyframe:
            old = wall_s - open_.start_s >= SEGMENT_S
            if old or self._day_for(wall_s) != open_.place.day:
                self.close()
                open_ = None
        if open_ is None:
            if not fragment.keyframe:
                return
            open_ = self._opened(fragment, wall_s)
        self._write(open_, Record(wall_s, fragment.pts, fragment.duration, fragment.keyframe, fragment.data))
        open_.end_s = wall_s + fragment.duration / CLOCK_HZ

    def _day_for(self, wall_s: float) -> str:
        """The day whose folder takes a moment: never one before the last, so that a clock set back breaks no chain."""
        return max(day_of(wall_s), self._day)

    def _opened(self, fragment: Fragment, wall_s: float) -> _Open:
        day = self._day = self._day_for(wall_s)
        folder = self._folder / day
        folder.mkdir(exist_ok=True, mode=0o750)
        if self._last_s is not None and abs(wall_s - self._last_s) > GAP_S:
            back = wall_s < self._last_s
            cause = "clock-jump" if back else self.cause or "link-lost"
            gap = Entry("gap", 0, min(self._last_s, wall_s), max(self._last_s, wall_s), cause=cause)
            self._before = chain.append(folder, gap, self._before, self._keys)
        self.cause = ""
        self._number += 1
        place = Place(self._camera, day, self._number)
        key = self._keys.day(self._camera, day, make=True)
        # Unbuffered: a kill of this process loses nothing that was written.
        file = open(folder / place.file, "xb", buffering=0)  # noqa: SIM115, PTH123 (kept until `close`)
        name = hashlib.sha256(self._init).hexdigest()[:16]
        made = _Open(place, key, file, hashlib.sha256(), wall_s, fragment.pts / CLOCK_HZ, wall_s, name, index=0)
        self._open = made
        self._write(made, Record(wall_s, fragment.pts, 0, False, self._init))
        return made

    def _write(self, open_: _Open, record: Record) -> None:
        data = sealed(record, open_.place, open_.index, open_.key)
        rest = memoryview(data)
        while rest:
            rest = rest[open_.file.write(rest) :]
        open_.digest.update(data)
        open_.index += 1
        open_.size += len(data)

    def close(self) -> None:
        """Make the open segment durable and chain it."""
        open_, self._open = self._open, None
        if open_ is None:
            return
        with open_.file:
            os.fsync(open_.file.fileno())
        folder = self._folder / open_.place.day
        sync_folder(folder)
        entry = Entry(
            "segment",
            open_.place.number,
            open_.start_s,
            open_.end_s,
            open_.media_s,
            open_.size,
            open_.digest.hexdigest(),
            open_.init,
        )
        self._before = chain.append(folder, entry, self._before, self._keys)
        self._last_s = open_.end_s
        if not self._published:
            self.publish()

    def _abandon(self) -> None:
        """Let go of a segment that can not be finished; the next start chains what of it is whole."""
        open_, self._open = self._open, None
        if open_ is not None:
            open_.file.close()
            self._last_s = open_.end_s
            try:
                self._chain_file(self._folder / open_.place.day / open_.place.file, open_.place.day)
            except OSError:
                return  # still no room: at the next start

    # --- after a kill -----------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Find the end of the chain, and chain what was written and not chained."""
        head = self._heads.of(of_camera(self._camera))
        seen = head is None or not self._keys.has_day(self._camera, head.day)  # that day was deleted in order
        for folder in days_of(self._folder):
            self._day = folder.name
            chain.mend(folder)
            digests = chain.digests(folder)
            self._before = digests[-1] if digests else self._before
            seen = seen or (head is not None and head.digest in digests)
            # Unchecked: a line that was changed is for `verify` to tell, and chaining its segment anew would hide it.
            known = [entry for _, entry in chain.unchecked(folder)]
            self._number = max([self._number, *(entry.number for entry in known), *numbers(folder)])
            self._last_s = max((entry.end_s for entry in known), default=self._last_s or 0.0)
            self._chain_rest(folder, {entry.number for entry in known})
        if head is not None and not seen:
            self._tell_cut(head)

    def _chain_rest(self, folder: Path, known: set[int]) -> None:
        for number in numbers(folder):
            if number not in known:
                self.cause = "process-killed"
                self._chain_file(folder / file_name(number), folder.name)

    def _tell_cut(self, head: Head) -> None:
        """Chain that an end was removed: the head that tells of it is about to be replaced."""
        self._number = max(self._number, head.number + _UNSEEN)
        self._day = max(self._day, head.day)
        folder = self._folder / self._day
        folder.mkdir(exist_ok=True, mode=0o750)
        from_s = self._last_s or head.at_s
        gap = Entry("gap", 0, min(from_s, head.at_s), max(from_s, head.at_s), cause=CUT_OFF)
        self._before = chain.append(folder, gap, self._before, self._keys)

    def publish(self) -> None:
        """Sign how far the chain has come, unless that was done."""
        if self._before not in (self._published, chain.FIRST):
            self._heads.publish(of_camera(self._camera), number=self._number, digest=self._before, day=self._day)
            self._published = self._before

    def _chain_file(self, path: Path, day: str) -> None:
        """Cut what is not whole off a segment file, and chain it."""
        place = Place(self._camera, day, int(path.stem))
        try:
            records, size = opened(path.read_bytes(), place, self._keys.day(self._camera, day))
        except RecordingMissing:
            return
        if len(records) < 2:
            # Its number stays taken: nonces are made of it.
            at_s = path.stat().st_mtime
            path.unlink()
            entry = Entry("gap", place.number, at_s, at_s, cause=self.cause or "process-killed")
            self._before = chain.append(path.parent, entry, self._before, self._keys)
            return
        os.truncate(path, size)
        with path.open("rb") as file:
            data = file.read()
            os.fsync(file.fileno())
        last = records[-1]
        entry = Entry(
            "segment",
            place.number,
            records[1].wall_s,
            last.wall_s + last.duration / CLOCK_HZ,
            records[1].pts / CLOCK_HZ,
            size,
            hashlib.sha256(data).hexdigest(),
            hashlib.sha256(records[0].data).hexdigest()[:16],
        )
        self._before = chain.append(path.parent, entry, self._before, self._keys)
        self._last_s = max(entry.end_s, self._last_s or 0.0)

    # --- deleting ---------------------------------------------------------------------------------------------------

    def sweep(self, now_s: float, policy: Policy, holds: Holds) -> None:
        """Delete segments that are too old or too many, and the keys of days of which none is left."""
        until_s = now_s - policy.hours * 3600
        excess = 0.0
        if policy.gigabytes is not None:
            excess = self._stored_bytes() - policy.gigabytes * 1e9
        today, oldest = day_of(now_s), True
        for folder in days_of(self._folder):
            if folder.name <= day_of(until_s) or excess > 0:
                excess = self._sweep_day(folder, until_s, excess, holds)
            in_use = self._open is not None and self._open.place.day == folder.name
            if folder.name < today and not in_use and not any(folder.glob(f"*{SUFFIX}")):
                self._keys.destroy(self._camera, folder.name)
                # The lines of a day after one that is held stay with it: they tie what follows to what is held.
                if oldest:
                    shutil.rmtree(folder)
                    self._swept.pop(folder.name, None)
            else:
                oldest = False

    def _sweep_day(self, folder: Path, until_s: float, excess: float, holds: Holds) -> float:
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
            if holds.keeps(self._camera, entry.start_s, entry.end_s):
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


def days_of(folder: Path) -> list[Path]:
    """The folders of a camera's days, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and len(one.name) == 10 and one.name[4] == "-")


@final
class Recorder:
    """Records all cameras of a site. `take` comes on each camera's own thread; one lock per camera orders it all."""

    def __init__(
        self, folder: Path, keys: KeyStore, holds: Holds, *, floor_bytes: float, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._holds = holds
        self._floor_bytes = floor_bytes
        self._now = now
        self._heads = Heads(keys, now=now)
        self._lock = threading.Lock()
        self._cameras: dict[CameraId, _Camera] = {}
        self._full = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def begin(self, camera: CameraId, init: bytes) -> None:
        """A camera's stream begins, or begins anew with another size."""
        one = self._camera(camera)
        with one.lock:
            one.begin(init)

    def take(self, camera: CameraId, fragment: Fragment, wall_s: float) -> None:
        """Store a fragment of a camera, shown at this unix time."""
        if self._full:
            return
        one = self._camera(camera)
        with one.lock:
            one.take(fragment, wall_s)

    def note(self, camera: CameraId, cause: str) -> None:
        """Why the next gap of this camera, if there is one, began."""
        one = self._camera(camera)
        with one.lock:
            one.cause = one.cause or cause

    def sweep(self, policies: dict[CameraId, Policy], default: Policy = Policy()) -> None:
        """Delete what is too old or too much (`default`: of other cameras); record nothing below the disk's floor."""
        self._full = shutil.disk_usage(self._folder).free < self._floor_bytes
        names = {CameraId(one.name) for one in self._folder.iterdir() if one.is_dir()}
        for name in sorted(names):
            one = self._camera(name)
            with one.lock:
                if self._full:
                    one.close()
                    one.cause = "disk-full"
                one.sweep(self._now(), policies.get(name, default), self._holds)
                one.publish()

    def problems(self) -> list[str]:
        """What keeps recordings from being made."""
        found = [f"{name}: {one.trouble}" for name, one in tuple(self._cameras.items()) if one.trouble]
        return [*(["the disk is full to its floor: nothing is recorded"] if self._full else []), *found]

    def close(self) -> None:
        """Close every open segment, and sign how far each chain has come."""
        for one in tuple(self._cameras.values()):
            with one.lock:
                one.close()
                one.publish()

    def _camera(self, camera: CameraId) -> _Camera:
        with self._lock:
            if camera not in self._cameras:
                self._cameras[camera] = _Camera(self._folder / camera, camera, self._keys, self._heads)
            return self._cameras[camera]
