"""SOAP 1.2 as ONVIF devices speak it: envelopes out, and XML from a stranger in. App.

A document with a document type is refused before it is parsed, so there is no entity to expand (the attacks of
CVE-2003-1564 and their kin); sizes are limited by whoever reads.
"""

import base64
import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from skyveil.core.secret import Secret

ANSWER_LIMIT: Final = 1 << 20
ENVELOPE: Final = "http://www.w3.org/2003/05/soap-envelope"
_SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_UTILITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TOKEN: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"  # noqa: S105


def envelope(body: str, header: str = "") -> bytes:
    """A message with this body."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def username_token(name: str, password: Secret, clock_offset: timedelta) -> str:
    """The header that proves a password (WS-Security UsernameToken Profile 1.0, 3.1): SHA-1 over nonce, time, password.

    `clock_offset` is the device's clock minus ours: a device refuses times that are not its own.
    """
    nonce = os.urandom(16)
    created = (datetime.now(UTC) + clock_offset).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    digest = hashlib.sha1(nonce + created.encode() + password.reveal().encode(), usedforsecurity=False).digest()
    return (
        f'<w:Security xmlns:w="{_SECURITY}" xmlns:u="{_UTILITY}" s:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{escape(name)}</w:Username>"
        f'<w:Password Type="{_TOKEN}#PasswordDigest">{base64.b64encode(digest).decode()}</w:Password>'
        f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce><u:Created>{created}</u:Created>"
        "</w:UsernameToken></w:Security>"
    )


def parsed(data: bytes) -> Element | None:
    """The document; None for what is none, is too long, or has a document type."""
    if len(data) > ANSWER_LIMIT or b"<!DOCTYPE" in data or b"\0" in data:
        return None
    try:
        return ElementTree.fromstring(data)  # noqa: S314 (without a document type there are no entities)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def text(element: Element, *path: str) -> str:
    """The text at the end of a path of local names, the first that there is; empty when there is none.

    Devices disagree on prefixes and versions of name spaces, never on names.
    """
    waiting = [(element, 0)]
    while waiting:
        one, found = waiting.pop()
        found += _local(one) == path[found]
        if found == len(path):
            return (one.text or "").strip()
        waiting += [(below, found) for below in reversed(list(one))]
    return ""


def elements(element: Element, name: str) -> list[Element]:
    """Every element of this local name, in order."""
    return [one for one in element.iter() if _local(one) == name]


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
