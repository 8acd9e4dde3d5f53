"""The signed heads of chains: how far each had come at a moment, so that a removed end is missed. Public side.

A chain tells what was changed in it, and nothing of lines that are missing at its end. Heads lie beside the keys, out
of reach of who can write the data folder or the database only. They may be copied anywhere: each is signed and timed.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, final

from cryptography.exceptions import InvalidSignature
from pydantic import TypeAdapter, ValidationError

from skyveil.core.ids import CameraId
from skyveil.public.archive.keys import KeyStore, write_durably

AUDIT: Final = "audit"
AUDIT_OLDEST: Final = "audit-oldest"
"""The oldest entry of the audit log that was not pruned, with the digest of the one before it."""


_CAMERA: Final = "camera-"


def of_camera(camera: CameraId) -> str:
    """The name of the chain of a camera's recordings."""
    return f"{_CAMERA}{camera}"


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain at a moment.

    number: of the entry, or of the newest segment. digest: of the entry, in hex. day: whose file holds it, for
    recordings. at_s: when the head was signed (unix).
    """

    chain: str
    number: int
    digest: str
    day: str
    at_s: float


@final
@dataclass(frozen=True, slots=True)
class _Stored:
    head: Head
    signature: str


_STORED: Final = TypeAdapter(_Stored)


@final
class Heads:
    """The heads of a site's chains. Any thread may call it; one process publishes."""

    def __init__(self, keys: KeyStore, *, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._folder = keys.folder / "heads"
        self._now = now

    def publish(self, chain: str, *, number: int, digest: str, day: str = "") -> None:
        """Sign how far a chain has come, in place of what was signed before. Raises OSError."""
        head = Head(chain, number, digest, day, float(self._now()))
        stored = _Stored(head, self._keys.sign(_plain(head)).hex())
        self._folder.mkdir(exist_ok=True, mode=0o700)
        write_durably(self._folder / f"{chain}.json", json.dumps(asdict(stored), indent=1).encode())

    def of(self, chain: str) -> Head | None:
        """The head that was published last; None when there is none, or none that is signed for this chain."""
        try:
            stored = _STORED.validate_json((self._folder / f"{chain}.json").read_bytes())
            self._keys.public.verify(bytes.fromhex(stored.signature), _plain(stored.head))
        except (OSError, ValidationError, ValueError, InvalidSignature):
            return None
        return stored.head if stored.head.chain == chain else None

    def cameras(self) -> list[str]:
        """The cameras whose chain has a head, signed or not."""
        return [one.stem.removeprefix(_CAMERA) for one in self._folder.glob(f"{_CAMERA}*.json")]


def _plain(head: Head) -> bytes:
    return json.dumps(asdict(head), sort_keys=True, separators=(",", ":")).encode()
