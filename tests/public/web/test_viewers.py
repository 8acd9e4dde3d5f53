"""Two hundred viewers who read nothing, over real sockets, and one who reads."""

import asyncio
import base64
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy.exc import OperationalError
from websockets.asyncio.client import connect

from skyveil.core.ids import camera_id
from skyveil.public.live.hub import WAITING, Hub
from skyveil.public.store import Accounts, AuditLog, Principal, open_database
from skyveil.public.store.roles import Role, Scope
from skyveil.public.web.app import create_app
from skyveil.public.web.state import SESSION, Console
from tests.public.web.sites import GOOD, StillCrowd, StillRecordings, StillSite

DOOR = camera_id("door")
SLOW = 200
FRAGMENTS = 600
FRAGMENT_BYTES = 100_000
MOST_GROWTH_BYTES = 150_000_000
"""Were nothing dropped, 200 viewers would hold 12 GB."""


@asynccontextmanager
async def serving(folder: Path, hub: Hub, *, look_again_s: float = 10.0) -> AsyncIterator[tuple[int, str, Accounts]]:
    """The console on a real port, a token that may look at the door, and the accounts."""
    engine = open_database(folder / "skyveil.sqlite")
    accounts = Accounts(engine)
    accounts.add("viewer", GOOD, Role.VIEWER, cameras=[DOOR])
    site, recordings = StillSite(DOOR), StillRecordings(folder)
    console = Console(
        accounts, AuditLog(engine), hub, site, recordings, StillCrowd(), version="1", look_again_s=look_again_s
    )
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(SLOW)
    server = uvicorn.Server(
        uvicorn.Config(create_app(console), log_config=None, ws_per_message_deflate=False, timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1]), accounts.new_token("viewer", "t", Scope.VIEW, days=1), accounts
    finally:
        server.should_exit = True
        await running
        engine.dispose()


async def shaken(port: int, token: str) -> socket.socket:
    """A viewer whose connection stands, and who never reads again."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, ("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET /api/v1/cameras/{DOOR}/live HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
        "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {token}",
    )  # fmt: skip
    await loop.sock_sendall(one, ("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await loop.sock_recv(one, 12)
    assert answer == b"HTTP/1.1 101"
    return one


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_two_hundred_viewers_who_read_nothing_cost_little_memory_and_disturb_nobody(tmp_path: Path) -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(DOOR, b"\0\0\0\x08ftyp", "video/mp4")
        async with serving(tmp_path, hub) as (port, token, _), AsyncExitStack() as closing:
            for _ in range(SLOW):
                one = await shaken(port, token)
                closing.callback(one.close)
            headers = {"Authorization": f"Bearer {token}"}
            address = f"ws://127.0.0.1:{port}/api/v1/cameras/{DOOR}/live"
            reading = await closing.enter_async_context(connect(address, additional_headers=headers, max_size=None))
            assert isinstance(await reading.recv(), str) and await reading.recv() == b"\0\0\0\x08ftyp"
            before = resident_bytes()
            for number in range(FRAGMENTS):
                data = number.to_bytes(4) + bytes([number % 251]) * FRAGMENT_BYTES
                hub.publish(DOOR, data, keyframe=number % 20 == 0)
                # The one who reads gets every fragment, in order, however many others do not.
                got = await asyncio.wait_for(reading.recv(), 60)
                assert isinstance(got, bytes) and int.from_bytes(got[:4]) == number
            assert resident_bytes() - before < MOST_GROWTH_BYTES
            viewers = hub._channels[DOOR].viewers
            assert len(viewers) == SLOW + 1
            assert sum(viewer.dropped > FRAGMENTS - 10 * WAITING for viewer in viewers) == SLOW

    asyncio.run(look())


def ended(accounts: Accounts, name: str, session: str) -> None:
    """Take from an account, in the way that it is named after, the right to look."""
    match name:
        case "logout":
            accounts.logout(session)
        case "password":
            accounts.set_password(name, "many more goats")
        case "disabled":
            accounts.change(name, enabled=False)
        case "removed":
            accounts.remove(name)
        case "grant":
            accounts.grant(name, ["stairs"])


@pytest.mark.parametrize("way", ["logout", "password", "disabled", "removed", "grant"])
def test_a_live_view_ends_with_the_right_to_it_and_no_other_one_does(tmp_path: Path, way: str) -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(DOOR, b"init", "video/mp4")
        async with serving(tmp_path, hub, look_again_s=0.05) as (port, token, accounts):
            accounts.add(way, GOOD, Role.OPERATOR, cameras=[DOOR])
            session = accounts.login(way, GOOD)
            assert session is not None
            address = f"ws://127.0.0.1:{port}/api/v1/cameras/{DOOR}/live"
            async with (
                connect(address, additional_headers={"Cookie": f"{SESSION}={session}"}) as ending,
                connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as staying,
            ):
                for one in (ending, staying):
                    assert isinstance(await one.recv(), str) and await one.recv() == b"init"
                ended(accounts, way, session)
                await asyncio.wait_for(ending.wait_closed(), 30)
                assert ending.close_code == 4403
                hub.publish(DOOR, b"key", keyframe=True)
                assert await asyncio.wait_for(staying.recv(), 30) == b"key"

    asyncio.run(look())


def test_a_live_view_ends_with_its_token_and_outlasts_a_database_that_is_away(tmp_path: Path) -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(DOOR, b"init", "video/mp4")
        async with serving(tmp_path, hub, look_again_s=0.05) as (port, token, accounts):
            address = f"ws://127.0.0.1:{port}/api/v1/cameras/{DOOR}/live"
            async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as one:
                assert isinstance(await one.recv(), str) and await one.recv() == b"init"
                asked = asyncio.Event()
                loop, by_token = asyncio.get_running_loop(), accounts.by_token

                def away(token: str) -> Principal | None:
                    del token
                    loop.call_soon_threadsafe(asked.set)
                    raise OperationalError("select", {}, OSError())

                accounts.by_token = away  # type: ignore[method-assign]
                await asyncio.wait_for(asked.wait(), 30)
                hub.publish(DOOR, b"key", keyframe=True)
                assert await asyncio.wait_for(one.recv(), 30) == b"key"
                accounts.by_token = by_token  # type: ignore[method-assign]
                accounts.remove_token("viewer", accounts.tokens("viewer")[0].id)
                await asyncio.wait_for(one.wait_closed(), 30)
                assert one.close_code == 4403

    asyncio.run(look())
