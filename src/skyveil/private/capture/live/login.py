"""Proves to a camera who we are: Basic (RFC 7617) and Digest (RFC 7616), for RTSP and HTTP alike. Private side."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Final, final

from skyveil.core.challenge import challenges
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.secret import Secret

_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}


@final
class Login:
    """The name and password of one camera, and what it last asked for."""

    def __init__(self, name: str | None, password: Secret | None, *, never_sent: bool = False) -> None:
        """never_sent: prove the password by Digest or not at all, for devices that nobody has chosen."""
        self._never_sent = never_sent
        self._name = name
        self._password = password
        self._challenge: dict[str, str] | None = None
        self._uses = 0
        self._basic = False

    @property
    def known(self) -> bool:
        """Whether there is a name at all."""
        return self._name is not None

    def accept(self, headers: Sequence[str]) -> None:
        """Choose how to prove it: Digest with the strongest hash, else Basic; CameraUnavailable when none is known."""
        offered = [one for header in headers for one in challenges(header)]
        digests = [one.fields for one in offered if one.scheme == "digest"]
        known = [one for one in digests if one.get("algorithm", "MD5").upper() in _HASHES]
        if known:
            self._challenge = max(known, key=lambda one: one.get("algorithm", "MD5").upper() == "SHA-256")
            self._uses = 0
        elif not self._never_sent and any(one.scheme == "basic" for one in offered):
            self._basic = True
        else:
            raise CameraUnavailable(Cause.WRONG_PASSWORD)

    def header(self, method: str, uri: str) -> str:
        """The value of `Authorization` for this request; empty while nothing was asked for."""
        name = self._name or ""
        password = "" if self._password is None else self._password.reveal()
        if self._challenge is None:
            return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode() if self._basic else ""
        told = self._challenge
        kind = told.get("algorithm", "MD5").upper()

        def digest(text: str) -> str:
            return hashlib.new(_HASHES[kind], text.encode(), usedforsecurity=False).hexdigest()

        realm, nonce = told.get("realm", ""), told.get("nonce", "")
        first, second = digest(f"{name}:{realm}:{password}"), digest(f"{method}:{uri}")
        fields = {"username": name, "realm": realm, "nonce": nonce, "uri": uri}
        if "auth" in re.split(r"[\s,]+", told.get("qop", "")):
            self._uses += 1
            client, uses = os.urandom(8).hex(), f"{self._uses:08x}"
            fields["response"] = digest(f"{first}:{nonce}:{uses}:{client}:auth:{second}")
            extra = f', qop=auth, nc={uses}, cnonce="{client}"'
        else:
            fields["response"] = digest(f"{first}:{nonce}:{second}")
            extra = ""
        if "opaque" in told:
            fields["opaque"] = told["opaque"]
        if "algorithm" in told:
            extra += f", algorithm={told['algorithm']}"
        return "Digest " + ", ".join(f'{key}="{_quoted(value)}"' for key, value in fields.items()) + extra


def _quoted(text: str) -> str:
    return re.sub(r"[\r\n]", "", text).replace("\\", "\\\\").replace('"', '\\"')
