"""A device that answers ONVIF discovery and questions about its streams, for tests.

It holds no camera: its streams lead wherever it is told. What it can do to mislead is told by `Manners`.
"""

import base64
import hashlib
import re
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, final
from xml.sax.saxutils import escape

GROUP: Final = "239.255.255.250"
_LATE: Final = timedelta(seconds=5)
"""Difference to its own clock above which the device refuses a password."""


@final
@dataclass(slots=True)
class Manners:
    """How a device behaves."""

    clock_offset: timedelta = timedelta()
    doctype: bool = False
    service_host: str = "127.0.0.1"
    """The host of the addresses that it tells."""
    media: str = ""
    """The address that it tells of its media service; the true one where this is empty."""
    incomplete: str = ""
    """A profile that has no stream."""
    stream: str = "rtsp://127.0.0.1:8554"
    model: str = "TC-1"


@final
class OnvifDevice:
    """The device: discovery by UDP, questions by HTTP."""

    def __init__(self, manners: Manners, user: str, password: str) -> None:
        self.manners = manners
        self.user, self.password = user, password
        self.asked: list[str] = []
        """The questions, by name."""
        self.paths: list[str] = []
        """Where they were asked."""
        self.nonces: set[str] = set()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.daemon_threads = True
        _DEVICES[self.http.server_port] = self
        loopback = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex("lo"))
        self.group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.group.bind((GROUP, 3702))
        self.group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, loopback)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = int(self.udp.getsockname()[1])
        self.stopping = threading.Event()

    def service(self) -> str:
        """The address of its device service."""
        return f"http://{self.manners.service_host}:{self.http.server_port}/onvif/device_service"

    def listen(self) -> None:
        """Answer probes, from the group and by unicast, until told to stop."""
        while not self.stopping.is_set():
            for one in select.select([self.group, self.udp], [], [], 0.05)[0]:
                data, sender = one.recvfrom(65_536)
                message = re.search(rb"MessageID[^>]*>([^<]*)<", data)
                if b":Probe" in data and message is not None:
                    self.udp.sendto(self._match(message[1].decode()), sender)

    def _match(self, message: str) -> bytes:
        scopes = "onvif://www.onvif.org/name/North%20door onvif://www.onvif.org/hardware/TestCam"
        body = (
            '<d:ProbeMatches xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:ProbeMatch>'
            f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>http://192.0.2.7/onvif {self.service()}</d:XAddrs>"
            "</d:ProbeMatch></d:ProbeMatches>"
        )
        header = f'<a:RelatesTo xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">{message}</a:RelatesTo>'
        return _envelope(body, header)

    def answer(self, question: str) -> tuple[int, bytes]:
        """Status and envelope."""
        name = re.search(r"Body><(?:\w+:)?(\w+)", question)
        asked = name[1] if name else ""
        self.asked.append(asked)
        if asked == "GetSystemDateAndTime":
            now = datetime.now(UTC) + self.manners.clock_offset
            date = f"<Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day>"
            time = f"<Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second>"
            return 200, self._told(f"<x><UTCDateTime><Time>{time}</Time><Date>{date}</Date></UTCDateTime></x>")
        if not self._allowed(question):
            return 400, self._told(_fault("NotAuthorized"))
        if asked == "GetDeviceInformation":
            return 200, self._told(
                f"<r><Manufacturer>Acme &amp; Sons</Manufacturer><Model>{self.manners.model}</Model></r>"
            )
        if asked == "GetCapabilities":
            media = self.manners.media or self.service().replace("device_service", "media_service")
            return 200, self._told(f"<r><Capabilities><Media><XAddr>{media}</XAddr></Media></Capabilities></r>")
        if asked == "GetProfiles":
            return 200, self._told(f"<r>{_profile('main', 1920, 1080)}{_profile('sub', 640, 360)}</r>")
        token = re.search(r"ProfileToken>([^<]*)<", question)
        if token is not None and token[1] == self.manners.incomplete:
            return 500, self._told(_fault("IncompleteConfiguration"))
        uri = self.manners.stream.replace("://", f"://{self.user}:{self.password}@")
        uri += f"/{token[1] if token else ''}?channel=1&password={self.password}"
        return 200, self._told(f"<r><MediaUri><Uri>{escape(uri)}</Uri></MediaUri></r>")

    def _told(self, body: str) -> bytes:
        text = _envelope(body)
        return text.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1) if self.manners.doctype else text

    def _allowed(self, question: str) -> bool:
        found = {name: _between(question, name) for name in ("Username", "Password", "Nonce", "Created")}
        if found["Username"] != self.user or found["Nonce"] in self.nonces:
            return False
        self.nonces.add(found["Nonce"])
        created = datetime.fromisoformat(found["Created"])
        if abs(created - datetime.now(UTC) - self.manners.clock_offset) > _LATE:
            return False
        nonce = base64.b64decode(found["Nonce"])
        digest = hashlib.sha1(nonce + found["Created"].encode() + self.password.encode(), usedforsecurity=False)
        return base64.b64encode(digest.digest()).decode() == found["Password"]


_DEVICES: Final[dict[int, OnvifDevice]] = {}


@final
class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer one question."""
        question = self.rfile.read(int(self.headers["Content-Length"])).decode()
        device = _DEVICES[int(self.connection.getsockname()[1])]
        device.paths.append(self.path)
        status, answer = device.answer(question)
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


def _profile(token: str, width: int, height: int) -> str:
    size = f"<Resolution><Width>{width}</Width><Height>{height}</Height></Resolution>"
    rate = "<RateControl><FrameRateLimit>10</FrameRateLimit></RateControl>"
    encoder = f"<VideoEncoderConfiguration><Encoding>H264</Encoding>{size}{rate}</VideoEncoderConfiguration>"
    return f'<t:Profiles xmlns:t="urn:media" token="{token}"><Name>{token}</Name>{encoder}</t:Profiles>'


def _fault(name: str) -> str:
    return f"<Fault><Code><Subcode><Value>ter:{name}</Value></Subcode></Code></Fault>"


def _between(text: str, name: str) -> str:
    found = re.search(rf":{name}(?: [^>]*)?>([^<]*)<", text)
    return found[1] if found else ""


def _envelope(body: str, header: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


@contextmanager
def onvif_serving(manners: Manners, *, user: str = "viewer", password: str = "secret") -> Iterator[OnvifDevice]:  # noqa: S107
    """Serve in threads of their own; probes are taken on any port, from the group on loopback and by unicast."""
    device = OnvifDevice(manners, user, password)
    threads = [
        threading.Thread(target=device.http.serve_forever, args=(0.05,), name="onvif-http", daemon=True),
        threading.Thread(target=device.listen, name="onvif-udp", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield device
    finally:
        device.stopping.set()
        device.http.shutdown()
        for thread in threads:
            thread.join(20)
        device.http.server_close()
        device.group.close()
        device.udp.close()
        del _DEVICES[device.http.server_port]
