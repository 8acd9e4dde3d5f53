"""A density network beside the pictures of one camera. App, behind the wall.

It may be slow, wrong or hang: it has a thread of its own, of low priority, that is given a picture when it waits for
one. Nothing in here changes what is covered; a network that fails leaves crowds counted by boxes, which is told.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Final, Protocol, TypeAlias, final

from skyveil.core.density import Density, DensityNetwork
from skyveil.core.errors import ModelCorrupt, ModelMissing
from skyveil.core.health import Cause
from skyveil.private.detect.density import HeadMapper, PerCell, shown
from skyveil.private.detect.view import Rgb
from skyveil.private.frame import RawFrame
from skyveil.private.observe.head_count import HeadMap

log: Final = logging.getLogger(__name__)
EVERY_S: Final = 1.0
"""Between two pictures. After one that took longer than half of this, the network rests for as long as it took."""
LATE_S: Final = 5.0
"""A look that takes longer is told as late: a map then comes less than every ten seconds."""
LOADING_S: Final = 60.0
_NICE: Final = 10
"""Priority of the thread, of 19: looks that covers rest on come first."""


class Looks(Protocol):
    """A network that is loaded."""

    def look(self, picture: Rgb) -> PerCell:
        """How many heads each cell of the picture shows."""
        ...


Opens: TypeAlias = Callable[[DensityNetwork, Path], Looks]


@final
class HeadMaps:
    """The newest map of heads. The camera's thread calls it; `_run` is the network's own, and `_lock` is between."""

    def __init__(
        self,
        given: Density,
        *,
        compiled: Path | None = None,
        opens: Opens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load the network and begin to wait for pictures. opens, clock: a test's own."""
        self._given = given
        self._clock = clock
        self._opens = opens or (lambda network, path: HeadMapper.open(network, path, compiled=compiled))
        self._lock = threading.Lock()
        self._asked: Queue[tuple[int, float, Rgb]] = Queue(maxsize=1)
        self._newest: HeadMap | None = None
        self._scene = 0
        self._failed = Cause.OK
        self._due_s = 0.0
        self._began_s: float | None = clock()
        """When what is under way began, loading or a look; None while the network waits for a picture."""
        self._patience_s = LOADING_S
        self._was_late = False
        if given.path is None:
            self._failed = Cause.DENSITY_MISSING
            return
        threading.Thread(target=self._run, args=(given.path,), name="density", daemon=True).start()

    @property
    def cause(self) -> Cause:
        """What is to be said of the network."""
        with self._lock:
            late = self._was_late or self._overdue()
            return Cause.DENSITY_LATE if late and self._failed is Cause.OK else self._failed

    def _overdue(self) -> bool:
        return self._began_s is not None and self._clock() - self._began_s > self._patience_s

    def newest(self) -> HeadMap | None:
        """The newest map of this scene, if there is one."""
        with self._lock:
            return self._newest

    def forget(self) -> None:
        """Begin anew: what was seen before, and is under way, is of another scene."""
        with self._lock:
            self._scene += 1
            self._newest = None

    def offer(self, raw: RawFrame) -> None:
        """Show the network a frame when it is time for one; what fails here costs the maps, and no picture."""
        with self._lock:
            busy = self._began_s is not None or self._failed is not Cause.OK
            if busy or raw.damaged or self._clock() < self._due_s:
                return
            self._began_s, self._patience_s = self._clock(), LATE_S
            scene = self._scene
        try:
            self._asked.put_nowait((scene, raw.time.seconds, shown(raw, self._given.network)))
        except Exception as error:
            self._fail(Cause.DENSITY_WRONG, error)

    def _run(self, path: Path) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)  # of this thread
        try:
            network = self._opens(self._given.network, path)
        except (ModelMissing, ModelCorrupt) as error:
            self._fail(Cause.DENSITY_MISSING, error)
            return
        except Exception as error:
            self._fail(Cause.DENSITY_WRONG, error)
            return
        self._wait()
        while True:
            scene, at_s, picture = self._asked.get()
            try:
                per_cell = network.look(picture)
            except Exception as error:
                # One answer that can not be is one too many: what else it says is not believed either.
                self._fail(Cause.DENSITY_WRONG, error)
                return
            with self._lock:
                if scene == self._scene:
                    self._newest = HeadMap(per_cell, at_s, self._given.error)
            self._wait()

    def _wait(self) -> None:
        """What was under way is over; the next picture is due after a while, and never at once."""
        now_s = self._clock()
        with self._lock:
            took_s = 0.0 if self._began_s is None else now_s - self._began_s
            # Until a look is in time again: health must not change with every look of a slow network.
            self._was_late = self._overdue()
            self._began_s = None
            self._due_s = now_s + max(EVERY_S - took_s, took_s)

    def _fail(self, cause: Cause, error: Exception) -> None:
        log.warning("crowds are counted by boxes alone, without %s: %s", self._given.network.name, error)
        with self._lock:
            self._failed, self._newest = cause, None
