"""Calibrating from the console: what is shown before, the new file, and what is refused."""

import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from skyveil.app import recalibrate
from skyveil.app.config import load
from skyveil.app.places import drawn, judged, named, version_of
from skyveil.app.recalibrate import calibrated, calibration_version, calibration_view, fitted
from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.measure.given import Given, Hung, solved
from tests.app.live_stand_in import HUNG
from tests.app.test_places import FLOOR, configured
from tests.measure.cameras import SIZE_WH

VIEW_DEG = 2 * np.degrees(np.arctan(SIZE_WH[0] / 2 / HUNG.focal_px))


def hung(*, height: float = HUNG.height_m, tilt: float = HUNG.tilt_deg) -> Given:
    return Given(SIZE_WH, camera=Hung(height, tilt, float(VIEW_DEG)))


def test_what_is_shown_before_saving_is_what_the_calibration_says(tmp_path: Path) -> None:
    path = configured(tmp_path)
    config = drawn(path, "hall", [FLOOR], version=version_of(named(load(path), "hall")))
    told = fitted(config, named(config, "hall"), hung(tilt=20))
    assert (told.height_m, told.points, told.left_out_m) == (HUNG.height_m, 0, None)
    assert told.horizon is not None and told.horizon[0][1] == pytest.approx(told.horizon[1][1], abs=1e-6)
    assert {part.fine for part in told.grid} == {True, False}
    places = np.array([point for part in told.grid for point in part.points])
    assert (np.abs(places - 0.5) <= 0.61).all()  # nothing far beside the picture
    assert all(head_y < foot_y for _, foot_y, _, head_y in told.figures) and told.figures
    # The zone was drawn for 35 degrees; at 20 its corners are farther away.
    (now,) = judged(config, named(config, "hall"), [FLOOR])
    assert (told.judged[0].area_m2 or 0) > 1.5 * (now.area_m2 or 0)
    # Nothing was changed.
    assert calibration_view(config, named(config, "hall")).fitted != told


def test_a_calibration_is_a_new_file_and_the_old_one_stays(tmp_path: Path) -> None:
    path = configured(tmp_path, calibrated=False)
    assert calibration_version(named(load(path), "hall")) == ""
    first = calibrated(path, "hall", solved(hung()), version="")
    version = calibration_version(named(first, "hall"))
    second = calibrated(path, "hall", solved(hung(height=7)), version=version)
    view = calibration_view(second, named(second, "hall"))
    assert view.version != version and view.fitted is not None and view.fitted.height_m == pytest.approx(7)
    old, new = named(first, "hall").calibration, named(second, "hall").calibration
    assert old != new and old is not None and old.exists() and new is not None and version in old.name
    assert "# its neighbour" in path.read_text()
    assert not list(tmp_path.glob(".*.part"))


def test_two_that_calibrate_at_once_do_not_spoil_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wrote the same part file side by side, and the later one was lost or took the place of the other's."""
    path, begun, write = configured(tmp_path, calibrated=False), threading.Barrier(4), recalibrate._write

    def alone(name: Path, text: str) -> None:
        folder = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        write(name, text)

    def attempt(_: int) -> str:
        begun.wait()
        try:
            return calibration_version(named(calibrated(path, "hall", solved(hung()), version=""), "hall"))
        except SettingsRefused as error:
            return str(error)

    monkeypatch.setattr(recalibrate, "_write", alone)
    with ThreadPoolExecutor(4) as threads:
        told = sorted(threads.map(attempt, range(4)))
    version = calibration_version(named(load(path), "hall"))
    assert version in told and sum("load the page again" in one for one in told) == 3, told
    assert not list(tmp_path.glob(".*.part"))


def test_an_old_version_no_calibration_and_one_without_a_place_change_nothing(tmp_path: Path) -> None:
    path = configured(tmp_path)
    drawn(path, "hall", [FLOOR], version=version_of(named(load(path), "hall")))
    text, files = path.read_text(), sorted(tmp_path.iterdir())
    version = calibration_version(named(load(path), "hall"))
    with pytest.raises(SettingsRefused, match="load the page again"):
        calibrated(path, "hall", solved(hung()), version="another")
    with pytest.raises(MeasureRefused, match="below heads"):
        calibrated(path, "hall", solved(hung(height=1)), version=version)
    with pytest.raises(SettingsRefused, match="Hall floor"):
        calibrated(path, "hall", solved(hung(tilt=0.5)), version=version)  # the zone reaches the horizon
    assert path.read_text() == text and sorted(tmp_path.iterdir()) == files


def test_a_calibration_that_can_not_be_read_is_shown_as_none_and_can_be_replaced(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "hall.json").unlink()
    config = load(path)
    view = calibration_view(config, named(config, "hall"))
    assert (view.version, view.fitted) == ("unreadable", None)
    mended = calibrated(path, "hall", solved(hung()), version="unreadable")
    assert calibration_view(mended, named(mended, "hall")).fitted is not None
