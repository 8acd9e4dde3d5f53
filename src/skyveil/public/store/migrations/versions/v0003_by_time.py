"""Numbers by their time, so that the oldest are found without reading all. Public side."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make an index over `start_s` of each table of numbers."""
    for audience in ("control_room", "staff", "public"):
        op.create_index(f"{audience}_numbers_by_time", f"{audience}_numbers", ["start_s"])
