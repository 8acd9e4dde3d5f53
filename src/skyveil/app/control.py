"""The camera process's end of its control socket: orders of the parent, and connections that come with them. App.

Orders are JSON lines. A line that answers a `Dial` brings its sockets as descriptors (SCM_RIGHTS); the process can
make none itself.
"""

import json
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias, final

from skyveil.core.errors import WorkerFailed
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.private.capture.live.connection import Connection

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Order: TypeAlias = dict[str, Json]

_LINE_LIMIT: Final = 4 << 20
_SEND_S: Final = 5.0
_HANDSHAKE_S: Final = 3.0
"""Nothing is told to the parent meanwhile, and it takes a process that is silent for 5 s for hung."""
_MOST_SOCKETS: Final = 4


@final
class Control:
    """The socket on which the parent gives orders. One thread owns it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._channel.setblocking(False)
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._channel.fileno()

    def orders(self, wait_s: float = 0.0) -> list[Order]:
        """The orders that are there, after waiting at most so long for one; WorkerFailed when the parent is gone."""
        if b"\n" not in self._buffer and not select.select([self._channel], [], [], wait_s)[0]:
            return []
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 16, _MOST_SOCKETS)
        except BlockingIOError:
            data, descriptors = None, []
        self._descriptors.extend(descriptors)
        if data is not None:
            if not data:
                raise WorkerFailed("the parent of this camera process is gone")
            self._buffer += data
        if len(self._buffer) > _LINE_LIMIT:
            raise WorkerFailed("an order of the parent is too long")
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        return [_order(line) for line in lines]

    def taken(self, number: int) -> list[socket.socket]:
        """The sockets that came with an answer, in order."""
        return [socket.socket(fileno=self._descriptors.popleft()) for _ in range(number)]


def _order(line: bytes) -> Order:
    value: Json = json.loads(line)
    if not isinstance(value, dict):
        raise WorkerFailed("an order of the parent is no object")
    return value


@final
class SocketConnection:
    """A socket that was given to us, plain or under TLS."""

    def __init__(self, given: socket.socket) -> None:
        given.setblocking(False)
        self._socket = given

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def receive(self, limit: int) -> bytes | None:
        """At most `limit` bytes; None when nothing is there yet, empty when the peer is gone."""
        try:
            return self._socket.recv(limit)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        """Send all of `data`; CameraUnavailable when the peer does not take it within 5 s."""
        until_s, rest = time.monotonic() + _SEND_S, memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                if not select.select([], [self._socket], [], max(0.0, until_s - time.monotonic()))[1]:
                    raise CameraUnavailable(Cause.FROZEN) from None
            except OSError as error:
                raise CameraUnavailable(Cause.LINK_LOST) from error

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def secured(given: socket.socket, context: ssl.SSLContext, host: str) -> socket.socket:
    """The socket under TLS, its peer's certificate checked; raises CameraUnavailable."""
    given.settimeout(_HANDSHAKE_S)
    try:
        return context.wrap_socket(given, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        given.close()
        raise CameraUnavailable(Cause.CERTIFICATE) from error
    except TimeoutError as error:
        given.close()
        raise CameraUnavailable(Cause.FROZEN) from error
    except OSError as error:
        given.close()
        raise CameraUnavailable(Cause.LINK_LOST) from error


@final
class SocketPair:
    """Two given UDP sockets."""

    def __init__(self, first: socket.socket, second: socket.socket, bind: Callable[[int, int], None]) -> None:
        self.ports = (int(first.getsockname()[1]), int(second.getsockname()[1]))
        self.rtp: Connection = SocketConnection(first)
        self.rtcp: Connection = SocketConnection(second)
        self._bind = bind

    def bind(self, rtp_port: int, rtcp_port: int) -> None:
        """Tie the sockets to these ports of the camera."""
        self._bind(rtp_port, rtcp_port)
