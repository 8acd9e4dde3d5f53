"""Values that must not be printed: passwords, and addresses that may carry them. Core."""

from typing import Final, NoReturn, final
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from skyveil.core.errors import SettingsRefused

_DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def is_private(address: str) -> bool:
    """Whether nobody between can read what is sent to an address: by https, or within this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"))


@final
class Secret:
    """A password or token; printing, formatting and comparing by order show stars, pickling is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same value."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """By value."""
        return hash(self._value)

    def __str__(self) -> str:
        """Stars."""
        return "***"

    def __repr__(self) -> str:
        """Stars."""
        return "Secret(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise SettingsRefused("a secret can not be pickled or copied")


@final
class SafeUrl:
    """An address that prints without its query, which often holds tokens. It never holds a name or password."""

    __slots__ = ("_parts", "_text")

    def __init__(self, text: str) -> None:
        """Raise SettingsRefused for what is no address, or holds a name or password."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise SettingsRefused("a source is an address like rtsp://host/path: this one can not be read") from error
        if not parts.scheme or any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
            raise SettingsRefused("a source is an address like rtsp://host/path, without spaces")
        if parts.username is not None or parts.password is not None:
            raise SettingsRefused(
                "a source must not hold a name or password: write them as `username:` and `password:` of the camera"
            )
        if parts.scheme in _DEFAULT_PORTS and not parts.hostname:
            raise SettingsRefused(f"a source of scheme {parts.scheme} needs a host")
        if port == 0:
            raise SettingsRefused("a source can not have port 0")
        self._text = text
        self._parts: SplitResult = parts

    @property
    def scheme(self) -> str:
        """What stands before the colon, in lower case."""
        return self._parts.scheme

    @property
    def host(self) -> str:
        """The host, without brackets; empty for files and devices."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """The port written, or the usual one of the scheme; 0 where there is none."""
        return self._parts.port or _DEFAULT_PORTS.get(self.scheme, 0)

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self._parts.path

    @property
    def authority(self) -> str:
        """Host and port as they are written."""
        return self._parts.netloc

    def reveal(self) -> str:
        """The whole address, for the one place that asks for it."""
        return self._text

    def reveal_target(self) -> str:
        """Path and query, for the one place that asks for it."""
        return (self.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")

    def joined(self, reference: str) -> "SafeUrl":
        """The address that `reference` stands for here (RFC 3986, 5); raises SettingsRefused."""
        try:
            return SafeUrl(urldefrag(urljoin(self._text, reference)).url)
        except ValueError as error:
            raise SettingsRefused("a source is an address like rtsp://host/path: this one can not be read") from error

    def same_server(self, other: "SafeUrl") -> bool:
        """Whether both name the same scheme, host and port."""
        return (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same address."""
        return isinstance(other, SafeUrl) and other._text == self._text

    def __hash__(self) -> int:
        """By address."""
        return hash(self._text)

    def __str__(self) -> str:
        """The address without its query."""
        query = "?***" if self._parts.query else ""
        return f"{self.scheme}://{self._parts.netloc}{self.path}{query}"

    def __repr__(self) -> str:
        """The same."""
        return f"SafeUrl({self})"
