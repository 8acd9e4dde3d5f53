"""The web application: pages, API, metrics, and the headers and limits that hold for all of them. Public side."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias, final

from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from skyveil.core.health import CameraState
from skyveil.public.store import Principal
from skyveil.public.store.roles import Permission
from skyveil.public.web import (
    admin,
    alarms,
    calibration,
    cameras,
    density,
    drawing,
    numbers,
    open_data,
    pages,
    recordings,
    staff,
    vouching,
)
from skyveil.public.web.state import Console, ConsoleDep, allowed

BODY_LIMIT: Final = 1 << 20
"""Bytes of the largest request: the masks of one camera have under 100 kB."""
BODY_S: Final = 30.0
"""In which the whole of a request must come: 100 kB do at 30 kbit/s."""
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), display-capture=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-robots-tag", b"noindex"),
)
_PRIVATE: Final = (b"cache-control", b"private, no-store")
"""For every answer that says nothing of caches: what one person may see is kept nowhere for the next."""
_ASKED_AGAIN: Final = (b"cache-control", b"no-cache")
"""Of our own scripts and styles: browsers went on with the old ones for days after an upgrade."""


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not done."""

    detail: str


REFUSALS: Final[dict[int | str, dict[str, object]]] = {
    status.HTTP_400_BAD_REQUEST: {"model": Refusal, "description": "The request can not be read"},
    status.HTTP_401_UNAUTHORIZED: {"model": Refusal, "description": "Nobody is logged in"},
    status.HTTP_403_FORBIDDEN: {"model": Refusal, "description": "The role or token does not allow it"},
    status.HTTP_404_NOT_FOUND: {"model": Refusal, "description": "It is not there, or not for you"},
    status.HTTP_409_CONFLICT: {"model": Refusal, "description": "It does not fit what is there"},
    status.HTTP_413_CONTENT_TOO_LARGE: {"model": Refusal, "description": "The request is too long"},
}
"""What every route of the API may answer beside what it says itself."""

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


_API: Final = (
    cameras.router,
    drawing.router,
    calibration.router,
    recordings.router,
    numbers.router,
    density.router,
    alarms.router,
    open_data.router,
    staff.router,
    admin.router,
)


def create_app(console: Console) -> FastAPI:
    """The application in front of a console."""
    app = FastAPI(
        title="Skyveil",
        version=console.version or "0",
        summary="Cameras that keep places safe and people anonymous",
        docs_url=None,  # its page loads scripts from elsewhere; the document itself is at /api/v1/openapi.json
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.console = console
    for router in (pages.router, vouching.router):
        app.include_router(router)
    for router in _API:
        app.include_router(router, responses=REFUSALS)
    app.mount("/static", StaticFiles(directory=pages.FOLDER / "static"), name="static")
    app.add_api_route("/healthz", _alive, include_in_schema=False, response_class=PlainTextResponse)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_api_route("/metrics", _metrics, include_in_schema=False, response_class=PlainTextResponse)
    app.add_middleware(_Guard, secure=console.secure)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(Exception, _broken)
    return app


def _alive() -> PlainTextResponse:
    """The server answers."""
    return PlainTextResponse("ok\n")


def _ready(console: ConsoleDep) -> JSONResponse:
    """Whether everything works; nobody needs to log in for that, so nothing is named."""
    good = not console.site.problems()
    return JSONResponse({"ready": good}, status.HTTP_200_OK if good else status.HTTP_503_SERVICE_UNAVAILABLE)


def _metrics(_: Annotated[Principal, Depends(allowed(Permission.METRICS))], console: ConsoleDep) -> PlainTextResponse:
    """Technical figures for Prometheus; none depends on people."""
    registry = CollectorRegistry()
    names = ("up", "fps", "frames", "dropped", "whole", "restarts", "rss_bytes", "descriptors", "age_seconds")
    gauges = {
        name: Gauge(f"skyveil_camera_{name}", f"{name.replace('_', ' ')} of a camera", ["camera"], registry=registry)
        for name in names
    }
    for one in console.site.health().values():
        values = (one.state is CameraState.LIVE, one.fps, one.frames, one.dropped, one.whole, one.restarts)
        for name, value in zip(names, (*values, one.rss_bytes, one.descriptors, one.age_s), strict=True):
            if value is not None:  # a camera that never came has no picture that could have an age
                gauges[name].labels(one.camera).set(float(value))
    viewers = Gauge("skyveil_viewers", "live views that are open", registry=registry)
    viewers.set(sum(console.hub.viewers(view.id) for view in console.site.cameras()))
    lost = Gauge("skyveil_lost", "what was lost since the start, by kind", ["kind"], registry=registry)
    for kind, many in console.site.losses().items():
        lost.labels(kind).set(many)
    return PlainTextResponse(generate_latest(registry).decode(), media_type="text/plain; version=0.0.4")


async def _broken(request: Request, error: Exception) -> Response:
    """What nobody meant to happen: the answer says so, and nothing of it."""
    del request, error
    return JSONResponse({"detail": "the server failed to answer; its log says more"}, 500)


async def _wrong(request: Request, error: Exception) -> Response:
    """What is wrong with a request, by field. What was sent is not sent back: it may be a password, or no text."""
    del request
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in problems]
    return Response(json.dumps({"detail": told}), status.HTTP_422_UNPROCESSABLE_CONTENT, media_type="application/json")


@final
class _Guard:
    """Sets the headers of every answer, and refuses bodies that are too long or too slow before they are read."""

    def __init__(self, app: Asgi, *, secure: bool) -> None:
        self._app = app
        self._headers = [*_HEADERS, *([(b"strict-transport-security", b"max-age=31536000")] if secure else [])]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken, whole, own = 0, False, str(scope["path"]).startswith("/static/")
        until_s = asyncio.get_running_loop().time() + BODY_S

        async def bounded() -> Message:
            nonlocal taken, whole
            try:
                # What is asked for once the body is whole is whether somebody still waits for the answer.
                async with asyncio.timeout_at(None if whole else until_s):
                    message = await receive()
            except TimeoutError as error:
                detail = f"the request did not come as a whole within {BODY_S:.0f} s"
                raise HTTPException(status.HTTP_408_REQUEST_TIMEOUT, detail, {"Connection": "close"}) from error
            whole = not message.get("more_body", False)
            body = message.get("body", b"")
            taken += len(body) if isinstance(body, bytes) else 0
            if taken > BODY_LIMIT:
                raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, "the request is too long")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                told = list(headers) if isinstance(headers, list) else []
                if not any(name.lower() == b"cache-control" for name, _ in told):
                    told.append(_ASKED_AGAIN if own else _PRIVATE)
                message["headers"] = [*told, *self._headers]
            await send(message)

        await self._app(scope, bounded, with_headers)
