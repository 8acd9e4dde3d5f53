"""The whole path of a frame, on one screen. App, inside the walled worker."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from skyveil.core.settings import RedactSettings
from skyveil.gate.fill import Fill
from skyveil.gate.redact import redact
from skyveil.private.capture.source import Source
from skyveil.private.watch import Decided, Watch
from skyveil.public.types import RedactedFrame
from skyveil.public.wire import Message


class Encoder(Protocol):
    """Takes redacted frames and nothing else."""

    def encode(self, frame: RedactedFrame) -> Sequence[Message]:
        """What is ready to cross the pipe after this frame."""
        ...

    def end(self) -> Sequence[Message]:
        """What was still held."""
        ...


class Tally(Protocol):
    """Counts frames; sees no raw one."""

    def count(self, frame: RedactedFrame, *, damaged: bool) -> None:
        """Take a frame that passed the gate; `damaged` when the decoder had to guess it."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Door:
    """The way from a decided frame to the pipe: the only one there is, for files and for cameras."""

    fill: Fill
    encoder: Encoder
    tally: Tally
    settings: RedactSettings

    def passed(self, decided: Iterable[Decided]) -> Iterator[Message]:
        """The messages of frames that are decided, in order."""
        for raw, regions in decided:
            damaged = raw.damaged
            frame = redact(
                raw, regions, self.fill, max_look_age_s=self.settings.max_look_age_s
            )  # gate: raw is empty from here on
            self.tally.count(frame, damaged=damaged)
            yield from self.encoder.encode(frame)  # public: packets, which cross the pipe to the writer


def redacted(source: Source, watch: Watch, door: Door) -> Iterator[Message]:
    """Redact and encode every frame of the source, in order: the only way from a raw picture to the pipe."""
    for raw in source.frames():  # private: decoded, and owned by the watch alone
        yield from door.passed(watch.see(raw))  # private: motion, looks, tracks, hindsight; regions with evidence
    yield from door.passed(watch.end())
    yield from door.encoder.end()
