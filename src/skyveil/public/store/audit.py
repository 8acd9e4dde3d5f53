"""Who viewed, exported, changed and logged in: append-only, each entry chained to the one before. Public side."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select

from skyveil.public.archive.heads import AUDIT, Heads
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
    """The log of a site. Any thread may call it; this process is the only one that writes."""

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

        The oldest entry is what the chain hangs on: entries before it were pruned.
        """
        before: bytes | None = None
        expected: int | None = None
        rows = select(audit).order_by(audit.c.id).execution_options(yield_per=1000)
        with self._engine.connect() as connection, connection.execute(rows) as found:
            for row in found:
                fields = (row.id, row.at_s, row.actor, row.action, row.object, row.details)
                pruned = before is None and row.id != 1
                if not pruned and _chained(before or b"", *fields) != row.digest:
                    return int(row.id)
                if expected is not None and row.id != expected:
                    return int(expected)
                before, expected = row.digest, row.id + 1
            head = None if self._heads is None else self._heads.of(AUDIT)
            return None if head is None or self._signed_is_there(connection) else head.number

    def publish(self) -> None:
        """Sign the newest entry, unless what was signed before is not there any more: that stays to be told."""
        with self._lock, self._engine.connect() as connection:
            newest = connection.execute(select(audit.c.id, audit.c.digest).order_by(audit.c.id.desc()).limit(1)).first()
            if self._heads is None or newest is None or not self._signed_is_there(connection):
                return
            self._heads.publish(AUDIT, number=newest.id, digest=newest.digest.hex())

    def _signed_is_there(self, connection: Connection) -> bool:
        """Whether the entry that was signed last is in the log, or was pruned with all before it."""
        head = None if self._heads is None else self._heads.of(AUDIT)
        if head is None:
            return True
        found = connection.execute(select(audit.c.digest).where(audit.c.id == head.number)).scalar()
        if found is not None:
            return bool(found.hex() == head.digest)
        oldest = connection.execute(select(func.min(audit.c.id))).scalar()
        return oldest is not None and oldest > head.number

    def prune(self, older_than_s: float) -> int:
        """Forget entries from before a time; gives their number. The newest entry always stays."""
        with self._lock, self._engine.begin() as connection:
            newest = connection.execute(select(func.max(audit.c.id))).scalar()
            gone = delete(audit).where(audit.c.at_s < older_than_s, audit.c.id != newest)
            return connection.execute(gone).rowcount


def _chained(before: bytes, *fields: object) -> bytes:
    return hashlib.sha256(before + json.dumps(fields, separators=(",", ":")).encode()).digest()


def _entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    details = json.loads(row.details)
    return AuditEntry(row.id, row.at_s, row.actor, row.action, row.object, details if isinstance(details, dict) else {})
