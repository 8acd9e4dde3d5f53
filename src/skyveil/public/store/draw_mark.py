"""How far noise had been drawn, beside the keys and so outside of the database and its backups. Public side.

A database that is restored from a backup has forgotten what was published since. docs/adr/0017-restored-ledger.md
says why nothing may be published again then, with whatever noise.
"""

import json
import threading
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import StoreFailed
from skyveil.public.archive.keys import write_durably

NAME: Final = "noise.mark"


@final
class DrawMark:
    """The newest draw that a number was published with, in a file. Any thread may call it.

    serial: the number of the draw; draws of a database are numbered. day: the last one (UTC, since 1970-01-01) that a
    draw was for. Both only grow.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file, where there is one; None remembers nothing. Raises StoreFailed for one that is damaged."""
        self._path = path
        self._lock = threading.Lock()
        self.serial, self.day = (0, -1) if path is None or not path.exists() else _read(path)

    def reach(self, serial: int, *, day: int) -> None:
        """Remember a draw before a number is made with it; it survives a power cut. Raises OSError."""
        with self._lock:
            further = max(self.serial, serial), max(self.day, day)
            if further == (self.serial, self.day):
                return
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_durably(self._path, json.dumps({"serial": further[0], "day": further[1]}).encode())
            self.serial, self.day = further


def _read(path: Path) -> tuple[int, int]:
    try:
        found = json.loads(path.read_bytes())
        return int(found["serial"]), int(found["day"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreFailed(
            f"{path.name} can not be read, so what was published is not known: remove it on a later day"
        ) from error
