"""Finds ONVIF devices in the networks of this machine (WS-Discovery 1.0, April 2005). App, no camera process.

One probe goes to the multicast group on each interface, or by unicast to addresses that are named. Whoever answers is
asked further at the address from which the answer came, and nowhere else.
"""

import select
import socket
import struct
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import unquote

from skyveil.app import soap
from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
_ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_ONVIF: Final = "http://www.onvif.org/ver10/network/wsdl"
_REPEATS: Final = 2
_REPEAT_S: Final = 0.3
"""A datagram may be lost: the probe is said again (SOAP-over-UDP, appendix I)."""
_DATAGRAM: Final = 65_536
_MOST_DEVICES: Final = 4096


@final
@dataclass(frozen=True, slots=True)
class Device:
    """A device that answered. service: where it takes questions; name, hardware: what it says of itself."""

    host: str
    service: SafeUrl
    name: str
    hardware: str


def find(*, interfaces: Iterable[str] = (), addresses: Iterable[str] = (), seconds: float = 3.0) -> list[Device]:
    """The devices that answer within `seconds`, by address; all interfaces when neither those nor addresses are named.

    An address is HOST or HOST:PORT of its discovery. Raises SettingsRefused for an interface that is not there.
    """
    targets = [_target(one) for one in addresses]
    names = list(interfaces) or ([] if targets else [name for _, name in socket.if_nameindex()])
    message = f"urn:uuid:{uuid.uuid4()}"
    found: dict[str, Device] = {}
    with ExitStack() as stack:
        asking = [(stack.enter_context(_multicasting(name)), (GROUP, PORT)) for name in names]
        asking += [(stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), one) for one in targets]
        for answer, host in _answers(asking, _probe(message), seconds):
            for device in _devices(answer, host, message):
                found.setdefault(host, device)
            if len(found) >= _MOST_DEVICES:
                break
    return [found[host] for host in sorted(found, key=_by_number)]


def _answers(
    asking: list[tuple[socket.socket, tuple[str, int]]], probe: bytes, seconds: float
) -> Iterator[tuple[bytes, str]]:
    """Ask, ask again, and listen until the time is over."""
    until_s, again_s, asked = time.monotonic() + seconds, 0.0, 0
    while (now_s := time.monotonic()) < until_s:
        if asked < _REPEATS and now_s >= again_s:
            asked, again_s = asked + 1, now_s + _REPEAT_S
            for one, target in asking:
                try:
                    one.sendto(probe, target)
                except OSError:
                    continue  # this interface takes no multicast, or this host is not there
        left_s = (again_s if asked < _REPEATS else until_s) - time.monotonic()
        ready, _, _ = select.select([one for one, _ in asking], [], [], max(0.0, left_s))
        for one in ready:
            try:
                data, sender = one.recvfrom(_DATAGRAM)
            except OSError:
                continue  # the host says that nobody listens there
            yield data, str(sender[0])


def _multicasting(interface: str) -> socket.socket:
    """A socket whose multicasts leave by this interface, and no router passes on."""
    try:
        index = socket.if_nametoindex(interface)
    except OSError as error:
        raise SettingsRefused(f"there is no network interface {interface!r}: see `ip link`") from error
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
    return one


def _target(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingsRefused(f"{address!r} is no address: write HOST or HOST:PORT")
    try:
        return socket.gethostbyname(host), int(port or PORT)
    except OSError as error:
        raise SettingsRefused(f"the host {host!r} is not known: check its name") from error


def _probe(message: str) -> bytes:
    header = (
        f'<a:MessageID xmlns:a="{_ADDRESSING}">{message}</a:MessageID>'
        f'<a:To xmlns:a="{_ADDRESSING}" s:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>'
        f'<a:Action xmlns:a="{_ADDRESSING}" s:mustUnderstand="true">{_DISCOVERY}/Probe</a:Action>'
    )
    types = f'<d:Types xmlns:n="{_ONVIF}">n:NetworkVideoTransmitter</d:Types>'
    return soap.envelope(f'<d:Probe xmlns:d="{_DISCOVERY}">{types}</d:Probe>', header)


def _devices(answer: bytes, host: str, message: str) -> Iterator[Device]:
    document = soap.parsed(answer)
    if document is None or soap.text(document, "RelatesTo") != message:
        return
    for match in soap.elements(document, "ProbeMatch"):
        scopes = [unquote(one) for one in soap.text(match, "Scopes").split()]
        yield Device(
            host,
            _service(soap.text(match, "XAddrs").split(), host),
            _scope(scopes, "name"),
            _scope(scopes, "hardware"),
        )


def _service(told: list[str], host: str) -> SafeUrl:
    """Of the addresses that a device tells, the one from which it answered; else the usual one there."""
    for address in told:
        try:
            url = SafeUrl(address)
        except SettingsRefused:
            continue
        if url.scheme in ("http", "https") and url.host == host:
            return url
    return SafeUrl(f"http://{host}/onvif/device_service")


def _scope(scopes: list[str], kind: str) -> str:
    before = f"onvif://www.onvif.org/{kind}/"
    return next((one.removeprefix(before).replace("_", " ") for one in scopes if one.startswith(before)), "")


def _by_number(host: str) -> bytes:
    return socket.inet_aton(host)
