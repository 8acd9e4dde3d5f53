"""What every route needs, and who asks. Public side.

`camera` is the one dependency of every route that has a camera in its path: it checks the permission on that very
camera, and answers as if the camera did not exist when it may not be seen.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Final, final

from fastapi import Depends, HTTPException, Path, Request, WebSocket, status
from fastapi.requests import HTTPConnection
from pydantic import ConfigDict

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.live.hub import Hub
from skyveil.public.store import Accounts, AuditLog, Principal
from skyveil.public.store.roles import Permission
from skyveil.public.web.site import CameraView, Crowd, Recordings, Site
from skyveil.public.web.throttle import Allowance, Throttle

if TYPE_CHECKING:
    from skyveil.public.web.vouching import Voucher

STRICT: Final = ConfigDict(extra="forbid")
"""For the bodies of requests: an unknown field is an error."""
SESSION: Final = "skyveil_session"
FORM: Final = "skyveil_form"
CSRF_HEADER: Final = "x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_A_MINUTE: Final = 60


@final
@dataclass(frozen=True, slots=True)
class Console:
    """Everything behind the pages and the API."""

    accounts: Accounts
    audit: AuditLog
    hub: Hub
    site: Site
    recordings: Recordings
    crowd: Crowd
    secure: bool = False
    """Whether the browser comes over TLS: cookies are then marked so."""
    behind_proxy: bool = False
    """Whether everybody comes through a proxy of ours, which says whose request it passes on."""
    version: str = ""
    started_s: float = 0.0
    voucher: "Voucher | None" = None
    """Who vouches for people beside their passwords."""
    throttle: Throttle = field(default_factory=Throttle)
    open_data: Allowance = field(default_factory=lambda: Allowance(OPEN_A_MINUTE))
    """How often an address may ask for open data."""
    look_again_s: float = 10.0
    """Seconds after which it is looked up again whether who has a live view open may still look."""
    seal_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """Seals what was asked of who vouches: for some minutes, and never over a restart."""


def console_of(connection: HTTPConnection) -> Console:
    """The console of the running app."""
    console = connection.app.state.console
    assert isinstance(console, Console)  # noqa: S101 (put there by `create_app`)
    return console


ConsoleDep = Annotated[Console, Depends(console_of)]


def csrf_of(secret: str) -> str:
    """The token that a form or write must carry, for the secret of a session or of a login form.

    The secret itself is the key, so that pages that are open stay good over a restart of the server.
    """
    return hmac.new(secret.encode(), b"skyveil csrf", hashlib.sha256).hexdigest()


def session_of(connection: HTTPConnection) -> str:
    """The session cookie, empty when there is none."""
    return connection.cookies.get(SESSION, "")


def principal_or_none(connection: HTTPConnection, console: ConsoleDep) -> Principal | None:
    """Who asks; None for nobody. A write through a session must carry its token, against forged requests."""
    bearer = connection.headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        return console.accounts.by_token(bearer[7:].strip())
    session = session_of(connection)
    if not session:
        return None
    principal = console.accounts.by_session(session)
    method = connection.scope.get("method", "GET")
    if principal is not None and method not in _SAFE:
        given = connection.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), csrf_of(session).encode()):
            raise HTTPException(status.HTTP_403_FORBIDDEN, "the request is not from the console: reload the page")
    return principal


def somebody(principal: Annotated[Principal | None, Depends(principal_or_none)]) -> Principal:
    """Who asks; nobody is refused."""
    if principal is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "log in first", headers={"WWW-Authenticate": "Bearer"})
    return principal


Somebody = Annotated[Principal, Depends(somebody)]


def allowed(permission: Permission) -> Callable[[Principal], Principal]:
    """A dependency: who asks, if they may do this at all."""

    def check(principal: Somebody) -> Principal:
        if not principal.may(permission):
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"your role does not allow this: {permission.value}")
        return principal

    return check


@final
@dataclass(frozen=True, slots=True)
class Access:
    """A camera, and who may do with it what the route does."""

    principal: Principal
    view: CameraView

    @property
    def id(self) -> CameraId:
        """The camera's id."""
        return self.view.id


def camera(permission: Permission) -> Callable[[str, Principal, Console], Access]:
    """A dependency: the camera in the path, if who asks may do this with it."""

    def check(
        camera: Annotated[str, Path(max_length=63, examples=["entrance"])], principal: Somebody, console: ConsoleDep
    ) -> Access:
        view = _known(console, camera)
        if view is None or (not principal.may(Permission.VIEW, view.id) and not principal.may(permission, view.id)):
            raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such camera")
        if not principal.may(permission, view.id):
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"your role does not allow this: {permission.value}")
        return Access(principal, view)

    return check


def _known(console: Console, name: str) -> CameraView | None:
    try:
        wanted = camera_id(name)
    except SettingsRefused:
        return None
    return next((one for one in console.site.cameras() if one.id == wanted), None)


def same_origin(websocket: WebSocket) -> bool:
    """Whether a WebSocket comes from our own pages; programs send no origin."""
    origin = websocket.headers.get("origin")
    return origin is None or origin.partition("://")[2] == websocket.headers.get("host")


def address_of(request: Request) -> str:
    """The address that asks, for the throttle.

    Behind a proxy of ours it is the last one of X-Forwarded-For: the proxy added it, and those before it are whatever
    the client sent. Where that is no address, the proxy's own counts for all.
    """
    told = request.headers.getlist("x-forwarded-for") if console_of(request).behind_proxy else []
    with suppress(ValueError):
        return str(ip_address(told[-1].rpartition(",")[2].strip() if told else ""))
    return request.client.host if request.client is not None else ""


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what an account or setting may not be into an answer."""
    try:
        yield
    except SettingsRefused as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
