"""Reads what HTTP and RTSP say of logins: `WWW-Authenticate` and `Authorization` (RFC 9110, 11). Core."""

import re
from dataclasses import dataclass
from typing import Final, final

_PART: Final = re.compile(
    r"""([\w!#$%&'*+.^`|~-]+)           # a name
        (?:\s*=\s*
            (?: "((?:[^"\\]|\\.)*)"     # what is quoted may hold commas, and quotes behind a backslash
              | ([^\s,"]*) ) )?         # without a value: how to log in, and the fields that follow are its own
    """,
    re.VERBOSE,
)


@final
@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in, and what is told of it. `scheme` and the names of `fields` are in lower case."""

    scheme: str
    fields: dict[str, str]


def challenges(header: str) -> tuple[Challenge, ...]:
    """The ways that one header names, in its order; empty for what is no such header."""
    found: list[Challenge] = []
    for part in _PART.finditer(header):
        name, quoted, plain = part.groups()
        if quoted is None and plain is None:
            found.append(Challenge(name.lower(), {}))
        elif found:
            # A backslash before anything else stays: cameras write names of Windows domains as they are.
            value = plain if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
            found[-1].fields[name.lower()] = value
    return tuple(found)
