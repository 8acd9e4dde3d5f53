"""The database: opened, and brought to the newest version. Public side."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from skyveil.core.errors import SettingsRefused, StoreFailed

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_SQLITE: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # the audit log must survive a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten: exact numbers are kept for 24 hours only
)
_POSTGRESQL: Final = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
"""Seconds and milliseconds after which a server that says nothing is taken for gone; the URL may say others."""
_AT_ONCE: Final = ("PRAGMA busy_timeout=0", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA busy_timeout=5000")


def open_database(where: Path | str) -> Engine:
    """Open a SQLite file, or a database by its URL, and bring its tables to the newest version.

    Raises SettingsRefused for a URL of another kind, StoreFailed when it can not be opened, is damaged or is of a newer
    version.
    """
    url = URL.create("sqlite", database=str(where)) if isinstance(where, Path) else _postgresql(where)
    # What a statement was given is in no error, and so in no log: digests of sessions, names, numbers.
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=_patience(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    place = where.name if isinstance(where, Path) else url.host or url.drivername
    try:
        _migrate(engine)
    except CommandError as error:
        engine.dispose()
        raise StoreFailed(
            f"the database {place} is of a newer version: install that, or restore the backup made before the upgrade"
        ) from error
    except SQLAlchemyError as error:
        engine.dispose()
        reached = isinstance(where, Path) or not isinstance(error, OperationalError)
        do = "restore it from a backup" if reached else "check that PostgreSQL runs, and lets Skyveil in"
        raise StoreFailed(f"the database {place} can not be used: {type(error).__name__}; {do}") from error
    return engine


def alone(connection: Connection, table: str) -> None:
    """Let no other process write to a table before this transaction ends, which begins here."""
    postgresql = connection.dialect.name == "postgresql"
    lock = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE" if postgresql else "BEGIN IMMEDIATE"
    connection.execute(text(lock))


def empty_log(engine: Engine) -> None:
    """Empty the write-ahead log of SQLite, in which rows that were deleted are still to be read; nothing elsewhere.

    Whoever reads or writes just now is not disturbed: then the log stays until the next time.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for line in _AT_ONCE:
                connection.exec_driver_sql(line)


def _postgresql(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsRefused("the database is a URL like postgresql://user@host/name") from error
    if url.get_backend_name() != "postgresql":
        raise SettingsRefused("the database is a URL like postgresql://user@host/name")
    return url.set(drivername="postgresql+psycopg")


def _patience(url: URL) -> dict[str, int]:
    if url.get_backend_name() == "sqlite":
        return {}
    return {name: most for name, most in _POSTGRESQL.items() if name not in url.query}


def _prepare_sqlite(connection: "_Sqlite", _: ConnectionPoolEntry) -> None:
    for line in _SQLITE:
        connection.execute(line)


class _Sqlite:
    """What is used of a connection of the standard library."""

    def execute(self, statement: str) -> object:
        """Run a statement."""
        raise NotImplementedError


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
