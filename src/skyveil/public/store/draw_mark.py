"""How far noise had been drawn, beside the keys and so outside of the database and its backups. Public side.

A database that is restored from a backup has forgotten what was published since. docs/adr/0017-restored-ledger.md
says why nothing may be published again then, with whatever noise.
"""

import json
import logging
import threading
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import StoreFailed
from skyveil.public.archive.keys import write_durably

log: Final = logging.getLogger(__name__)
NAME: Final = "noise.mark"


@final
class DrawMark:
    """The newest draw that a number was published with, in a file. Any thread may call it.

    serial: the number of the draw; draws of a database are numbered. day: the last one (UTC, since 1970-01-01) that a
    draw was for. closed: the last day of which nothing may be published any more, because the database was restored.
    All only grow. damaged: why the file says nothing of them, in a sentence, or empty; it is left as it is then, and
    nobody may publish.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file, where there is one; None remembers nothing."""
        self._path = path
        self._lock = threading.Lock()
        self.damaged = ""
        self.serial, self.day, self.closed = 0, -1, -1
        if path is not None and path.exists():
            try:
                self.serial, self.day, self.closed = _read(path)
            except StoreFailed as error:
                self.damaged = str(error)
                log.warning("%s", error)

    def reach(self, serial: int, *, day: int) -> None:
        """Remember a draw before a number is made with it; it survives a power cut. Raises OSError, and StoreFailed
        where the file is damaged."""
        self._move(serial, day, -1)

    def close(self) -> None:
        """Publish nothing more of any day so far, for ever; it survives a power cut. Raises as `reach` does."""
        self._move(self.serial, self.day, self.day)

    def _move(self, serial: int, day: int, closed: int) -> None:
        with self._lock:
            if self.damaged:
                raise StoreFailed(self.damaged)
            further = max(self.serial, serial), max(self.day, day), max(self.closed, closed)
            if further == (self.serial, self.day, self.closed):
                return
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                said = dict(zip(("serial", "day", "closed"), further, strict=True))
                write_durably(self._path, json.dumps(said).encode())
            self.serial, self.day, self.closed = further


def _read(path: Path) -> tuple[int, int, int]:
    try:
        found = json.loads(path.read_bytes())
        return int(found["serial"]), int(found["day"]), int(found.get("closed", -1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreFailed(
            f"{path.name} can not be read, so what was published is not known and the public is told nothing: "
            "remove it on a later day and start again"
        ) from error
