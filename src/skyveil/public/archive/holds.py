"""Spans that are kept past their retention, because a person asked and the privacy officer agreed. Public side."""

import dataclasses
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.ids import CameraId
from skyveil.public.archive.keys import write_durably

REASONS: Final = ("accident", "crime", "complaint", "authority", "insurance", "technical")
LONGEST_DAYS: Final = 30
LONGEST_SPAN_S: Final = 7 * 86400.0
REQUEST_S: Final = 3 * 86400.0
"""How long a hold that nobody approved keeps what it asks for: over a weekend."""


@final
@dataclass(frozen=True, slots=True)
class Hold:
    """A span of one camera. It holds from approval to expiry, unless it is released before; until it is approved it
    keeps the span for three days at most."""

    id: str
    camera: str
    from_s: float
    to_s: float
    reason: str
    requested_by: str
    requested_s: float
    expires_s: float
    approved_by: str | None = None
    released: bool = False

    def state(self, now_s: float) -> str:
        """requested, active, expired or released."""
        if self.released:
            return "released"
        if now_s >= self.expires_s:
            return "expired"
        return "requested" if self.approved_by is None else "active"


@final
class Holds:
    """The holds of all cameras, in one file. Any thread may call it.

    An empty file beside the keys says that there is a list: where a backup was restored without it, what it held would
    be deleted otherwise.
    """

    def __init__(self, folder: Path, *, keys: Path, now: Callable[[], float] = time.time) -> None:
        self._path = folder / "holds.json"
        self._mark = keys / "holds.mark"
        self._now = now
        if self._path.exists() and not self._mark.exists():  # of a version that made none
            self._marked()
        self._lock = threading.Lock()

    def of(self, camera: CameraId) -> list[Hold]:
        """The holds of a camera, oldest first."""
        return [hold for hold in self._read() if hold.camera == camera]

    def keeps(self, camera: CameraId, start_s: float, end_s: float) -> bool:
        """Whether an active hold covers some of this span, or one that was asked for in the last three days.

        What is asked for is not deleted before somebody could decide. Asking again does not give more time: of one
        person's requests for a span that nobody approved, the first counts.
        """
        now_s = self._now()
        found = [hold for hold in self.of(camera) if hold.from_s < end_s and hold.to_s > start_s]
        if any(hold.state(now_s) == "active" for hold in found):
            return True
        asked = [hold for hold in found if hold.approved_by is None]
        first_s: dict[str, float] = {}
        for hold in asked:
            first_s[hold.requested_by] = min(hold.requested_s, first_s.get(hold.requested_by, hold.requested_s))
        return any(
            hold.state(now_s) == "requested" and now_s < first_s[hold.requested_by] + REQUEST_S for hold in asked
        )

    def ask(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> Hold:
        """Ask for a hold; SettingsRefused for another reason, a span that is none, or more than 30 days."""
        if reason not in REASONS:
            raise SettingsRefused(f"a hold has a reason of the list: {', '.join(REASONS)}")
        if not 1 <= days <= LONGEST_DAYS:
            raise SettingsRefused(f"a hold lasts 1 to {LONGEST_DAYS} days, got {days}")
        if not 0 < to_s - from_s <= LONGEST_SPAN_S:
            raise SettingsRefused("a hold spans up to 7 days, and ends after it begins")
        now_s = self._now()
        made = Hold(secrets.token_hex(8), camera, from_s, to_s, reason, actor, now_s, now_s + days * 86400)
        with self._lock:
            self._write([*self._read(), made])
        return made

    def decide(self, camera: CameraId, hold_id: str, *, approve: bool, actor: str) -> None:
        """Approve a hold, or release it. Nobody approves what they asked for."""
        with self._lock:
            holds = self._read()
            found = next((hold for hold in holds if hold.id == hold_id and hold.camera == camera), None)
            if found is None:
                raise RecordingMissing("there is no such hold")
            if approve and found.requested_by == actor:
                raise SettingsRefused("a hold is approved by another person than the one who asked for it")
            if approve and found.state(self._now()) != "requested":
                raise SettingsRefused("only a hold that is asked for can be approved")
            changed = (
                dataclasses.replace(found, approved_by=actor) if approve else dataclasses.replace(found, released=True)
            )
            self._write([changed if hold.id == hold_id else hold for hold in holds])

    def _read(self) -> list[Hold]:
        if not self._path.exists():
            if self._mark.exists():
                why = f"{self._path} is missing: nothing is deleted until it is restored"
                raise RecordingMissing(f"{why}; where it held nothing, remove {self._mark}")
            return []
        try:
            return [Hold(**fields) for fields in json.loads(self._path.read_bytes())]
        except (ValueError, TypeError, OSError) as error:
            # Not an empty list: what a damaged file held would be deleted.
            raise RecordingMissing("the list of holds is damaged: nothing is deleted until it is restored") from error

    def _write(self, holds: list[Hold]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._marked()
        write_durably(self._path, json.dumps([asdict(hold) for hold in holds], indent=1).encode())

    def _marked(self) -> None:
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        self._mark.touch(mode=0o600)
