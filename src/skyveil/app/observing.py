"""Numbers about the crowd before one camera, beside the path of its pictures. App, behind the wall.

What is found in each look goes to the observer; once a second its measures pass the gate and leave as exact numbers for
the control room. Nothing in here changes what is covered: an observer that fails leaves numbers unknown, and no more.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from skyveil.app.rulers import Rulers, View
from skyveil.core.camera import CameraSpec, KnownView
from skyveil.core.errors import MeasureRefused
from skyveil.core.geometry import no_boxes
from skyveil.core.health import Cause
from skyveil.gate.release import ControlRoom, release
from skyveil.gate.release_maps import release_maps
from skyveil.measure.measures import CameraMeasures
from skyveil.private.capture.live.given import Shape
from skyveil.private.detections import Detections
from skyveil.private.frame import RawFrame
from skyveil.private.regions import Regions
from skyveil.public.aggregate import Aggregate
from skyveil.public.budget import NoBudget
from skyveil.public.density_map import DensityMap
from skyveil.public.wire.cameras import ViewSeen

if TYPE_CHECKING:
    from skyveil.app.density import HeadMaps
    from skyveil.private.observe.observer import Observer
    from skyveil.private.observe.view_check import ViewCheck

log: Final = logging.getLogger(__name__)
LONGEST_S: Final = 2.0
"""A span between two numbers that is longer than this was a gap: numbers are then of its last second."""


@final
class ViewWatch:
    """Whether a camera that measures stands where it was calibrated. One thread owns it; it outlives connections."""

    def __init__(self, spec: CameraSpec, shape: Shape) -> None:
        self._size_wh = (shape.width, shape.height)
        self._check = _view_check(spec, self._size_wh)
        self._fails = False
        self._told = spec.view.scenes
        self.people = no_boxes()
        """The boxes of the newest look, xyxy pixels: bodies hide what stands behind them."""

    @property
    def trusted(self) -> bool:
        """Whether numbers hold; where the view can not be checked nobody knows, so they do not."""
        return self._check is None or (self._check.trusted and not self._fails)

    @property
    def cause(self) -> Cause:
        """What is to be said of the view."""
        if self._check is None:
            return Cause.OK
        if self._fails:
            return Cause.MOVED if self._check.moved else Cause.VIEW_UNCHECKED
        return self._check.cause

    def see(self, raw: RawFrame, regions: Regions) -> None:
        """Take a frame that is decided, before the gate takes it. A check that fails costs numbers, and no picture."""
        if self._check is None or self._fails:
            return
        try:
            self._check.see(raw, regions, self.people)
        except Exception as error:
            log.warning(
                "whether the camera is moved can not be checked, so numbers are unknown until it is started anew: %s",
                type(error).__name__,
            )
            self._fails = True  # one that was moved stays so

    def told(self) -> Iterator[ViewSeen]:
        """What the view is to be known again by, when that is new."""
        if self._check is not None and self._check.scenes != self._told:
            self._told = self._check.scenes
            yield ViewSeen(self._told)

    @property
    def known(self) -> KnownView:
        """What is known of the view now."""
        return KnownView() if self._check is None else KnownView(self._check.scenes, self._check.moved)

    def measure(self, spec: CameraSpec) -> None:
        """Judge moves by other places from now on."""
        if self._check is None or spec.crowd is None:
            self._check, self._fails = _view_check(spec, self._size_wh), False
        else:
            self._check.judge_by(spec.crowd, size_wh=self._size_wh)


def _view_check(spec: CameraSpec, size_wh: tuple[int, int]) -> "ViewCheck | None":
    """The check of a camera with zones or lines."""
    if spec.crowd is None:
        return None
    from skyveil.private.observe.view_check import ViewCheck

    return ViewCheck.of(spec.crowd, size_wh=size_wh, known=spec.view)


@final
class Observing:
    """Observes pictures of one shape. One thread owns it; a new scene or shape gets a new one."""

    def __init__(
        self,
        spec: CameraSpec,
        shape: Shape,
        view: ViewWatch | None = None,
        heads: "HeadMaps | None" = None,
        rulers: Rulers | None = None,
    ) -> None:
        """view: whether the camera still stands where it was calibrated; while it does not, nothing is counted.

        heads: maps of a density network, for crowds that boxes can not count. rulers: who calibrates by people.
        """
        self._size_wh = (shape.width, shape.height)
        self._rulers = rulers
        self._observer = _observer(spec, shape)
        self._view = view
        self._heads = heads
        self._told_s: float | None = None

    def see(self, found: Detections, *, at_s: float) -> None:
        """Take what was found in the frame at `at_s`, seconds of media time."""
        self._measure_by(found)
        if self._observer is None:
            return
        if self._view is not None:
            self._view.people = found.xyxy
            if not self._view.trusted:
                return
        try:
            self._observer.see(found, at_s=at_s)
        except Exception as error:
            self._give_up(error)

    def _measure_by(self, found: Detections) -> None:
        """Give people to who calibrates by them; not while the camera turns, and not those of two views together."""
        cause = Cause.OK if self._view is None else self._view.cause
        if self._rulers is None or cause in (Cause.TURNING, Cause.VIEW_UNCHECKED):
            return
        try:
            self._rulers.see(found, View(self._size_wh, moved=cause is Cause.MOVED))
        except Exception as error:
            log.warning("people are no rulers: %s", type(error).__name__)
            self._rulers.fail()

    def picture(self, raw: RawFrame) -> None:
        """Take a frame before the gate takes it, for the density network where there is one and it can be used."""
        if self._heads is None or self._observer is None or not self._observer.calibrated:
            return
        if self._view is not None and not self._view.trusted:
            self._heads.forget()  # heads of another view are not those of the zones
            return
        self._heads.offer(raw)

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
            trusted = self._view is None or self._view.trusted
            heads = None if self._heads is None else self._heads.newest()
            measures = self._observer.measures(start_s=start_s, end_s=now_s, at_s=at_s, heads=heads)
            told = _told(self._observer, measures, end_s=now_s, trusted=trusted)
        except Exception as error:
            self._give_up(error)
        else:
            yield from told

    def _give_up(self, error: Exception) -> None:
        """Covering goes on whatever happens to counting; a restart begins to count anew."""
        log.warning("nothing is measured any more: %s", type(error).__name__)
        self._observer = None


def _told(
    observer: "Observer", measures: CameraMeasures, *, end_s: float, trusted: bool
) -> list[Aggregate | DensityMap]:
    if not trusted:
        return list(release(measures.unknown(), ControlRoom(), NoBudget()))
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
