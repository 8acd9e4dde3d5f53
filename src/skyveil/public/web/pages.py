"""The pages of the console, logging in and out. Public side.

Templates get: page, lang, t(key, **values), words, user, csrf, nav, languages, context (as JSON into the page); camera
pages also `camera`; the login page `error`, `next`, `oidc`.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skyveil.core.ids import CameraId, camera_id
from skyveil.public.store import Principal
from skyveil.public.store.accounts import NAME_MOST
from skyveil.public.store.audit import NOBODY
from skyveil.public.store.roles import Permission, Scope
from skyveil.public.web.site import CameraView
from skyveil.public.web.state import FORM, SESSION, Console, ConsoleDep, address_of, csrf_of, session_of

router: Final = APIRouter(include_in_schema=False)
FOLDER: Final = Path(__file__).parent
LANGUAGES: Final = (("en", "English"), ("zh-Hant", "繁體中文"), ("zh-Hans", "简体中文"))
_LANGUAGE: Final = "skyveil_lang"
_NAV: Final = (
    ("wall", "/", Permission.VIEW),
    ("crowd", "/crowd", Permission.NUMBERS),
    ("alarms", "/alarms", Permission.ALARMS),
    ("report", "/report", Permission.ALARMS),
    ("map", "/map", Permission.VIEW),
    ("health", "/health", Permission.VIEW),
    ("audit", "/audit", Permission.AUDIT),
    ("users", "/users", Permission.USERS),
    ("settings", "/settings", None),
)
_templates: Final = Environment(
    loader=FileSystemLoader(FOLDER / "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@cache
def words(language: str) -> Mapping[str, str]:
    """The words of a language; what it lacks stands in English."""
    own: dict[str, str] = json.loads((FOLDER / "words" / f"{language}.json").read_text(encoding="utf-8"))
    return own if language == "en" else {**words("en"), **own}


def language_of(request: Request) -> str:
    """The language that the reader chose, or that the browser asks for."""
    known = {code for code, _ in LANGUAGES}
    for chosen in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE)):
        if chosen in known:
            return chosen
    for wish in request.headers.get("accept-language", "").split(","):
        tag = wish.partition(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-Hant" if re.search(r"hant|tw|hk|mo", tag) else "zh-Hans"
        if tag.startswith("en"):
            return "en"
    return "en"


def _rendered(
    request: Request, console: Console, page: str, principal: Principal | None, **more: object
) -> HTMLResponse:
    language = language_of(request)
    known = words(language)

    def t(key: str, **values: object) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), known.get(key, key))

    session = session_of(request)
    csrf = csrf_of(session) if principal is not None else str(more.pop("csrf", ""))
    user = None if principal is None else {"name": principal.name, "role": principal.role.value}
    shown = more.get("camera")
    camera = {"id": shown.id, "name": shown.name, "timezone": shown.timezone} if isinstance(shown, CameraView) else None
    text = _templates.get_template(f"{page}.html").render(
        page=page,
        lang=language,
        t=t,
        words=known,
        user=user,
        csrf=csrf,
        nav=[(name, href) for name, href, need in _NAV if principal and (need is None or principal.may(need))],
        languages=LANGUAGES,
        context={
            "page": page,
            "csrf": csrf,
            "user": user,
            "camera": camera,
            "may": _may(principal, camera_id(camera["id"]) if camera else None),
            "scopes": list(Scope),
        },
        **more,
    )
    response = HTMLResponse(text, headers={"Cache-Control": "no-store"})
    if request.query_params.get("lang") == language:
        response.set_cookie(_LANGUAGE, language, max_age=365 * 86400, samesite="lax", secure=console.secure)
    return response


def _may(principal: Principal | None, camera: CameraId | None) -> dict[str, bool]:
    """What the reader may do at all, and with the camera of the page where it has one."""
    asked = {
        "masks": Permission.WRITE_MASKS,
        "read-masks": Permission.READ_MASKS,
        "draw": Permission.DRAW,
        "holds": Permission.DECIDE_HOLD,
        "asks": Permission.ASK_HOLD,
        "exports": Permission.EXPORT,
        "reload": Permission.SETTINGS,
        "acknowledge": Permission.ACKNOWLEDGE,
        "alarms": Permission.ALARMS,
        "playback": Permission.PLAYBACK,
        "numbers": Permission.NUMBERS,
        "exact": Permission.EXACT_NUMBERS,
        "trust-view": Permission.TRUST_VIEW,
    }
    return {name: principal is not None and principal.may(need, camera) for name, need in asked.items()}


# --- logging in and out -----------------------------------------------------------------------------------------------


@router.get("/login", response_class=HTMLResponse)
def login_page(
    request: Request, console: ConsoleDep, next: str = "/", token: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The form; with `token`, a one-time link logs in at once."""
    if token:
        key = f"address {address_of(request)}"
        if console.throttle.tried(key):
            # Nothing is looked up or written for a try that comes too soon.
            throttled = status.HTTP_429_TOO_MANY_REQUESTS
            return _form(request, console, error="login.throttled", next=next, code=throttled)
        session = console.accounts.login_by_link(token)
        if session is not None:
            console.throttle.succeeded(key)
            return _entered(request, console, session, "login.link", "/")
        console.audit.record(NOBODY, "login.failed", "", {"by": "link"})
    return _form(request, console, error="login.expired" if token else None, next=next)


def _form(
    request: Request, console: Console, *, error: str | None, next: str, code: int = status.HTTP_200_OK
) -> Response:
    secret = request.cookies.get(FORM) or secrets.token_urlsafe(16)
    response = _rendered(
        request,
        console,
        "login",
        None,
        csrf=csrf_of(secret),
        error=error,
        next=own_path(next),
        oidc=console.voucher is not None,
    )
    response.status_code = code
    response.set_cookie(FORM, secret, httponly=True, samesite="strict", secure=console.secure)
    return response


@router.post("/login")
def login(
    request: Request,
    console: ConsoleDep,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Log in with a name and password; what is too long or missing is wrong, and the form says so."""
    name = name[: NAME_MOST + 1]  # no account has this one
    secret = request.cookies.get(FORM, "")
    if not secret or not secrets.compare_digest(csrf.encode(), csrf_of(secret).encode()):
        return _form(request, console, error="login.csrf", next=next, code=status.HTTP_403_FORBIDDEN)
    keys = (f"name {name}", f"address {address_of(request)}")
    if console.throttle.tried(*keys):
        # Nothing is computed or written for a try that comes too soon.
        return _form(request, console, error="login.throttled", next=next, code=status.HTTP_429_TOO_MANY_REQUESTS)
    session = console.accounts.login(name, password)
    if session is None:
        console.audit.record(NOBODY, "login.failed", name)
        return _form(request, console, error="login.wrong", next=next, code=status.HTTP_401_UNAUTHORIZED)
    console.throttle.succeeded(*keys)
    return _entered(request, console, session, "login", next)


def _entered(request: Request, console: Console, session: str, action: str, next: str) -> Response:
    principal = console.accounts.by_session(session)
    console.audit.record(principal.name if principal else NOBODY, action)
    old = session_of(request)
    if old:
        console.accounts.logout(old)
    response = RedirectResponse(own_path(next), status.HTTP_303_SEE_OTHER)
    response.set_cookie(SESSION, session, httponly=True, samesite="strict", secure=console.secure, path="/")
    response.delete_cookie(FORM)
    return response


@router.post("/logout")
def logout(request: Request, console: ConsoleDep) -> Response:
    """Log out: whose cookie goes, that session ends.

    No token is asked for: the cookie is strict, so other sites send none, and a page of an older login ends this one.
    """
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    if session := session_of(request):
        if principal := console.accounts.by_session(session):  # else strangers could fill the audit log
            console.accounts.logout(session)
            console.audit.record(principal.name, "logout")
        response.delete_cookie(SESSION, path="/")
    return response


def own_path(text: str) -> str:
    """A path on this server, with its plain parameters, and never another one's address."""
    path, _, query = text.partition("?")
    if not re.fullmatch(r"/(?![/\\])[\w/.-]{0,499}", path):
        return "/"
    return f"{path}?{query}" if re.fullmatch(r"[\w=&.-]{1,100}", query) else path


# --- pages ------------------------------------------------------------------------------------------------------------


def page_reader(request: Request, console: ConsoleDep) -> Principal | None:
    """Who looks at a page; a page changes nothing, so a session is enough."""
    session = session_of(request)
    return console.accounts.by_session(session) if session else None


Reader = Annotated[Principal | None, Depends(page_reader)]


def _to_login(request: Request) -> Response:
    asked = own_path(f"{request.url.path}?{request.url.query}")
    return RedirectResponse(f"/login?next={quote(asked)}", status.HTTP_303_SEE_OTHER)


def _page(name: str, need: Permission | None) -> Callable[[Request, Console, Principal | None], Response]:
    def page(request: Request, console: ConsoleDep, reader: Reader) -> Response:
        if reader is None:
            return _to_login(request)
        if need is not None and not reader.may(need):
            return _missing()
        return _rendered(request, console, name, reader)

    return page


def _missing() -> Response:
    return HTMLResponse("<!doctype html><title>Not found</title><p>Not found. <a href='/'>Skyveil</a>", 404)


for _name, _href, _need in _NAV:
    router.get(_href, response_class=HTMLResponse, name=f"page-{_name}")(_page(_name, _need))


def _camera_page(name: str, *needs: Permission) -> Callable[[str, Request, Console, Principal | None], Response]:
    def page(camera: str, request: Request, console: ConsoleDep, reader: Reader) -> Response:
        if reader is None:
            return _to_login(request)
        view = next((one for one in console.site.cameras() if one.id == camera), None)
        if view is None or not any(reader.may(need, view.id) for need in needs):
            return _missing()
        return _rendered(request, console, name, reader, camera=view)

    return page


router.get("/cameras/{camera}", response_class=HTMLResponse, name="page-camera")(
    _camera_page("camera", Permission.VIEW)
)
router.get("/cameras/{camera}/calibrate", response_class=HTMLResponse, name="page-calibrate")(
    _camera_page("calibrate", Permission.DRAW)
)
router.get("/cameras/{camera}/places", response_class=HTMLResponse, name="page-places")(
    _camera_page("places", Permission.DRAW)
)
router.get("/cameras/{camera}/recordings", response_class=HTMLResponse, name="page-recordings")(
    _camera_page("recordings", Permission.PLAYBACK)
)
router.get("/cameras/{camera}/replay", response_class=HTMLResponse, name="page-replay")(
    _camera_page("replay", Permission.PLAYBACK, Permission.NUMBERS)
)
