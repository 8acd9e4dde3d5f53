"""Reads recordings: what is there, segments, playlists, and whether anything was changed. Public side."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive import chain
from skyveil.public.archive.chain import Entry
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.recorder import days_of
from skyveil.public.archive.segment import SUFFIX, Place, Record, opened

_CLOCK_HZ: Final = 90_000


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the recordings of a camera that is not as it was written."""

    camera: CameraId
    day: str
    what: str


@final
class Archive:
    """The recordings of a site, to read. Any thread may call it."""

    def __init__(self, folder: Path, keys: KeyStore) -> None:
        self._folder = folder
        self._keys = keys

    def cameras(self) -> list[CameraId]:
        """Cameras with recordings."""
        if not self._folder.is_dir():
            return []
        return sorted(camera_id(one.name) for one in self._folder.iterdir() if one.is_dir())

    def days(self, camera: CameraId) -> list[str]:
        """UTC days with anything stored, oldest first."""
        return [folder.name for folder in days_of(self._folder / camera)]

    def entries(self, camera: CameraId, from_s: float, to_s: float) -> Iterator[tuple[str, Entry]]:
        """Segments that are there, and gaps, that touch a span, each with its day, in order."""
        for folder in days_of(self._folder / camera):
            for line in chain.read(folder, self._keys.public):
                entry = line.entry
                if entry is None or entry.end_s <= from_s or entry.start_s >= to_s:
                    continue
                if entry.kind == "gap" or (folder / f"{entry.number:012d}{SUFFIX}").exists():
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
            for line in chain.read(folder, self._keys.public):
                entry = line.entry
                if entry is not None and entry.init == name and (folder / f"{entry.number:012d}{SUFFIX}").exists():
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

    def stretches(self, camera: CameraId, from_s: float, to_s: float) -> list[bytes]:
        """A span as MP4 files, each as long as one init segment serves; RecordingMissing when nothing is there."""
        parts: list[list[bytes]] = []
        now = ""
        for _, entry in self.entries(camera, from_s, to_s):
            if entry.kind == "gap":
                continue
            records = self.records(camera, entry.number)
            if entry.init != now:
                parts.append([records[0].data])
                now = entry.init
            parts[-1] += [record.data for record in records[1:]]
        if not parts:
            raise RecordingMissing("nothing is recorded there")
        return [b"".join(part) for part in parts]

    def head(self, camera: CameraId) -> str:
        """The digest of the newest line of a camera's chain: publish it, and nobody can shorten the chain unseen."""
        digest = chain.FIRST
        for folder in days_of(self._folder / camera):
            for line in chain.read(folder, self._keys.public):
                digest = line.digest
        return digest

    def verify(self, camera: CameraId) -> list[Finding]:
        """Everything that is not as it was written: lines, their order, and the bytes of every segment that is there.

        Segments past their retention are gone, and their lines stay: that is no finding. Days that were deleted whole
        end the chain at their successor's first line.
        """
        found: list[Finding] = []
        before: str | None = None
        for folder in days_of(self._folder / camera):
            note = partial(_noted, found, camera, folder.name)
            known: set[int] = set()
            for number, line in enumerate(chain.read(folder, self._keys.public), 1):
                if not line.signed:
                    note(f"line {number} of the chain was changed")
                elif before is not None and line.before != before:
                    note(
                        f"line {number} of the chain does not follow the one before it: something was removed or moved"
                    )
                before = line.digest
                if line.entry is not None and line.entry.kind == "segment":
                    known.add(line.entry.number)
                    self._check(folder, line.entry, note)
            for path in folder.glob(f"*{SUFFIX}"):
                if not path.stem.isdigit() or int(path.stem) not in known:
                    note(f"{path.name} is in no line of the chain (it may be the one being written)")
        return found

    def _check(self, folder: Path, entry: Entry, note: Callable[[str], None]) -> None:
        path = folder / f"{entry.number:012d}{SUFFIX}"
        if not path.exists():
            return
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
                note(f"segment {entry.number} was changed")
        except OSError as error:
            note(f"segment {entry.number} can not be read: {error.strerror}")


def _noted(found: list[Finding], camera: CameraId, day: str, what: str) -> None:
    found.append(Finding(camera, day, what))
