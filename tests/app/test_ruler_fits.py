"""What the parent keeps of cameras that calibrate themselves by people."""

from dataclasses import dataclass, field

import pytest

from skyveil.app.ruler_fits import RulerFits
from skyveil.core.camera import AskedRulers
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.gate.release_rulers import release_camera, release_progress
from skyveil.measure.calibration import Calibration, Fit
from skyveil.measure.rulers import RulerCamera
from skyveil.public.ruler_report import RulerReport, RulerState
from skyveil.public.web.drawn import Fitted

HALL = camera_id("hall")
ASKED = AskedRulers(63.8, 1.68)


def found(height_m: float = 6.0) -> RulerReport:
    return release_camera(RulerCamera(height_m, 34.9, 0.0, 63.8, Fit(64, 10.8, None, 0.17, 0.07)), size_wh=(1920, 1080))


def health(restarts: int) -> CameraHealth:
    return CameraHealth(HALL, CameraState.LIVE, Cause.OK, 1.0, restarts=restarts)


def fitted(one: Calibration) -> Fitted:
    said = one.fit
    errors = (said.points, said.rms_px, said.rms_m, said.left_out_m, said.area_sigma)
    return Fitted(one.size_wh, *errors, round(one.camera_m[2], 2), 0.1, (), None, (), ())


@dataclass
class Ordered:
    runs: bool = True
    orders: list[AskedRulers | None] = field(default_factory=list)

    def __call__(self, camera: CameraId, asked: AskedRulers | None) -> bool:
        assert camera == HALL
        self.orders.append(asked)
        return self.runs


def test_a_wish_goes_to_the_camera_and_what_it_finds_can_be_taken() -> None:
    ordered = Ordered()
    fits = RulerFits(ordered)
    assert fits.view(HALL, fitted).state == "none"
    fits.begin(HALL, ASKED, restarts=2)
    fits.heard(HALL, release_progress(RulerState.COLLECTING, 37))
    view = fits.view(HALL, fitted)
    assert (view.state, view.pairs, view.view, view.fitted) == ("collecting", 30, 63.8, None)
    with pytest.raises(SettingsRefused, match="load the page again"):
        fits.found(HALL, view.number)
    fits.heard(HALL, found())
    view = fits.view(HALL, fitted)
    assert view.fitted is not None and (view.fitted.height_m, view.fitted.points) == (6.0, 60)
    taken = fits.found(HALL, view.number)
    assert (round(taken.camera_m[2], 2), taken.fit.left_out_m, taken.head_m) == (6.0, 0.17, 1.68)
    with pytest.raises(SettingsRefused, match="made anew"):
        fits.found(HALL, view.number + 1)
    fits.drop(HALL)
    assert fits.view(HALL, fitted).state == "none"
    assert ordered.orders == [ASKED, None]


def test_what_nobody_asked_for_is_left_out() -> None:
    fits = RulerFits(Ordered())
    fits.heard(HALL, found())
    assert fits.view(HALL, fitted).state == "none"
    fits.begin(HALL, ASKED, restarts=0)
    fits.heard(HALL, release_progress(RulerState.COLLECTING, 0))
    fits.heard(HALL, release_progress(RulerState.FEW, 10))
    fits.heard(HALL, found())  # after its end
    assert fits.view(HALL, fitted).state == "few"


def test_a_process_that_ends_takes_its_people_with_it() -> None:
    fits = RulerFits(Ordered())
    fits.begin(HALL, ASKED, restarts=2)
    fits.health(health(2))
    assert fits.view(HALL, fitted).state == "collecting"
    fits.health(health(3))
    assert fits.view(HALL, fitted).state == "lost"
    fits.begin(HALL, ASKED, restarts=3)
    fits.heard(HALL, release_progress(RulerState.COLLECTING, 0))
    fits.heard(HALL, found())
    fits.health(health(4))
    assert fits.view(HALL, fitted).state == "fitted"
    number = fits.view(HALL, fitted).number
    fits.health(CameraHealth(HALL, CameraState.STOPPED, Cause.OK, 1.0, restarts=4))
    assert fits.view(HALL, fitted).state == "lost"  # it may be back with another source
    with pytest.raises(SettingsRefused, match="made anew"):
        fits.found(HALL, number)


def test_what_answers_an_older_wish_is_left_out() -> None:
    fits = RulerFits(Ordered())
    fits.begin(HALL, ASKED, restarts=0)
    fits.heard(HALL, found())  # was on its way while somebody began anew
    assert fits.view(HALL, fitted).state == "collecting"
    fits.heard(HALL, release_progress(RulerState.COLLECTING, 0))
    fits.heard(HALL, found())
    assert fits.view(HALL, fitted).state == "fitted"


def test_a_camera_that_does_not_run_can_not_be_asked() -> None:
    fits = RulerFits(Ordered(runs=False))
    with pytest.raises(SettingsRefused, match="does not run"):
        fits.begin(HALL, ASKED, restarts=0)
    assert fits.view(HALL, fitted).state == "none"


def test_a_camera_below_heads_is_none() -> None:
    fits = RulerFits(Ordered())
    fits.begin(HALL, AskedRulers(63.8, 1.9), restarts=0)
    fits.heard(HALL, release_progress(RulerState.COLLECTING, 0))
    fits.heard(HALL, found(1.85))
    assert (fits.view(HALL, fitted).state, fits.view(HALL, fitted).fitted) == ("unlike", None)
