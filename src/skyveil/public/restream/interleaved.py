"""A stream inside an RTSP connection, to a reader that may be slow or stuck (RFC 2326, 10.12). Public side."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

_BUFFER_LIMIT: Final = 1 << 20
"""Bytes that may wait for one reader, about four seconds; a slower one goes on at the next key frame."""
_STUCK: Final = 600
"""Pictures in a row that a reader did not take before it is let go."""


@final
@dataclass(slots=True)
class Interleaved:
    """One connection and its channel. Only the event loop's thread touches it."""

    writer: asyncio.StreamWriter
    channel: int = 0
    skipping: bool = True
    """Until the next key frame."""
    not_taken: int = 0
    """Pictures in a row."""

    @property
    def stuck(self) -> bool:
        """Whether the reader was let go, because it takes nothing."""
        return self.not_taken > _STUCK

    def give(self, packets: Iterable[bytes], *, keyframe: bool) -> None:
        """Send a picture, unless too much waits already; lets a reader go that takes none for long.

        What is left out is not iterated over, so that it need not be made.
        """
        waiting = self.writer.transport.get_write_buffer_size()
        self.skipping = waiting > _BUFFER_LIMIT or (self.skipping and not keyframe)
        if not self.skipping:
            lead = b"$" + bytes((self.channel,))
            self.writer.write(b"".join(lead + len(one).to_bytes(2) + one for one in packets))
        self.not_taken = self.not_taken + 1 if self.skipping else 0
        if self.stuck:
            self.writer.transport.abort()
