"""From when on a place was drawn how: nothing is told of a time that mixes two drawings."""

from pathlib import Path

import pytest

from skyveil.app.drawings import KEPT_S, Drawing, Drawings
from skyveil.core.errors import StoreFailed
from skyveil.gate.grounds import Grounds
from tests.public.store.made import CAMERA, GATE, HALL, T

LARGE, SMALL = Drawing("large", 50.0, public=True), Drawing("small", 12.0, public=True)
LINE, MOVED = Drawing("line", None, public=True), Drawing("moved", None, public=True)
HALL_KEY, GATE_KEY = (CAMERA, HALL), (CAMERA, GATE)


def names(found: Grounds) -> list[str]:
    return sorted([*found.areas_m2, *found.lines])


@pytest.fixture
def drawings(tmp_path: Path) -> Drawings:
    made = Drawings(tmp_path / "drawings.json")
    made.configure({HALL_KEY: LARGE, GATE_KEY: LINE}, at_s=T)
    return made


def test_a_period_is_judged_by_the_zone_as_it_was_drawn_then(drawings: Drawings) -> None:
    drawings.configure({HALL_KEY: SMALL, GATE_KEY: LINE}, at_s=T + 100)
    assert drawings.staff(CAMERA, T, T + 60).areas_m2 == {HALL: 50}
    assert names(drawings.staff(CAMERA, T + 60, T + 120)) == ["gate"]  # two drawings of the hall are in it
    assert drawings.staff(CAMERA, T + 120, T + 180).areas_m2 == {HALL: 12}
    assert names(drawings.staff(CAMERA, T - 60, T)) == []  # nothing is known of before
    assert names(drawings.staff(CAMERA, T - 3600, T + 60)) == []


def test_a_place_that_is_told_to_nobody_for_a_while_is_not_told_of_that_time(drawings: Drawings) -> None:
    drawings.configure({GATE_KEY: LINE}, at_s=T + 100)
    drawings.configure({HALL_KEY: LARGE, GATE_KEY: LINE}, at_s=T + 200)
    told = [names(drawings.staff(CAMERA, T + at, T + at + 60)) for at in (0, 60, 120, 180, 240)]
    assert [("hall" in found) for found in told] == [True, False, False, False, True]
    assert names(drawings.staff(CAMERA, T, T + 3600)) == ["gate"]


def test_the_public_is_told_of_a_line_that_was_moved_from_the_next_day_on(drawings: Drawings) -> None:
    assert names(drawings.public(CAMERA, T + 60, T + 120)) == ["gate", "hall"]
    drawings.configure({HALL_KEY: LARGE, GATE_KEY: MOVED}, at_s=T + 100)
    assert names(drawings.public(CAMERA, T, T + 60)) == ["gate", "hall"]
    assert names(drawings.staff(CAMERA, T + 120, T + 180)) == ["gate", "hall"]
    assert names(drawings.public(CAMERA, T + 120, T + 180)) == ["hall"]
    assert names(drawings.public(CAMERA, T + 86400, T + 86460)) == ["gate", "hall"]
    drawings.configure({HALL_KEY: Drawing("large", 50.0, public=False), GATE_KEY: MOVED}, at_s=T + 86500)
    assert names(drawings.public(CAMERA, T + 86520, T + 86580)) == ["gate"]


def test_drawings_outlive_a_restart_and_are_forgotten_when_no_number_can_be_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "drawings.json"
    first = Drawings(path)
    first.configure({HALL_KEY: LARGE, GATE_KEY: LINE}, at_s=T)
    first.write()
    again = Drawings(path)
    assert names(again.staff(CAMERA, T, T + 60)) == ["gate", "hall"]
    again.configure({HALL_KEY: SMALL}, at_s=T + 100)
    again.write()
    third = Drawings(path)
    assert third.staff(CAMERA, T, T + 60).areas_m2 == {HALL: 50}
    third.configure({HALL_KEY: SMALL}, at_s=T + 100 + KEPT_S)
    assert names(third.staff(CAMERA, T, T + 60)) == []
    assert third.staff(CAMERA, T + 120, T + 180).areas_m2 == {HALL: 12}
    third.write()
    assert "gate" not in path.read_text()


def test_a_clock_that_is_set_back_does_not_give_the_new_drawing_the_time_of_the_old(drawings: Drawings) -> None:
    drawings.configure({HALL_KEY: SMALL, GATE_KEY: LINE}, at_s=T - 7200)
    assert "hall" not in names(drawings.staff(CAMERA, T - 3600, T))


def test_a_damaged_file_means_that_nothing_is_known_of_before(tmp_path: Path) -> None:
    path = tmp_path / "drawings.json"
    for text in ("", "[]", '{"north/hall": 7}', '{"north/hall": [[0, ["x"]]]}', '{"north": [[0, null]]}'):
        path.write_text(text)
        found = Drawings(path)
        found.configure({HALL_KEY: LARGE}, at_s=T)
        assert names(found.staff(CAMERA, T - 60, T)) == [] and names(found.staff(CAMERA, T, T + 60)) == ["hall"]


def test_drawings_that_can_not_be_written_are_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    found = Drawings(folder / "drawings.json")
    found.write()  # nothing changed
    found.configure({HALL_KEY: LARGE}, at_s=T)
    with pytest.raises(StoreFailed, match="drawings of places"):
        found.write()
    folder.mkdir()
    found.write()
    assert (folder / "drawings.json").exists()
