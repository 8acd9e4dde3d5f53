"""Where zones were full, hour by hour, for the control room. Public side."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table, and its index by time."""
    op.create_table(
        "hour_maps",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("place", sa.String(63), primary_key=True),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("layout", sa.String(32), primary_key=True),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("until_s", sa.Float, nullable=False),
        sa.Column("measured_s", sa.Integer, nullable=False),
        sa.Column("squares", sa.LargeBinary, nullable=False),
    )
    op.create_index("hour_maps_by_time", "hour_maps", ["start_s"])
