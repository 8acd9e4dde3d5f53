"""No occupancy for staff: it told the counts that were hidden. Public side."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Delete what staff were told of it."""
    numbers = sa.table("staff_numbers", sa.column("measure", sa.String))
    op.execute(sa.delete(numbers).where(numbers.c.measure == "occupancy"))
