"""Both databases, empty of numbers before each test."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from skyveil.public.store import open_database
from skyveil.public.store.tables import metadata
from tests.public.store.databases import postgresql


@dataclass(frozen=True)
class Database:
    """A database that is open here and may be opened elsewhere."""

    where: Path | str
    engine: Engine


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("numbers")
    if request.param == "sqlite":
        engine = open_database(folder / "a.sqlite")
        yield Database(folder / "a.sqlite", engine)
        engine.dispose()
        return
    with postgresql() as url:
        engine = open_database(url)
        yield Database(url, engine)
        engine.dispose()


@pytest.fixture
def database(opened: Database) -> Database:
    with opened.engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return opened
