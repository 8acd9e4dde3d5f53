"""The Digest login of RTSP, as its servers and clients know it (RFC 2069: MD5). Public side."""

import hashlib

from skyveil.core.challenge import challenges


def digest(user: str, password: str, *, realm: str, nonce: str, method: str, uri: str) -> str:
    """What proves that both sides know the password, in hex."""
    return _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'{method}:{uri}')}")


def fields(header: str) -> dict[str, str]:
    """The fields of the first `Digest` in a header, by name; empty where there is none."""
    return next((one.fields for one in challenges(header) if one.scheme == "digest"), {})


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
