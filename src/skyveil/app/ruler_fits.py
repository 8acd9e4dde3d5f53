"""What the parent knows of cameras that calibrate themselves by people: how far they are, and what they found. App.

A fit stays in memory until it is taken, dropped or made anew, or the server ends.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, final

from skyveil.core.camera import AskedRulers
from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState
from skyveil.core.ids import CameraId
from skyveil.measure.calibration import Calibration, Fit
from skyveil.measure.rulers import RulerCamera
from skyveil.public.ruler_report import ENOUGH_PAIRS, RulerReport, RulerState, sealed_report
from skyveil.public.web.drawn import Fitted, RulersView, RulerWords

_WORDS: Final[dict[RulerState, RulerWords]] = {
    RulerState.COLLECTING: "collecting",
    RulerState.FITTED: "fitted",
    RulerState.FEW: "few",
    RulerState.ONE_ROW: "one-row",
    RulerState.UNLIKE: "unlike",
}


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    """One wish. number: tells wishes, and so their fits, apart. restarts: of the process that collects.

    began: its process said that it collects, as it does first of all; what comes before answers an older wish.
    """

    asked: AskedRulers
    number: int
    restarts: int
    words: RulerWords = "collecting"
    began: bool = False
    pairs: int = 0
    calibration: Calibration | None = None


@final
class RulerFits:
    """The wishes of all cameras. Any thread may call it."""

    def __init__(self, order: Callable[[CameraId, AskedRulers | None], bool]) -> None:
        """order: tells a camera's process; whether there is one."""
        self._order = order
        self._lock = threading.Lock()
        self._cameras: dict[CameraId, _Asked] = {}
        self._numbers = 0

    def begin(self, camera: CameraId, asked: AskedRulers, *, restarts: int) -> None:
        """Have people before a camera be rulers from now on; raises SettingsRefused for a camera that does not run."""
        with self._lock:
            self._numbers += 1
            self._cameras[camera] = _Asked(asked, self._numbers, restarts)
        if not self._order(camera, asked):
            self.drop(camera)
            raise SettingsRefused("the camera does not run: it can not take people for rulers")

    def drop(self, camera: CameraId) -> None:
        """Forget the wish and its fit, and have the process forget people."""
        with self._lock:
            self._cameras.pop(camera, None)
        self._order(camera, None)

    def heard(self, camera: CameraId, report: RulerReport) -> None:
        """Take how far a camera is, on that camera's thread. What nobody asked for, or not any more, is left out."""
        one = sealed_report(report)
        with self._lock:
            asked = self._cameras.get(camera)
            if asked is None or asked.words != "collecting":
                return
            if asked.began or one.state is RulerState.COLLECTING:
                self._cameras[camera] = _with(replace(asked, began=True), one)

    def health(self, health: CameraHealth) -> None:
        """Notice that a process that collected is gone, and its people with it; or a camera, with what was found."""
        with self._lock:
            asked = self._cameras.get(health.camera)
            if asked is None:
                return
            gone = health.state is CameraState.STOPPED  # it may be back with another source
            if gone or (asked.words == "collecting" and health.restarts != asked.restarts):
                self._cameras[health.camera] = replace(asked, words="lost", calibration=None)

    def view(self, camera: CameraId, fitted: Callable[[Calibration], Fitted]) -> RulersView:
        """How far a camera is. fitted: what a calibration of it would be."""
        with self._lock:
            one = self._cameras.get(camera)
        if one is None:
            return RulersView("none", 0, ENOUGH_PAIRS, None, 0, None)
        found = None if one.calibration is None else fitted(one.calibration)
        return RulersView(one.words, one.pairs, ENOUGH_PAIRS, one.asked.view_deg, one.number, found)

    def found(self, camera: CameraId, number: int) -> Calibration:
        """The calibration that was found; raises SettingsRefused when there is none, or another than was looked at."""
        with self._lock:
            one = self._cameras.get(camera)
        if one is None or one.calibration is None or one.number != number:
            raise SettingsRefused("what people said was dropped or made anew meanwhile: load the page again")
        return one.calibration


def _with(asked: _Asked, report: RulerReport) -> _Asked:
    """The wish with what its camera says; a camera that would hang below heads is none."""
    now, fit = replace(asked, words=_WORDS[report.state], pairs=report.pairs), report.fit
    if fit is None:
        return now
    said = Fit(report.pairs, fit.rms_px, None, fit.left_out_m, fit.area_sigma)
    camera = RulerCamera(fit.height_m, fit.tilt_deg, fit.roll_deg, fit.view_deg, said)
    try:
        return replace(now, calibration=camera.calibration(size_wh=fit.size_wh, person_m=asked.asked.head_m))
    except MeasureRefused:
        return replace(now, words="unlike")
