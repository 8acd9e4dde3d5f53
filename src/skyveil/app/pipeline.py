"""The whole path of a frame, on one screen. App, inside the walled worker."""

from collections.abc import Iterator, Sequence
from typing import Protocol

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


def redacted(
    source: Source, watch: Watch, fill: Fill, encoder: Encoder, tally: Tally, settings: RedactSettings
) -> Iterator[Message]:
    """Redact and encode every frame of the source, in order: the only way from a raw picture to the pipe."""

    def past_the_gate(decided: Iterator[Decided]) -> Iterator[Message]:
        for raw, regions in decided:
            damaged = raw.damaged
            frame = redact(
                raw, regions, fill, max_look_age_s=settings.max_look_age_s
            )  # gate: raw is empty from here on
            tally.count(frame, damaged=damaged)
            yield from encoder.encode(frame)  # public: packets, which cross the pipe to the writer

    for raw in source.frames():  # private: decoded, and owned by the watch alone
        yield from past_the_gate(watch.see(raw))  # private: motion, looks, tracks, hindsight; regions with evidence
    yield from past_the_gate(watch.end())
    yield from encoder.end()
