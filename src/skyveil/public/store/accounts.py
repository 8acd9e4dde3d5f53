"""Staff accounts, their sessions, tokens and grants. Public side.

Passwords are kept as Argon2id, everything that stands for one (session, token, link) as SHA-256 of 32 random bytes.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.store.roles import ALLOWED, NEED_GRANTS, SCOPED, Permission, Role, Scope
from skyveil.public.store.tables import grants, login_links, sessions, tokens, users

PASSWORD_LEAST: Final = 12
_PASSWORD_MOST: Final = 256
NAME_MOST: Final = 64
AT_ONCE: Final = 2
"""Passwords that are computed at a time: each takes 64 MiB (the second choice of RFC 9106, 4) and several threads."""
LINK_S: Final = 600.0
_COMMON: Final = ("password", "passwort", "skyveil", "123456", "qwerty", "letmein", "administrator")
"""A password made of one of these and repetitions is refused (the idea of NIST SP 800-63B, 3.1.1.2)."""
ALL: Final = "*"


@final
@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an account, through a session or a token. `cameras` is None when all are open to it."""

    user_id: int
    name: str
    role: Role
    permissions: frozenset[Permission]
    cameras: frozenset[CameraId] | None
    token: bool = False

    def may(self, permission: Permission, camera: CameraId | None = None) -> bool:
        """Whether it may do this, with this camera where one is meant."""
        granted = camera is None or self.cameras is None or camera in self.cameras
        return granted and permission in self.permissions


@final
@dataclass(frozen=True, slots=True)
class UserInfo:
    """An account, for lists."""

    name: str
    role: Role
    enabled: bool
    cameras: tuple[str, ...]
    last_login_s: float | None


@final
@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token, for lists; the token itself is shown once and never again."""

    id: int
    name: str
    scope: Scope
    expires_s: float


@final
class Accounts:
    """The accounts of a site. Any thread may call it; the database orders what it does."""

    def __init__(self, engine: Engine, *, session_s: float = 12 * 3600, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._session_s = session_s
        self._now = now
        self._hasher = PasswordHasher()
        self._computing = BoundedSemaphore(AT_ONCE)
        # Someone who guesses names must wait as long for a name that is not there.
        self._nobody = self._hash(secrets.token_urlsafe(16))

    # --- accounts -----------------------------------------------------------------------------------------------------

    def any(self) -> bool:
        """Whether there is an account at all."""
        with self._engine.connect() as connection:
            return connection.execute(select(users.c.id).limit(1)).first() is not None

    def add(self, name: str, password: str | None, role: Role, *, cameras: Iterable[str] = ()) -> None:
        """Make an account; SettingsRefused for a name that is taken, an easy password or an id that is none."""
        checked, wanted = _name(name), _granted(cameras)
        hashed = None if password is None else self._hash(_password(password, checked))
        values = {"name": checked, "password": hashed, "role": role, "enabled": True, "created_s": self._now()}
        try:
            with self._engine.begin() as connection:
                row = connection.execute(insert(users).values(values).returning(users.c.id)).one()
                _grant(connection, row.id, wanted)
        except IntegrityError as error:
            raise SettingsRefused("an account of this name exists already") from error

    def remove(self, name: str) -> None:
        """Remove an account with everything that stands for it."""
        self._must_stay(name)
        with self._engine.begin() as connection:
            connection.execute(delete(users).where(users.c.id == self._id(name)))

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password, and end all that was given by the old one: sessions, links and tokens."""
        hashed = self._hash(_password(password, name))
        user_id = self._id(name)
        with self._engine.begin() as connection:
            connection.execute(update(users).where(users.c.id == user_id).values(password=hashed))
            for table in (sessions, login_links, tokens):
                connection.execute(delete(table).where(table.c.user_id == user_id))

    def change(self, name: str, *, role: Role | None = None, enabled: bool | None = None) -> None:
        """Change role or state of an account, and end its sessions; the last enabled administrator stays one."""
        if enabled is False or (role is not None and role is not Role.ADMIN):
            self._must_stay(name)
        user_id = self._id(name)
        values = {key: value for key, value in (("role", role), ("enabled", enabled)) if value is not None}
        if not values:
            return
        with self._engine.begin() as connection:
            connection.execute(update(users).where(users.c.id == user_id).values(values))
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

    def grant(self, name: str, cameras: Iterable[str]) -> None:
        """Open exactly these cameras to an account; `*` opens all."""
        wanted = _granted(cameras)
        user_id = self._id(name)
        with self._engine.begin() as connection:
            connection.execute(delete(grants).where(grants.c.user_id == user_id))
            _grant(connection, user_id, wanted)

    def users(self) -> list[UserInfo]:
        """All accounts, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(users).order_by(users.c.name)).all()
            granted = connection.execute(select(grants.c.user_id, grants.c.camera).order_by(grants.c.camera)).all()
        return [
            UserInfo(
                row.name,
                Role(row.role),
                row.enabled,
                tuple(camera for user_id, camera in granted if user_id == row.id),
                row.last_login_s,
            )
            for row in rows
        ]

    # --- proving who one is -------------------------------------------------------------------------------------------

    def login(self, name: str, password: str) -> str | None:
        """A new session when name and password are right; None otherwise, after the same time."""
        with self._engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).first()
        hashed = self._nobody if row is None or row.password is None else row.password
        try:
            with self._computing:
                self._hasher.verify(hashed, password[:_PASSWORD_MOST])
        except (VerificationError, InvalidHashError):
            return None
        if row is None or row.password is None or not row.enabled:
            return None
        if self._hasher.check_needs_rehash(hashed):
            fresh = self._hash(password)
            with self._engine.begin() as connection:
                connection.execute(update(users).where(users.c.id == row.id).values(password=fresh))
        return self._new_session(row.id)

    def login_by_link(self, token: str) -> str | None:
        """A new session for a one-time link; None when it was used, has expired, or is of a disabled account."""
        enabled = select(users.c.id).where(users.c.enabled)
        with self._engine.begin() as connection:
            row = connection.execute(
                delete(login_links)
                .where(login_links.c.digest == _digest(token), login_links.c.expires_s > self._now())
                .where(login_links.c.user_id.in_(enabled))
                .returning(login_links.c.user_id)
            ).first()
        return None if row is None else self._new_session(row.user_id)

    def login_vouched(self, name: str, role: Role, cameras: Iterable[str]) -> str | None:
        """A new session for somebody an identity provider vouches for, with this role and these cameras from now on.

        The account is made at the first time, and has no password; None when it is disabled.
        """
        known = next((one for one in self.users() if one.name == name), None)
        if known is None:
            self.add(name, None, role, cameras=cameras)
        elif known.enabled and known.role is not role:
            self.change(name, role=role)
        if known is not None and known.enabled:
            self.grant(name, cameras)
        with self._engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.name == name, users.c.enabled)).first()
        return None if row is None else self._new_session(row.id)

    def new_link(self, name: str) -> str:
        """A secret that logs in once, within ten minutes."""
        token = secrets.token_urlsafe(32)
        values = {"digest": _digest(token), "user_id": self._id(name), "expires_s": self._now() + LINK_S}
        with self._engine.begin() as connection:
            connection.execute(delete(login_links).where(login_links.c.expires_s <= self._now()))
            connection.execute(insert(login_links).values(values))
        return token

    def logout(self, session: str) -> None:
        """End a session."""
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == _digest(session)))

    def by_session(self, session: str) -> Principal | None:
        """Who a session belongs to; None when it has ended."""
        found = (
            select(users)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(sessions.c.digest == _digest(session), sessions.c.expires_s > self._now(), users.c.enabled)
        )
        with self._engine.connect() as connection:
            row = connection.execute(found).first()
            return None if row is None else self._principal(row, None)

    def by_token(self, token: str) -> Principal | None:
        """Who a token belongs to, with what both may; None when it has expired."""
        found = (
            select(users, tokens.c.scope)
            .join(tokens, tokens.c.user_id == users.c.id)
            .where(tokens.c.digest == _digest(token), tokens.c.expires_s > self._now(), users.c.enabled)
        )
        with self._engine.connect() as connection:
            row = connection.execute(found).first()
            return None if row is None else self._principal(row, Scope(row.scope))

    # --- tokens -------------------------------------------------------------------------------------------------------

    def new_token(self, name: str, label: str, scope: Scope, *, days: int) -> str:
        """A token of an account; it is given once and can not be read again."""
        if not 1 <= days <= 365:
            raise SettingsRefused(f"a token lasts 1 to 365 days, got {days}")
        token = "sv_" + secrets.token_urlsafe(32)
        values = {
            "digest": _digest(token),
            "user_id": self._id(name),
            "name": label[:NAME_MOST],
            "scope": scope,
            "expires_s": self._now() + days * 86400,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(tokens).values(values))
        return token

    def tokens(self, name: str) -> list[TokenInfo]:
        """The tokens of an account."""
        found = select(tokens).where(tokens.c.user_id == self._id(name)).order_by(tokens.c.id)
        with self._engine.connect() as connection:
            rows = connection.execute(found).all()
        return [TokenInfo(row.id, row.name, Scope(row.scope), row.expires_s) for row in rows]

    def remove_token(self, name: str, token_id: int) -> bool:
        """End a token of an account; whether there was one."""
        gone = delete(tokens).where(tokens.c.user_id == self._id(name), tokens.c.id == token_id)
        with self._engine.begin() as connection:
            return connection.execute(gone).rowcount > 0

    # --- inside -------------------------------------------------------------------------------------------------------

    def _hash(self, password: str) -> str:
        with self._computing:
            return self._hasher.hash(password)

    def _new_session(self, user_id: int) -> str:
        session, now_s = secrets.token_urlsafe(32), self._now()
        values = {
            "digest": _digest(session),
            "user_id": user_id,
            "created_s": now_s,
            "expires_s": now_s + self._session_s,
        }
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_s <= now_s))
            connection.execute(insert(sessions).values(values))
            connection.execute(update(users).where(users.c.id == user_id).values(last_login_s=now_s))
        return session

    def _principal(self, row: Row[tuple[object, ...]], scope: Scope | None) -> Principal:
        role = Role(row.role)
        cameras: frozenset[CameraId] | None = None
        if role in NEED_GRANTS:
            with self._engine.connect() as connection:
                names = connection.execute(select(grants.c.camera).where(grants.c.user_id == row.id)).scalars().all()
            cameras = None if ALL in names else frozenset(CameraId(name) for name in names)
        permissions = ALLOWED[role] if scope is None else ALLOWED[role] & SCOPED[scope]
        return Principal(row.id, row.name, role, permissions, cameras, token=scope is not None)

    def _id(self, name: str) -> int:
        with self._engine.connect() as connection:
            row = connection.execute(select(users.c.id).where(users.c.name == name)).first()
        if row is None:
            raise SettingsRefused("there is no account of this name")
        return int(row.id)

    def _must_stay(self, name: str) -> None:
        """Refuse to lose the last administrator."""
        others = select(func.count()).where(users.c.role == Role.ADMIN, users.c.enabled, users.c.name != name)
        with self._engine.connect() as connection:
            row = connection.execute(select(users.c.role).where(users.c.name == name)).first()
            if row is not None and row.role == Role.ADMIN and not connection.execute(others).scalar_one():
                raise SettingsRefused("the last administrator can not be removed, disabled or changed")


def _granted(cameras: Iterable[str]) -> list[str]:
    """The cameras of a grant, each once; raises SettingsRefused for an id that is none."""
    return sorted({camera if camera == ALL else camera_id(camera) for camera in cameras})


def _grant(connection: Connection, user_id: int, cameras: list[str]) -> None:
    if cameras:
        connection.execute(insert(grants), [{"user_id": user_id, "camera": camera} for camera in cameras])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _name(name: str) -> str:
    if not 1 <= len(name) <= NAME_MOST or not name.isprintable() or name != name.strip() or name.startswith("("):
        raise SettingsRefused("a name has 1 to 64 printable characters and no spaces at its ends")
    return name


def _password(password: str, name: str) -> str:
    plain = password.lower()
    for word in (*_COMMON, name.lower()):
        plain = plain.replace(word, "")
    if not PASSWORD_LEAST <= len(password) <= _PASSWORD_MOST or len(set(plain)) < 4:
        raise SettingsRefused(f"a password has at least {PASSWORD_LEAST} characters and is no common word or name")
    return password
