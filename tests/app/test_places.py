"""Zones and lines from the console: what they are on the floor, what refuses them, and how the file has them."""

import json
from pathlib import Path

import numpy as np
import pytest

from skyveil.app.config import load
from skyveil.app.places import drawing_of, drawn, judged, named, version_of
from skyveil.core.errors import SettingsRefused
from skyveil.measure.calibrating import from_height
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.points import crosses_itself, points_of
from skyveil.public.web.drawn import DrawnPlace, DrawnThresholds
from tests.app.live_stand_in import HUNG
from tests.measure.cameras import SIZE_WH


def on_floor(*points_m: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Where floor points are seen, in shares."""
    shares = HUNG.given.pixels_of(points_of(points_m)) / SIZE_WH
    return tuple((float(x), float(y)) for x, y in shares)


def square(x: float, y: float, side: float) -> tuple[tuple[float, float], ...]:
    return on_floor((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def configured(folder: Path, *, calibrated: bool = True, public: bool = False, **camera: object) -> Path:
    """A hall whose file has comments and a neighbour, which must stay as they are."""
    (folder / "hall.json").write_text(calibration_text(HUNG.given))
    more = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in camera.items())
    path = folder / "skyveil.yaml"
    path.write_text(
        f"version: 1\nnumbers: {{public: {json.dumps(public)}}}\ncameras:\n"
        "  - id: hall  # the big one\n    name: Hall\n    purpose: Safety\n    source: rtsp://10.0.0.1/\n"
        + ("    calibration: hall.json\n" if calibrated else "")
        + more
        + "  - {id: door, name: Door, purpose: Safety, source: 'rtsp://10.0.0.2/'}  # its neighbour\n"
    )
    return path


FLOOR = DrawnPlace(
    "floor", "Hall floor", line=False, points=square(-2, 6, 4), use="queue",
    way=(on_floor((0, 6))[0], on_floor((0, 9))[0]),
    thresholds=DrawnThresholds(1, 2, 3, 4, rise_s=2, fall_s=30),
)  # fmt: skip
DOOR = DrawnPlace("door", "Door", line=True, points=on_floor((-1, 8), (1, 8)))


def test_what_is_drawn_is_written_read_and_nothing_else_changes(tmp_path: Path) -> None:
    path = configured(tmp_path)
    before = load(path)
    version = version_of(named(before, "hall"))
    after = drawn(path, "hall", [DOOR, FLOOR], version=version)
    told = drawing_of(after, named(after, "hall"))
    assert told.places == (FLOOR, DOOR) and told.version != version
    assert [(one.staff, one.public, one.refused) for one in told.judged] == [(True, False, False)] * 2
    assert told.judged[0].area_m2 == pytest.approx(16, rel=1e-6)
    assert told.judged[1].length_m == pytest.approx(2, rel=1e-6)
    text = path.read_text()
    assert "# the big one" in text and "# its neighbour" in text
    assert named(after, "door") == named(before, "door")
    # Drawn again as it is, it is the same version; taken away, it is the first one.
    again = drawn(path, "hall", told.places, version=told.version)
    assert version_of(named(again, "hall")) == told.version
    assert version_of(named(drawn(path, "hall", [], version=told.version), "hall")) == version


def test_forward_is_to_the_left_of_who_looks_along_a_line(tmp_path: Path) -> None:
    config = load(configured(tmp_path))
    (told,) = judged(config, named(config, "hall"), [DOOR])
    assert told.forward is not None
    # From left to right over the floor, the left hand is ahead: away from the camera, upwards in the picture.
    assert told.forward[1][1] < told.forward[0][1]


@pytest.mark.parametrize(
    ("points", "code", "refused"),
    [
        (square(-2, 6, 4), "", False),
        (square(-1, 7, 3), "small", False),  # 9 m2: the control room alone
        (square(0, 7, 1.5), "one-person", True),  # 2.25 m2
        (on_floor((-2, 6), (2, 9), (2, 6), (-2, 9)), "crosses", True),  # a bow tie
        (on_floor((-2, 6), (2, 6)), "flat", True),
    ],
)
def test_a_zone_is_judged_on_the_floor(
    tmp_path: Path, points: tuple[tuple[float, float], ...], code: str, refused: bool
) -> None:
    config = load(configured(tmp_path))
    (told,) = judged(config, named(config, "hall"), [DrawnPlace("floor", "Floor", line=False, points=points)])
    assert (told.code, told.refused, bool(told.words)) == (code, refused, bool(code))
    assert told.staff is (code == "")


def test_a_zone_that_reaches_the_horizon_or_is_too_far_is_refused(tmp_path: Path) -> None:
    config = load(configured(tmp_path))
    level = from_height(size_wh=SIZE_WH, height_m=6.0, tilt_deg=10.0, focal_px=1300)
    (tmp_path / "hall.json").write_text(calibration_text(level))
    above = ((0.2, 0.05), (0.8, 0.05), (0.5, 0.9))
    far = tuple(map(tuple, (level.pixels_of(points_of([[-9, 120], [9, 120], [9, 160], [-9, 160]])) / SIZE_WH).tolist()))
    places = [DrawnPlace(name, name, line=False, points=points) for name, points in (("a", above), ("b", far))]
    assert [one.code for one in judged(config, named(config, "hall"), places)] == ["horizon", "far"]


def test_a_line_that_is_too_far_or_under_heads_out_of_the_picture_is_refused(tmp_path: Path) -> None:
    config = load(configured(tmp_path))
    level = from_height(size_wh=SIZE_WH, height_m=6.0, tilt_deg=10.0, focal_px=1300)
    (tmp_path / "hall.json").write_text(calibration_text(level))
    ends_m = {"near": [[-2, 12], [2, 12]], "far": [[-9, 60], [9, 60]], "edge": [[-1, 9], [-30, 9]]}
    places = [
        DrawnPlace(
            name, name, line=True, points=tuple(map(tuple, (level.pixels_of(points_of(one)) / SIZE_WH).tolist()))
        )
        for name, one in ends_m.items()
    ]
    told = judged(config, named(config, "hall"), places)
    assert [(one.code, one.refused) for one in told] == [("", False), ("far", True), ("far", True)]
    assert told[1].length_m == pytest.approx(18, rel=1e-6)


def test_zones_that_share_ground_stay_in_the_control_room_and_public_is_told_where_it_is(tmp_path: Path) -> None:
    config = load(configured(tmp_path, public=True))
    hall = named(config, "hall")
    one, other = (DrawnPlace(name, name, line=False, points=square(x, 6, 4)) for name, x in (("a", -3), ("b", 0)))
    assert [said.code for said in judged(config, hall, [one, other])] == ["overlap", "overlap"]
    beside = DrawnPlace("b", "b", line=False, points=square(1, 6, 4))
    assert [(said.staff, said.public) for said in judged(config, hall, [one, beside])] == [(True, True)] * 2


def test_without_a_calibration_a_zone_has_no_size(tmp_path: Path) -> None:
    config = load(configured(tmp_path, calibrated=False))
    (told, line) = judged(config, named(config, "hall"), [FLOOR, DOOR])
    assert (told.code, told.area_m2, told.staff, told.refused) == ("uncalibrated", None, False, False)
    assert (line.length_m, line.refused) == (None, False)


def test_what_the_configuration_would_refuse_is_told_of_its_place(tmp_path: Path) -> None:
    config = load(configured(tmp_path, targets=["face"]))
    hall = named(config, "hall")
    assert [one.words for one in judged(config, hall, [FLOOR])] == [
        "zones and lines count persons: `head` or `person` must be among the targets"
    ]
    config = load(configured(tmp_path))
    falling = DrawnPlace("up", "Up", line=False, points=FLOOR.points, thresholds=DrawnThresholds(4, 3, 2, 1))
    told = judged(config, named(config, "hall"), [DOOR, falling, FLOOR, FLOOR])
    assert [one.refused for one in told] == [False, True, False, True]
    assert "rise from yellow" in told[1].words and "twice" in told[3].words


def test_an_old_version_and_a_refused_place_change_nothing(tmp_path: Path) -> None:
    path = configured(tmp_path)
    text = path.read_text()
    version = version_of(named(load(path), "hall"))
    for places, of in (([FLOOR], "another"), ([DrawnPlace("a", "A", line=False, points=square(0, 7, 1))], version)):
        with pytest.raises(SettingsRefused):
            drawn(path, "hall", places, version=of)
    with pytest.raises(SettingsRefused, match="no camera"):
        drawn(path, "nobody", [], version=version)
    assert path.read_text() == text


def test_an_outline_that_crosses_itself_is_found() -> None:
    for corners, crossed in (
        ([[0, 0], [1, 0], [1, 1], [0, 1]], False),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], True),
        ([[0, 0], [2, 0], [1, 0], [1, 1]], True),  # a side that lies on the one before
        ([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], True),  # a corner that touches a side
        ([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], False),  # an arrow's tail
        ([[0, 0], [0, 0], [1, 0], [1, 1]], False),  # a corner that was clicked twice
    ):
        turned = [np.roll(np.array(corners, float), shift, axis=0) for shift in range(len(corners))]
        assert [crosses_itself(one) for one in turned] == [crossed] * len(corners), corners


def test_a_file_may_not_have_what_the_console_refuses(tmp_path: Path) -> None:
    zone = {"id": "floor", "name": "Floor", "points": [[0, 0], [1, 1], [1, 0], [0, 0.5]]}
    with pytest.raises(SettingsRefused, match="cross itself"):
        load(configured(tmp_path, zones=[zone]))
