"""What a day holds, as signed lines of which each names the one before it. Public side.

`chain.jsonl` of a day has one JSON object a line: a segment, or a gap with its cause. `before` is the SHA-256 of the
line before it, also over midnight; `signature` is Ed25519 over the line without it. Lines are only ever appended.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from skyveil.public.archive.keys import KeyStore

NAME: Final = "chain.jsonl"
FIRST: Final = "0" * 64


@final
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


def append(folder: Path, entry: Entry, before: str, keys: KeyStore) -> str:
    """Append an entry durably; gives the digest of its line."""
    body = {**asdict(entry), "before": before}
    signature = keys.sign(_plain(body)).hex()
    line = _plain({**body, "signature": signature})
    with (folder / NAME).open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(line).hexdigest()


def read(folder: Path, public: Ed25519PublicKey) -> Iterator[Line]:
    """The lines of a day. A line that is cut or no entry has none; what follows it is read all the same."""
    try:
        data = (folder / NAME).read_bytes()
    except OSError:
        return
    for line in data.split(b"\n"):
        if line:
            yield _line(line, public)


def mend(folder: Path) -> bool:
    """Cut off an unfinished last line, as a kill in the middle of `append` leaves it; whether there was one."""
    path = folder / NAME
    if not path.exists():
        return False
    data = path.read_bytes()
    if data.endswith(b"\n") or not data:
        return False
    os.truncate(path, data.rfind(b"\n") + 1)
    return True


def _line(line: bytes, public: Ed25519PublicKey) -> Line:
    digest = hashlib.sha256(line).hexdigest()
    try:
        body = json.loads(line)
        signature, before = bytes.fromhex(body.pop("signature")), str(body["before"])
        public.verify(signature, _plain(body))
        del body["before"]
        return Line(Entry(**body), digest, before, signed=True)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return Line(None, digest, "", signed=False)


def _plain(body: dict[str, object]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
