"""An MQTT broker and an HTTP receiver for tests, on loopback."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
from amqtt.broker import Broker as AmqttBroker  # type: ignore[import-untyped]  # it has no types
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATIENCE_S = 20.0


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)


@dataclass
class Post:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with the next status, the last one for ever; 500 to those that hold one of `chokes_on`."""

    statuses: list[int]
    chokes_on: tuple[bytes, ...] = ()
    posts: list[Post] = field(default_factory=list)
    location: str = ""
    port: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            writer.close()
            return
        first, *lines = head.strip().splitlines()
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.append(Post(first.split()[1], headers, body))
        if any(one in body for one in self.chokes_on):
            status = 500
        else:
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        more = f"Location: {self.location}\r\n" if self.location else ""
        writer.write(f"HTTP/1.1 {status} As told\r\n{more}Content-Length: 0\r\n\r\n".encode())
        writer.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; gives the port, and leaves no connection open at the end."""
    writers: list[asyncio.StreamWriter] = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await handler(reader, writer)

    async with await asyncio.start_server(tracked, "127.0.0.1", 0, ssl=tls) as server:
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await asyncio.sleep(0.02)  # who is being let in takes some rounds of the loop
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0.02)  # aborted connections close in the loop's next rounds


@asynccontextmanager
async def receiving(*statuses: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(statuses))
    async with listening(receiver.answer, tls) as receiver.port:
        yield receiver


@asynccontextmanager
async def brokering(port: int = 0, *, passwords: Path | None = None) -> AsyncIterator[int]:
    """A broker; gives its port."""
    plugin = "amqtt.plugins.authentication."
    plugins = (
        {f"{plugin}AnonymousAuthPlugin": {"allow_anonymous": True}}
        if passwords is None
        else {f"{plugin}FileAuthPlugin": {"password_file": str(passwords)}}
    )
    listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
    broker = AmqttBroker({"listeners": listeners, "plugins": plugins})
    await broker.start()
    try:
        server = broker._servers["default"].instance
        yield int(server.sockets[0].getsockname()[1])
    finally:
        await broker.shutdown()


@asynccontextmanager
async def subscribed(port: int) -> AsyncIterator[Mapping[str, str]]:
    """What is retained or comes at any topic, the newest text of each."""
    heard: dict[str, str] = {}

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            heard[str(message.topic)] = message.payload.decode()

    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("#", qos=1)
        listening = asyncio.create_task(listen(client))
        try:
            yield heard
        finally:
            listening.cancel()


@asynccontextmanager
async def relaying(port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """A relay to a port; gives its own port, and what cuts every connection without a goodbye."""
    cut: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        cut.extend((writer, far_writer))
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    def cut_all() -> None:
        for writer in cut:
            writer.transport.abort()

    async with listening(relay) as near:
        yield near, cut_all


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody signed but itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path = folder / "key.pem"
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context
