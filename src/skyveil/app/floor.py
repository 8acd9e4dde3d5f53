"""Whether calibrations fit the places of their cameras, before any camera starts. App.

A camera that runs counts without a calibration that does not fit, and so would hide that nothing is measured.
"""

from collections.abc import Mapping
from typing import Final

from skyveil.core.camera import CameraSpec, CrowdSpec
from skyveil.core.errors import CalibrationRefused, MeasureRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.measure.places import LEAST_AREA_M2
from skyveil.measure.points import points_of, polygon_area

_NO_PLACES: Final = CrowdSpec()


def checked_floor(specs: Mapping[CameraId, CameraSpec]) -> dict[CameraId, CameraSpec]:
    """The same cameras; CalibrationRefused has a line for each calibration that is none or sees a place not."""
    crowds = {name: spec.crowd for name, spec in specs.items() if spec.crowd is not None}
    problems = [problem for name, crowd in crowds.items() for problem in _problems(name, crowd, crowd.calibration)]
    if problems:
        raise CalibrationRefused("\n".join(problems))
    return dict(specs)


def checked_text(camera: str, calibration: str) -> None:
    """Raise CalibrationRefused for a calibration that is none, of a camera without zones and lines."""
    for problem in _problems(camera_id(camera), _NO_PLACES, calibration):
        raise CalibrationRefused(problem)


def _problems(camera: CameraId, crowd: CrowdSpec, text: str | None) -> list[str]:
    if text is None:
        return []
    # Imported here: scipy and OpenCV are for sites that measure.
    from skyveil.measure.calibration_text import calibration_from
    from skyveil.private.observe.observer import Observer

    try:
        calibration = calibration_from(text)
        Observer(crowd, size_wh=calibration.size_wh, camera=camera)
    except MeasureRefused as error:
        return [f"camera {camera}: {error}"]
    areas_m2 = {
        zone.id: polygon_area(calibration.floor_of(points_of(zone.corners) * calibration.size_wh))
        for zone in crowd.zones
    }
    return [
        f"camera {camera}: {zone}: {area_m2:.1f} m2 are the place of one person: draw {LEAST_AREA_M2:g} m2 or more"
        for zone, area_m2 in areas_m2.items()
        if area_m2 < LEAST_AREA_M2
    ]
