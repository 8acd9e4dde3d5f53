"""Accounts and tokens of staff. Public side."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from fastapi import APIRouter, Depends, HTTPException, Path, status
from pydantic import Field

from skyveil.core.names import refuse_unknown
from skyveil.public.store import Principal
from skyveil.public.store.roles import Permission, Role, Scope
from skyveil.public.web.state import STRICT, ConsoleDep, Somebody, allowed, refusals

router: Final = APIRouter(prefix="/api/v1", tags=["accounts"])
CanUsers = Annotated[Principal, Depends(allowed(Permission.USERS))]


def in_person(principal: Somebody) -> Principal:
    """Who asks, through a session: a token that was stolen must not make, list or end tokens or change passwords."""
    if principal.token:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "a token can not do this: log in")
    return principal


InPerson = Annotated[Principal, Depends(in_person)]
UserName = Annotated[str, Path(max_length=64, examples=["control-room"])]


@final
@dataclass(frozen=True, slots=True)
class Me:
    """Who asks."""

    name: str
    role: Role


@final
@dataclass(frozen=True, slots=True)
class UserBody:
    """A new account."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(min_length=1, max_length=64, examples=["control-room"])]
    password: Annotated[str, Field(min_length=1, max_length=256, examples=["correct horse battery"])]
    role: Role


@final
@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change of an account."""

    __pydantic_config__: ClassVar = STRICT
    role: Role | None = None
    enabled: bool | None = None


@final
@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    name: str
    role: Role
    enabled: bool
    cameras: list[str]
    last_login_s: float | None


@final
@dataclass(frozen=True, slots=True)
class Grants:
    """The cameras that are open to an account; `*` stands for all."""

    __pydantic_config__: ClassVar = STRICT
    cameras: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=10_000, examples=[["entrance"]])]


@final
@dataclass(frozen=True, slots=True)
class PasswordBody:
    """The old password and the new one."""

    __pydantic_config__: ClassVar = STRICT
    old: Annotated[str, Field(max_length=256)]
    new: Annotated[str, Field(max_length=256)]


@final
@dataclass(frozen=True, slots=True)
class TokenBody:
    """A token to make."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(min_length=1, max_length=64, examples=["Prometheus"])]
    scope: Scope
    days: Annotated[int, Field(ge=1, le=365)]


@final
@dataclass(frozen=True, slots=True)
class TokenMade:
    """A token, shown this once."""

    token: str


@final
@dataclass(frozen=True, slots=True)
class Token:
    """A token, without itself."""

    id: int
    name: str
    scope: Scope
    expires_s: float


@router.get("/me")
def me(principal: Somebody) -> Me:
    """Who you are."""
    return Me(name=principal.name, role=principal.role)


@router.get("/users")
def users(_: CanUsers, console: ConsoleDep) -> list[User]:
    """All accounts."""
    return [
        User(
            name=one.name, role=one.role, enabled=one.enabled, cameras=list(one.cameras), last_login_s=one.last_login_s
        )
        for one in console.accounts.users()
    ]


@router.post("/users", status_code=status.HTTP_201_CREATED)
def add_user(body: UserBody, principal: CanUsers, console: ConsoleDep) -> None:
    """Make an account."""
    with refusals():
        console.accounts.add(body.name, body.password, body.role)
    console.audit.record(principal.name, "user.add", body.name, {"role": body.role})


@router.patch("/users/{name}", status_code=status.HTTP_204_NO_CONTENT)
def change_user(name: UserName, body: UserChange, principal: CanUsers, console: ConsoleDep) -> None:
    """Change role or state of an account; its sessions end."""
    _not_oneself(name, principal)
    with refusals():
        console.accounts.change(name, role=body.role, enabled=body.enabled)
    console.audit.record(principal.name, "user.change", name, {"role": body.role, "enabled": body.enabled})


@router.delete("/users/{name}", status_code=status.HTTP_204_NO_CONTENT)
def remove_user(name: UserName, principal: CanUsers, console: ConsoleDep) -> None:
    """Remove an account."""
    _not_oneself(name, principal)
    with refusals():
        console.accounts.remove(name)
    console.audit.record(principal.name, "user.remove", name)


@router.put("/users/{name}/grants", status_code=status.HTTP_204_NO_CONTENT)
def grant(name: UserName, body: Grants, principal: CanUsers, console: ConsoleDep) -> None:
    """Open exactly these cameras to an account."""
    with refusals():
        refuse_unknown(body.cameras, [one.id for one in console.site.cameras()])
        console.accounts.grant(name, body.cameras)
    console.audit.record(principal.name, "user.grant", name, {"cameras": ",".join(sorted(body.cameras))[:200]})


@router.post("/password", status_code=status.HTTP_204_NO_CONTENT)
def own_password(body: PasswordBody, principal: InPerson, console: ConsoleDep) -> None:
    """Change your own password; all your sessions, login links and tokens end."""
    key = f"name {principal.name}"
    if console.throttle.tried(key) or console.accounts.login(principal.name, body.old) is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "the old password is wrong")
    console.throttle.succeeded(key)
    with refusals():
        console.accounts.set_password(principal.name, body.new)
    console.audit.record(principal.name, "user.password", principal.name)


@router.get("/tokens")
def tokens(principal: InPerson, console: ConsoleDep) -> list[Token]:
    """Your tokens."""
    found = console.accounts.tokens(principal.name)
    return [Token(id=one.id, name=one.name, scope=one.scope, expires_s=one.expires_s) for one in found]


@router.post("/tokens", status_code=status.HTTP_201_CREATED)
def add_token(body: TokenBody, principal: InPerson, console: ConsoleDep) -> TokenMade:
    """Make a token; it is shown this once."""
    with refusals():
        token = console.accounts.new_token(principal.name, body.name, body.scope, days=body.days)
    console.audit.record(principal.name, "token.add", body.name, {"scope": body.scope, "days": body.days})
    return TokenMade(token=token)


@router.delete("/tokens/{token}", status_code=status.HTTP_204_NO_CONTENT)
def remove_token(token: Annotated[int, Path(ge=1, le=2**31 - 1)], principal: InPerson, console: ConsoleDep) -> None:
    """End one of your tokens."""
    if not console.accounts.remove_token(principal.name, token):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such token")
    console.audit.record(principal.name, "token.remove", str(token))


def _not_oneself(name: str, principal: Principal) -> None:
    if name == principal.name:
        raise HTTPException(status.HTTP_409_CONFLICT, "your own account is changed by another administrator")
