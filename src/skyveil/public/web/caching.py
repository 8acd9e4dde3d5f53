"""What caches may keep of open data, and for how long (RFC 9111, RFC 9110). Public side.

A number is never changed once it is stored, so that a proxy may answer for us. What is told to somebody who logged in
never comes here.
"""

import hashlib
import time
from collections.abc import Callable, Coroutine
from typing import Final

from fastapi import HTTPException, Request, Response, status
from fastapi.routing import APIRoute

SETTLED_S: Final = 3 * 86400
"""A day is made of its hours within the two days after its beginning, and nothing is added to it later."""
LONG_S: Final = 86400
"""Not longer: a place may be told to nobody from tomorrow on, and old numbers end."""
SHORT_S: Final = 60
"""A minute is stored some seconds after its end."""


class OpenRoute(APIRoute):
    """A route whose answers may be kept by caches, and are named by what is in them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """The route's own, with headers for caches; errors are not kept."""
        answered = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await answered(request)
            except HTTPException as error:
                error.headers = {**(error.headers or {}), "Cache-Control": "no-store"}
                raise
            return kept(request, response)

        return handler


def kept(request: Request, response: Response) -> Response:
    """The answer with its name and how long it may be kept; without a body for who has it already."""
    name = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    headers = {"ETag": name, "Cache-Control": f"public, max-age={_age_s(request)}"}
    if _has(request.headers.get("if-none-match", ""), name):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    response.headers.update(headers)
    return response


def _age_s(request: Request) -> int:
    """Long where all that is asked for is settled: only by what the route itself asks for, which it has checked."""
    name = request.url.path.rsplit("/", 1)[-1]
    end = request.query_params.get({"ledger": "at", "numbers": "to", "numbers.csv": "to"}.get(name, ""))
    return LONG_S if end is not None and float(end) <= time.time() - SETTLED_S else SHORT_S


def _has(asked: str, name: str) -> bool:
    """Whether a list of names has this one; weak names are as good, RFC 9110, 13.1.2."""
    return any(one.strip().removeprefix("W/") in (name, "*") for one in asked.split(","))
