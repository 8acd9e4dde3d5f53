"""Sockets that are on their way to a camera's process."""

from collections.abc import Callable

import pytest

from skyveil.app.dial import Dialer
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
