"""Cameras: what they are, live pictures, snapshots, masks. Public side."""

import asyncio
import io
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Final, final

import av
import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Response, WebSocket, WebSocketDisconnect, status
from PIL import Image
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId
from skyveil.public.live.hub import Viewer
from skyveil.public.store.audit import Plain
from skyveil.public.store.roles import Permission
from skyveil.public.web.site import NamedMask, version_of
from skyveil.public.web.state import (
    STRICT,
    Access,
    Console,
    ConsoleDep,
    Somebody,
    camera,
    console_of,
    principal_or_none,
    same_origin,
    somebody,
)

router: Final = APIRouter(prefix="/api/v1", tags=["cameras"])
CanView = Annotated[Access, Depends(camera(Permission.VIEW))]
_MOST_MASKS: Final = 64
_TOLD: Final = 500
"""Most letters of names in one entry of the audit log."""
_REFUSED: Final = 4403
"""WebSocket close code for who may not look, in the range that applications may use (RFC 6455, 7.4.2)."""


@final
@dataclass(frozen=True, slots=True)
class CameraBrief:
    """A camera, as in lists."""

    id: Annotated[str, Field(examples=["entrance"])]
    name: Annotated[str, Field(examples=["Main entrance"])]
    place: Annotated[str, Field(examples=["Hall 1, north door"])]
    site: str
    site_name: str
    group: str
    group_name: str
    position: Annotated[tuple[float, float] | None, Field(examples=[[0.4, 0.7]])]
    enabled: bool
    health: CameraHealth | None


@final
@dataclass(frozen=True, slots=True)
class CameraFull:
    """A camera, with what it is for."""

    id: str
    name: str
    place: str
    site: str
    site_name: str
    group: str
    group_name: str
    position: tuple[float, float] | None
    enabled: bool
    health: CameraHealth | None
    purpose: Annotated[str, Field(examples=["Safety of the crowd at the main entrance"])]
    targets: Annotated[tuple[str, ...], Field(examples=[["face", "head"]])]
    mode: str
    mount: str
    hindsight: int
    record: bool
    retention_hours: float


@final
@dataclass(frozen=True, slots=True)
class MaskBody:
    """One static mask, in shares of the picture."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\P{C}+$", examples=["Neighbour's window"])]
    points: Annotated[
        list[tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]],
        Field(min_length=3, max_length=64, examples=[[[0.1, 0.1], [0.3, 0.1], [0.3, 0.4]]]),
    ]


@final
@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of a camera. version: as they were read; masks that changed meanwhile are not replaced."""

    __pydantic_config__: ClassVar = STRICT
    version: Annotated[str, Field(max_length=64)]
    masks: Annotated[list[MaskBody], Field(max_length=_MOST_MASKS)]


@router.get("/cameras")
def list_cameras(principal: Somebody, console: ConsoleDep) -> list[CameraBrief]:
    """The cameras that you may see."""
    health = console.site.health()
    return [
        CameraBrief(
            id=view.id,
            name=view.name,
            place=view.place,
            site=view.site,
            site_name=view.site_name,
            group=view.group,
            group_name=view.group_name,
            position=view.position,
            enabled=view.enabled,
            health=health.get(view.id),
        )
        for view in console.site.cameras()
        if principal.may(Permission.VIEW, view.id)
    ]


@router.get("/cameras/{camera}")
def one_camera(access: CanView, console: ConsoleDep) -> CameraFull:
    """One camera with its purpose and settings; never its address."""
    view = access.view
    return CameraFull(
        id=view.id,
        name=view.name,
        place=view.place,
        site=view.site,
        site_name=view.site_name,
        group=view.group,
        group_name=view.group_name,
        position=view.position,
        enabled=view.enabled,
        health=console.site.health().get(view.id),
        purpose=view.purpose,
        targets=view.targets,
        mode=view.mode,
        mount=view.mount,
        hindsight=view.hindsight,
        record=view.record,
        retention_hours=view.retention_hours,
    )


@router.get("/cameras/{camera}/masks")
def read_masks(access: Annotated[Access, Depends(camera(Permission.READ_MASKS))], console: ConsoleDep) -> Masks:
    """The static masks of a camera."""
    return _masks(console.site.masks(access.id))


@router.put("/cameras/{camera}/masks")
def write_masks(
    body: Masks, access: Annotated[Access, Depends(camera(Permission.WRITE_MASKS))], console: ConsoleDep
) -> Masks:
    """Replace the static masks; they cover from the next frame on."""
    before = console.site.masks(access.id)
    if version_of(before) != body.version:
        detail = "the masks were changed by somebody else meanwhile: load the page again"
        raise HTTPException(status.HTTP_409_CONFLICT, detail)
    masks = tuple(NamedMask(mask.name, tuple(mask.points)) for mask in body.masks)
    changes = _changes(before, masks)
    recorded = partial(console.audit.record, access.principal.name, "masks.change", access.id, changes)
    try:
        console.site.set_masks(access.id, masks, version=body.version, recorded=recorded)
    except SettingsRefused as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    return _masks(console.site.masks(access.id))


def _masks(masks: Sequence[NamedMask]) -> Masks:
    return Masks(version_of(masks), [MaskBody(mask.name, list(mask.points)) for mask in masks])


def _changes(before: Sequence[NamedMask], after: Sequence[NamedMask]) -> dict[str, Plain]:
    """What an entry of the audit log says. A mask that was moved is one removed and one added."""
    found: dict[str, Plain] = {"masks": len(after)}
    for word, these, those in (("added", after, before), ("removed", before, after)):
        names = [mask.name for mask in these if mask not in those]
        if names:
            found[word] = ", ".join(names)[:_TOLD]
    return found


@router.get(
    "/cameras/{camera}/snapshot.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 503: {"description": "no picture now"}},
)
async def snapshot(access: CanView, console: ConsoleDep) -> Response:
    """The newest redacted picture as JPEG."""
    media = console.hub.picture(access.id)
    if media is None:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "the camera gives no picture now")
    await asyncio.to_thread(console.audit.record, access.principal.name, "view.snapshot", access.id)
    data = await asyncio.to_thread(_jpeg, media)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _jpeg(media: bytes) -> bytes:
    """The last picture of an MP4 of redacted packets."""
    newest: av.VideoFrame | None = None
    with av.open(io.BytesIO(media), "r") as container:
        for picture in container.decode(container.streams.video[0]):
            newest = picture
    if newest is None:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "the camera gives no picture now")
    target = io.BytesIO()
    Image.fromarray(newest.to_ndarray(format="rgb24").astype(np.uint8)).save(target, "JPEG", quality=90)
    return target.getvalue()


@router.websocket("/cameras/{camera}/live")
async def live(websocket: WebSocket, camera: str) -> None:
    """Live pictures: a text with the codec and the camera's health, an init segment, then one fragment per frame.

    A view lasts no longer than the right to it: that is looked up again every `look_again_s`, and 4403 says it is gone.
    """
    console, access = await _looker(websocket, camera)
    if access is None:
        await websocket.close(_REFUSED)
        return
    await websocket.accept()
    name, began_s = access.principal.name, time.monotonic()
    await asyncio.to_thread(console.audit.record, name, "view.live", access.id)
    async with console.hub.viewing(access.id) as viewer:
        gone = asyncio.create_task(_until_gone(websocket))
        refused = asyncio.create_task(_until_refused(websocket, camera, console.look_again_s))
        sending = asyncio.create_task(_sent(websocket, viewer))
        try:
            await asyncio.wait({sending, gone, refused}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, refused, sending):
                task.cancel()
            lasted_s = round(time.monotonic() - began_s, 1)
            details: dict[str, Plain] = {"seconds": lasted_s, "dropped": viewer.dropped}
            # In a thread: the database must not keep the other viewers waiting.
            await asyncio.shield(asyncio.to_thread(console.audit.record, name, "view.live.end", access.id, details))
    if refused.done() and not refused.cancelled():
        with suppress(WebSocketDisconnect, RuntimeError):  # they left in the same moment
            await websocket.close(_REFUSED)


async def _sent(websocket: WebSocket, viewer: Viewer) -> None:
    """Send a viewer what they are given, until they leave in the middle of it."""
    try:
        while True:
            data = await viewer.next()
            await (websocket.send_text(data) if isinstance(data, str) else websocket.send_bytes(data))
    except (WebSocketDisconnect, RuntimeError):
        return


async def _until_gone(websocket: WebSocket) -> None:
    """Read until the viewer leaves; what it says means nothing."""
    try:
        while True:
            await websocket.receive()
    except (WebSocketDisconnect, RuntimeError):
        return


async def _until_refused(websocket: WebSocket, name: str, look_again_s: float) -> None:
    """Wait until who looks may not look any more: logged out, expired, disabled, removed, or no longer granted."""
    while True:
        await asyncio.sleep(look_again_s)
        try:
            _, access = await _looker(websocket, name)
        except SQLAlchemyError:
            # A wall must not go black because the database is away: the last answer stands until it is back.
            continue
        if access is None:
            return


async def _looker(websocket: WebSocket, name: str) -> tuple[Console, Access | None]:
    """Who looks at a camera, by the same dependency as every other route; None when they may not."""
    console = console_of(websocket)
    if not same_origin(websocket):
        return console, None
    try:
        principal = somebody(await asyncio.to_thread(principal_or_none, websocket, console))
        return console, camera(Permission.VIEW)(name, principal, console)
    except HTTPException:
        return console, None


def camera_name(console: Console, wanted: CameraId) -> str:
    """The name of a camera, for pages."""
    return next((view.name for view in console.site.cameras() if view.id == wanted), wanted)
