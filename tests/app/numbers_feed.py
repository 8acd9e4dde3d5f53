"""A process that hears seconds, stores them, and dies at a moment of the test's choice.

    python -m tests.app.numbers_feed DATABASE FOLDER FIRST_SECOND END_SECOND MOMENT

Prints every second before it is heard; whoever goes on, goes on with the next.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from skyveil.app.drawings import Drawings
from skyveil.app.numbers import Numbers, Telling, fair_epsilon
from skyveil.public.aggregate import Aggregate
from skyveil.public.budget import Charge
from skyveil.public.store import open_database
from skyveil.public.store.ledger import Ledger
from skyveil.public.store.numbers import NumberStore
from skyveil.public.store.spool import Spool
from tests.public.store.made import CAMERA, COUNT, EXACT, GATE, GROUNDS, HALL, IN, T, numbers, place


def main() -> None:
    where, folder, first, end, moment = sys.argv[1:]

    def passing(name: str) -> None:
        if name == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = open_database(where if "://" in where else Path(where))
    store, spool = NumberStore(engine), Spool(Path(folder) / "numbers")
    ledger = Ledger(engine, store)
    put, done, noise = store.put, spool.done, ledger.noise

    def put_or_die(aggregates: Iterable[Aggregate]) -> None:
        passing("before put")
        put(aggregates)
        passing("after put")

    def done_or_die(minute_s: int) -> None:
        passing("before done")
        done(minute_s)
        passing("after done")

    def noise_or_die(charge: Charge, draw: Callable[[], int]) -> int | None:
        drawn = noise(charge, draw)
        passing("noise")
        return drawn

    store.put, spool.done, ledger.noise = put_or_die, done_or_die, noise_or_die  # type: ignore[method-assign]
    now_s = float(T)
    drawings = Drawings(Path(folder) / "numbers" / "drawings.json")
    found = Numbers(store, ledger, spool, drawings, now=lambda: now_s)
    written = found._heard  # its thread, by hand: what is on disk before a kill is what is tested
    found.configure({CAMERA: Telling(GROUNDS, public=True, epsilon=fair_epsilon(GROUNDS))})
    for second in range(int(first), int(end)):
        print(second, flush=True)
        now_s = T + second + 1
        for one in numbers(
            EXACT,
            place(HALL, {COUNT: 20}, start_s=T + second, period_s=1),
            place(GATE, {IN: 1}, start_s=T + second, period_s=1),
        ):
            found.heard(one)
        written.write()
        passing(f"heard {second}")
        if second % 5 == 0:
            found.tick()
    now_s += 10
    found.tick()
    print(int(end) - 1, flush=True)


if __name__ == "__main__":
    main()
