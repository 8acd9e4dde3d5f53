"""The Digest login of RTSP, as its servers and clients know it (RFC 2069: MD5). Public side."""

import hashlib
import re
from typing import Final

_FIELD: Final = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def digest(user: str, password: str, *, realm: str, nonce: str, method: str, uri: str) -> str:
    """What proves that both sides know the password, in hex."""
    return _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'{method}:{uri}')}")


def fields(header: str) -> dict[str, str]:
    """The fields of a `Digest` header by name; empty for another kind of login."""
    if not header.lower().startswith("digest "):
        return {}
    return {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(header)}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
