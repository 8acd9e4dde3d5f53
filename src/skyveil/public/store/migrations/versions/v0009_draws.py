"""Which draw of the database each noise was, so that a database from a backup is known as one. Public side."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Number the draws; those of before are all draw 0."""
    op.add_column("noise", sa.Column("serial", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("noise_by_serial", "noise", ["serial"])
