"""Login by somebody else who vouches for people, such as an identity provider. Public side.

The provider itself is behind `Voucher`, so that this needs no library for it: see `oidc`.
"""

import base64
import hashlib
import hmac
import html
import json
import logging
import time
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, final

from fastapi import APIRouter, HTTPException, Query, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from skyveil.core.errors import LoginRefused, SettingsRefused, SkyveilError
from skyveil.public.store.audit import NOBODY
from skyveil.public.store.roles import Role
from skyveil.public.web.pages import own_path
from skyveil.public.web.state import SESSION, Console, ConsoleDep, address_of, session_of

log: Final = logging.getLogger(__name__)
router: Final = APIRouter(include_in_schema=False)
OLDEST_S: Final = 600
"""Longest time between asking and answering, and greatest age of a proof."""
_ASKED: Final = "skyveil_asked"


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the provider; a cookie of the browser holds it until the answer comes."""

    state: str
    nonce: str
    verifier: str
    at_s: int
    next: str

    def sealed(self, key: bytes) -> str:
        """As a cookie that only we can have made."""
        body = base64.urlsafe_b64encode(
            json.dumps([self.state, self.nonce, self.verifier, self.at_s, self.next]).encode()
        ).decode()
        return f"{body}.{_seal(key, body)}"

    @staticmethod
    def opened(cookie: str, key: bytes, now_s: float) -> "Asked | None":
        """What a cookie holds; None for one of somebody else, or too old."""
        body, _, seal = cookie.partition(".")
        if not hmac.compare_digest(seal.encode(), _seal(key, body).encode()):
            return None
        state, nonce, verifier, at_s, next_ = json.loads(base64.urlsafe_b64decode(body))  # ours: the seal holds
        asked = Asked(str(state), str(nonce), str(verifier), int(at_s), str(next_))
        return asked if 0 <= now_s - asked.at_s <= OLDEST_S else None


@final
@dataclass(frozen=True, slots=True)
class Known:
    """Somebody the provider vouches for: the account's name, role and cameras."""

    name: str
    role: Role
    cameras: tuple[str, ...]


class Voucher(Protocol):
    """One who vouches. Any thread may call it; calls wait for the network, and raise LoginRefused."""

    def ask(self, next: str) -> tuple[str, Asked]:
        """Where to send a browser, and what to remember of it."""
        ...

    def answer(self, asked: Asked, *, state: str, code: str) -> Known:
        """Who came back with `code`."""
        ...


def _voucher(console: Console) -> Voucher:
    if console.voucher is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no login provider is configured")
    return console.voucher


@router.get("/oidc/start")
def start(request: Request, console: ConsoleDep, next: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Send the browser to the provider."""
    voucher, key = _voucher(console), f"address {address_of(request)}"
    if console.throttle.wait_s(key):
        return _throttled()
    try:
        address, asked = voucher.ask(next)
    except LoginRefused as error:
        # Nobody was refused yet: this is for the server's log, and the audit log stays as it is.
        log.warning("%s", error)
        console.throttle.failed(key)
        return _page(str(error), status.HTTP_403_FORBIDDEN)
    response = RedirectResponse(address, status.HTTP_303_SEE_OTHER, headers={"Cache-Control": "no-store"})
    # Lax: the browser comes back from another site, and must bring it.
    response.set_cookie(
        _ASKED, asked.sealed(console.seal_key), max_age=OLDEST_S, httponly=True, samesite="lax", secure=console.secure,
        path="/oidc",
    )  # fmt: skip
    return response


@router.get("/oidc/answer")
def answer(
    request: Request,
    console: ConsoleDep,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """The browser comes back: log in who the provider vouches for."""
    voucher = _voucher(console)
    key = f"address {address_of(request)}"
    if console.throttle.tried(key):
        return _throttled()
    asked = Asked.opened(request.cookies.get(_ASKED, ""), console.seal_key, time.time())
    try:
        if asked is None:
            raise LoginRefused("the answer of the login provider belongs to another browser: log in again")
        known = voucher.answer(asked, state=state, code=code)
        session = console.accounts.login_vouched(known.name, known.role, known.cameras)
        if session is None:
            raise LoginRefused("this account is disabled")
    except (LoginRefused, SettingsRefused) as error:  # an account that can not be changed so, such as the last admin's
        return _refused(console, error)
    console.throttle.succeeded(key)
    console.audit.record(known.name, "login.oidc", "", {"role": known.role})
    if old := session_of(request):
        console.accounts.logout(old)
    # A page of our own, for a strict cookie is not sent along a redirect that began elsewhere.
    response = _page("", status.HTTP_200_OK, next=asked.next)
    response.set_cookie(SESSION, session, httponly=True, samesite="strict", secure=console.secure, path="/")
    response.delete_cookie(_ASKED, path="/oidc")
    return response


def _refused(console: Console, error: SkyveilError) -> Response:
    console.audit.record(NOBODY, "login.failed", "", {"by": "oidc", "why": str(error)[:200]})
    response = _page(str(error), status.HTTP_403_FORBIDDEN)
    response.delete_cookie(_ASKED, path="/oidc")
    return response


def _throttled() -> Response:
    return _page("Too many tries: wait a minute.", status.HTTP_429_TOO_MANY_REQUESTS)


def _page(text: str, code: int, *, next: str = "") -> Response:
    """A page of one sentence; with `next` it goes on to that path of ours."""
    on = html.escape(own_path(next))
    head = "" if text else f'<meta http-equiv="refresh" content="0;url={on}">'
    body = f"<p>{html.escape(text)} <a href='/login'>Skyveil</a>" if text else f"<p><a href='{on}'>Skyveil</a>"
    page = f"<!doctype html><meta charset='utf-8'>{head}<title>Skyveil</title>{body}"
    return HTMLResponse(page, code, headers={"Cache-Control": "no-store"})


def _seal(key: bytes, body: str) -> str:
    return hmac.new(key, b"oidc " + body.encode(), hashlib.sha256).hexdigest()
