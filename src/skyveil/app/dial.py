"""Connections to one camera, made by the parent for the process that may make none. App, parent side.

This is the egress rule: a camera process gets sockets that are connected to its own camera, and the kernel refuses it
every other.
"""

import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from typing import Final, Literal, TypeAlias, final

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import WorkerFailed
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import SafeUrl

CONNECT_S: Final = 2.0
"""A camera in the network answers within milliseconds, one behind a satellite within 1 s; the next attempt is near."""
_PORT_ATTEMPTS: Final = 32

Trouble: TypeAlias = Literal["dns", "refused", "timeout", "unreachable"]


@final
class DialFailed(Exception):
    """The camera can not be reached; `trouble` says how."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble


@final
class Dialer:
    """Connects to one host and port, and nothing else. Any thread may call it."""

    def __init__(self, source: SafeUrl) -> None:
        self._host, self._port = source.host, source.port
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[socket.socket, socket.socket]] = {}

    def tcp(self) -> socket.socket:
        """A connected socket; raises DialFailed. Whoever gets it closes it."""
        try:
            return socket.create_connection((self._host, self._port), CONNECT_S)
        except (socket.gaierror, UnicodeError) as error:  # the second for a name that no name server could know
            raise DialFailed("dns") from error
        except ConnectionRefusedError as error:
            raise DialFailed("refused") from error
        except TimeoutError as error:
            raise DialFailed("timeout") from error
        except OSError as error:
            raise DialFailed("unreachable") from error

    def udp(self, number: int) -> tuple[socket.socket, socket.socket]:
        """Two sockets of neighbouring ports, the first even (RFC 3550, 11); they reach the camera after `bind`.

        Raises DialFailed. Whoever gets them closes them. They are descriptors of their own: what is asked for next
        closes ours, and their numbers, while they wait to be sent, must not become those of other files.
        """
        family = self._address(self._port)[0]
        try:
            for _ in range(_PORT_ATTEMPTS):
                with ExitStack() as undo:
                    first, second = (undo.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
                    if _neighbours(first, second):
                        first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                        given = undo.enter_context(first.dup()), undo.enter_context(second.dup())
                        undo.pop_all()
                        self._keep({number: (first, second)})
                        return given
        except OSError as error:
            raise DialFailed("unreachable") from error
        raise DialFailed("unreachable")

    def bind(self, number: int, rtp_port: int, rtcp_port: int) -> None:
        """Tie the two sockets to ports of the camera: from now on they hear and reach nobody else."""
        with self._lock:
            pair = self._waiting.pop(number, None)
        if pair is None:
            raise DialFailed("unreachable")
        with pair[0], pair[1]:
            for one, port in zip(pair, (rtp_port, rtcp_port), strict=True):
                try:
                    one.connect(self._address(port)[1])
                except OSError as error:
                    raise DialFailed("unreachable") from error

    def forget(self) -> None:
        """Close our ends of sockets that were never bound."""
        self._keep({})

    def _keep(self, waiting: dict[int, tuple[socket.socket, socket.socket]]) -> None:
        """Let these wait for the camera's ports, and close those that waited before."""
        with self._lock:
            before, self._waiting = self._waiting, waiting
        for pair in before.values():
            for one in pair:
                one.close()

    def _address(self, port: int) -> tuple[socket.AddressFamily, "tuple[str, int] | tuple[str, int, int, int]"]:
        try:
            family, _, _, _, address = socket.getaddrinfo(self._host, port, type=socket.SOCK_DGRAM)[0]
        except (socket.gaierror, UnicodeError) as error:
            raise DialFailed("dns") from error
        except OSError as error:
            raise DialFailed("unreachable") from error
        return family, (str(address[0]), int(address[1]))


def _neighbours(first: socket.socket, second: socket.socket) -> bool:
    """Bind two sockets to an even port and the next; whether it did. Raises OSError where there is no port at all."""
    first.bind(("", 0))
    port = int(first.getsockname()[1])
    if port % 2:
        return False
    with suppress(OSError):  # the next one is somebody's
        second.bind(("", port + 1))
        return True
    return False


def trusting(spec: CameraSpec) -> ssl.SSLContext | None:
    """How to check a camera's certificate; None where it shows none. Raises WorkerFailed for a wrong `ca_file`.

    Made before the wall, which lets no certificate be read.
    """
    if spec.source.scheme not in ("rtsps", "https"):
        return None
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
    except OSError as error:
        raise WorkerFailed(f"its `ca_file` can not be used: {error.strerror}") from error
    if not spec.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def refuse_untrusting(spec: CameraSpec) -> None:
    """Raise CameraUnavailable where a camera's `ca_file` can not be used: a process for it would end at once."""
    if spec.ca_file is not None:
        try:
            trusting(spec)
        except WorkerFailed as error:
            raise CameraUnavailable(Cause.CA_FILE) from error
