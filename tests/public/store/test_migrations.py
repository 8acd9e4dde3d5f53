"""Rows that an older version wrote say what they said, or are gone where they told too much."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from skyveil.core.ids import CameraId
from skyveil.public.store import database
from skyveil.public.store.alarm_log import AlarmLog
from skyveil.public.store.tables import staff_numbers
from tests.public.store.databases import postgresql
from tests.public.store.made import T


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    if request.param == "sqlite":
        yield tmp_path / "a.sqlite"
        return
    with postgresql() as url:
        yield url


def made_at(where: Path | str, revision: str) -> sa.Engine:
    """An empty database as that version made it."""
    engine = sa.create_engine(f"sqlite:///{where}" if isinstance(where, Path) else database._postgresql(where))
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


OLD_EVENTS = (
    ("hall", "Hall; density 5.2 per m2"),
    ("hall", "Hall"),
    ("", "Switch 3; 2 cameras without numbers: door, stairs"),
    ("", 'Switch 3; told by "noc"'),
)


def test_old_alarms_and_numbers_are_told_as_they_are_told_today(where: Path | str) -> None:
    old = made_at(where, "0004")
    with old.begin() as connection:
        log = sa.Table("alarm_log", sa.MetaData(), autoload_with=connection)
        for number, (place, words) in enumerate(OLD_EVENTS):
            connection.execute(
                log.insert().values(
                    at_s=float(number), alarm=f"alarm-{number}", event="raised", camera="door", place=place,
                    level="red", words=words, actor="", drill=False,
                )
            )  # fmt: skip
        if connection.dialect.name == "postgresql":
            connection.execute(
                sa.text(
                    f"CREATE TABLE staff_numbers_1 PARTITION OF staff_numbers FOR VALUES FROM ({T}) TO ({T + 86400})"
                )
            )
        connection.execute(
            staff_numbers.insert(),
            [
                {
                    "camera": "door", "place": "hall", "measure": measure, "period_s": 60, "start_s": T,
                    "told": "rounded", "value": 15.0, "sigma": None, "quality": "good",
                }
                for measure in ("count", "occupancy")
            ],
        )  # fmt: skip
    old.dispose()
    engine = database.open_database(where)
    try:
        told = {one.at_s: (one.words, one.cameras) for one in AlarmLog(engine).events()}
        assert told == {
            0.0: (("Hall", "density 5.2 per m2"), ()),
            1.0: (("Hall",), ()),
            2.0: (("Switch 3", "2 cameras without numbers: door, stairs"), (CameraId("door"), CameraId("stairs"))),
            3.0: (("Switch 3", 'told by "noc"'), ()),
        }
        with engine.connect() as connection:
            assert connection.execute(sa.select(staff_numbers.c.measure)).scalars().all() == ["count"]
    finally:
        engine.dispose()
