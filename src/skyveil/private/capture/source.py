"""Where frames come from: what a source says of itself, and how a file becomes one. Private side."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, final

from skyveil.core.ids import SourceId
from skyveil.core.stills import StillFormat
from skyveil.core.stream import StreamInfo
from skyveil.private.frame import RawFrame

Gap: TypeAlias = tuple[float, float]
"""Start and end, in seconds of media time, of a stretch that the file should hold and does not."""


@final
@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame is asked for.

    stream: what the frames that come out are like.
    expected_frames: a hint for progress, never a promise.
    dropped: what the file holds beside the pictures that come out, in words: "audio aac", "page 2".
    still_format: the format in which a picture is to be written again; None for video.
    """

    kind: Literal["video", "still"]
    stream: StreamInfo
    expected_frames: int | None
    duration_s: float | None
    dropped: tuple[str, ...]
    still_format: StillFormat | None


class Source(Protocol):
    """An open medium. `frames` may be walked once; whoever opened the source closes it."""

    @property
    def info(self) -> SourceInfo:
        """What is known before the first frame is asked for."""
        ...

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Stretches of media time without frames though the file should hold some; complete after `frames`."""
        ...

    @property
    def truncated(self) -> bool:
        """Whether the file ends before what its header promises, or could not be read to its end."""
        ...

    def frames(self) -> Iterator[RawFrame]:
        """All frames, in order, times exact and strictly ascending; damaged ones flagged, never silently lost."""
        ...

    def close(self) -> None:
        """Give back what the source holds; no frame may be asked for afterwards."""
        ...


def open_media(path: Path, source_id: SourceId, *, ten_bit: bool = False) -> Source:
    """Open a picture or a video, told apart by content and never by name.

    With `ten_bit`, video of more than 8 bits comes out with 10 bits instead of 8. Raises InputRefused.
    """
    # Imported here: Pillow would cost a video worker 30 ms of CPU.
    from skyveil.private.capture.sniff import still_format_in

    still_format = still_format_in(path)
    if still_format is not None:
        from skyveil.private.capture.still import open_still

        return open_still(path, source_id)
    from skyveil.private.capture.video import open_video

    return open_video(path, source_id, ten_bit=ten_bit)
