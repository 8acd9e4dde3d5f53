"""Reads recordings: what is there, segments, playlists, and whether anything was changed. Public side."""

import hashlib
import io
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Final, final
from zoneinfo import ZoneInfo

from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry, cameras_of, days_of
from skyveil.public.archive.checked import Checked, Finding
from skyveil.public.archive.heads import Head, Heads, of_camera
from skyveil.public.archive.holds import Holds
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.retention import Policy
from skyveil.public.archive.segment import Place, Record, file_name, opened

_CLOCK_HZ: Final = 90_000
_TAIL_BYTES: Final = 1 << 14
"""Some tens of lines."""


@final
class Stretch(io.RawIOBase):
    """An MP4 that is read once, from its beginning to its end."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # the buffer protocol is 3.12
        """Give the next bytes; 0 at the end."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@final
class Archive:
    """The recordings of a site, to read. Any thread may call it."""

    def __init__(self, folder: Path, keys: KeyStore, *, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._keys = keys
        self._heads = Heads(keys)
        self._now = now

    def cameras(self) -> list[CameraId]:
        """Cameras with recordings."""
        return cameras_of(self._folder)

    def days(self, camera: CameraId) -> list[str]:
        """UTC days with anything stored, oldest first."""
        return [folder.name for folder in days_of(self._folder / camera)]

    def days_in(self, camera: CameraId, zone: ZoneInfo) -> list[str]:
        """Days of a time zone with a segment that is there, oldest first."""
        found: set[int] = set()
        for folder in days_of(self._folder / camera):
            times = [at_s for entry in _ends(folder) for at_s in (entry.start_s, entry.end_s)]
            days = [datetime.fromtimestamp(at_s, zone).toordinal() for at_s in times]
            found.update(range(min(days), max(days) + 1) if days else ())
        return [date.fromordinal(day).isoformat() for day in sorted(found)]

    def entries(self, camera: CameraId, from_s: float, to_s: float) -> Iterator[tuple[str, Entry]]:
        """Segments that are there, and gaps, that touch a span, each with its day, in order."""
        for folder in days_of(self._folder / camera):
            for entry in chain.entries(
                folder, self._keys.public, lambda one: one.end_s > from_s and one.start_s < to_s
            ):
                if entry.kind == "gap" or (folder / file_name(entry.number)).exists():
                    yield folder.name, entry

    def records(self, camera: CameraId, number: int) -> list[Record]:
        """The records of a segment, the init segment first; RecordingMissing when it is gone or damaged."""
        for folder in reversed(days_of(self._folder / camera)):
            place = Place(camera, folder.name, number)
            path = folder / place.file
            if path.exists():
                records, _ = opened(path.read_bytes(), place, self._keys.day(camera, folder.name))
                if len(records) < 2:
                    raise RecordingMissing(f"segment {number} of {camera} is damaged")
                return records
        raise RecordingMissing(f"there is no segment {number} of {camera}")

    def segment(self, camera: CameraId, number: int) -> bytes:
        """The fragments of a segment, one after another."""
        return b"".join(record.data for record in self.records(camera, number)[1:])

    def init(self, camera: CameraId, name: str) -> bytes:
        """An init segment by its name."""
        for folder in reversed(days_of(self._folder / camera)):
            for entry in chain.entries(folder, self._keys.public, lambda one: one.init == name):
                if (folder / file_name(entry.number)).exists():
                    return self.records(camera, entry.number)[0].data
        raise RecordingMissing("there is no such init segment")

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        """An HLS playlist (RFC 8216) of the segments of a span; its addresses are below `recordings/`."""
        segments = [entry for _, entry in self.entries(camera, from_s, to_s) if entry.kind == "segment"]
        if not segments:
            raise RecordingMissing("nothing is recorded there")
        longest = max(entry.end_s - entry.start_s for entry in segments)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, round(longest + 0.5))}"]
        lines += ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-MEDIA-SEQUENCE:0"]
        before: Entry | None = None
        for entry in segments:
            if before is not None and (entry.init != before.init or abs(entry.start_s - before.end_s) > 0.5):
                lines.append("#EXT-X-DISCONTINUITY")
            if before is None or entry.init != before.init:
                lines.append(f'#EXT-X-MAP:URI="init/{entry.init}.mp4"')
            when = datetime.fromtimestamp(entry.start_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{when}")
            lines += [f"#EXTINF:{entry.end_s - entry.start_s:.3f},", f"segments/{entry.number}.m4s"]
            before = entry
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""])

    def is_whole(self, camera: CameraId, day: str, entry: Entry) -> bool:
        """Whether the file of a segment is what its line tells, byte for byte."""
        path = self._folder / camera / day / file_name(entry.number)
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
        except OSError:
            return False

    def stretches(
        self, camera: CameraId, from_s: float, to_s: float, *, but: Collection[int] = ()
    ) -> Iterator[Stretch]:
        """A span as MP4 files, each as long as one init segment serves, to be read one after another.

        but: numbers of segments that are left out. Only one segment is in memory at a time. No stretch when nothing is
        there.
        """
        found = (entry for _, entry in self.entries(camera, from_s, to_s) if entry.kind == "segment")
        segments = (entry for entry in found if entry.number not in but)
        for _, entries in groupby(segments, key=lambda entry: entry.init):
            yield Stretch(_media(self.records(camera, entry.number) for entry in entries))

    def head(self, camera: CameraId) -> Head | None:
        """The head of a camera's chain that was published last."""
        return self._heads.of(of_camera(camera))

    def traces(self) -> list[CameraId]:
        """Cameras of which anything tells: recordings, keys of days, or a signed head."""
        found = set(self.cameras())
        for name in (*self._keys.cameras(), *self._heads.cameras()):
            with suppress(SettingsRefused):
                found.add(camera_id(name))
        return sorted(found)

    def verify(self, camera: CameraId, holds: Holds, policy: Policy | None = None) -> list[Finding]:
        """Everything that is not as it was written: days, lines, their order and end, and the bytes of every segment.

        Segments past their retention are gone, and their lines stay: that is no finding, unless an older one is there
        that no hold kept, an active hold covers them, or `policy` keeps them by their age. Days that were deleted whole
        end the chain at their successor's first line. The segment that is being written is none either.
        """
        # First: the chain goes on while it is read.
        head = self._heads.of(of_camera(camera))
        checked = Checked(camera, self._keys, holds.of(camera), policy, self._now)
        for folder in days_of(self._folder / camera):
            checked.day(folder)
        for day in self._keys.days(camera):
            if not (self._folder / camera / day).exists():
                checked.note(day, "the recordings of this day were removed: its key is still there")
        if head is None and checked.digests:
            checked.note("", "the signed head of the chain is missing or was changed")
        # A day whose key is gone was deleted in order.
        if head is not None and head.digest not in checked.digests and self._keys.has_day(camera, head.day):
            checked.note(head.day, "the end of the chain was removed: a signed head tells of more")
        return checked.found


def _ends(folder: Path) -> list[Entry]:
    """The first and the last segment of a day that are there; which it tells by its line alone, signed or not."""

    def there(entry: Entry) -> bool:
        return entry.kind == "segment" and (folder / file_name(entry.number)).exists()

    first = next((entry for _, entry in chain.unchecked(folder) if there(entry)), None)
    if first is None:
        return []
    # Most days end with a segment that is there: all lines are read only where it is not.
    size = (folder / chain.NAME).stat().st_size
    for start in (max(0, size - _TAIL_BYTES), 0):
        last = [entry for _, entry in chain.unchecked(folder, start) if there(entry)]
        if last:
            return [first, last[-1]]
    return [first]


def _media(segments: Iterator[list[Record]]) -> Iterator[bytes]:
    """The init segment of the first of them, and the fragments of all."""
    for index, records in enumerate(segments):
        yield from (record.data for record in (records if index == 0 else records[1:]))
