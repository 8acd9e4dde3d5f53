"""The finder: what a network sees in a window or on a canvas is said of the right place in the picture."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing
from skyveil.core.geometry import iou
from skyveil.core.manifest import CENTERFACE, PPOCR_DETECTOR, YOLOX_NANO
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.centerface import OVERLAP
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.finder import VIDEO_SIZES_WH, Finder
from skyveil.private.detect.packing import SMALL_WH, WIDE_WH
from skyveil.private.detect.pyramid import Area, Level, levels
from skyveil.private.frame import RawFrame
from tests.private.detect.blobs import TEXT_PX, Blobs
from tests.private.made import Box, covered, frame_of, plain, steady

SIZES = [(640, 480), (1900, 1070), (333, 217)]
ONE = [Level(1.0, 0.0, float("inf"))]


def showing(width: int, height: int, *boxes: Box) -> RawFrame:
    luma = plain(60, width=width, height=height)
    for x1, y1, x2, y2 in boxes:
        luma[int(y1) : int(y2), int(x1) : int(x2)] = 230
    return frame_of(luma)


def pyramid_of(width: int, height: int) -> list[Level]:
    return levels(width, height, finest=2.0, most_px=96, least_px=24, budget_px=3_000_000)


def agrees(found: Scored, *boxes: Box, least_iou: float = 0.8) -> bool:
    """Whether exactly these boxes were found, each once."""
    wanted = np.array(boxes, np.float32).reshape(-1, 4)
    near = iou(wanted, found.xyxy)
    return len(found.xyxy) == len(wanted) and all(bool(row.max() > least_iou) for row in near)


@pytest.mark.parametrize("shapes", ["fixed", "any"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_faces_of_all_sizes_are_found_once_and_where_they_are(width: int, height: int, shapes: Shapes) -> None:
    faces: list[Box] = [
        (10, 12, 22, 26),  # near a corner
        (width - 40, height - 50, width - 12, height - 16),  # near another
        (width // 2, 20, width // 2 + 60, 90),  # answered for by a coarser level
    ]
    raw = showing(width, height, *faces)
    found = Blobs(shapes=shapes).finder.faces(raw, (0, 0, width, height), pyramid_of(width, height), threshold=0.1)
    assert agrees(found, *faces, least_iou=OVERLAP)


@pytest.mark.parametrize("quarters", [1, 2, 3, 5])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_what_is_shown_turned_is_said_of_where_it_is(width: int, height: int, quarters: int) -> None:
    faces: list[Box] = [
        (10, 12, 22, 26),
        (width - 40, height - 50, width - 12, height - 16),
        (width // 2, 20, width // 2 + 60, 90),
    ]
    raw, pyramid = showing(width, height, *faces), pyramid_of(width, height)
    finder = Blobs(shapes="any").finder
    found = finder.faces(raw, (0, 0, width, height), pyramid, threshold=0.1, quarters=quarters)
    assert agrees(found, *faces, least_iou=OVERLAP)


@settings(steady, max_examples=30)
@given(st.integers(0, 1200), st.integers(0, 700), st.integers(14, 90))
def test_a_face_is_found_wherever_windows_meet(x: int, y: int, side: int) -> None:
    box = (float(x), float(y), float(x + side), float(y + side))
    found = Blobs().finder.faces(showing(1300, 800, box), (0, 0, 1300, 800), ONE, threshold=0.1)
    near = iou(np.array([box], np.float32), found.xyxy)
    # Two windows may both see it, one of them cut; what overlaps by half is one face, and the better score stays.
    assert near.max() > OVERLAP


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_small_parts_share_one_look_and_what_is_in_them_is_said_of_the_right_place(scale: float) -> None:
    faces: list[Box] = [(104, 108, 120, 128), (404, 40, 418, 58), (250, 300, 266, 318)]
    areas: list[Area] = [(90, 90, 140, 140), (390, 20, 440, 70), (240, 290, 280, 330)]
    blobs = Blobs()
    found = blobs.finder.faces_in(showing(640, 480, *faces), areas, [Level(scale, 0.0, float("inf"))], threshold=0.1)
    assert agrees(found, *faces, least_iou=0.75)
    assert set(blobs.face.shown_wh) <= {SMALL_WH, WIDE_WH}
    assert len(blobs.face.shown_wh) < len(areas)


@pytest.mark.parametrize("face", [(100, 0, 110, 12), (0, 100, 10, 112), (630, 100, 640, 112), (100, 468, 110, 480)])
def test_a_small_face_at_the_edge_of_the_picture_is_believed(face: Box) -> None:
    x, y = int(face[0]) // 2 * 2, int(face[1]) // 2 * 2
    around = (max(0, x - 30), max(0, y - 30), min(640, x + 40), min(480, y + 42))
    # So many parts that none of them is enlarged.
    areas: list[Area] = [around, *((100 + 70 * i, 200, 160 + 70 * i, 260) for i in range(6))]
    assert agrees(Blobs().finder.faces_in(showing(640, 480, face), areas, ONE, threshold=0.1), face)


def test_a_large_part_is_looked_at_by_itself() -> None:
    faces: list[Box] = [(104, 108, 120, 128), (404, 40, 434, 78)]
    areas: list[Area] = [(90, 90, 140, 140), (300, 0, 600, 300)]
    blobs = Blobs()
    assert agrees(blobs.finder.faces_in(showing(640, 480, *faces), areas, ONE, threshold=0.1), *faces)
    assert blobs.face.shown_wh == [SMALL_WH, (320, 320)]


def test_what_lies_outside_of_the_parts_is_not_looked_at() -> None:
    raw = showing(640, 480, (404, 40, 420, 60))
    assert agrees(Blobs().finder.faces_in(raw, [(90, 90, 140, 140)], ONE, threshold=0.1))
    blobs = Blobs()
    assert agrees(blobs.finder.faces_in(raw, [], ONE, threshold=0.1))
    assert blobs.face.shown_wh == []


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_video_is_shown_in_few_sizes_only(width: int, height: int) -> None:
    blobs = Blobs()
    raw = showing(width, height)
    for area in ((0, 0, width, height), (10, 10, 90, 200), (0, 0, 300, 180)):
        blobs.finder.faces(raw, area, pyramid_of(width, height), threshold=0.1)
        blobs.finder.plates(raw, area, scale=1.0, threshold=0.3)
    assert {*blobs.face.shown_wh, *blobs.text.shown_wh} <= set(VIDEO_SIZES_WH)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("long_px", [416, 640])
def test_persons_come_from_one_look_and_vehicles_are_left_out(width: int, height: int, long_px: int) -> None:
    person: Box = (40, 30, 40 + width // 10, 30 + height // 2)
    car: Box = (width // 2, height // 2, width - 20, height // 2 + height // 6)
    blobs = Blobs()
    found = blobs.finder.persons(
        showing(width, height, person, car), (0, 0, width, height), scale=long_px / width, threshold=0.1
    )
    assert agrees(found, person)
    assert len(blobs.person.shown_wh) == 1
    assert max(blobs.person.shown_wh[0]) == long_px
    assert all(side % 32 == 0 for side in blobs.person.shown_wh[0])


def test_persons_in_parts_of_several_frames_share_one_look_and_each_part_has_its_own_answer() -> None:
    places: list[Box] = [(100, 100, 140, 200), (300, 60, 340, 160), (500, 220, 540, 330)]
    areas: list[Area] = [(96, 96, 144, 204), (296, 56, 344, 164), (496, 216, 544, 334)]
    blobs = Blobs()
    frames = [showing(640, 480, place) for place in places]
    nobody = (showing(640, 480), areas[0])
    found = blobs.finder.persons_passing([*zip(frames, areas, strict=True), nobody], scale=416 / 640, threshold=0.1)
    for answer, place in zip(found[:3], places, strict=True):
        assert agrees(answer, place, least_iou=0.6)
    assert len(found[3].score) == 0
    assert blobs.person.shown_wh == [(416, 320)]


def test_a_part_as_large_as_the_picture_gets_a_look_of_its_own_size() -> None:
    person: Box = (40, 30, 104, 270)
    blobs = Blobs()
    (found,) = blobs.finder.persons_passing(
        [(showing(640, 480, person), (0, 0, 640, 480))], scale=416 / 640, threshold=0.1
    )
    assert agrees(found, person)
    assert blobs.finder.persons_passing([], scale=1.0, threshold=0.1) == []


def test_plates_are_found_where_they_are() -> None:
    plate: Box = (300, 200, 380, 224)
    found = Blobs().finder.plates(showing(640, 480, plate), (200, 100, 500, 300), scale=1.0, threshold=0.3)
    (box,) = found.xyxy.tolist()
    assert iou(np.array([plate], np.float32), np.array([box], np.float32)).max() > 0.4
    assert box[0] <= 300
    assert box[1] <= 200
    assert box[2] >= 380
    assert box[3] >= 224


@pytest.mark.parametrize("shapes", ["fixed", "any"])
def test_plates_whose_letters_are_large_are_found_at_half_of_the_size(shapes: Shapes) -> None:
    plate: Box = (100, 150, 420, 150 + 1.5 * TEXT_PX)
    found = Blobs(shapes=shapes).finder.plates(showing(640, 480, plate), (0, 0, 640, 480), scale=1.0, threshold=0.3)
    assert len(found.score) == 1
    assert covered(plate, found.xyxy)


def test_a_plate_that_is_seen_at_both_sizes_is_one() -> None:
    plate: Box = (300, 200, 400, 230)
    assert len(Blobs().finder.plates(showing(640, 480, plate), (0, 0, 640, 480), scale=1.0, threshold=0.3).score) == 1


def test_beside_a_part_that_is_looked_at_for_plates_there_is_no_grey() -> None:
    blobs = Blobs(shapes="any")
    blobs.finder.plates(showing(330, 210), (0, 0, 330, 210), scale=1.0, threshold=0.3)
    assert any(wide > 330 for wide, _ in blobs.text.shown_wh)
    assert len(blobs.text.colours) == 1


def test_the_networks_that_looked_are_named_and_no_others() -> None:
    finder = Finder({}, precision="auto", shapes="fixed")
    assert finder.used == ()
    assert finder.models == ()
    assert finder.computed == ""
    finder = Blobs().finder
    assert finder.used == tuple(entry.describe for entry in (CENTERFACE, YOLOX_NANO, PPOCR_DETECTOR))
    assert finder.computed == "f32"


def test_a_failure_of_a_network_is_the_failure_of_the_look() -> None:
    finder = Blobs(face_fails_at=1).finder
    raw = showing(640, 480)
    finder.faces_in(raw, [(0, 0, 640, 384)], ONE, threshold=0.1)
    with pytest.raises(DetectorFailed, match="centerface: failed as it was told"):
        finder.faces_in(raw, [(0, 0, 640, 384)], ONE, threshold=0.1)


def test_weights_that_are_missing_or_not_the_right_ones_are_no_answer(tmp_path: Path) -> None:
    raw = showing(64, 64)
    with pytest.raises(ModelMissing, match="skyveil models pull centerface"):
        Finder({}, precision="auto", shapes="any").faces(raw, (0, 0, 64, 64), ONE, threshold=0.1)
    wrong = tmp_path / "centerface.onnx"
    wrong.write_bytes(b"not the network that was asked for")
    with pytest.raises(ModelCorrupt, match="expected 09189deaaf86"):
        Finder({CENTERFACE.name: wrong}, precision="auto", shapes="any").faces(raw, (0, 0, 64, 64), ONE, threshold=0.1)


def test_two_finders_share_nothing() -> None:
    one, other = Blobs(), Finder({}, precision="auto", shapes="fixed")
    one.finder.faces(showing(64, 64), (0, 0, 64, 64), ONE, threshold=0.1)
    assert other.used == ()
