"""Staff accounts and the audit log, in SQLite or PostgreSQL. Public side: nobody who was seen by a camera."""

from skyveil.public.store.accounts import Accounts, Principal, TokenInfo, UserInfo
from skyveil.public.store.audit import AuditEntry, AuditLog
from skyveil.public.store.database import open_database

__all__ = ["Accounts", "AuditEntry", "AuditLog", "Principal", "TokenInfo", "UserInfo", "open_database"]
