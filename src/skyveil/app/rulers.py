"""People as rulers of one live camera, beside the path of its pictures. App, behind the wall.

While somebody calibrates, boxes of people who stand free are kept in memory, a bounded number of them and nothing
else; once there are enough, the camera that they say is computed on a thread of its own, the boxes are forgotten, and
four rounded numbers pass the gate. Nothing in here changes what is covered.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.camera import AskedRulers
from skyveil.core.errors import MeasureRefused
from skyveil.core.kinds import Kind
from skyveil.gate.release_rulers import release_camera, release_progress
from skyveil.private.detect.boxes import Scored
from skyveil.private.detections import Detections
from skyveil.public.ruler_report import ENOUGH_PAIRS, LEAST_PAIRS, RulerReport, RulerState

if TYPE_CHECKING:
    from skyveil.private.observe.ruler_people import RulerPeople

log: Final = logging.getLogger(__name__)
EVERY_S: Final = 10.0
"""Between two looks that are taken. Who crosses the picture does so in about that time, and the people of one look are
different people: of 30 pairs hardly two or three are of one person, without anybody being followed."""
LONGEST_S: Final = 3600.0
"""After this the pairs are used if there are enough, and forgotten."""
_FAR_AND_NEAR: Final = 0.2
"""Share of the picture's height that lies between the farthest and the nearest feet, before there is enough."""
_ONE_ROW: Final = 0.1
PERSON_LEAST: Final = 0.3
"""Score from which a box is somebody whom a ruler may not touch, as for videos (`app.calibrating`)."""
_NICE: Final = 10
Boxes: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class View:
    """What pairs of one fit have in common: the picture's size, and whether the camera was told as moved."""

    size_wh: tuple[int, int]
    moved: bool = False


@final
class Rulers:
    """Collects, fits and forgets. The camera's thread calls it; a fit alone has a thread of its own."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: a test's own."""
        self._clock = clock
        self._asked: AskedRulers | None = None
        self._people: RulerPeople | None = None
        self._view: View | None = None
        self._began_s = self._due_s = 0.0
        self._told: tuple[RulerState, int] | None = None
        self._fits: SimpleQueue[tuple[int, RulerReport]] = SimpleQueue()
        self._turn = 0

    def begin(self, asked: AskedRulers) -> None:
        """Collect from now on, anew."""
        self.drop()
        self._asked = asked
        self._began_s = self._due_s = self._clock()

    def drop(self) -> None:
        """Collect no more, and forget every box; a fit that is under way is not told."""
        self._asked = self._people = self._view = self._told = None
        self._turn += 1

    def forget(self) -> None:
        """Forget every box, and go on: the camera was out of reach, and may see something else when it is back."""
        self._people = self._view = None

    def fail(self) -> None:
        """Forget every box, and say that there will be no camera."""
        self.drop()
        self._fits.put((self._turn, release_progress(RulerState.UNLIKE, 0)))

    def see(self, found: Detections, view: View) -> None:
        """Take what was found in one look."""
        if self._asked is None or self._clock() < self._due_s:
            return
        self._due_s = self._clock() + EVERY_S
        if self._people is None or view != self._view:
            from skyveil.private.observe.ruler_people import RulerPeople  # scipy, which most cameras do not need

            self._people, self._view = RulerPeople(size_wh=view.size_wh), view
        persons = found.only((found.kind == Kind.PERSON) & (found.score >= PERSON_LEAST))
        self._people.add_elsewhere(Scored(persons.xyxy, persons.score))

    def told(self) -> Iterator[RulerReport]:
        """What is to be said since this was asked last; begins the fit when there are pairs enough, or time is over."""
        with suppress(Empty):
            turn, report = self._fits.get_nowait()
            if turn == self._turn:
                yield report
        if self._asked is None:
            return
        boxes = np.zeros((0, 4)) if self._people is None else self._people.boxes
        over = self._clock() - self._began_s > LONGEST_S
        if over or (len(boxes) >= ENOUGH_PAIRS and self._spread(boxes) >= _FAR_AND_NEAR):
            yield from self._end(boxes)
            return
        report = release_progress(RulerState.COLLECTING, len(boxes))
        if (report.state, report.pairs) != self._told:
            self._told = (report.state, report.pairs)
            yield report

    def _end(self, boxes: Boxes) -> Iterator[RulerReport]:
        """Forget the people, and fit what they say or tell why not."""
        asked, view, spread = self._asked, self._view, self._spread(boxes)
        self.drop()
        if view is None or asked is None or len(boxes) < LEAST_PAIRS:
            yield release_progress(RulerState.FEW, len(boxes))
        elif spread < _ONE_ROW:
            yield release_progress(RulerState.ONE_ROW, len(boxes))
        else:
            given = (self._turn, boxes, view.size_wh, asked)
            threading.Thread(target=self._fit, args=given, name="rulers", daemon=True).start()

    def _spread(self, boxes: Boxes) -> float:
        return 0.0 if self._view is None or not len(boxes) else float(np.ptp(boxes[:, 3])) / self._view.size_wh[1]

    def _fit(self, turn: int, boxes: Boxes, size_wh: tuple[int, int], asked: AskedRulers) -> None:
        """On a thread of low priority: 2 s of CPU, in which pictures go on."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)  # of this thread
        from skyveil.measure.rulers import camera_of_boxes

        try:
            found = camera_of_boxes(boxes, size_wh=size_wh, view_deg=asked.view_deg, person_m=asked.head_m)
            report = release_camera(found, size_wh=size_wh)
        except (MeasureRefused, np.linalg.LinAlgError):
            report = release_progress(RulerState.UNLIKE, len(boxes))
        except Exception as error:
            log.warning("people as rulers: %s", type(error).__name__)
            report = release_progress(RulerState.UNLIKE, len(boxes))
        self._fits.put((turn, report))
