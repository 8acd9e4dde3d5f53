"""Writes what one camera gives. Public side.

A fragment is on its way to the disk when `take` returns, and a kill at any moment loses at most the one that was being
written. A segment is made durable, and enters the chain, when the next key frame after two seconds closes it. What a
killed process left open is closed and chained at the next start.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry, day_of, days_of
from skyveil.public.archive.heads import Head, Heads, of_camera
from skyveil.public.archive.keys import KeyStore, sync_folder
from skyveil.public.archive.segment import Place, Record, file_name, numbers, opened, sealed
from skyveil.public.live.fragments import Fragment

SEGMENT_S: Final = 2.0
GAP_S: Final = 1.5
"""A hole in wall time from which on it is a gap with a cause, and not two slow pictures."""
CLOCK_HZ: Final = 90_000
CUT_OFF: Final = "end-removed"
"""The cause of a gap where lines were missing that a published head tells of."""
log: Final = logging.getLogger(__name__)
_RETRY_S: Final = 10.0
_SILENT_S: Final = 30.0
_DAY_S: Final = 86400.0
_UNSEEN: Final = 1000
"""Numbers that are left out after an end was cut off: more than the segments that came after the last head, because a
number that is used again would use its nonces again."""


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
class Recording:
    """One camera's recording; its lock is held for every step. What fails is its `trouble`, and stops no thread."""

    def __init__(self, folder: Path, camera: CameraId, keys: KeyStore, heads: Heads) -> None:
        self.lock = threading.Lock()
        self._folder = folder
        self._camera = camera
        self._keys = keys
        self._heads = heads
        self._published = ""
        self._init = b""
        self._open: _Open | None = None
        self._last_s: float | None = None
        self._number = 0
        self._day = ""
        self._before = chain.FIRST
        self._unchained: list[Path] = []
        self._recovered = False
        self._blocked_until_s = 0.0
        self.cause = ""
        self.trouble = ""

    @property
    def writing(self) -> Path | None:
        """The file of the segment that is being written; None when there is none."""
        return None if self._open is None else self._folder / self._open.place.day / self._open.place.file

    def begin(self, init: bytes) -> None:
        """A stream begins; what was open ends."""
        self._init = init
        self._try(self._close)

    def take(self, fragment: Fragment, wall_s: float) -> None:
        """Store a fragment; one before the first key frame has nothing to stand on."""
        if self._init:
            self._try(lambda: self._take(fragment, wall_s))

    def close(self) -> None:
        """Make the open segment durable and chain it."""
        self._try(self._close)

    def tidy(self, now_s: float) -> None:
        """Close what nothing was added to for a while, as when a camera was removed; chain what could not be before."""
        self._try(lambda: self._tidy(now_s))

    def publish(self) -> None:
        """Sign how far the chain has come, unless that was done. Raises OSError."""
        if self._recovered and self._before not in (self._published, chain.FIRST):
            self._heads.publish(of_camera(self._camera), number=self._number, digest=self._before, day=self._day)
            self._published = self._before

    def _try(self, step: Callable[[], None]) -> None:
        """Do a step; what fails is told and tried again after a while: no camera stops because its recording fails."""
        if time.monotonic() < self._blocked_until_s:
            return
        try:
            self._recover()
            step()
        except (OSError, RecordingMissing) as error:
            why = (error.strerror or "the disk failed") if isinstance(error, OSError) else str(error)
            if self.trouble != (trouble := f"recording failed: {why}"):
                log.warning("camera %s: %s", self._camera, trouble)
            self.trouble = trouble
            self.cause = "disk-full"
            self._blocked_until_s = time.monotonic() + _RETRY_S
            self._abandon()

    def _take(self, fragment: Fragment, wall_s: float) -> None:
        open_ = self._open
        if open_ is not None and not -GAP_S < wall_s - open_.end_s < GAP_S:
            # A hole, or a clock that was set: times inside one segment never jump.
            self._close()
            open_ = None
        if open_ is not None and fragment.keyframe:
            old = wall_s - open_.start_s >= SEGMENT_S
            if old or self._day_for(wall_s) != open_.place.day:
                self._close()
                open_ = None
        if open_ is None:
            if not fragment.keyframe:
                return
            open_ = self._opened(fragment, wall_s)
        self._write(open_, Record(wall_s, fragment.pts, fragment.duration, fragment.keyframe, fragment.data))
        open_.end_s = wall_s + fragment.duration / CLOCK_HZ
        self.trouble = ""

    def _day_for(self, wall_s: float) -> str:
        """The day whose folder takes a moment.

        The newest one goes on while the clock is a little behind it, and no day is begun twice: that would break the
        chain. One that lies more than a day ahead, as a wrong clock makes it, ends with the next day that has none.
        """
        today = day_of(wall_s)
        if today == self._day or (self._folder / today).exists():
            return self._day or today
        return today if today > self._day or self._day > day_of(wall_s + _DAY_S) else self._day

    def _opened(self, fragment: Fragment, wall_s: float) -> _Open:
        self._chain_rest()
        day = self._day = self._day_for(wall_s)
        folder = self._folder / day
        folder.mkdir(exist_ok=True, mode=0o750)
        if self._last_s is not None and abs(wall_s - self._last_s) > GAP_S:
            back = wall_s < self._last_s
            cause = "clock-jump" if back else self.cause or "link-lost"
            self._append(Entry("gap", 0, min(self._last_s, wall_s), max(self._last_s, wall_s), cause=cause))
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

    def _close(self) -> None:
        open_, self._open = self._open, None
        if open_ is None:
            return
        folder = self._folder / open_.place.day
        self._last_s = open_.end_s
        self._unchained.append(folder / open_.place.file)
        with open_.file:
            os.fsync(open_.file.fileno())
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
        self._append(entry)
        self._unchained.pop()
        if not self._published:
            with suppress(OSError):  # every sweep tries it again, and tells
                self.publish()

    def _tidy(self, now_s: float) -> None:
        if self._open is not None and self._open.end_s < now_s - _SILENT_S:
            self._close()
        self._chain_rest()
        self.trouble = ""

    def _append(self, entry: Entry) -> None:
        self._before = chain.append(self._folder / self._day, entry, self._before, self._keys)

    def _abandon(self) -> None:
        """Let go of a segment that can not be finished; what of it is whole is chained before the next one."""
        open_, self._open = self._open, None
        if open_ is None:
            return
        self._last_s = open_.end_s
        self._unchained.append(self._folder / open_.place.day / open_.place.file)
        with suppress(OSError):
            open_.file.close()

    def _chain_rest(self) -> None:
        """Chain what was written and not chained, in the newest day: a line follows the one that was written last."""
        while self._unchained:
            self._chain_file(self._unchained[0])
            self._unchained.pop(0)

    # --- after a kill -----------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Find the end of the chain, and chain what was written and not chained; nothing when that was done."""
        if self._recovered:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        head = self._heads.of(of_camera(self._camera))
        seen = head is None or not self._keys.has_day(self._camera, head.day)  # that day was deleted in order
        self._unchained = []
        for folder in days_of(self._folder):
            self._day = folder.name
            chain.mend(folder)
            digests = chain.digests(folder)
            self._before = digests[-1] if digests else self._before
            seen = seen or (head is not None and head.digest in digests)
            # Unchecked: a line that was changed is for `verify` to tell, and chaining its segment anew would hide it.
            known = [entry for _, entry in chain.unchecked(folder)]
            chained, files = {entry.number for entry in known}, numbers(folder)
            self._number = max([self._number, *chained, *files])
            self._last_s = known[-1].end_s if known else self._last_s
            self._unchained += [folder / file_name(number) for number in files if number not in chained]
        if self._unchained:
            self.cause = "process-killed"
        if head is not None and not seen:
            self._tell_cut(head)
        self._recovered = True
        self._chain_rest()

    def _tell_cut(self, head: Head) -> None:
        """Chain that an end was removed: the head that tells of it is about to be replaced."""
        self._number = max(self._number, head.number + _UNSEEN)
        if not (self._folder / head.day).exists():
            self._day = max(self._day, head.day)
            (self._folder / self._day).mkdir(exist_ok=True, mode=0o750)
        from_s = self._last_s or head.at_s
        self._append(Entry("gap", 0, min(from_s, head.at_s), max(from_s, head.at_s), cause=CUT_OFF))

    def _chain_file(self, path: Path) -> None:
        """Cut what is not whole off a segment file, and chain it."""
        day = path.parent.name
        place = Place(self._camera, day, int(path.stem))
        try:
            records, size = opened(path.read_bytes(), place, self._keys.day(self._camera, day))
        except (RecordingMissing, FileNotFoundError):
            return
        if len(records) < 2:
            # Its number stays taken: nonces are made of it.
            at_s = path.stat().st_mtime
            self._append(Entry("gap", place.number, at_s, at_s, cause=self.cause or "process-killed"))
            with suppress(OSError):
                path.unlink()
            return
        if day != self._day:
            place, size, path = self._moved(records, path)
        elif size < path.stat().st_size:
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
        self._append(entry)
        if day == self._day:
            self._last_s = entry.end_s

    def _moved(self, records: list[Record], path: Path) -> tuple[Place, int, Path]:
        """Write what an earlier day's file holds into the newest day, which only its own key opens."""
        self._number += 1
        place = Place(self._camera, self._day, self._number)
        key = self._keys.day(self._camera, self._day, make=True)
        data = b"".join(sealed(record, place, index, key) for index, record in enumerate(records))
        made = self._folder / self._day / place.file
        try:
            with made.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            made.unlink(missing_ok=True)
            raise
        with suppress(OSError):
            path.unlink()
        return place, len(data), made
