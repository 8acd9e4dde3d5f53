"""Calibrating from the console: what a calibration would be, and a new version of it beside the configuration. App."""

import hashlib
import os
from pathlib import Path
from typing import Final

import numpy as np

from skyveil.app.config.edit import alone, set_keys
from skyveil.app.config.load import load
from skyveil.app.config.models import Camera, Config
from skyveil.app.places import calibration_of, drawing_of, judged_on, named
from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.measure.calibration import FINEST_M_PER_PX, Calibration
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.given import Given, solved
from skyveil.measure.marks import figures, grid
from skyveil.public.web.drawn import CalibrationView, Fitted, GridPart

_DIGITS: Final = 4
_FAR: Final = 100.0
"""Widths of the picture beyond which a horizon is not drawn: a camera that looks straight down has none."""


def calibration_view(config: Config, camera: Camera, *, running: str | None = None) -> CalibrationView:
    """How a camera is calibrated now. running: the calibration that it measures with, whatever its file holds."""
    try:
        calibration = calibration_of(camera, running=running)
    except (MeasureRefused, SettingsRefused):
        calibration = None
    fitted = None if calibration is None else fitted_of(config, camera, calibration)
    return CalibrationView(calibration_version(camera), fitted)


def calibration_version(camera: Camera) -> str:
    """Short words for a calibration: another one has others; empty without one."""
    if camera.calibration is None:
        return ""
    try:
        return hashlib.sha256(camera.calibration.read_bytes()).hexdigest()[:12]
    except OSError:
        return "unreadable"


def fitted(config: Config, camera: Camera, given: Given) -> Fitted:
    """What the calibration from this would be; raises SettingsRefused or MeasureRefused."""
    return fitted_of(config, camera, solved(given))


def calibrated(path: Path, camera: str, calibration: Calibration, *, version: str) -> Config:
    """Write a new calibration beside the configuration, and name it there; gives the new configuration.

    The old file stays. Raises SettingsRefused or MeasureRefused, and then the camera keeps the one that it has.
    """

    def last() -> None:
        _newest(named(load(path), camera), version)

    config = load(path)
    one = named(config, camera)
    _newest(one, version)
    places = drawing_of(config, one).places
    for place, said_of in zip(places, judged_on(config, one, places, calibration), strict=True):
        if said_of.refused:
            raise SettingsRefused(f"{place.name}: {said_of.words}")
    text = calibration_text(calibration)
    name = f"{camera}.calibration-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    with alone(path.resolve()):  # two that write the same calibration have one part file
        _write(path.absolute().parent / name, text)
    return set_keys(path, camera, {"calibration": name}, last=last)


def _newest(camera: Camera, version: str) -> None:
    if calibration_version(camera) != version:
        raise SettingsRefused("the camera was calibrated by somebody else meanwhile: load the page again")


def fitted_of(config: Config, camera: Camera, calibration: Calibration) -> Fitted:
    """A calibration in shares of its picture."""
    size = np.array(calibration.size_wh, np.float64)
    fit = calibration.fit
    left, right = calibration.horizon_px()
    horizon = np.array([left, right]) / size
    places = drawing_of(config, camera).places
    return Fitted(
        size=calibration.size_wh,
        points=fit.points,
        rms_px=fit.rms_px,
        rms_m=fit.rms_m,
        left_out_m=fit.left_out_m,
        area_sigma=fit.area_sigma,
        height_m=calibration.camera_m[2],
        limit_m_per_px=FINEST_M_PER_PX,
        grid=tuple(
            GridPart(tuple((x, y) for x, y in (part.points_px / size).round(_DIGITS).tolist()), part.fine)
            for part in grid(calibration)
        ),
        horizon=None
        if not (np.abs(horizon) < _FAR).all()
        else ((horizon[0, 0], horizon[0, 1]), (horizon[1, 0], horizon[1, 1])),
        figures=tuple(
            (foot[0], foot[1], head[0], head[1])
            for foot, head in (
                ((feet / size).round(_DIGITS).tolist(), (heads / size).round(_DIGITS).tolist())
                for feet, heads in figures(calibration)
            )
        ),
        judged=judged_on(config, camera, places, calibration),
    )


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise SettingsRefused(f"{path.name} can not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
