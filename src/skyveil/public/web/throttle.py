"""Slows down who guesses passwords or asks too often, at no cost to us. Public side."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, final

FREE: Final = 5
"""Failures within the window that cost nothing: people mistype."""
WINDOW_S: Final = 900.0
LONGEST_S: Final = 60.0
"""Longest wait after a failure: an owner whose account is attacked is never locked out for good."""
_MOST: Final = 10_000


@final
class Throttle:
    """Remembers failures by key (an account, an address), the newest ten thousand keys. Any thread may call it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """How long this key must wait before it may try again; 0 when it need not."""
        with self._lock:
            return self._wait_s(key)

    def tried(self, *keys: str) -> float:
        """Note a failure of each key ahead of a try and give 0; where one must wait, note nothing and give how long.

        Whoever tries many passwords at once waits as if they came one by one. `succeeded` takes it back.
        """
        with self._lock:
            wait_s = max(self._wait_s(key) for key in keys)
            if not wait_s:
                for key in keys:
                    self._failed(key)
            return wait_s

    def failed(self, key: str) -> None:
        """Note a failure."""
        with self._lock:
            self._failed(key)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _wait_s(self, key: str) -> float:
        count, last_s = self._failures.get(key, (0, 0.0))
        since_s = self._now() - last_s
        if count <= FREE or since_s > WINDOW_S:
            return 0.0
        return max(0.0, min(LONGEST_S, 2.0 ** min(count - FREE, 10)) - since_s)

    def _failed(self, key: str) -> None:
        count, last_s = self._failures.pop(key, (0, 0.0))
        fresh = self._now() - last_s <= WINDOW_S
        self._failures[key] = (count + 1 if fresh else 1, self._now())
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)


@final
class Allowance:
    """Lets each key (an address) ask so many times a minute; what it leaves is saved up for a minute. Any thread."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._now = now
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Take one and give 0; where none is left, how long until one is."""
        with self._lock:
            now_s = self._now()
            left, at_s = self._left.pop(key, (self._most, now_s))
            left = min(self._most, left + (now_s - at_s) * self._most / 60)
            taken = left >= 1
            self._left[key] = (left - 1 if taken else left, now_s)
            while len(self._left) > _MOST:
                self._left.popitem(last=False)
            return 0.0 if taken else (1 - left) * 60 / self._most
