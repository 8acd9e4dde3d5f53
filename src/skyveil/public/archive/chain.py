"""What a day holds, as signed lines of which each names the one before it. Public side.

`chain.jsonl` of a day has one JSON object a line: a segment, or a gap with its cause. `before` is the SHA-256 of the
line before it, also over midnight; `signature` is Ed25519 over the line without it. Lines are only ever appended.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.segment import numbers

NAME: Final = "chain.jsonl"
FIRST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    number: of the segment, ascending for ever; 0 for a gap. media_s: where the segment's media time begins. bytes,
    sha256: of the stored file. init: name of the init segment that it needs.
    """

    kind: Literal["segment", "gap"]
    number: int
    start_s: float
    end_s: float
    media_s: float = 0.0
    bytes: int = 0
    sha256: str = ""
    init: str = ""
    cause: str = ""


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was read: its entry, and whether its signature and its place are right."""

    entry: Entry | None
    digest: str
    before: str
    signed: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored(Entry):
    """A line as it is stored: its types are checked, its signature is not."""

    before: str
    signature: str


_STORED: Final = TypeAdapter(_Stored)


def append(folder: Path, entry: Entry, before: str, keys: KeyStore) -> str:
    """Append an entry durably; gives the digest of its line. Raises OSError, and leaves no part of a line then."""
    body = {**asdict(entry), "before": before}
    line = _plain({**body, "signature": keys.sign(_plain(body)).hex()})
    with (folder / NAME).open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            mend(folder)
            size = file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(line + b"\n")
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            # Where this fails too, the next `append` mends it.
            with suppress(OSError):
                file.truncate(size)
                os.fsync(file.fileno())
            raise
    return hashlib.sha256(line).hexdigest()


def read(folder: Path, public: Ed25519PublicKey) -> Iterator[Line]:
    """The lines of a day. A line that is cut or no entry has none; what follows it is read all the same."""
    return (_line(line, public) for _, line in _lines(folder))


def entries(folder: Path, public: Ed25519PublicKey, wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
    """The signed entries of a day that are wanted; only of those the signature is checked.

    A check takes 65 us, reading a line 3: three days of segments are 130,000 lines.
    """
    for _, line in _lines(folder):
        stored = _stored(line)
        if stored is not None and wanted(stored) and _signed(line, stored.signature, public):
            yield stored


def unchecked(folder: Path, start: int = 0) -> Iterator[tuple[int, Entry]]:
    """What the lines of a day say, signed or not, each with where it begins in the file; from one at `start` on."""
    return ((at, stored) for at, line in _lines(folder, start) if (stored := _stored(line)) is not None)


def digests(folder: Path) -> list[str]:
    """The digest of every line of a day."""
    return [hashlib.sha256(line).hexdigest() for _, line in _lines(folder)]


def mend(folder: Path) -> None:
    """Cut off a last line that is not whole, as a kill or a power cut in the middle of `append` leaves it."""
    path = folder / NAME
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    last = data[:whole].rstrip(b"\n").rpartition(b"\n")[2]
    if whole == len(data) and last and not _is_json(last):
        # A power cut can leave the end of a line on the disk, and not what stands before it.
        whole = len(data.rstrip(b"\n")) - len(last)
    if whole < len(data):
        os.truncate(path, whole)


def day_of(wall_s: float) -> str:
    """The UTC day of a moment: the same everywhere, and never twice as long."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d")


def cameras_of(folder: Path) -> list[CameraId]:
    """The cameras that have a folder in that of the recordings; what else lies there, such as `lost+found`, is none."""
    found: list[CameraId] = []
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.is_dir():
            with suppress(SettingsRefused):
                found.append(camera_id(one.name))
    return sorted(found)


def days_of(folder: Path) -> list[Path]:
    """The folders of a camera's days in the order of their chain: that of their names, unless the clock was ahead."""
    if not folder.is_dir():
        return []
    days = sorted(one for one in folder.iterdir() if one.is_dir() and len(one.name) == 10 and one.name[4] == "-")
    begun: list[tuple[int, Path]] = []
    for day in days:
        before = begun[-1][0] if begun else 0
        number = next((entry.number for _, entry in unchecked(day) if entry.number), 0)
        begun.append((number or min(numbers(day), default=before), day))
    return [day for _, day in sorted(begun)]


def _lines(folder: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The lines of a day's file that are not empty, and where each begins; none when there is no file."""
    try:
        file = (folder / NAME).open("rb")
    except OSError:
        return
    with file:
        file.seek(start)
        for line in file:
            if line != b"\n":
                yield start, line.removesuffix(b"\n")
            start += len(line)


def _line(line: bytes, public: Ed25519PublicKey) -> Line:
    digest, stored = hashlib.sha256(line).hexdigest(), _stored(line)
    if stored is None or not _signed(line, stored.signature, public):
        return Line(None, digest, "", signed=False)
    return Line(stored, digest, stored.before, signed=True)


def _stored(line: bytes) -> _Stored | None:
    try:
        return _STORED.validate_json(line)
    except ValidationError:
        return None


def _signed(line: bytes, signature: str, public: Ed25519PublicKey) -> bool:
    """Whether the line without its signature was signed so."""
    try:
        public.verify(bytes.fromhex(signature), line.replace(f'"signature":"{signature}",'.encode(), b"", 1))
    except (ValueError, InvalidSignature):
        return False
    return True


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _plain(body: dict[str, object]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
