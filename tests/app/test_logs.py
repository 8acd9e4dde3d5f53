"""Logs are one JSON object a line, of plain values, and say nothing of what an exception quotes."""

import io
import json
import logging
import sys

import pytest

from skyveil.app.logs import JsonLines


def lines(log: logging.Logger, stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_of_json_whatever_is_in_it() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.Logger("skyveil.test")
    log.addHandler(handler)
    log.info("camera %s\nsays %s", "door", '"ü"')
    log.warning("x" * 5000)
    try:
        raise ValueError("rtsp://viewer:hunter2@10.0.0.1")
    except ValueError:
        log.exception("it failed")
    first, second, third = lines(log, stream)
    assert set(first) == {"time", "level", "module", "message"}
    assert (first["level"], first["module"], first["message"]) == ("info", "skyveil.test", 'camera door\nsays "ü"')
    assert first["time"].endswith("Z") and len(first["time"]) == 24
    assert len(second["message"]) == 1000
    assert third["error"] == "ValueError"
    assert "hunter2" not in stream.getvalue()


def test_an_import_sets_no_logging_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert "skyveil.app.logs" in sys.modules
    assert not any(isinstance(one.formatter, JsonLines) for one in logging.getLogger().handlers)
