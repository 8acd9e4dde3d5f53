"""The server as `skyveil run` sets it up."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from websockets.asyncio.client import connect

from skyveil.app.server import ImpatientProtocol, serve
from skyveil.public.web.state import Console


@asynccontextmanager
async def serving(app: FastAPI, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port on which an application is served as `skyveil run` does."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=ImpatientProtocol, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    server.config.load()
    server.config.ssl = tls
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await running


def test_who_connects_and_asks_nothing_is_let_go_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyveil.app.server.FIRST_REQUEST_S", 0.3)

    async def look() -> None:
        app, strangers_gone = FastAPI(), asyncio.Event()

        @app.get("/slow")
        async def slow() -> str:
            await strangers_gone.wait()
            return "done"

        @app.websocket("/echo")
        async def echo(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text(await websocket.receive_text())

        async with serving(app) as port, connect(f"ws://127.0.0.1:{port}/echo") as viewer:
            asking, answer = await asyncio.open_connection("127.0.0.1", port)
            answer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            for said in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n"):
                stranger, said_to = await asyncio.open_connection("127.0.0.1", port)
                said_to.write(said)
                assert await asyncio.wait_for(stranger.read(), 30) == b""
                said_to.close()
            # These two were there before the strangers, whose time is over.
            strangers_gone.set()
            assert b"200 OK" in await asyncio.wait_for(asking.readline(), 30)
            await viewer.send("still here")
            assert await asyncio.wait_for(viewer.recv(), 30) == "still here"
            answer.close()

    asyncio.run(look())


REQUEST = b"POST /masks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "begun"),
    [
        (b"", REQUEST),  # read by nobody, so nobody answers
        (b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n", REQUEST),
        (b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /quick HTTP/1.1\r\nHost: "),  # a head is not whole either
        (b"GET /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", b""),  # answered before its body is whole
    ],
)
def test_who_sends_a_request_byte_by_byte_is_let_go(
    before: bytes, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.app.server.REQUEST_S", 0.5)

    async def look() -> None:
        app, gone = FastAPI(), asyncio.Event()

        @app.get("/quick")
        async def quick() -> str:
            return "done"

        @app.post("/masks")
        async def masks() -> str:
            await gone.wait()
            return ""

        async with serving(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if before:
                writer.write(before)
                assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"done"), 30)
            writer.write(begun)
            with suppress(ConnectionError):
                async with asyncio.timeout(20):
                    while not reader.at_eof():
                        writer.write(b"1")
                        await writer.drain()
                        with suppress(TimeoutError):
                            assert await asyncio.wait_for(reader.read(), 0.05) in (b"", b'"')
            writer.close()
            gone.set()

    asyncio.run(look())


def test_a_long_answer_a_long_wait_and_pipelined_requests_have_all_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyveil.app.server.REQUEST_S", 0.3)
    monkeypatch.setattr("skyveil.app.server.FIRST_REQUEST_S", 0.3)

    async def look() -> None:
        app = FastAPI()

        @app.post("/export")
        async def export(request: Request) -> StreamingResponse:
            assert await request.body() == b"span"
            await asyncio.sleep(1)

            async def parts() -> AsyncIterator[bytes]:
                for _ in range(4):
                    await asyncio.sleep(0.3)
                    yield b"video"

            return StreamingResponse(parts(), headers={"Content-Length": "20"})

        async with serving(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            one = b"POST /export HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nspan"
            writer.write(one + one)
            for _ in range(2):
                assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                assert await asyncio.wait_for(reader.readexactly(20), 30) == b"video" * 4
            writer.close()

    asyncio.run(look())


@pytest.mark.parametrize("behind", [True, False])
def test_the_configuration_says_whether_everybody_comes_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    class Seen(Exception):
        pass

    def seen(console: Console) -> None:
        raise Seen(console.behind_proxy, console.secure)

    monkeypatch.setattr("skyveil.app.server.create_app", seen)
    path = tmp_path / "skyveil.yaml"
    path.write_text(f"version: 1\nserver: {{data: data, keys: keys, behind_tls_proxy: {str(behind).lower()}}}\n")
    with pytest.raises(Seen) as caught:
        serve(path)
    assert caught.value.args == (behind, behind)
