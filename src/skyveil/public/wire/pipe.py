"""The two ends of the pipe between the worker and the writer. Public side."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, final

from skyveil.core.errors import WorkerFailed
from skyveil.public.wire.bodies import packed, type_of
from skyveil.public.wire.messages import Message

VERSION: Final = 1
_HEAD = struct.Struct("!IBB")


@final
class WireWriter:
    """Sends messages into one pipe. One thread owns it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, message: Message) -> None:
        """Write one message and flush it; blocks while the pipe is full.

        Raises WorkerFailed when the message itself breaks a limit or its schema: a bug here, not at the reader.
        """
        number, body, payload = packed(message)
        size = len(body) + len(payload)
        kind = type_of(number)
        if kind is None or size > kind.limit:
            raise WorkerFailed(f"a {type(message).__name__} of {size} bytes is over the limit")
        self._write(_HEAD.pack(size + 2, VERSION, number) + body)
        self._write(payload)
        self._stream.flush()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]


@final
class WireReader:
    """Reads messages from one pipe. One thread owns it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Message]:
        """The messages until the pipe ends between two of them; WorkerFailed for everything else."""
        while (message := self.read()) is not None:
            yield message

    def read(self) -> "Message | None":
        """The next message, or None when the pipe ended between two messages."""
        head = self._exactly(_HEAD.size, may_end=True)
        if not head:
            return None
        length, version, number = _HEAD.unpack(head)
        if version != VERSION:
            raise WorkerFailed(f"the worker speaks version {version} of the protocol, expected {VERSION}")
        kind = type_of(number)
        if kind is None:
            raise WorkerFailed(f"the worker sent a message of unknown type {number}")
        if not 0 <= length - 2 <= kind.limit:
            raise WorkerFailed(f"the worker sent a {kind.name} of {length} bytes, over the limit")
        return kind.unpack(self._exactly(length - 2))

    def _exactly(self, size: int, *, may_end: bool = False) -> bytes:
        """`size` bytes; empty when the pipe has ended and `may_end`. Memory grows with what arrives only."""
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._stream.read(min(missing, 1 << 20))
            if not part:
                if may_end and missing == size:
                    return b""
                raise WorkerFailed(f"the worker stopped inside a message, {missing} of {size} bytes missing")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
