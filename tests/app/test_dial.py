"""Sockets that are on their way to a camera's process."""

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from skyveil.app.dial import Dialer, DialFailed
from skyveil.core.secret import SafeUrl


def ask_again(dialer: Dialer) -> None:
    for one in dialer.udp(2):
        one.close()


@pytest.mark.parametrize(
    "meanwhile",
    [ask_again, lambda dialer: dialer.bind(1, 5000, 5001), Dialer.forget],
    ids=["the next is asked for", "ports are told", "the process ended"],
)
def test_sockets_that_wait_to_be_sent_keep_their_descriptors(meanwhile: Callable[[Dialer], object]) -> None:
    # A number that was let go of would be that of the next file which the server opens, and that would be sent.
    dialer = Dialer(SafeUrl("rtsp://127.0.0.1:9/x"))
    first, second = dialer.udp(1)
    with first, second:
        numbers = [one.fileno() for one in (first, second)]
        meanwhile(dialer)
        assert [one.fileno() for one in (first, second)] == numbers
        dialer.forget()


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_a_server_without_descriptors_tells_the_camera_and_keeps_none(left: int) -> None:
    """It ended the thread that made the connection, and the camera's process heard nothing for 8 s."""
    dialer, limits, filled = Dialer(SafeUrl("rtsp://127.0.0.1:9/x")), resource.getrlimit(resource.RLIMIT_NOFILE), []
    before = _open_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 40, limits[1]))
    try:
        with suppress(OSError):
            while True:
                filled.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(left):
            os.close(filled.pop())
        with pytest.raises(DialFailed) as error:
            dialer.udp(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in filled:
            os.close(descriptor)
    assert error.value.trouble == "unreachable"
    assert _open_files() == before
    for one in dialer.udp(1):
        one.close()
    dialer.forget()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "does-not-exist.invalid"])
def test_a_name_that_nobody_knows_is_told(host: str) -> None:
    dialer = Dialer(SafeUrl(f"rtsp://{host}:9/x"))
    for attempt in (dialer.tcp, lambda: dialer.udp(1)):
        with pytest.raises(DialFailed) as error:
            attempt()
        assert error.value.trouble == "dns"


def test_both_sockets_are_closed_where_there_is_no_way_to_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    dialer = Dialer(SafeUrl("rtsp://127.0.0.1:9/x"))
    before = _open_files()
    for one in dialer.udp(1):
        one.close()

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, "no way there")

    monkeypatch.setattr("skyveil.app.dial.socket.getaddrinfo", refused)
    with pytest.raises(DialFailed):
        dialer.bind(1, 5000, 5001)
    assert _open_files() == before
