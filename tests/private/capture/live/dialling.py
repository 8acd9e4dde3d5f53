"""Connections for tests, made where the sources of a walled process can make none."""

import socket

from skyveil.app.control import SocketConnection
from skyveil.app.dial import Dialer
from skyveil.core.secret import SafeUrl
from skyveil.private.capture.live.connection import Connection, UdpPair


class Udp:
    def __init__(self, dialer: Dialer, number: int) -> None:
        first, second = dialer.udp(number)
        self._dialer, self._number = dialer, number
        self.ports = (int(first.getsockname()[1]), int(second.getsockname()[1]))
        self.rtp: Connection = SocketConnection(first)
        self.rtcp: Connection = SocketConnection(second)

    def bind(self, rtp_port: int, rtcp_port: int) -> None:
        self._dialer.bind(self._number, rtp_port, rtcp_port)


class Dial:
    def __init__(self, url: str) -> None:
        self._dialer = Dialer(SafeUrl(url))
        self._number = 0
        self.idled = 0

    def tcp(self) -> SocketConnection:
        return SocketConnection(self._dialer.tcp())

    def udp(self) -> UdpPair:
        self._number += 1
        return Udp(self._dialer, self._number)

    def idle(self) -> None:
        self.idled += 1

    def forget(self) -> None:
        self._dialer.forget()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
