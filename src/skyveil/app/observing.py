"""Numbers about the crowd before one camera, beside the path of its pictures. App, behind the wall.

What is found in each look goes to the observer; once a second its measures pass the gate and leave as exact numbers for
the control room. Nothing in here changes what is covered: an observer that fails leaves numbers unknown, and no more.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import MeasureRefused
from skyveil.gate.release import ControlRoom, release
from skyveil.gate.release_maps import release_maps
from skyveil.private.capture.live.given import Shape
from skyveil.private.detections import Detections
from skyveil.public.aggregate import Aggregate
from skyveil.public.budget import NoBudget
from skyveil.public.density_map import DensityMap

if TYPE_CHECKING:
    from skyveil.private.observe.observer import Observer

log: Final = logging.getLogger(__name__)
LONGEST_S: Final = 2.0
"""A span between two numbers that is longer than this was a gap: numbers are then of its last second."""


@final
class Observing:
    """Observes pictures of one shape. One thread owns it; a new scene or shape gets a new one."""

    def __init__(self, spec: CameraSpec, shape: Shape) -> None:
        self._observer = _observer(spec, shape)
        self._told_s: float | None = None

    def see(self, found: Detections, *, at_s: float) -> None:
        """Take what was found in the frame at `at_s`, seconds of media time."""
        if self._observer is None:
            return
        try:
            self._observer.see(found, at_s=at_s)
        except Exception as error:
            self._give_up(error)

    def told(self, *, wall_s: float, at_s: float) -> Iterator[Aggregate | DensityMap]:
        """The numbers and maps of the second that ended, when one ended since this was asked last.

        wall_s: now, unix time. at_s: now, on the clock of `see`.
        """
        now_s = float(int(wall_s))
        if self._told_s is None or now_s < self._told_s:  # the first time, or the clock was set back
            self._told_s = now_s
        if self._observer is None or now_s == self._told_s:
            return
        start_s = self._told_s if now_s - self._told_s <= LONGEST_S else now_s - 1
        self._told_s = now_s
        try:
            told = _told(self._observer, start_s=start_s, end_s=now_s, at_s=at_s)
        except Exception as error:
            self._give_up(error)
        else:
            yield from told

    def _give_up(self, error: Exception) -> None:
        """Covering goes on whatever happens to counting; a restart begins to count anew."""
        log.warning("nothing is measured any more: %s", type(error).__name__)
        self._observer = None


def _told(observer: "Observer", *, start_s: float, end_s: float, at_s: float) -> list[Aggregate | DensityMap]:
    measures = observer.measures(start_s=start_s, end_s=end_s, at_s=at_s)
    grids = observer.grids()
    maps = () if grids is None else release_maps(grids, at_s=end_s)
    return [*release(measures, ControlRoom(), NoBudget()), *maps]


def _observer(spec: CameraSpec, shape: Shape) -> "Observer | None":
    """The observer of a camera with zones or lines; without its calibration, and so without densities, where that does
    not fit, and none where a zone has no inside."""
    if spec.crowd is None:
        return None
    from skyveil.private.observe.observer import Observer  # scipy: 30 MB that cameras without numbers do not need

    size_wh = (shape.width, shape.height)
    try:
        return Observer(spec.crowd, size_wh=size_wh, camera=spec.id)
    except MeasureRefused as error:
        log.warning("people are counted, but densities are not measured: %s", error)
    try:
        return Observer(replace(spec.crowd, calibration=None), size_wh=size_wh, camera=spec.id)
    except MeasureRefused as error:
        log.warning("nothing is measured: %s", error)
        return None
