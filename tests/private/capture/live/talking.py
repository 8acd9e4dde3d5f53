"""A camera that says what a test tells it to, over one real connection, and remembers what it was asked."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.private.capture.live.dialling import Dial

SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"


@dataclass(frozen=True)
class Asked:
    method: str
    url: str
    headers: dict[str, str]

    def answer(self, status: str = "200 OK", *headers: str, body: bytes = b"") -> bytes:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {self.headers['cseq']}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


Reply: TypeAlias = Callable[[Asked], Sequence[bytes]]
"""What is sent; each piece when who asked has looked at the one before and waits again."""

USUAL: Mapping[str, Reply] = {
    "DESCRIBE": lambda asked: [asked.answer(body=SDP)],
    "SETUP": lambda asked: [
        asked.answer("200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=0")
    ],
}


@dataclass
class Talk:
    dial: Dial
    url: str
    asked: list[Asked] = field(default_factory=list)
    alive: int = 0
    """Signs of life that a test's replies took."""

    def methods(self) -> list[str]:
        return [one.method for one in self.asked]


@contextmanager
def talking(replies: Mapping[str, Reply], *, scheme: str = "rtsp") -> Iterator[Talk]:
    """Answer one connection after another, by method; what no reply is given for is answered as usual."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/1"
    talk = Talk(Dial(url), url)

    def waits_again() -> None:
        seen, until_s = talk.dial.idled, time.monotonic() + 5
        while talk.dial.idled < seen + 2 and time.monotonic() < until_s:
            time.sleep(0.002)

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                method, address, _ = line.decode().split()
                pairs = [one.decode().partition(":") for one in iter(file.readline, b"\r\n")]
                asked = Asked(method, address, {name.lower(): value.strip() for name, _, value in pairs})
                talk.asked.append(asked)
                reply = replies.get(method) or USUAL.get(method, lambda one: [one.answer()])
                for number, piece in enumerate(reply(asked)):
                    if number:
                        waits_again()
                    connection.sendall(piece)

    def served() -> None:
        with suppress(OSError):  # the test is over
            while True:
                connection, _ = listening.accept()
                with suppress(OSError, ValueError):  # who asked is gone
                    serve(connection)

    thread = threading.Thread(target=served, name="talking-camera", daemon=True)
    thread.start()
    try:
        yield talk
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listening.close()
        talk.dial.forget()


def framed(channel: int, data: bytes) -> bytes:
    """A packet between answers (RFC 2326, 10.12)."""
    return b"$" + bytes([channel]) + len(data).to_bytes(2) + data


def nonce_of(asked: Asked) -> str:
    """The nonce that a login was proven with; empty without one."""
    found = re.search(r'nonce="(\w+)"', asked.headers.get("authorization", ""))
    return found[1] if found else ""
