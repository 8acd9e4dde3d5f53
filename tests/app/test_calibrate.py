"""Calibrations from files, and shown over redacted pictures only."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyveil.app.calibrate import given_calibration
from skyveil.app.calibration_picture import draw
from skyveil.core.errors import MeasureRefused, OutputRefused, SettingsRefused, SkyveilError
from skyveil.measure.points import points_of, polygon_area
from skyveil.private.detect.boxes import Scored
from skyveil.private.observe.ruler_people import RulerPeople
from tests.measure.cameras import HUNG, SIZE_WH, people_seen

CAMERA = HUNG[2]
VIEW_DEG = float(2 * np.degrees(np.arctan(960 / CAMERA.focal_px)))
TSAI = ["width", "height", "focal", "kappa1", "cx", "cy", "sx", "dpx", "dpy", "tx", "ty", "tz", "rx", "ry", "rz"]
FLOOR = points_of([[-2, 6], [2, 6], [2, 11], [-2, 11], [0, 8], [1, 9]])


def file_of(folder: Path, **fields: object) -> Path:
    path = folder / "points.json"
    path.write_text(json.dumps({"size": SIZE_WH, **fields}), encoding="utf-8")
    return path


def test_each_way_to_give_a_camera_is_read(tmp_path: Path) -> None:
    pixels = CAMERA.shows(FLOOR, np.zeros(6))
    feet, heads = people_seen(CAMERA, 60, np.random.default_rng(0), noise_px=1.0)
    people = np.hstack([feet, heads]).tolist()
    ways: tuple[dict[str, object], ...] = (
        {"points": np.hstack([pixels, FLOOR]).tolist()},
        {"rectangle": {"corners": pixels[:4].tolist(), "width": 4, "depth": 5}},
        {"camera": {"height": 6, "tilt": 35, "view": VIEW_DEG}},
        {"people": people, "view": VIEW_DEG},
        {"points": np.hstack([pixels, FLOOR]).tolist(), "people": people},
    )
    for given in ways:
        assert given_calibration(file_of(tmp_path, **given)).camera_m[2] == pytest.approx(6, rel=0.06), given.keys()


def test_a_tsai_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "view.xml"
    path.write_text(
        '<Camera name="View"><Geometry width="768" height="576" ncx="7.95e+02" dx="4.8e-3" dpx="5.1e-3" dpy="4.6e-3"/>'
        '<Intrinsic focal="5.5" kappa1="5e-3" cx="324" cy="282" sx="1.09"/>'
        '<Extrinsic tx="828" ty="-3175" tz="35469" rx="2.04" ry="-0.89" rz="-0.43"/></Camera>',
        encoding="utf-8",
    )
    assert given_calibration(path).camera_m[2] == pytest.approx(7, abs=0.5)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({}, SettingsRefused, "give one of points"),
        ({"points": [[0, 0, 0, 0]], "camera": {"height": 3, "tilt": 30, "view": 60}}, SettingsRefused, "give one of"),
        ({"people": [[0, 0, 0, 0]] * 20}, SettingsRefused, "how wide a camera sees"),
        ({"pionts": []}, SettingsRefused, "no points to calibrate from. pionts"),
        ({"points": [[0, 0, 0, 0]]}, MeasureRefused, "4 or more points"),
        ({"points": [[1, 2, 3, 4]] * 6}, MeasureRefused, "in one line"),
        ({"points": [[float("nan"), 0, 0, 0]] * 6}, SettingsRefused, "points.0.0"),
        ({"camera": {"height": float("inf"), "tilt": 30, "view": 60}}, SettingsRefused, "camera.height"),
        ({"size": [-1280, 720], "camera": {"height": 3, "tilt": 30, "view": 60}}, SettingsRefused, "size.0"),
    ],
)
def test_what_makes_no_camera_is_refused_in_words(
    tmp_path: Path, fields: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        given_calibration(file_of(tmp_path, **fields))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "", "the whole file"),
        ("a.yaml", "size: 2020-13-45", "no YAML or JSON"),
        ("a.yaml", "[" * 3000, "no YAML or JSON"),
        ("a.xml", '<C width="E"/>', "could not convert"),
        ("a.xml", '<C width="1e999"/>', "1e999 is no length"),
        ("a.xml", "<C " + " ".join(f'{key}="0"' for key in TSAI) + "/>", "are above 0"),
    ],
)
def test_files_that_are_none_are_refused_in_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SkyveilError, match=message) as refused:
        given_calibration(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_the_grid_is_drawn_where_metres_are(tmp_path: Path) -> None:
    Image.new("RGB", SIZE_WH).save(tmp_path / "redacted.png")
    draw(CAMERA.given, tmp_path / "redacted.png", tmp_path / "grid.png", overwrite=False)
    drawn = np.asarray(Image.open(tmp_path / "grid.png"))
    for x, y in CAMERA.given.pixels_of(points_of([[0, 10], [5, 10], [0, 15]])).round().astype(int):
        assert drawn[y - 1 : y + 2, x - 1 : x + 2].any()
    assert (drawn == (213, 94, 0)).all(axis=2).sum() > 500  # figures
    with pytest.raises(OutputRefused, match="take a picture of the same size"):
        Image.new("RGB", (64, 64)).save(tmp_path / "small.png")
        draw(CAMERA.given, tmp_path / "small.png", tmp_path / "other.png", overwrite=False)


# --- people of a video ---------------------------------------------------------------------------------------------


def boxes(count: int, seed: int) -> Scored:
    feet, heads = people_seen(CAMERA, count, np.random.default_rng(seed), noise_px=2.0)
    half = 0.13 * (feet[:, 1] - heads[:, 1])
    left, right = np.minimum(feet[:, 0], heads[:, 0]) - half, np.maximum(feet[:, 0], heads[:, 0]) + half
    xyxy = np.stack([left, heads[:, 1], right, feet[:, 1]], axis=1).astype(np.float32)
    return Scored(xyxy, np.full(count, 0.9, np.float32))


def test_people_of_many_frames_give_the_camera() -> None:
    people = RulerPeople(size_wh=SIZE_WH)
    for frame in range(120):
        people.add(boxes(2, frame))
    found = people.calibration(view_deg=VIEW_DEG)
    corners = points_of([[-2, 7], [2, 7], [2, 11], [-2, 11]])
    on_floor = polygon_area(found.floor_of(CAMERA.given.pixels_of(corners)))
    under_heads = polygon_area(found.under_heads(CAMERA.given.pixels_of(corners, height_m=1.68)))
    assert [on_floor, under_heads] == pytest.approx([16, 16], rel=0.12)


def test_who_is_cut_hidden_or_unsure_is_no_ruler() -> None:
    people = RulerPeople(size_wh=SIZE_WH)
    free = boxes(2, 1)
    people.add(Scored(free.xyxy, np.full(2, 0.5, np.float32)))  # unsure
    people.add(Scored(np.concatenate([free.xyxy, free.xyxy + 4]), np.full(4, 0.9, np.float32)))  # touching
    people.add(Scored(np.array([[100, 2, 160, 300]], np.float32), np.array([0.9], np.float32)))  # cut
    people.add(Scored(np.array([[100, 200, 400, 300]], np.float32), np.array([0.9], np.float32)))  # lying
    with pytest.raises(MeasureRefused, match="found 0"):
        people.calibration(view_deg=VIEW_DEG)
