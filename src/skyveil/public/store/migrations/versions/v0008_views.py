"""By what the view of a camera is known again, and which camera was moved. Public side."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "views",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("calibration", sa.String(16), nullable=False),
        sa.Column("scenes", sa.Text, nullable=False),
        sa.Column("moved_s", sa.Float, nullable=True),
        sa.Column("trusted_s", sa.Float, nullable=False),
    )
