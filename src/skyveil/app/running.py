"""One run of a camera's process, seen from its parent: how it is started, and for how long it was silent. App.

A process that a busy machine keeps from its processors is not silent: it has no say in it.
"""

import io
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Final, final

from skyveil.app.process import child_environment, kept_waiting_s

_NOTED_S: Final = 1.0
"""From so long a silence on it is noted how long the process waits for a processor: pulses come every half second."""
_A_PROCESSOR: Final = 2
"""So many start at a time for each processor. With one, the last of twelve cameras on two processors too slow for them
was live after 88 s: those that run leave little to those that start. All at once they took 22 s."""
_ORDER_S: Final = 2.0
"""So long an order may wait to be read; before it waits at all, some hundred unread ones fill the socket."""
_TURN_S: Final = 0.2
"""How often who waits for their turn to start looks whether they are still wanted."""


@final
@dataclass(slots=True)
class Running:
    """A process that runs. The thread that reads it writes `heard_s`, and closes it; the watchdog asks `silent_s`.

    Any thread may send orders.
    """

    popen: "subprocess.Popen[bytes]"
    channel: socket.socket
    stdout: IO[bytes]
    started_s: float
    heard_s: float | None = None
    """When it was last heard (monotonic); None before its first pulse, which comes once its networks are loaded."""
    _noted: tuple[float, float] | None = field(default=None, init=False)
    """At which silence (its beginning) how long it had waited for processors before."""
    _sending: threading.Lock = field(default_factory=threading.Lock, init=False)

    def silent_s(self, now_s: float) -> float:
        """Seconds since it was heard, less those that it waited for a processor; a stopped process waits for none."""
        heard_s = self.started_s if self.heard_s is None else self.heard_s
        if now_s - heard_s < _NOTED_S:
            return now_s - heard_s
        waited_s = kept_waiting_s(self.popen.pid)
        if waited_s is None:
            return now_s - heard_s
        if self._noted is None or self._noted[0] != heard_s:
            self._noted = (heard_s, waited_s)
        return now_s - heard_s - (waited_s - self._noted[1])

    def order(self, line: bytes, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a line, and sockets with it. Raises TimeoutError when it is not read in time: half of it may be sent."""
        with self._sending:
            if sockets:
                socket.send_fds(self.channel, [line], [one.fileno() for one in sockets])
            else:
                self.channel.sendall(line)

    def close(self) -> None:
        """End it at once and let go of its pipes."""
        self.popen.kill()
        self.popen.wait()
        self.stdout.close()
        with self._sending:  # whoever still sends to it fails at once, and then not with another's descriptor
            self.channel.close()


def started(command: Sequence[str], *, now_s: float) -> Running:
    """Start a process with a socket as stdin; raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        popen = subprocess.Popen(  # noqa: S603 (our own module)
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )
    assert popen.stdout is not None  # noqa: S101 (a pipe was asked for)
    ours.settimeout(_ORDER_S)
    return Running(popen, ours, popen.stdout, now_s)


@final
class Starts:
    """Lets two processes start at a time for each processor: more only take them from each other."""

    def __init__(self, at_once: int | None = None) -> None:
        """at_once: None for twice the processors that this process may use."""
        self._free = threading.Semaphore(at_once or _A_PROCESSOR * len(os.sched_getaffinity(0)))

    @contextmanager
    def turn(self, *, wanted: Callable[[], bool], waits: Callable[[], None]) -> Iterator["Turn"]:
        """Wait for a turn, which ends with `Turn.end` or here; `waits` is called when there is none at once.

        Whoever is not `wanted` any more while they wait goes on without one.
        """
        has = self._free.acquire(blocking=False)
        if not has:
            waits()
            while not has and wanted():
                has = self._free.acquire(timeout=_TURN_S)
        turn = Turn(self._free if has else None)
        try:
            yield turn
        finally:
            turn.end()


@final
class Turn:
    """One process's turn to start. One thread owns it."""

    def __init__(self, free: threading.Semaphore | None) -> None:
        self._free = free

    def end(self) -> None:
        """Let the next one start; harmless when that was said before."""
        free, self._free = self._free, None
        if free is not None:
            free.release()


@final
class Heard(io.RawIOBase):
    """A process's stdout, which never waits for more than is there."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # the buffer protocol is 3.12
        """Read what is there, waiting for the first byte."""
        waiting = select.poll()  # select.select() refuses descriptors from 1024 on, which some hundred cameras reach
        waiting.register(self._stream, select.POLLIN)
        waiting.poll()
        return os.readv(self._stream.fileno(), [buffer])
