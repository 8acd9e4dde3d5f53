"""Who viewed, exported, changed and logged in: append-only, each entry chained to the one before. Public side."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select

from skyveil.public.archive.heads import AUDIT, AUDIT_OLDEST, Head, Heads
from skyveil.public.store.database import alone
from skyveil.public.store.tables import audit

Plain: TypeAlias = str | int | float | bool | None
NOBODY: Final = "(nobody)"
SYSTEM: Final = "(system)"
PAGE: Final = 100


@final
@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry."""

    id: int
    at_s: float
    actor: str
    action: str
    object: str
    details: dict[str, Plain]


@final
class AuditLog:
    """The log of a site. Any thread may call it, and commands write beside the server."""

    def __init__(self, engine: Engine, heads: Heads | None = None, *, now: Callable[[], float] = time.time) -> None:
        """With `heads` the newest entry is signed from time to time, and missed when it is removed or changed."""
        self._engine = engine
        self._heads = heads
        self._now = now
        self._lock = threading.Lock()

    def record(self, actor: str, action: str, object: str = "", details: Mapping[str, Plain] | None = None) -> None:
        """Append an entry; it is durable when this returns."""
        text = json.dumps(dict(details or {}), sort_keys=True, separators=(",", ":"))
        with self._lock, self._engine.begin() as connection:
            alone(connection, audit.name)
            last = connection.execute(select(audit.c.id, audit.c.digest).order_by(audit.c.id.desc()).limit(1)).first()
            number, before = (1, b"") if last is None else (last.id + 1, last.digest)
            fields = (number, self._now(), actor[:64], action[:64], object[:256], text)
            connection.execute(
                insert(audit).values(
                    id=fields[0],
                    at_s=fields[1],
                    actor=fields[2],
                    action=fields[3],
                    object=fields[4],
                    details=fields[5],
                    digest=_chained(before, *fields),
                )
            )

    def entries(
        self,
        *,
        actor: str = "",
        action: str = "",
        object: str = "",
        from_s: float | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> list[AuditEntry]:
        """The newest entries that fit, newest first."""
        wanted = select(audit).order_by(audit.c.id.desc()).limit(min(max(limit, 1), 1000))
        if actor:
            wanted = wanted.where(audit.c.actor == actor)
        if action:
            wanted = wanted.where(audit.c.action == action)
        if object:
            wanted = wanted.where(audit.c.object == object)
        if from_s is not None:
            wanted = wanted.where(audit.c.at_s >= from_s)
        if before is not None:
            wanted = wanted.where(audit.c.id < before)
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(wanted)]

    def actions(self) -> list[str]:
        """Every action that stands in the log."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(audit.c.action).distinct().order_by(audit.c.action)).scalars())

    def broken_at(self) -> int | None:
        """The first entry that does not fit the one before it, or what was signed; None when the chain is whole.

        The chain hangs on the oldest entry that was not pruned, which is signed as well; until then on what is there.
        """
        with self._engine.connect() as connection:
            broken = self._first_broken(connection)
            head = self._signed(AUDIT)
            if broken is None and head is not None and not self._signed_is_there(connection):
                return head.number
            return broken

    def _first_broken(self, connection: Connection, *, until: int | None = None) -> int | None:
        """The first entry that does not fit the one before it, of all or of those before `until`."""
        oldest = self._signed(AUDIT_OLDEST)
        before: bytes | None = None
        expected: int | None = None
        rows = select(audit).order_by(audit.c.id)
        if until is not None:
            rows = rows.where(audit.c.id < until)
        with connection.execute(rows.execution_options(yield_per=1000)) as found:
            for row in found:
                fields = (row.id, row.at_s, row.actor, row.action, row.object, row.details)
                if before is None:
                    if oldest is not None and row.id > oldest.number:
                        return oldest.number
                    before = _before(row.id, oldest)
                if before is not None and _chained(before, *fields) != row.digest:
                    return int(row.id)
                if expected is not None and row.id != expected:
                    return int(expected)
                before, expected = row.digest, row.id + 1
        return None

    def publish(self) -> None:
        """Sign the newest entry, unless what was signed before is not there any more: that stays to be told."""
        with self._lock, self._engine.connect() as connection:
            newest = connection.execute(select(audit.c.id, audit.c.digest).order_by(audit.c.id.desc()).limit(1)).first()
            if self._heads is None or newest is None or not self._signed_is_there(connection):
                return
            if self._signed(AUDIT_OLDEST) is None:
                self._sign_oldest(connection, connection.execute(select(func.min(audit.c.id))).scalar_one())
            self._heads.publish(AUDIT, number=newest.id, digest=newest.digest.hex())

    def _signed(self, chain: str) -> Head | None:
        return None if self._heads is None else self._heads.of(chain)

    def _sign_oldest(self, connection: Connection, number: int) -> None:
        """Sign from which entry on the log is whole."""
        if self._heads is not None:
            before = connection.execute(select(audit.c.digest).where(audit.c.id == number - 1)).scalar()
            self._heads.publish(AUDIT_OLDEST, number=number, digest="" if before is None else before.hex())

    def _signed_is_there(self, connection: Connection) -> bool:
        """Whether the entry that was signed last is in the log, or was pruned with all before it."""
        head, kept = self._signed(AUDIT), self._signed(AUDIT_OLDEST)
        if head is None:
            return True
        found = connection.execute(select(audit.c.digest).where(audit.c.id == head.number)).scalar()
        if found is not None:
            return bool(found.hex() == head.digest)
        return kept is not None and kept.number > head.number

    def prune(self, older_than_s: float) -> int:
        """Forget entries from before a time, up to the first that is not; gives their number. The newest always stays.

        Nothing is forgotten while something was changed or removed among them. Raises OSError when it can not be signed
        which entry is the oldest now.
        """
        with self._lock, self._engine.begin() as connection:
            alone(connection, audit.name)
            fresh = connection.execute(select(func.min(audit.c.id)).where(audit.c.at_s >= older_than_s)).scalar()
            kept = fresh or connection.execute(select(func.max(audit.c.id))).scalar() or 0
            first = connection.execute(select(func.min(audit.c.id))).scalar()
            if first is None or first >= kept or self._first_broken(connection, until=kept) is not None:
                return 0
            self._sign_oldest(connection, kept)
            return connection.execute(delete(audit).where(audit.c.id < kept)).rowcount


def _before(number: int, oldest: Head | None) -> bytes | None:
    """What the first entry is chained to; None when that was pruned and never signed."""
    if number == 1:
        return b""
    return bytes.fromhex(oldest.digest) if oldest is not None and number == oldest.number else None


def _chained(before: bytes, *fields: object) -> bytes:
    return hashlib.sha256(before + json.dumps(fields, separators=(",", ":")).encode()).digest()


def _entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    details = json.loads(row.details)
    return AuditEntry(row.id, row.at_s, row.actor, row.action, row.object, details if isinstance(details, dict) else {})
