"""What a live source is given to talk through. Private side: it can not open a connection, only use one."""

import select
from collections.abc import Sequence
from typing import Protocol


class Connection(Protocol):
    """One connected socket, never blocking. Whoever asked for it closes it."""

    def fileno(self) -> int:
        """The descriptor to wait for."""
        ...

    def receive(self, limit: int) -> bytes | None:
        """At most `limit` bytes (one datagram on UDP); None when nothing is there yet, empty when the peer is gone."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of `data`; CameraUnavailable when the peer does not take it within some seconds."""
        ...

    def close(self) -> None:
        """Give the socket back."""
        ...


class UdpPair(Protocol):
    """Two UDP sockets of neighbouring ports, for RTP and RTCP; they reach the camera once `bind` told its ports."""

    rtp: Connection
    rtcp: Connection
    ports: tuple[int, int]

    def bind(self, rtp_port: int, rtcp_port: int) -> None:
        """Tie the sockets to these ports of the camera."""
        ...


class Dial(Protocol):
    """Connections to the camera, and to nobody else; all raise CameraUnavailable."""

    def tcp(self) -> Connection:
        """A new TCP connection, under TLS where the address says so."""
        ...

    def udp(self) -> UdpPair:
        """Two new UDP sockets."""
        ...

    def idle(self) -> None:
        """Called at least every tenth of a second while a source waits: orders and clocks are looked at meanwhile."""
        ...


def wait(connections: Sequence[Connection], seconds: float) -> bool:
    """Wait until one of the connections has something, at most so long; whether one has."""
    ready, _, _ = select.select(connections, [], [], max(0.0, seconds))
    return bool(ready)
