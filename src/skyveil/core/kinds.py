"""The four things Skyveil finds, and nothing else. Core."""

from enum import IntEnum
from typing import final


@final
class Kind(IntEnum):
    """What a box shows. There is no kind for who it is, and there will be none."""

    FACE = 0
    HEAD = 1
    PERSON = 2
    PLATE = 3
