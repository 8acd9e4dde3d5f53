"""From a worker's messages to one checked file. App, parent side: takes redacted packets and pictures, nothing else."""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from skyveil.core.errors import WorkerFailed
from skyveil.core.manifest import YOLOX_NANO
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.record.check import Written
from skyveil.public.record.output import OutputFile
from skyveil.public.record.writer import MediaWriter, write_still
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Finished, Message, Progress, Suspect, Suspects


@final
@dataclass(frozen=True, slots=True)
class Recorded:
    """A file that is written and checked, and gets its name by `output.commit()`."""

    written: Written
    finished: Finished
    output: OutputFile


@contextmanager
def recording(
    messages: Iterator[Message], path: Path, *, overwrite: bool, sound: bool, progress: Callable[[Progress], None]
) -> Iterator[Recorded]:
    """What the worker sends, in the `.part` of `path`; unless it was committed, nothing of it stays.

    Raises what the worker told, OutputRefused or OutputWrong by the writer, WorkerFailed when messages come in an
    impossible order or the frame counts disagree.
    """
    first = _past_progress(messages, progress)
    if isinstance(first, StillImage):
        finished = _end(messages, progress)
        with OutputFile(path, overwrite=overwrite) as output:
            yield Recorded(write_still(output, first), finished, output)
        return
    if not isinstance(first, StreamHeader):
        raise WorkerFailed(f"the worker began with {type(first).__name__}, expected a header or a picture")
    second = _past_progress(messages, progress) if sound else None
    audio = second if isinstance(second, AudioHeader) else None
    with MediaWriter(path, first, audio=audio, overwrite=overwrite) as writer:
        message = second if second is not None and audio is None else next(messages)
        while not isinstance(message, Finished):
            _write(writer, message, progress)
            message = next(messages)
        written = writer.finish()
        if written.frames != message.frames:
            raise WorkerFailed(f"the worker tells of {message.frames} frames, {written.frames} were written")
        yield Recorded(written, message, writer.output)


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


def independent(looked: Finished, *, of: Set[str]) -> bool:
    """Whether a network looked that is not one of those, by sha256: what one overlooks it may overlook again.

    The network of bodies says nothing new of faces, and makes no look independent.
    """
    return any(model.sha256 not in {YOLOX_NANO.sha256, *of} for model in looked.models)


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
