"""A camera's stream over RTSP 1.0 (RFC 2326), with Basic and Digest authentication (RFC 7616). Private side.

It speaks over connections that it is given and follows no redirect, so it reaches no host but the camera's.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, final

from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.private.capture.live.connection import Connection, Dial, UdpPair, wait
from skyveil.private.capture.live.given import TICK_S
from skyveil.private.capture.live.login import Login
from skyveil.private.capture.live.rtcp import sender_time_s
from skyveil.private.capture.live.sdp import Offer, offer

ANSWER_S: Final = 5.0
"""Longest wait for an answer; cameras answer within milliseconds, and slow ones within 2 s."""
_HEADER_LIMIT: Final = 65_536
_BODY_LIMIT: Final = 1 << 20
_BURST: Final = 1 << 20
"""Bytes taken from a socket at once, so that a fast sender can not keep us from looking at the clock."""
_EARLY_LIMIT: Final = 4 << 20
"""Bytes of packets that are kept until PLAY is answered; a key picture of 4K has 1 MB."""
_DATAGRAM: Final = 65_536
_EMPTY_RTP: Final = b"\x80" + bytes(11)
_EMPTY_RTCP: Final = b"\x80\xc9\0\1" + bytes(4)
"""A packet without content and a report of nothing (RFC 3550, 5.1 and 6.4.2), sent before the camera sends: firewalls
let in by UDP what answers something."""
_DEFAULT_SESSION_S: Final = 60.0
_LEAST_ALIVE_S: Final = 1.0
"""Between two signs of life, however short the camera says that its sessions are."""


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the camera."""

    status: int
    headers: dict[str, str]
    challenges: tuple[str, ...]
    body: bytes


@final
class TransportRefused(CameraUnavailable):
    """The camera does not send this way: TCP or UDP; try the other one."""


@final
class Rtsp:
    """One session: set up by the constructor, read by `packets`, ended by `close`. One thread owns it."""

    def __init__(self, spec: CameraSpec, dial: Dial, transport: Literal["tcp", "udp"]) -> None:
        """Connect and ask for the pictures; raises CameraUnavailable."""
        self._dial = dial
        self._url = spec.source.reveal()
        self._buffer = bytearray()
        self._early = bytearray()
        """Packets that came before the answer that was waited for."""
        self._number = 0
        self._login = Login(spec.username, spec.password)
        self._session = ""
        self._alive_every_s = _DEFAULT_SESSION_S / 2
        self._alive_method = "GET_PARAMETER"
        self._alive_number = 0
        self._alive_proven = False
        self._udp: UdpPair | None = None
        self._channel = 0
        self.clock_offset_s: float | None = None
        """The camera's clock minus ours, by its last report, the way through the network included; None before one."""
        self._connection = dial.tcp()
        try:
            self.offer: Final[Offer] = self._begin(transport)
        except BaseException:
            self.close()
            raise
        self._alive_s = time.monotonic()

    @property
    def connections(self) -> list[Connection]:
        """What to wait for."""
        return [self._connection, *([self._udp.rtp, self._udp.rtcp] if self._udp is not None else [])]

    def packets(self) -> Iterator[bytes]:
        """The RTP packets that are there now; raises CameraUnavailable when the link is gone."""
        self._keep_alive()
        if self._udp is not None:
            taken = 0
            while taken < _BURST and (data := self._udp.rtp.receive(_DATAGRAM)):
                taken += len(data)
                yield data
            while report := self._udp.rtcp.receive(_DATAGRAM):
                self._reported(report)
        self._fill()
        while (packet := self._interleaved()) is not None:
            channel, data = packet
            if self._udp is not None:
                continue
            if channel == self._channel:
                yield data
            elif channel == self._channel + 1:
                self._reported(data)

    def close(self) -> None:
        """Say goodbye where it costs nothing, and close."""
        if self._session:
            with suppress(CameraUnavailable):  # it may be gone already
                self._send("TEARDOWN", self._url)
        self._connection.close()
        if self._udp is not None:
            self._udp.rtp.close()
            self._udp.rtcp.close()

    def _begin(self, transport: Literal["tcp", "udp"]) -> Offer:
        described = self._asked("DESCRIBE", self._url, "Accept: application/sdp")
        found = offer(described.body)
        told = described.headers.get("content-base") or described.headers.get("content-location") or self._url
        base = _based(told, self._url)
        if transport == "tcp":
            way = "RTP/AVP/TCP;unicast;interleaved=0-1"
        else:
            self._udp = self._dial.udp()
            way = f"RTP/AVP;unicast;client_port={self._udp.ports[0]}-{self._udp.ports[1]}"
        made = self._asked("SETUP", _resolved(base, found.control), f"Transport: {way}")
        session, _, parameters = made.headers.get("session", "").partition(";")
        self._session = session.strip()
        timeout = re.search(r"timeout=(\d{1,5})", parameters)
        self._alive_every_s = max(_LEAST_ALIVE_S, (float(timeout[1]) if timeout else _DEFAULT_SESSION_S) / 2)
        if self._udp is not None:
            ports = re.search(r"server_port=(\d{1,5})(?:-(\d{1,5}))?", made.headers.get("transport", ""))
            if ports is None or not 1 <= int(ports[1]) <= 65535:
                raise CameraUnavailable(Cause.GARBAGE)
            self._udp.bind(int(ports[1]), min(65535, int(ports[2] or int(ports[1]) + 1)))
            with suppress(CameraUnavailable):
                self._udp.rtp.send(_EMPTY_RTP)
                self._udp.rtcp.send(_EMPTY_RTCP)
        channel = re.search(r"interleaved=(\d{1,3})", made.headers.get("transport", ""))
        if channel is not None:
            self._channel = int(channel[1])
        self._asked("PLAY", base, "Range: npt=0.000-")
        self._buffer[:0], self._early = self._early, bytearray()
        return found

    def _reported(self, data: bytes) -> None:
        sent_s = sender_time_s(data)
        if sent_s is not None:
            self.clock_offset_s = sent_s - time.time()

    # --- asking -------------------------------------------------------------------------------------------------------

    def _asked(self, method: str, url: str, *headers: str) -> Answer:
        """Ask, and once more with the name and password when the camera wants them."""
        answer = self._ask(method, url, *headers)
        if answer.status == 401 and self._login.known:
            self._login.accept(answer.challenges)
            answer = self._ask(method, url, *headers)
        if answer.status in (401, 403):
            raise CameraUnavailable(Cause.WRONG_PASSWORD)
        if answer.status == 404:
            raise CameraUnavailable(Cause.NO_VIDEO)
        if answer.status == 461:
            raise TransportRefused(Cause.NO_VIDEO)
        if answer.status != 200:
            raise CameraUnavailable(Cause.NO_VIDEO)
        return answer

    def _ask(self, method: str, url: str, *headers: str) -> Answer:
        self._send(method, url, *headers)
        until_s = time.monotonic() + ANSWER_S
        while True:
            while (packet := self._packet()) is not None:
                if len(self._early) + len(packet) <= _EARLY_LIMIT:  # what is left out counts as lost
                    self._early += packet
            answer = None if self._buffer[:1] == b"$" else self._answer()
            if answer is not None and answer.headers.get("cseq", "").strip() == str(self._number):
                return answer
            if answer is None:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    raise CameraUnavailable(Cause.FROZEN)
                if wait([self._connection], min(left_s, TICK_S)):
                    self._fill()
                self._dial.idle()

    def _send(self, method: str, url: str, *headers: str) -> None:
        self._number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._number}", "User-Agent: Skyveil", *headers]
        if self._session:
            lines.append(f"Session: {self._session}")
        authorisation = self._login.header(method, url)
        if authorisation:
            lines.append(f"Authorization: {authorisation}")
        self._connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace"))

    def _keep_alive(self) -> None:
        if time.monotonic() - self._alive_s >= self._alive_every_s:
            self._alive_s = time.monotonic()
            self._alive_proven = False
            self._say_alive()

    def _say_alive(self) -> None:
        self._send(self._alive_method, self._url)
        self._alive_number = self._number

    def _heard(self, answer: Answer) -> None:
        """Look at what the camera says to the last sign of life: a refused one does not keep the session."""
        if answer.headers.get("cseq", "").strip() != str(self._alive_number) or answer.status == 200:
            return
        if answer.status != 401:
            if self._alive_method != "OPTIONS":
                self._alive_method = "OPTIONS"  # every camera knows it (RFC 2326, 10.1)
                self._say_alive()
        elif self._login.known and not self._alive_proven:
            self._alive_proven = True
            with suppress(CameraUnavailable):  # nothing is asked that we know; pictures come all the same
                self._login.accept(answer.challenges)
                self._say_alive()

    # --- reading ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        taken = 0
        while taken < _BURST:
            data = self._connection.receive(1 << 16)
            if data is None:
                return
            if not data:
                # An end of the connection is a fault: a camera does not end.
                raise CameraUnavailable(Cause.LINK_LOST)
            taken += len(data)
            self._buffer += data

    def _interleaved(self) -> tuple[int, bytes] | None:
        """The next packet of the connection (RFC 2326, 10.12); answers before it are read."""
        while self._buffer and self._buffer[0] != 0x24:
            answer = self._answer()
            if answer is None:
                return None
            self._heard(answer)
        packet = self._packet()
        return None if packet is None else (packet[1], packet[4:])

    def _packet(self) -> bytes | None:
        """The packet that the buffer begins with, its four bytes of framing included, when all of it is there."""
        size = 4 + int.from_bytes(self._buffer[2:4])
        if self._buffer[:1] != b"$" or len(self._buffer) < max(4, size):
            return None
        packet = bytes(self._buffer[:size])
        del self._buffer[:size]
        return packet

    def _answer(self) -> Answer | None:
        """The next answer, when all of it is there."""
        end = self._buffer.find(b"\r\n\r\n")
        if self._buffer and not b"RTSP/".startswith(bytes(self._buffer[:5])) and not self._asked_by_camera():
            raise CameraUnavailable(Cause.GARBAGE)
        if end < 0:
            if len(self._buffer) > _HEADER_LIMIT:
                raise CameraUnavailable(Cause.GARBAGE)
            return None
        start, *lines = bytes(self._buffer[:end]).decode("utf-8", "replace").split("\r\n")
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = dict(pairs)
        length = headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > _BODY_LIMIT:
            raise CameraUnavailable(Cause.GARBAGE)
        if len(self._buffer) < end + 4 + int(length):
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + int(length)])
        del self._buffer[: end + 4 + int(length)]
        status = re.match(r"RTSP/\d\.\d +(\d{3})", start)
        challenges = tuple(value for name, value in pairs if name == "www-authenticate")
        return Answer(int(status[1]) if status else 0, headers, challenges, body)

    def _asked_by_camera(self) -> bool:
        """Whether a request of the camera stands there (some send OPTIONS or ANNOUNCE); it is read and not answered."""
        return re.match(rb"[A-Z_]{1,20}( |$)", bytes(self._buffer[:32])) is not None


def _based(told: str, asked: str) -> str:
    """The address that a camera tells as the base of others; it may be relative to what was asked (RFC 7826, 18.17)."""
    whole = re.match(r"(rtsps?://[^/?]*)([^?]*/)?", asked)
    if re.match(r"rtsps?://", told) or whole is None:
        return told
    return whole[1] + (told if told.startswith("/") else (whole[2] or "/") + told)


def _resolved(base: str, control: str) -> str:
    """The address of a stream below the session's (RFC 2326, C.1.1)."""
    if re.match(r"rtsps?://", control):
        return control
    if control in ("", "*"):
        return base
    return base.rstrip("/") + "/" + control.lstrip("/")
