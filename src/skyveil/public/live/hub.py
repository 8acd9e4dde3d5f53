"""Live pictures from cameras to everybody who looks. Public side; lives in the server's event loop.

Every viewer gets the init segment and the fragments since the last key frame at once. A viewer that is slower than its
camera is dropped to the next key frame; nobody's queue grows.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Final, final

from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId

WAITING: Final = 25
"""Fragments that may wait for one viewer."""
GOP_LIMIT: Final = 600
"""Fragments since the last key frame that are kept for new viewers."""


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """One fragment."""

    data: bytes
    keyframe: bool


@final
@dataclass(slots=True, eq=False)
class Viewer:
    """One who looks at one camera. Texts are never dropped, and there is at most one of each kind waiting."""

    _pieces: deque[bytes] = field(default_factory=deque)
    _texts: deque[str] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _init: bytes | None = None
    _skipping: bool = False
    dropped: int = 0

    async def next(self) -> bytes | str:
        """What is next to send; waits for it."""
        while not (self._texts or self._pieces or self._init is not None):
            self._wake.clear()
            await self._wake.wait()
        if self._texts:
            return self._texts.popleft()
        if self._init is not None:
            init, self._init = self._init, None
            return init
        return self._pieces.popleft()

    def say(self, text: str, *, first: bytes | None = None) -> None:
        """Send a text; with `first`, a new init segment follows it, and what waited is void."""
        if first is not None:
            self._init = first
            self._pieces.clear()
            self._texts.clear()
            self._skipping = True
        self._texts.append(text)
        while len(self._texts) > WAITING:
            self._texts.popleft()
        self._wake.set()

    def give(self, piece: Piece) -> None:
        """Send a fragment, unless too many wait already."""
        if self._skipping and not piece.keyframe:
            self.dropped += 1
            return
        self._skipping = False
        if len(self._pieces) >= WAITING:
            self.dropped += len(self._pieces) + 1
            self._pieces.clear()
            self._skipping = True
            return
        self._pieces.append(piece.data)
        self._wake.set()


@final
@dataclass(slots=True)
class _Channel:
    init: bytes = b""
    mime: str = ""
    pieces: deque[Piece] = field(default_factory=lambda: deque(maxlen=GOP_LIMIT))
    health: CameraHealth | None = None
    viewers: set[Viewer] = field(default_factory=set)
    _joined: bytes | None = None

    def take(self, piece: Piece) -> None:
        if piece.keyframe:
            self.pieces.clear()
        self.pieces.append(piece)
        self._joined = None

    def clear(self) -> None:
        self.pieces.clear()
        self._joined = None

    def joined(self) -> bytes:
        """The fragments since the last key frame as one; the same bytes for all who come before the next fragment."""
        if self._joined is None:
            whole = bool(self.pieces) and self.pieces[0].keyframe
            self._joined = b"".join(piece.data for piece in self.pieces) if whole else b""
        return self._joined


@final
class Hub:
    """All cameras and viewers. Only the event loop's thread touches it."""

    def __init__(self) -> None:
        self._channels: dict[CameraId, _Channel] = {}

    def start(self, camera: CameraId, init: bytes, mime: str) -> None:
        """A stream begins, or begins anew with another size."""
        channel = self._channel(camera)
        channel.init, channel.mime = init, mime
        channel.clear()
        for viewer in channel.viewers:
            viewer.say(_text(channel), first=init)

    def publish(self, camera: CameraId, data: bytes, *, keyframe: bool) -> None:
        """A fragment of a camera."""
        channel, piece = self._channel(camera), Piece(data, keyframe)
        channel.take(piece)
        for viewer in channel.viewers:
            viewer.give(piece)

    def state(self, health: CameraHealth) -> None:
        """How a camera is doing; viewers hear of changes only."""
        channel = self._channel(health.camera)
        before, channel.health = channel.health, health
        if before is None or (before.state, before.cause) != (health.state, health.cause):
            for viewer in channel.viewers:
                viewer.say(json.dumps({"health": asdict(health)}))

    def remove(self, camera: CameraId) -> None:
        """Forget a camera."""
        self._channels.pop(camera, None)

    def health(self, camera: CameraId) -> CameraHealth | None:
        """What was heard last of a camera."""
        channel = self._channels.get(camera)
        return None if channel is None else channel.health

    def picture(self, camera: CameraId) -> bytes | None:
        """Init segment and fragments since the last key frame, as one MP4; None before there is any."""
        channel = self._channels.get(camera)
        joined = b"" if channel is None else channel.joined()
        return channel.init + joined if channel is not None and joined else None

    def viewers(self, camera: CameraId) -> int:
        """How many look at a camera."""
        channel = self._channels.get(camera)
        return 0 if channel is None else len(channel.viewers)

    @asynccontextmanager
    async def viewing(self, camera: CameraId) -> AsyncIterator[Viewer]:
        """Look at a camera for as long as the block lasts."""
        channel, viewer = self._channel(camera), Viewer()
        if channel.init:
            viewer.say(_text(channel), first=channel.init)
            # All at once, as one message: however many there are, they are one picture and its past.
            if joined := channel.joined():
                viewer.give(Piece(joined, keyframe=True))
        elif channel.health is not None:
            viewer.say(_text(channel))
        channel.viewers.add(viewer)
        try:
            yield viewer
        finally:
            channel.viewers.discard(viewer)

    def _channel(self, camera: CameraId) -> _Channel:
        return self._channels.setdefault(camera, _Channel())


def _text(channel: _Channel) -> str:
    known = {"mime": channel.mime} if channel.mime else {}
    return json.dumps({**known, **({"health": asdict(channel.health)} if channel.health is not None else {})})
