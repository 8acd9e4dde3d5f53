"""Every table and column there is. Public side.

No table can hold who was seen by a camera: names here are those of staff accounts. Times are unix seconds.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

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
