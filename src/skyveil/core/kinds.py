"""The four things Skyveil finds, and nothing else. Core."""

from enum import IntEnum
from typing import Final, final


@final
class Kind(IntEnum):
    """What a box shows. There is no kind for who it is, and there will be none."""

    FACE = 0
    HEAD = 1
    PERSON = 2
    PLATE = 3


WITH_FACES: Final = frozenset({Kind.FACE, Kind.HEAD, Kind.PERSON})
"""Targets of which a face that shows is a leak, for whoever looks again."""
