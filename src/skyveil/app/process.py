"""One worker process, seen from its parent: started, fed, watched and ended. App, parent side.

A worker that says nothing for `silent_s` seconds is killed; so is one whose parent lets go of it. What it prints is
kept as a few plain characters, for the message about its death, and goes nowhere else.
"""

import io
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, final

from skyveil.app.task import Begin, Task
from skyveil.core.errors import WorkerFailed
from skyveil.public.wire import Failed, Finished, Message, Walled, WireReader

COMMAND: Final = (sys.executable, "-P", "-m", "skyveil.app.worker")
"""-P: a module lying in the working folder must not be imported in place of ours."""

SILENT_S: Final = 120.0
"""A worker tells its progress at least every few seconds; the slowest single look measured took under 3 s."""

_ONE_THREAD: Final = {
    # numpy's threads would be started before the wall and stand outside it, and one thread is what is paid for.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # OpenCV's threads spin while they wait for each other: 25 to 380 switches a live frame, and 2 of its 27 ms of CPU.
    "OPENCV_FOR_THREADS_NUM": "1",
    # The worker can not write anyway; it need not try.
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONFAULTHANDLER": "",
}
_KEPT_VARIABLES: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "TZ",
)
_LAST_WORDS: Final = 2000


def child_environment() -> dict[str, str]:
    """What a worker may see of our environment."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | _ONE_THREAD


@final
class Worker:
    """A running worker. One thread owns it; `kill` may be called from another."""

    def __init__(self, begin: Begin, *, command: Sequence[str] = COMMAND, silent_s: float = SILENT_S) -> None:
        """Start the process and send it the first line. Raises WorkerFailed when it can not be started."""
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=child_environment(),
                cwd="/",
                bufsize=0,
                start_new_session=True,  # Ctrl-C reaches the parent, which ends its workers in order
            )
        except OSError as error:
            raise WorkerFailed(f"the worker can not be started: {error.strerror}") from error
        self._silent_s = silent_s
        assert self._process.stdout is not None and self._process.stderr is not None  # noqa: S101 (pipes were asked for)
        self._pipe = io.BufferedReader(_Watched(self._process, self._process.stdout, silent_s), 1 << 18)
        self._messages = WireReader(self._pipe)
        self._words: deque[bytes] = deque(maxlen=8)
        self._listener = threading.Thread(
            target=self._listen, args=(self._process.stderr,), name="worker-stderr", daemon=True
        )
        self._listener.start()
        self.wall: Walled | None = None
        self._busy = False
        self._ahead: Task | None = None
        self._tell(begin.line())

    def run(self, task: Task, *, then: Task | None = None) -> Iterator[Message]:
        """The messages of one file up to and with `Finished`; raises what `Failed` says, WorkerFailed when it died.

        `then` is the file to run next: it is sent along, so that the worker has begun it while we write this one.
        """
        if self._ahead not in (None, task):
            raise WorkerFailed(f"the worker was sent {self._ahead.source.name} to do next, not {task.source.name}")
        self._busy = True
        if self._ahead is None:
            self._tell(task.line())
        self._ahead = then if then is not None and self._tell_ahead(then.line()) else None
        while True:
            message = self._next()
            self._busy = not isinstance(message, Failed | Finished)
            if isinstance(message, Walled):
                self.wall = message
                continue
            if isinstance(message, Failed):
                raise message.raised()
            yield message
            if not self._busy:
                return

    @property
    def idle(self) -> bool:
        """Whether the process runs and waits for a file; one that was left in the middle of a file never does again."""
        return self._ahead is None and self.takes(None)

    def takes(self, task: Task | None) -> bool:
        """Whether the process runs and `task` may be run next: nothing is under way, and no other file was sent."""
        return not self._busy and self._ahead in (None, task) and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; harmless when it is gone."""
        self._process.kill()

    def close(self, *, at_once: bool) -> None:
        """End the process and wait until it is gone; without `at_once` it may leave by itself within 5 s."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=0 if at_once else 5)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._listener.join(timeout=5)
        self._pipe.close()

    def _next(self) -> Message:
        try:
            message = self._messages.read()
        except WorkerFailed:
            self.kill()
            raise
        if message is None:
            raise WorkerFailed(self._obituary())
        return message

    def _tell(self, line: bytes) -> None:
        """Send a line; when the worker is gone, what it said before is read next and tells why."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(line)

    def _tell_ahead(self, line: bytes) -> bool:
        """Send a line that waits in the pipe; not one that may fill it: we and the worker would wait for each other."""
        if len(line) > select.PIPE_BUF:
            return False
        self._tell(line)
        return True

    def _obituary(self) -> str:
        """How the process ended, with its last printed line."""
        self._process.wait(timeout=60)
        self._listener.join(timeout=5)
        code = self._process.returncode
        how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        words = "".join(letter for letter in b"".join(self._words).decode("ascii", "replace") if letter.isascii())
        last = words.strip().splitlines()[-1:] if words.strip() else []
        said = "".join(letter for letter in last[0] if letter.isprintable())[:200] if last else ""
        return f"the worker was {how}" + (f"; it said: {said}" if said else "")

    def _listen(self, stream: IO[bytes]) -> None:
        """Keep the end of what the worker prints, and drop the rest, so that it never blocks."""
        with stream:
            while part := stream.read(_LAST_WORDS):
                self._words.append(part[-_LAST_WORDS:])


def kept_waiting_s(pid: int) -> float | None:
    """For how long the main thread of a process was ready to run while others ran; None where the kernel does not say.

    The second number of /proc/PID/schedstat, in nanoseconds (Documentation/scheduler/sched-stats.rst). Workers and
    cameras' processes compute in their main thread.
    """
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return None


@final
class _Watched(io.RawIOBase):
    """The worker's stdout; a read that waits too long raises WorkerFailed.

    What the worker itself waits for a processor does not count: a machine with too much to do is no worker that hangs.
    """

    def __init__(self, process: subprocess.Popen[bytes], stream: IO[bytes], silent_s: float) -> None:
        super().__init__()
        self._process = process
        self._stream = stream
        self._silent_s = silent_s

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # the buffer protocol is 3.12
        """Read what is there, waiting for the first byte."""
        began_s, waited_s = time.monotonic(), kept_waiting_s(self._process.pid) or 0.0
        left_s = self._silent_s
        while left_s > 0:
            ready, _, _ = select.select([self._stream], [], [], left_s)
            if ready:
                return os.readv(self._stream.fileno(), [buffer])
            kept_s = (kept_waiting_s(self._process.pid) or waited_s) - waited_s
            left_s = began_s + kept_s + self._silent_s - time.monotonic()
        raise WorkerFailed(f"the worker said nothing for {self._silent_s:g} s and was ended")

    def close(self) -> None:
        """Close the pipe."""
        self._stream.close()
        super().close()
