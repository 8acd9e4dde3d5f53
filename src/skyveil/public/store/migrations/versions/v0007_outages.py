"""Which cameras an outage in the alarm log is about, so that it names to each reader those that are granted.

Public side.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column, and read the cameras of old outages from their words."""
    op.add_column("alarm_log", sa.Column("cameras", sa.Text, nullable=False, server_default="[]"))
    log = sa.table("alarm_log", sa.column("id", sa.BigInteger), *(sa.column(name, sa.Text) for name in _TEXTS))
    connection = op.get_bind()
    for number, words in connection.execute(sa.select(log.c.id, log.c.words).where(log.c.place == "")).all():
        found = [one.partition(" without numbers: ")[2] for one in json.loads(words)]
        cameras = [name for one in found if one for name in one.split(", ")]
        connection.execute(sa.update(log).where(log.c.id == number).values(cameras=json.dumps(cameras)))


_TEXTS = ("place", "words", "cameras")
