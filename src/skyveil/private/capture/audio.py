"""The sound of a file, decoded. Private side: only for `--keep-audio`, voices identify.

Sound has no gate: nothing removes a voice. It is decoded here and encoded anew, so that no tag, chapter or side data
of the input comes along, and only when the operator asked for it.
"""

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from skyveil.private.capture.containers import open_container


def decoded_audio(path: Path) -> Iterator[av.AudioFrame]:
    """The frames of the first audio stream in order; nothing when there is none.

    Packets that do not decode are left out, which leaves a gap of silence; where the file can not be read any further
    the sound ends (the pictures of the same file tell of that damage). Raises InputRefused when the file is no
    container that is read.
    """
    with open_container(path, doing="reading the sound") as container:
        for stream in container.streams.audio[:1]:
            for packet in _readable(container.demux(stream)):
                try:
                    frames = stream.decode(packet)
                except FFmpegError:
                    continue
                yield from (frame for frame in frames if frame.pts is not None)


def _readable(packets: "Iterator[Packet[AudioStream]]") -> "Iterator[Packet[AudioStream]]":
    """The packets up to where reading fails."""
    try:
        yield from packets
    except FFmpegError:
        return
