"""Asks a camera over HTTP/1.1 (RFC 9112), over connections that it is given. Private side: bytes from a stranger.

Redirections are followed on the same scheme, host and port only, so no host but the camera's is reached. Everything
that is read has a limit, and what nobody takes is left in the socket, so that a fast sender waits.
"""

import re
import time
from dataclasses import dataclass
from typing import Final, final

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import SafeUrl
from skyveil.private.capture.live.connection import Connection, Dial, wait
from skyveil.private.capture.live.given import SILENT_S, TICK_S
from skyveil.private.capture.live.login import Login

ANSWER_S: Final = 5.0
"""Longest wait for the head of an answer."""
_HEAD_LIMIT: Final = 65_536
_LINE_LIMIT: Final = 1024
_READ: Final = 1 << 16
_ROOM: Final = 1 << 20
"""Bytes of a body that wait here to be taken; the rest waits in the socket."""
_MOST_REDIRECTS: Final = 5
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer of 200. `length` is that of the body, None where it ends with the connection or chunks."""

    kind: str
    length: int | None
    chunked: bool
    keeps: bool


@final
class Http:
    """Who asks: the login, and the one connection that is used again where the camera allows it. One thread owns it."""

    def __init__(self, spec: CameraSpec, dial: Dial) -> None:
        self.dial: Final = dial
        self.login: Final = Login(spec.username, spec.password)
        self._kept: Connection | None = None

    def asked(self, url: SafeUrl) -> "Exchange":
        """Ask for what stands at `url`; the answer comes by `pump`. Raises CameraUnavailable."""
        return Exchange(self, url)

    def connection(self) -> tuple[Connection, bool]:
        """A connection, and whether it was used before."""
        kept, self._kept = self._kept, None
        return (self.dial.tcp(), False) if kept is None else (kept, True)

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose answer was read to its end."""
        self.close()
        self._kept = connection

    def close(self) -> None:
        """Close what is kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


@final
class Exchange:
    """One question and its answer, read step by step and never waiting; whoever asked closes it."""

    def __init__(self, http: Http, url: SafeUrl) -> None:
        self._http = http
        self.url = url
        """Where the answer came from, after redirections."""
        self.head: Head | None = None
        """The head of the answer, once it is there."""
        self.ended = False
        """Whether all of the body was read from the connection."""
        self.broken = False
        """Whether the connection ended before the body did."""
        self._proven = False
        self._redirects = 0
        self._raw = bytearray()
        self._body = bytearray()
        self._left: int | None = None
        self._connection: Connection | None = None
        self._used = False
        self._heard_s = 0.0
        self._ask()

    @property
    def connections(self) -> list[Connection]:
        """What to wait for; nothing while there is no room or nothing more to come."""
        return [] if self._connection is None or len(self._body) >= _ROOM else [self._connection]

    @property
    def waiting(self) -> int:
        """Bytes of the body that nobody took yet."""
        return len(self._body)

    def pump(self) -> None:
        """Read what is there and has room; raises CameraUnavailable for everything but a body."""
        while self._connection is not None and len(self._body) < _ROOM:
            data = self._connection.receive(_READ)
            if data:
                self._heard_s = time.monotonic()
                self._used = False
                self._raw += data
                self._advance()
            elif data is None:
                if time.monotonic() - self._heard_s > (ANSWER_S if self.head is None else SILENT_S):
                    raise CameraUnavailable(Cause.FROZEN)
                return
            else:
                self._gone()
                return
        self._heard_s = time.monotonic()  # whoever has no room can not tell whether there is more

    def take(self, limit: int | None = None) -> bytes:
        """What was read of the body, at most `limit` bytes of it."""
        taken = bytes(self._body[:limit])
        del self._body[: len(taken)]
        return taken

    def beginning(self, number: int) -> bytes:
        """Wait for the head and the first bytes of the body; they stay to be taken."""
        while self.head is None or (len(self._body) < number and not self.ended):
            self._wait()
        return bytes(self._body[:number])

    def whole(self, limit: int) -> bytes:
        """Wait for all of the body; CameraUnavailable when it is longer than `limit` bytes, or cut."""
        body = bytearray()
        while not self.ended or self._body:
            body += self.take()
            if len(body) > limit:
                raise CameraUnavailable(Cause.GARBAGE)
            if not self.ended:
                self._wait()
        if self.broken:
            raise CameraUnavailable(Cause.LINK_LOST)
        return bytes(body)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _wait(self) -> None:
        wait(self.connections, TICK_S)
        self.pump()
        self._http.dial.idle()

    def _ask(self) -> None:
        self.close()
        self._connection, self._used = self._http.connection()
        self._raw.clear()
        target = self.url.reveal_target()
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {self.url.authority}",
            "User-Agent: Skyveil",
            "Accept: */*",
            "Accept-Encoding: identity",
        ]
        authorisation = self._http.login.header("GET", target)
        if authorisation:
            lines.append(f"Authorization: {authorisation}")
        self._heard_s = time.monotonic()
        try:
            self._connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace"))
        except CameraUnavailable:
            if not self._used:
                self.close()
                raise
            self._ask()

    def _gone(self) -> None:
        """The camera closed the connection."""
        if self._used:
            # It closed a connection that had been idle: not this answer's end.
            self._ask()
            return
        if self.head is None:
            raise CameraUnavailable(Cause.LINK_LOST)
        self.broken = self.head.chunked or self._left is not None
        self.ended = True
        self.close()

    def _advance(self) -> None:
        if self.head is None:
            self._read_head()
        if self.head is not None and not self.ended:
            self._read_body(self.head)

    # --- the head -----------------------------------------------------------------------------------------------------

    def _read_head(self) -> None:
        _strip_line_ends(self._raw)  # what the answer before left behind its last chunk
        while (end := _HEAD_END.search(self._raw)) is not None:
            text = bytes(self._raw[: end.start()]).decode("latin-1")
            del self._raw[: end.end()]
            start, *lines = re.split(r"\r?\n", text)
            status = re.match(r"HTTP/1\.(\d) +(\d{3})", start)
            if status is None:
                raise CameraUnavailable(Cause.GARBAGE)
            if int(status[2]) >= 200:  # before it, there may be answers that only say "go on"
                pairs = [(name.strip().lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)]
                self._judge(int(status[2]), pairs, closes=status[1] == "0")
                return
        if len(self._raw) > _HEAD_LIMIT or not b"HTTP/1.".startswith(bytes(self._raw[:7])):
            raise CameraUnavailable(Cause.GARBAGE)

    def _judge(self, status: int, pairs: list[tuple[str, str]], *, closes: bool) -> None:
        headers = dict(pairs)
        if status == 401 and self._http.login.known and not self._proven:
            self._http.login.accept([value for name, value in pairs if name == "www-authenticate"])
            self._proven = True
            self._ask()
        elif status in (401, 403):
            raise CameraUnavailable(Cause.WRONG_PASSWORD)
        elif status in (301, 302, 303, 307, 308) and "location" in headers:
            self._redirect(headers["location"])
        elif status != 200:
            raise CameraUnavailable(Cause.NO_VIDEO)
        else:
            self._begin_body(headers, closes=closes)

    def _redirect(self, location: str) -> None:
        try:
            to = self.url.joined(location)
        except SettingsRefused as error:
            raise CameraUnavailable(Cause.GARBAGE) from error
        self._redirects += 1
        if not to.same_server(self.url):
            raise CameraUnavailable(Cause.ELSEWHERE)
        if self._redirects > _MOST_REDIRECTS:
            raise CameraUnavailable(Cause.GARBAGE)
        self.url = to
        self._ask()

    def _begin_body(self, headers: dict[str, str], *, closes: bool) -> None:
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        told = headers.get("content-length", "")
        length = int(told) if not chunked and told.isascii() and told.isdigit() and len(told) < 16 else None
        said = headers.get("connection", "close" if closes else "").lower()
        keeps = said != "close" and (chunked or length is not None)
        self._left = 0 if chunked else length
        self.head = Head(headers.get("content-type", "").lower(), length, chunked, keeps)

    # --- the body -----------------------------------------------------------------------------------------------------

    def _read_body(self, head: Head) -> None:
        if head.chunked:
            self._read_chunks(head)
        elif self._left is None:
            self._body += self._raw
            self._raw.clear()
        else:
            self._move(self._left)
            if self._left == 0:
                self._end(head)

    def _move(self, most: int) -> None:
        """Take over at most so many bytes of what was read."""
        part = self._raw[:most]
        self._body += part
        del self._raw[: len(part)]
        self._left = most - len(part)

    def _read_chunks(self, head: Head) -> None:
        while True:
            if self._left:
                self._move(self._left)
                if self._left:
                    return
            _strip_line_ends(self._raw)
            end = self._raw.find(b"\n")
            if end < 0:
                if len(self._raw) > _LINE_LIMIT:
                    raise CameraUnavailable(Cause.GARBAGE)
                return
            size = re.match(rb"([0-9A-Fa-f]{1,8})[ \t]*[;\r\n]", self._raw)
            if size is None:
                raise CameraUnavailable(Cause.GARBAGE)
            self._left = int(size[1], 16)
            del self._raw[: end + 1]
            if self._left == 0:
                self._end(head)
                return

    def _end(self, head: Head) -> None:
        self.ended = True
        if head.keeps and self._connection is not None:
            self._http.keep(self._connection)
            self._connection = None
        else:
            self.close()


def _strip_line_ends(raw: bytearray) -> None:
    del raw[: len(raw) - len(raw.lstrip(b"\r\n"))]
