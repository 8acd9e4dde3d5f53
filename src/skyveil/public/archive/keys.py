"""The keys of recordings, in a folder of their own. Public side.

Each camera and day has a key; it is stored wrapped by the site's key. Without the day's key its recordings are noise,
so deleting the key deletes the day, also from backups of the data folder. The keys folder must not be in such a backup.
"""

import os
import threading
from pathlib import Path
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


@final
class KeyStore:
    """Makes, gives and destroys keys. Any thread may call it."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, and make it and the site's keys when they are not there. Raises OSError."""
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._site = AESGCM(self._kept("site.key"))
        self._signer = Ed25519PrivateKey.from_private_bytes(self._kept("sign.key"))

    @property
    def folder(self) -> Path:
        """Where the keys lie."""
        return self._folder

    @property
    def public(self) -> Ed25519PublicKey:
        """What checks the signatures of the chain; may be given to anybody."""
        return self._signer.public_key()

    def sign(self, data: bytes) -> bytes:
        """The signature of a line or the head of a chain."""
        return self._signer.sign(data)

    def day(self, camera: CameraId, day: str, *, make: bool = False) -> AESGCM:
        """The key of a camera's day; RecordingMissing when it was destroyed or never made."""
        path = self._path(camera, day)
        with self._lock:
            if make and not path.exists():
                for folder in (path.parent.parent, path.parent):
                    folder.mkdir(exist_ok=True, mode=0o700)
                key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE_BYTES)
                write_durably(path, nonce + self._site.encrypt(nonce, key, _about(camera, day)))
            try:
                wrapped = path.read_bytes()
                return AESGCM(self._site.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _about(camera, day)))
            except (OSError, InvalidTag, ValueError) as error:
                raise RecordingMissing(f"the key of {camera} on {day} is gone: that day can not be read") from error

    def has_day(self, camera: CameraId, day: str) -> bool:
        """Whether the key of a camera's day is there: it is until the day was deleted in order."""
        return self._path(camera, day).exists()

    def cameras(self) -> list[str]:
        """The cameras that had a day with a key."""
        return [one.name for one in (self._folder / "days").glob("*") if one.is_dir()]

    def days(self, camera: CameraId) -> list[str]:
        """The days of a camera whose keys are there, oldest first."""
        return sorted(one.stem for one in (self._folder / "days" / camera).glob("*.key"))

    def destroy(self, camera: CameraId, day: str) -> None:
        """Overwrite and remove a day's key: what it locked can never be read again."""
        path = self._path(camera, day)
        with self._lock:
            if not path.exists():
                return
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            sync_folder(path.parent)

    def _path(self, camera: CameraId, day: str) -> Path:
        return self._folder / "days" / camera / f"{day}.key"

    def _kept(self, name: str) -> bytes:
        path = self._folder / name
        if not path.exists():
            write_durably(path, os.urandom(_KEY_BYTES))
        return path.read_bytes()


def _about(camera: CameraId, day: str) -> bytes:
    return f"{camera}/{day}".encode()


def write_durably(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all, readable by its owner only."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
