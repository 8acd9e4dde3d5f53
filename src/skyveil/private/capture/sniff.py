"""Tells pictures from video by the first bytes of a file. Private side."""

from pathlib import Path
from typing import Final

from skyveil.core.stills import StillFormat, still_format_of
from skyveil.private.capture.refusal import refuse_unless_file, translated

_JPEG: Final = b"\xff\xd8\xff"


def still_format_in(path: Path) -> StillFormat | None:
    """The format in which the picture at `path` is written again; None when it is no picture we know.

    Raises InputRefused when the file is missing, empty, or no ordinary file.
    """
    refuse_unless_file(path)
    with translated(path, doing="reading the file"), path.open("rb") as file:
        return still_format_of(file)


def named_container_of(path: Path) -> str | None:
    """The container that FFmpeg must be told, as it would go by the name: Motion JPEG looks like one JPEG."""
    with translated(path, doing="reading the file"), path.open("rb") as file:
        return "mjpeg" if file.read(3) == _JPEG else None
