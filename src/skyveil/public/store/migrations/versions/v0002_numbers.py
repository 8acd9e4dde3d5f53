"""Numbers for three audiences, the ledger of what the public was told, and the alarm log. Public side."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; on PostgreSQL numbers are partitioned by the day that `start_s` lies in."""
    for audience in ("control_room", "staff", "public"):
        op.create_table(
            f"{audience}_numbers",
            sa.Column("camera", sa.String(63), primary_key=True),
            sa.Column("place", sa.String(63), primary_key=True),
            sa.Column("measure", sa.String(32), primary_key=True),
            sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("told", sa.String(16), nullable=False),
            sa.Column("value", sa.Float, nullable=True),
            sa.Column("sigma", sa.Float, nullable=True),
            sa.Column("quality", sa.String(16), nullable=False),
            sqlite_with_rowid=False,
            postgresql_partition_by="RANGE (start_s)",
        )
    op.create_table(
        "ledger",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("place", sa.String(63), primary_key=True),
        sa.Column("measure", sa.String(32), primary_key=True),
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("mechanism", sa.String(32), nullable=False),
        sa.Column("sensitivity", sa.Integer, nullable=False),
        sa.Column("epsilon", sa.String(64), nullable=False),
    )
    op.create_table(
        "noise",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("place", sa.String(63), primary_key=True),
        sa.Column("measure", sa.String(32), primary_key=True),
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("noise", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "alarm_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.Column("alarm", sa.String(32), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("camera", sa.String(63), nullable=False),
        sa.Column("place", sa.String(63), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("drill", sa.Boolean, nullable=False),
    )
