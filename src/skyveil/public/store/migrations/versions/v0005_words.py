"""Words of alarms as JSON lists: one that held "; " came back as two. Public side."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Write the words of every event anew."""
    log = sa.table("alarm_log", sa.column("id", sa.BigInteger), sa.column("words", sa.Text))
    connection = op.get_bind()
    for number, words in connection.execute(sa.select(log.c.id, log.c.words)).all():
        text = json.dumps(words.split("; "), ensure_ascii=False)
        connection.execute(sa.update(log).where(log.c.id == number).values(words=text))
