"""From a worker's messages to one checked file. App, parent side: takes redacted packets and pictures, nothing else."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import final

from skyveil.core.errors import WorkerFailed
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.record.check import Written
from skyveil.public.record.writer import MediaWriter, write_still
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Finished, Message, Progress, Suspect, Suspects


@final
@dataclass(frozen=True, slots=True)
class Recorded:
    """A file that is written, checked and named."""

    written: Written
    finished: Finished


def record(
    messages: Iterator[Message], output: Path, *, overwrite: bool, sound: bool, progress: Callable[[Progress], None]
) -> Recorded:
    """Write what the worker sends to `output`; on any error nothing of it stays.

    Raises what the worker told, OutputRefused or OutputWrong by the writer, WorkerFailed when messages come in an
    impossible order or the frame counts disagree.
    """
    first = _past_progress(messages, progress)
    if isinstance(first, StillImage):
        finished = _end(messages, progress)
        return Recorded(write_still(output, first, overwrite=overwrite), finished)
    if not isinstance(first, StreamHeader):
        raise WorkerFailed(f"the worker began with {type(first).__name__}, expected a header or a picture")
    second = _past_progress(messages, progress) if sound else None
    audio = second if isinstance(second, AudioHeader) else None
    with ExitStack() as stack:
        writer = stack.enter_context(MediaWriter(output, first, audio=audio, overwrite=overwrite))
        message = second if second is not None and audio is None else next(messages)
        while not isinstance(message, Finished):
            _write(writer, message, progress)
            message = next(messages)
        written = writer.finish()
        if written.frames != message.frames:
            raise WorkerFailed(f"the worker tells of {message.frames} frames, {written.frames} were written")
        return Recorded(written, message)


def suspects_in(
    messages: Iterator[Message], progress: Callable[[Progress], None]
) -> tuple[tuple[Suspect, ...], Finished]:
    """What a verify job found."""
    found: tuple[Suspect, ...] = ()
    for message in messages:
        if isinstance(message, Suspects):
            found += message.suspects
        elif isinstance(message, Progress):
            progress(message)
        elif isinstance(message, Finished):
            return found, message
        else:
            raise WorkerFailed(f"the worker sent {type(message).__name__} in answer to verify")
    raise WorkerFailed("the worker ended before it had verified")


def _write(writer: MediaWriter, message: Message, progress: Callable[[Progress], None]) -> None:
    """One message between header and end."""
    if isinstance(message, RedactedPacket):
        writer.write(message)
    elif isinstance(message, AudioPacket):
        writer.write_audio(message)
    elif isinstance(message, Progress):
        progress(message)
    else:
        raise WorkerFailed(f"the worker sent {type(message).__name__} among packets")


def _past_progress(messages: Iterator[Message], progress: Callable[[Progress], None]) -> Message:
    """The next message that is not Progress."""
    for message in messages:
        if not isinstance(message, Progress):
            return message
        progress(message)
    raise WorkerFailed("the worker ended before it had sent anything")


def _end(messages: Iterator[Message], progress: Callable[[Progress], None]) -> Finished:
    """The Finished behind a picture."""
    message = _past_progress(messages, progress)
    if not isinstance(message, Finished):
        raise WorkerFailed(f"the worker sent {type(message).__name__} behind a picture")
    return message
