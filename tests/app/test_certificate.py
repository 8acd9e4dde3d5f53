"""A certificate that is renewed under the same name while people are connected."""

import asyncio
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI

from skyveil.app.certificate import Certificate
from tests.app.authority import Authority
from tests.app.test_server import serving

ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


def written(source: Path, served: Path) -> None:
    """As a script does: another text in the same file."""
    served.write_bytes(source.read_bytes())


def linked(source: Path, served: Path) -> None:
    """As certbot does: a link to another file in the place of the old link."""
    served.unlink()
    served.symlink_to(source)


@pytest.mark.parametrize("renewing", [written, linked])
def test_who_connects_sees_the_new_one_and_who_is_there_stays(
    renewing: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    authority, served = Authority(tmp_path), tmp_path / "server.pem"
    first, second = (authority.certificate() for _ in range(2))
    other = authority.certificate(other_kind=True)
    shutil.copy(first, served)
    key = tmp_path / "key.pem"
    shutil.copy(first, key)

    async def look() -> None:
        certificate = Certificate(served, key)
        async with serving(FastAPI(), tls=certificate.context) as port, AsyncExitStack() as stack:

            async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
                trusting = ssl.create_default_context(cafile=authority.file)
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
                stack.callback(lambda: writer.transport.abort())
                return reader, writer, writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

            async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(ASK)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                length = next(line for line in head.splitlines() if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split()[1]))
                return b"200 OK" in head

            early, said_to, seen = await connected()
            assert seen == der(first) and await answers(early, said_to)
            certificate.renew()
            assert (await connected())[2] == der(first)
            # The key is not there yet: who connects in between is shown the old pair, whole.
            renewing(second, served)
            certificate.renew()
            assert "the one of before goes on" in certificate.problem() and str(tmp_path) not in certificate.problem()
            between, told, seen = await connected()
            assert seen == der(first) and await answers(between, told)
            renewing(second, key)
            certificate.renew()
            assert certificate.problem() == ""
            late, asked, seen = await connected()
            assert seen == der(second) and await answers(late, asked)
            assert await answers(early, said_to)
            # Files that are gone, and back as they were.
            served.rename(tmp_path / "away")
            certificate.renew()
            assert "No such file" in certificate.problem() and (await connected())[2] == der(second)
            (tmp_path / "away").rename(served)
            certificate.renew()
            assert certificate.problem() == ""
            renewing(other, key)
            renewing(other, served)
            certificate.renew()
            assert (await connected())[2] == der(other)
            renewing(first, key)
            renewing(first, served)
            certificate.renew()
            assert (await connected())[2] == der(first)

    asyncio.run(look())


def test_a_running_server_shows_a_renewed_one_after_a_reload_and_by_itself(tmp_path: Path) -> None:
    authority, served = Authority(tmp_path), tmp_path / "server.pem"
    certificates = [authority.certificate() for _ in range(3)]
    shutil.copy(certificates[0], served)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = f"{{data: data, keys: keys, port: {port}, tls: {{certificate: server.pem, key: server.pem}}}}"
    (tmp_path / "skyveil.yaml").write_text(f"version: 1\nserver: {server}\n")
    code = (
        "import sys; from pathlib import Path; from skyveil.app import server; "
        "server._HOUSEKEEPING_S = 1.0; server.serve(Path(sys.argv[1]))"
    )
    running = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "skyveil.yaml")])

    def shown(expected: Path) -> bool:
        assert running.poll() is None
        try:
            trusting = ssl.create_default_context(cafile=authority.file)
            with (
                socket.create_connection(("127.0.0.1", port), 30) as plain,
                trusting.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
            ):
                return secured.getpeercert(binary_form=True) == der(expected)
        except ConnectionRefusedError:
            return False

    try:
        wait_for(lambda: shown(certificates[0]))
        written(certificates[1], served)
        running.send_signal(signal.SIGHUP)
        wait_for(lambda: shown(certificates[1]))
        written(certificates[2], served)
        wait_for(lambda: shown(certificates[2]))
    finally:
        running.terminate()
        assert running.wait(30) == 0


def wait_for(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.1)


def der(path: Path) -> bytes:
    text = path.read_text()
    return ssl.PEM_cert_to_DER_cert(text[: text.index("-----BEGIN PRIVATE")].strip() + "\n")
