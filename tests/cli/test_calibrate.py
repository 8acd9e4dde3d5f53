"""`skyveil calibrate` on the command line."""

import json
from pathlib import Path

import pytest

from skyveil.measure.calibration_text import calibration_from
from tests.cli.running import run


def test_height_tilt_and_view_make_a_calibration(tmp_path: Path) -> None:
    points, output = tmp_path / "camera.yaml", tmp_path / "calibration.json"
    points.write_text("size: [1920, 1080]\ncamera: {height: 4.5, tilt: 30, view: 70}\n", encoding="utf-8")
    done = run("calibrate", str(points), "-o", str(output))
    assert done.code == 0, done.err
    assert "4.50 m over the floor" in done.out
    assert calibration_from(output.read_text(encoding="utf-8")).camera_m[2] == pytest.approx(4.5)
    again = run("calibrate", str(points), "-o", str(output))
    assert again.code == 1


def test_points_in_one_line_are_refused_in_one_line(tmp_path: Path) -> None:
    points = tmp_path / "points.json"
    rows = [[100 * n, 100 * n, n, n] for n in range(5)]
    points.write_text(json.dumps({"size": [640, 480], "points": rows}), encoding="utf-8")
    done = run("calibrate", str(points), "-o", str(tmp_path / "c.json"))
    assert done.code == 2
    assert done.err.strip().splitlines() == ["skyveil: the points lie in one line: give some beside it"]
    assert not (tmp_path / "c.json").exists()
