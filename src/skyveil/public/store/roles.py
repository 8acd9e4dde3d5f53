"""Who may do what. Public side; the one table that every route asks."""

from enum import StrEnum
from typing import Final, final


@final
class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"


@final
class Permission(StrEnum):
    """What a route may ask for."""

    VIEW = "view"
    PLAYBACK = "playback"
    EXPORT = "export"
    READ_MASKS = "read-masks"
    WRITE_MASKS = "write-masks"
    DRAW = "draw"
    """Draw zones and lines, and calibrate."""
    TRUST_VIEW = "trust-view"
    """Say that the view of a camera that was moved is right."""
    TELL_PUBLIC = "tell-public"
    """Let the public be told of a place that it was not told of before."""
    ASK_HOLD = "ask-hold"
    DECIDE_HOLD = "decide-hold"
    AUDIT = "audit"
    USERS = "users"
    SETTINGS = "settings"
    METRICS = "metrics"
    NUMBERS = "numbers"
    """Numbers as staff are told them."""
    EXACT_NUMBERS = "exact-numbers"
    """Numbers as the control room has them."""
    ALARMS = "alarms"
    ACKNOWLEDGE = "acknowledge"


@final
class Scope(StrEnum):
    """What a token is for; it never allows more than its owner may."""

    VIEW = "view"
    RECORDINGS = "recordings"
    EXPORT = "export"
    METRICS = "metrics"


_VIEWER: Final = frozenset({Permission.VIEW, Permission.NUMBERS})
_OPERATOR: Final = _VIEWER | {
    Permission.PLAYBACK,
    Permission.EXPORT,
    Permission.READ_MASKS,
    Permission.ASK_HOLD,
    Permission.EXACT_NUMBERS,
    Permission.ALARMS,
    Permission.ACKNOWLEDGE,
    Permission.TRUST_VIEW,
}
ALLOWED: Final = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.PRIVACY_OFFICER: _OPERATOR
    | {
        Permission.WRITE_MASKS,
        Permission.DRAW,
        Permission.TELL_PUBLIC,
        Permission.DECIDE_HOLD,
        Permission.AUDIT,
    },
    Role.ADMIN: frozenset(
        {
            Permission.VIEW,
            Permission.PLAYBACK,
            Permission.READ_MASKS,
            Permission.WRITE_MASKS,
            Permission.DRAW,
            Permission.AUDIT,
            Permission.USERS,
            Permission.SETTINGS,
            Permission.METRICS,
            Permission.NUMBERS,
            Permission.ALARMS,
            Permission.TRUST_VIEW,
        }
    ),
}
"""An administrator runs the system, exports nothing and is not the control room; a privacy officer decides on holds and
on what the public is told, and sets nothing up but masks and places."""

SCOPED: Final = {
    Scope.VIEW: _VIEWER,
    Scope.RECORDINGS: _VIEWER | {Permission.PLAYBACK},
    Scope.EXPORT: _VIEWER | {Permission.PLAYBACK, Permission.EXPORT},
    Scope.METRICS: frozenset({Permission.METRICS}),
}

NEED_GRANTS: Final = frozenset({Role.VIEWER, Role.OPERATOR})
"""Roles that reach only the cameras granted to them."""
