"""Asks an ONVIF device what streams it has: four questions, none of which changes anything. App, no camera process.

Passwords are proven by digest (WS-UsernameToken, and HTTP Digest where the device wants that), never sent. Only the
host that was found is asked: addresses that a device tells of its services are read for their path alone.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, final
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from skyveil.app import soap
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live.login import Login

TIMEOUT_S: Final = 5.0
"""Without a byte."""
LIMIT_S: Final = 60.0
"""For all questions to one device: a byte now and then would make every answer endless."""
_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
_SCHEMA: Final = "http://www.onvif.org/ver10/schema"
_MOST_PROFILES: Final = 64
_DAY: Final = timedelta(days=1)
_WRITTEN: Final = "!#$%&'()*+,/:;=?@[]~"
"""Characters of an address that are sent as they are; all others are quoted (RFC 3986, 2)."""
_SECRETS: Final = ("user", "pass", "pwd", "auth", "token", "key", "sign")
"""Parts of names of parameters in which devices put credentials."""


@final
@dataclass(frozen=True, slots=True)
class Stream:
    """One stream that a device offers. source: its address, without credentials; elsewhere: on another host."""

    profile: str
    codec: str
    width: int
    height: int
    fps: float
    source: SafeUrl
    elsewhere: bool


@final
@dataclass(frozen=True, slots=True)
class Offers:
    """What a device is and offers. clock_offset_s: its clock minus ours, None where it does not tell."""

    maker: str
    model: str
    clock_offset_s: float | None
    streams: tuple[Stream, ...]


@final
class OnvifDevice:
    """One device, asked over one connection for each question."""

    def __init__(
        self,
        service: SafeUrl,
        username: str | None = None,
        password: Secret | None = None,
        *,
        limit_s: float = LIMIT_S,
    ) -> None:
        """The time for all questions begins now."""
        self._service = service
        self._until_s = time.monotonic() + limit_s
        self._name, self._password = username, password
        self._login = Login(username, password, never_sent=True)
        self._offset: timedelta | None = None

    def offers(self) -> Offers:
        """Its streams; raises CameraUnavailable."""
        self._offset = self._clock_offset()
        about = self._asked(self._service, f'<d:GetDeviceInformation xmlns:d="{_DEVICE}"/>')
        media = self._media()
        profiles = self._asked(media, f'<m:GetProfiles xmlns:m="{_MEDIA}"/>')
        streams = [self._stream(media, one) for one in soap.elements(profiles, "Profiles")[:_MOST_PROFILES]]
        return Offers(
            soap.text(about, "Manufacturer"),
            soap.text(about, "Model"),
            None if self._offset is None else self._offset.total_seconds(),
            tuple(one for one in streams if one is not None),
        )

    def _clock_offset(self) -> timedelta | None:
        """The device's clock minus ours; it is asked without a password, because that needs the time."""
        try:
            answer = self._asked(self._service, f'<d:GetSystemDateAndTime xmlns:d="{_DEVICE}"/>', proven=False)
        except CameraUnavailable as error:
            if error.cause is Cause.WRONG_PASSWORD:
                return None
            raise
        told = [soap.text(answer, "UTCDateTime", *path) for path in _TIME]
        try:
            year, month, day, hour, minute, second = (int(one) for one in told)
            # A clock that ends while the device is asked is none.
            clock = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) + _DAY
            return clock - datetime.now(UTC) - _DAY
        except (ValueError, OverflowError):
            return None

    def _media(self) -> SafeUrl:
        body = f'<d:GetCapabilities xmlns:d="{_DEVICE}"><d:Category>Media</d:Category></d:GetCapabilities>'
        told = soap.text(self._asked(self._service, body), "Media", "XAddr")
        try:
            # Behind a translation of addresses a device tells one that nobody reaches: its path is enough.
            media = self._service.joined(SafeUrl(told).reveal_target())
        except SettingsRefused:
            return self._service
        # A path that begins with two slashes is another host to whoever joins it.
        return media if media.same_server(self._service) else self._service

    def _stream(self, media: SafeUrl, profile: Element) -> Stream | None:
        token = profile.get("token", "")
        body = (
            f'<m:GetStreamUri xmlns:m="{_MEDIA}" xmlns:t="{_SCHEMA}"><m:StreamSetup><t:Stream>RTP-Unicast</t:Stream>'
            "<t:Transport><t:Protocol>RTSP</t:Protocol></t:Transport></m:StreamSetup>"
            f"<m:ProfileToken>{quoteattr(token)[1:-1]}</m:ProfileToken></m:GetStreamUri>"
        )
        try:
            source = without_credentials(soap.text(self._asked(media, body), "MediaUri", "Uri"))
        except SettingsRefused:
            return None
        except CameraUnavailable as error:
            if error.cause is Cause.NO_VIDEO:
                return None  # this profile is not whole; others are
            raise
        if source.scheme not in ("rtsp", "rtsps", "http", "https"):
            return None
        encoder = next(iter(soap.elements(profile, "VideoEncoderConfiguration")), None)

        def number(*path: str) -> float:
            text = "" if encoder is None else soap.text(encoder, *path)
            return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 9 else 0.0

        return Stream(
            soap.text(profile, "Name") or token,
            "" if encoder is None else soap.text(encoder, "Encoding"),
            int(number("Resolution", "Width")),
            int(number("Resolution", "Height")),
            number("RateControl", "FrameRateLimit"),
            source,
            elsewhere=source.host != self._service.host,
        )

    # --- asking -------------------------------------------------------------------------------------------------------

    def _asked(self, url: SafeUrl, body: str, *, proven: bool = True) -> Element:
        header = ""
        if proven and self._name is not None and self._password is not None:
            header = soap.username_token(self._name, self._password, self._offset or timedelta())
        data = soap.envelope(body, header)
        status, challenges, answer = self._posted(url, data)
        if status == 401 and proven and self._login.known:
            self._login.accept(challenges)
            status, _, answer = self._posted(url, data)
        document = soap.parsed(answer)
        fault = "" if document is None else " ".join(one.text or "" for one in soap.elements(document, "Value"))
        if status in (401, 403) or "NotAuthorized" in fault or "FailedAuthentication" in fault:
            raise CameraUnavailable(Cause.WRONG_PASSWORD)
        if status != 200 or document is None:
            raise CameraUnavailable(Cause.GARBAGE if status == 200 else Cause.NO_VIDEO)
        return document

    def _posted(self, url: SafeUrl, data: bytes) -> tuple[int, list[str], bytes]:
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        target = quote(url.reveal_target(), safe=_WRITTEN)
        authorisation = self._login.header("POST", target)
        if authorisation:
            headers["Authorization"] = authorisation
        connection = _CONNECTIONS[url.scheme](url.host, url.port)
        try:
            connection.connect()
            with _cut(connection.sock, self._until_s):
                connection.request("POST", target, data, headers)
                answer = connection.getresponse()
                challenges = answer.headers.get_all("WWW-Authenticate") or []
                return answer.status, challenges, answer.read(soap.ANSWER_LIMIT + 1)
        except ssl.SSLCertVerificationError as error:
            raise CameraUnavailable(Cause.CERTIFICATE) from error
        except TimeoutError as error:
            raise CameraUnavailable(Cause.FROZEN) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CameraUnavailable(Cause.WRONG_ADDRESS) from error
        finally:
            connection.close()


@contextmanager
def _cut(connection: socket.socket, until_s: float) -> Iterator[None]:
    """Cut a connection when the time is over; raises TimeoutError then, whatever came."""

    def cut() -> None:
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # that of TLS is for the thread that reads

    timer = threading.Timer(until_s - time.monotonic(), cut)
    timer.name, timer.daemon = "onvif-limit", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if time.monotonic() >= until_s:
            raise TimeoutError("the device took too long")


_TIME: Final = (
    *(("Date", one) for one in ("Year", "Month", "Day")),
    *(("Time", one) for one in ("Hour", "Minute", "Second")),
)
_CONNECTIONS: Final[dict[str, Callable[[str, int], http.client.HTTPConnection]]] = {
    "http": lambda host, port: http.client.HTTPConnection(host, port, timeout=TIMEOUT_S),
    "https": lambda host, port: http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S),
}


def without_credentials(address: str) -> SafeUrl:
    """The address without name, password, and parameters that hold such; SettingsRefused for what is none.

    Devices put passwords in as they are: one with `&` goes on behind it, and one with `/`, `?` or `#` makes an address
    of something else, which is refused.
    """
    unreadable = "a source is an address like rtsp://host/path: this one can not be read"
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise SettingsRefused(unreadable) from error
    if "@" in address and "@" not in parts.netloc:
        raise SettingsRefused(unreadable)
    kept: list[str] = []
    secret = False
    for one in filter(None, parts.query.split("&")):
        name, equals, _ = one.partition("=")
        secret = any(part in name.lower() for part in _SECRETS) or (secret and not equals)
        kept += [] if secret else [one]
    netloc = parts.netloc.rpartition("@")[2]
    return SafeUrl(urlunsplit(parts._replace(netloc=netloc, query="&".join(kept), fragment="")))
