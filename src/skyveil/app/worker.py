"""The process that holds raw pixels: `python -m skyveil.app.worker`. App.

stdin gives one JSON line to begin and one per file, stdout takes `public.wire` messages, stderr takes plain text.
The wall is raised after the first line, before a file is opened and before the libraries that compute are imported.
One file's failure is one `Failed` message; the next file goes on. End of stdin, or of the parent, ends the process.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias, final

from skyveil.app import sandbox
from skyveil.app.task import Begin, Task
from skyveil.core.errors import BoundaryViolated, SkyveilError, WorkerFailed
from skyveil.public.wire import Failed, Message, Walled, WireWriter

Serve: TypeAlias = Callable[[Task], Iterator[Message]]
"""One file: its messages, the last of which is `Finished`."""

_PLAIN: tuple[type, ...] = (str, int, float, bool, bytes, type(None), Path, BaseException)
_TEXT_LIMIT = 400


@final
class PlainText(logging.Filter):
    """Refuses log records that carry anything but short plain values: an array printed is a picture published."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is not plain by the name of its type, and cut what is long."""
        arguments = record.args if isinstance(record.args, tuple) else () if record.args is None else (record.args,)
        if not isinstance(record.msg, str) or not all(_plain(argument) for argument in arguments):
            record.msg, record.args = "a log record with something else than plain text was refused", None
        record.msg, record.args = record.getMessage()[:_TEXT_LIMIT], None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def _plain(value: object) -> bool:
    """Whether a log argument can hold no picture."""
    if isinstance(value, (str, bytes)):
        return len(value) <= _TEXT_LIMIT
    return isinstance(value, _PLAIN)


def main(serving: Callable[[Mapping[str, Path]], Serve] | None = None) -> int:
    """Serve files until stdin ends. `serving` makes what serves one file; the product's own unless a test gives one."""
    messages = own_stdout()
    first = sys.stdin.buffer.readline()
    if not first:
        return 0
    begin = Begin.of(first)
    report = sandbox.enter((*begin.readable, *begin.models.values()))
    quiet_logging()
    wire = WireWriter(messages)
    wire.send(Walled(report.holds, report.missing))
    if not report.enough:
        wire.send(Failed.of(WorkerFailed(f"the wall around raw pixels has holes: {'; '.join(report.missing)}")))
        return 1
    serve = (serving or _product)(begin.models)
    for line in sys.stdin.buffer:
        _one(serve, line, wire)
    return 0


def _product(models: Mapping[str, Path]) -> Serve:
    """The product's own way to serve, imported behind the wall."""
    from skyveil.app.serve import Product

    return Product(models)


def _one(serve: Serve, line: bytes, wire: WireWriter) -> None:
    """Serve one file; whatever goes wrong is told in one message without pixels, positions or folders."""
    try:
        for message in serve(Task.of(line)):
            wire.send(message)
    except BrokenPipeError:
        raise
    except SkyveilError as error:
        wire.send(Failed.of(error))
    except Exception as error:
        wire.send(Failed.of(stranger(error)))


def stranger(error: Exception) -> SkyveilError:
    """An error that nobody meant to raise: its type and place, and nothing that it says."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "nowhere" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name} line {trace.tb_lineno}"
    kind = BoundaryViolated if isinstance(error, AssertionError) else WorkerFailed
    return kind(f"unexpected {type(error).__name__} in {place}; please report it")


def own_stdout() -> BinaryIO:
    """Keep stdout for messages alone: what a library prints goes to stderr and can not break the protocol."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def quiet_logging() -> None:
    """Warnings and worse go to stderr as plain text; no traceback, which could quote what a frame holds."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(PlainText())
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    sys.excepthook = lambda kind, error, trace: print(f"worker ended: {kind.__name__}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # whose memory goes with the process; taking networks and interpreter down took 0.1 to 0.5 s more
