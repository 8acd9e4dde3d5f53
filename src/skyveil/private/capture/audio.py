"""The sound of a file, decoded. Private side: only for `--keep-audio`, voices identify.

Sound has no gate: nothing removes a voice. It is decoded here and encoded anew, so that no tag, chapter or side data
of the input comes along, and only when the operator asked for it.
"""

from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError

from skyveil.core.errors import InputRefused


def decoded_audio(path: Path) -> Iterator[av.AudioFrame]:
    """The frames of the first audio stream in order; nothing when there is none.

    Packets that do not decode are left out, which leaves a gap of silence. Raises InputRefused when the file can not
    be opened.
    """
    try:
        container = av.open(path, "r")
    except (FFmpegError, OSError) as error:
        raise InputRefused(f"{path.name}: can not be opened for its sound: {error.strerror or error}") from error
    with container:
        for stream in container.streams.audio[:1]:
            for packet in container.demux(stream):
                try:
                    frames = stream.decode(packet)
                except FFmpegError:
                    continue
                yield from (frame for frame in frames if frame.pts is not None)
