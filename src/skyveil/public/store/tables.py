"""Every table and column there is. Public side.

No table can hold who was seen by a camera: names here are those of staff accounts. Times are unix seconds.
"""

from typing import Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

metadata: Final = MetaData()

users: Final = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password", String(256), nullable=True),  # Argon2id; none for accounts of an identity provider
    Column("role", String(32), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("last_login_s", Float, nullable=True),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float, nullable=False),
)

login_links: Final = Table(
    "login_links",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("expires_s", Float, nullable=False),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("scope", String(32), nullable=False),
    Column("expires_s", Float, nullable=False),
)

grants: Final = Table(
    "grants",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("camera", String(64), nullable=False),  # an id, or * for all
    UniqueConstraint("user_id", "camera"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(256), nullable=False),
    Column("details", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
"""Append-only; `digest` is SHA-256 over the entry and the digest before it. The first row that is kept after pruning
is the checkpoint that the rest hangs on."""


NumberTable: TypeAlias = "Table[ReadOnlyColumnCollection[str, Column[object]]]"
"""A table whose columns are asked for by name."""


def _numbers(audience: str) -> NumberTable:
    """Numbers of places, one row for each measure and period; on PostgreSQL in one partition a day."""
    return Table(
        f"{audience}_numbers",
        metadata,
        Column("camera", String(63), primary_key=True),
        Column("place", String(63), primary_key=True),
        Column("measure", String(32), primary_key=True),
        Column("period_s", Integer, primary_key=True, autoincrement=False),
        Column("start_s", BigInteger, primary_key=True, autoincrement=False),
        Column("told", String(16), nullable=False),
        Column("value", Float, nullable=True),
        Column("sigma", Float, nullable=True),
        Column("quality", String(16), nullable=False),
        Index(f"{audience}_numbers_by_time", "start_s"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (start_s)",
    )


control_room_numbers: Final = _numbers("control_room")
staff_numbers: Final = _numbers("staff")
public_numbers: Final = _numbers("public")

ledger: Final = Table(
    "ledger",
    metadata,
    Column("camera", String(63), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970-01-01, UTC
    Column("place", String(63), primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("mechanism", String(32), nullable=False),
    Column("sensitivity", Integer, nullable=False),
    Column("epsilon", String(64), nullable=False),  # an exact fraction like 1/3
)
"""What each series of public numbers costs; never deleted before its day is over."""

noise: Final = Table(
    "noise",
    metadata,
    Column("camera", String(63), primary_key=True),
    Column("place", String(63), primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("noise", BigInteger, nullable=True),  # forgotten when the number with it is stored
    Column("serial", BigInteger, nullable=False, server_default="0"),  # which draw of this database it was
    Index("noise_by_serial", "serial"),
)
"""Noise that was drawn. The row stays when its number is published, so that it is never drawn again."""

hour_maps: Final = Table(
    "hour_maps",
    metadata,
    Column("camera", String(63), primary_key=True),
    Column("place", String(63), primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("layout", String(32), primary_key=True),
    Column("about", Text, nullable=False),
    Column("until_s", Float, nullable=False),
    Column("measured_s", Integer, nullable=False),
    Column("squares", LargeBinary, nullable=False),
    Index("hour_maps_by_time", "start_s"),
)
"""Where zones were full, one row for each hour of a zone as it is drawn; for the control room, 24 hours."""

views: Final = Table(
    "views",
    metadata,
    Column("camera", String(63), primary_key=True),
    Column("calibration", String(16), nullable=False),  # the beginning of its digest
    Column("scenes", Text, nullable=False),  # JSON: places of corners, see `core.camera.KnownView`
    Column("moved_s", Float, nullable=True),  # since when the camera is known to be moved
    Column("trusted_s", Float, nullable=False),  # when somebody last said that its view is right, or 0
)
"""By what the view of a camera is known again: whole numbers, of which no picture can be made."""

alarm_log: Final = Table(
    "alarm_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("alarm", String(32), nullable=False),
    Column("event", String(16), nullable=False),
    Column("camera", String(63), nullable=False),
    Column("place", String(63), nullable=False),
    Column("level", String(16), nullable=False),
    Column("words", Text, nullable=False),  # a JSON list: the name of the place, then what is said
    Column("actor", String(64), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("cameras", Text, nullable=False),  # a JSON list: of an outage, the cameras that were out
)
