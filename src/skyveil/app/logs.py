"""Logs of the server: one JSON object a line on stderr, plain values only. App.

What is logged are events of cameras and of the server; no address, no credential, and nothing that depends on people.
"""

import json
import logging
import sys
import time
from typing import Final, final

_TEXT_LIMIT: Final = 1000


@final
class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, module and message; of an exception its type only, for its text may quote anything."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "module": record.name,
            "message": record.getMessage()[:_TEXT_LIMIT],
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr() -> None:
    """Send everything from INFO on to stderr; called by the command, never by an import."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("uvicorn", "uvicorn.access", "websockets", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
