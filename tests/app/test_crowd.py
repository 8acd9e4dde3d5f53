"""What a configuration says of the crowd: what is told to whom, and where it is full now."""

import dataclasses
import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import time as clock
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from skyveil.app import crowd
from skyveil.app.config import Config, Secrets, load, told
from skyveil.app.config.models import Quiet
from skyveil.app.config.networks import DensityUse
from skyveil.app.crowd import LiveCrowd
from skyveil.app.crowd_plan import grounds_of, planned
from skyveil.app.server import audit_of, database_of
from skyveil.app.site import LiveSite
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.core.kinds import Kind
from skyveil.core.manifest import CENTERFACE, MODELS, PPOCR_DETECTOR, YOLOX_NANO
from skyveil.core.settings import Mask
from skyveil.gate.release import ControlRoom, release
from skyveil.gate.release_maps import release_maps
from skyveil.measure.calibration_text import calibration_text
from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.points import points_of
from skyveil.measure.quantity import Unit, measured
from skyveil.public.alarm.desk import Desk
from skyveil.public.alarm.quiet import QuietHours
from skyveil.public.budget import NoBudget
from skyveil.public.live.hub import Hub
from skyveil.public.store import open_database
from skyveil.public.store.numbers import NumberStore, Retention
from skyveil.public.web.site import NamedMask, version_of
from tests.measure.cameras import SIZE_WH, Hung

NETWORK = DensityUse("crowd", 0.2)
HUNG = Hung(6, 35, 1300)


def shares(x1: float, y1: float, x2: float, y2: float) -> list[list[float]]:
    """A rectangle on the floor, as it is drawn in the picture."""
    corners = HUNG.given.pixels_of(points_of([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])) / SIZE_WH
    return [[float(x), float(y)] for x, y in corners]


def configured(folder: Path, *zones: list[list[float]], calibration: str | None = None) -> Config:
    camera = {"id": "hall", "name": "Hall", "purpose": "Safety", "source": "rtsp://h/a"}
    more = {
        "zones": [{"id": f"zone-{n}", "name": f"Zone {n}", "points": zone} for n, zone in enumerate(zones)],
        "lines": [{"id": "gate", "name": "Gate", "points": [[0.2, 0.8], [0.8, 0.8]]}],
    }
    if calibration is not None:
        (folder / "hall.json").write_text(calibration)
        more["calibration"] = "hall.json"  # type: ignore[assignment]  # a value of the file, as every other
    (folder / "skyveil.yaml").write_text(json.dumps({"version": 1, "cameras": [{**camera, **more}]}))
    return load(folder / "skyveil.yaml")


def test_zones_of_ten_square_metres_are_told_and_smaller_ones_are_not(tmp_path: Path) -> None:
    config = configured(
        tmp_path, shares(-3, 6, 3, 11), shares(-3, 12, -1, 14), calibration=calibration_text(HUNG.given)
    )
    told = grounds_of(config.cameras[0], calibration_text(HUNG.given))
    assert told.areas_m2 == {PlaceId("zone-0"): pytest.approx(30)}
    assert told.lines == {PlaceId("gate")}


@pytest.mark.parametrize("calibration", [None, "{}"])
def test_without_a_calibration_lines_alone_are_told(tmp_path: Path, calibration: str | None) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration)
    told = grounds_of(config.cameras[0], calibration)
    assert not told.areas_m2
    assert told.lines == {PlaceId("gate")}


def test_zones_that_overlap_are_told_to_nobody_outside(tmp_path: Path) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), shares(-1, 8, 3, 14), calibration=calibration_text(HUNG.given))
    assert not grounds_of(config.cameras[0], calibration_text(HUNG.given)).areas_m2


def test_a_map_is_shown_until_it_is_old_and_one_of_another_camera_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(crowd, "monotonic", lambda: now_s[0])
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    config.server.data.mkdir()
    engine = open_database(tmp_path / "skyveil.sqlite")
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    grid = DensityGrid(PlaceId("zone-0"), 0.5, (0.0, 0.0), np.ones((2, 2)))
    hall, other = camera_id("hall"), camera_id("other")
    (one,) = release_maps(CameraGrids(hall, np.eye(3), (grid,)), at_s=5.0)
    live.heard_map(other, one)
    assert not live.maps(hall) and not live.maps(other)
    live.heard_map(hall, one)
    assert live.maps(hall) == [one]
    now_s[0] += crowd.MAP_S + 0.1
    assert not live.maps(hall)
    live.close()
    engine.dispose()


def test_a_camera_that_does_not_run_has_the_calibration_of_its_file(tmp_path: Path) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    engine = database_of(config)
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    assert live.places(camera_id("hall"))[0].staff
    (tmp_path / "hall.json").write_bytes(b"\xff")
    live.configure(planned(config, {}))
    assert [one.staff for one in live.places(camera_id("hall"))] == [False, True]
    engine.dispose()


def test_an_alarm_is_named_after_its_camera_and_its_place(tmp_path: Path) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11))
    engine = database_of(config)
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    hall = camera_id("hall")
    assert live.drill(hall, live.places(hall)[0], "ada").name == "Hall: Zone 0"
    engine.dispose()


def test_numbers_of_a_place_that_a_camera_has_not_are_not_taken(tmp_path: Path) -> None:
    config = configured(tmp_path)
    config.server.data.mkdir()
    engine = open_database(tmp_path / "skyveil.sqlite")
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    hall, now_s = camera_id("hall"), int(time.time())
    places = tuple(
        PlaceMeasures(PlaceId(name), now_s - 1, now_s, {Measure.CROSSED_FORWARD: measured(1, Unit.PERSONS)})
        for name in ("attic", "gate")
    )
    for one in release(CameraMeasures(hall, places), ControlRoom(), NoBudget()):
        live.heard(hall, one)
        live.heard(camera_id("other"), one)
    assert [one.place for one in live.newest(hall)] == ["gate"]
    live.configure(planned(dataclasses.replace(config, cameras=()), {}))
    assert not live.newest(hall)
    live.close()
    engine.dispose()


def test_a_fault_is_told_and_does_not_end_the_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Semaphore(0)

    def health() -> dict[CameraId, CameraHealth]:
        tried.release()
        raise RuntimeError("a bug")

    monkeypatch.setattr(crowd, "TICK_S", 0.001)
    config = configured(tmp_path)
    config.server.data.mkdir()
    engine = open_database(tmp_path / "skyveil.sqlite")
    live = LiveCrowd(config, engine, {}, health=health, tell=lambda event: None)
    live.start()
    assert all(tried.acquire(timeout=20) for _ in range(3))
    assert "alarms failed: RuntimeError" in live.problems()
    live.close()
    engine.dispose()


def test_people_who_are_told_stand_in_the_configuration(tmp_path: Path) -> None:
    people = [{"name": "Chief", "address": {"env": "CHIEF"}, "from_step": 1}]
    (tmp_path / "skyveil.yaml").write_text(json.dumps({"version": 1, "outputs": {"messages": people}}))
    config = load(tmp_path / "skyveil.yaml")
    (one,) = told(config, Secrets(tmp_path / "secrets.yaml", {"CHIEF": "json://127.0.0.1"})).people
    assert (one.name, one.from_step, str(one.address)) == ("Chief", 1, "***")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"{}", "camera hall: the calibration can not be read: make it again"),
        (b"\xff", ".*hall.json: the calibration of hall can not be read"),
    ],
)
def test_a_site_refuses_a_broken_calibration_at_its_start_and_keeps_the_old_places_at_a_reload(
    tmp_path: Path, broken: bytes, why: str
) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    path, engine = tmp_path / "skyveil.yaml", database_of(config)
    audit = audit_of(config, engine)
    site = LiveSite(path, Hub(), audit, engine)
    before, places = site.config, site.crowd.places(camera_id("hall"))
    (tmp_path / "hall.json").write_bytes(broken)
    with pytest.raises(SettingsRefused, match=f"^{why}"):
        LiveSite(path, Hub(), audit, engine)
    assert re.match(f"refused {why}", site.reload())
    # The zone is told of as it was: its process measures with the calibration of before.
    assert site.config == before and site.crowd.places(camera_id("hall")) == places and places[0].staff
    assert any(re.match(why, one) and "goes on" in one for one in site.problems())
    (tmp_path / "hall.json").write_text(calibration_text(HUNG.given))
    assert site.reload() == "nothing" and not site.problems()
    engine.dispose()


def test_masks_and_other_cameras_take_effect_though_a_calibration_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    path, engine, hall, new = tmp_path / "skyveil.yaml", database_of(config), camera_id("hall"), camera_id("new")
    site = LiveSite(path, Hub(), audit_of(config, engine), engine)
    applied = Applied()
    monkeypatch.setattr(site, "_supervisor", applied)
    text = json.loads(path.read_text())
    (one,) = text["cameras"]
    corner = [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]
    one |= {"masks": [{"name": "door", "points": corner}], "calibration": "broken.json"}
    one["zones"][0]["id"] = "other"
    (tmp_path / "broken.json").write_text("{}")
    text["cameras"].append({**one, "id": "new"})
    path.write_text(json.dumps(text))
    said = site.reload()
    assert said.startswith("added new; changed hall; refused camera hall: ") and "refused camera new: " in said
    specs = applied.specs[-1]
    assert [one.points for one in specs[hall].settings.masks] == [tuple(map(tuple, corner))]
    assert specs[hall].crowd == applied.specs[0][hall].crowd and specs[hall].crowd is not None
    assert specs[new].crowd is None and specs[new].settings.masks == specs[hall].settings.masks
    assert [place.id for place in site.crowd.places(hall)] == ["zone-0", "gate"]
    assert site.crowd.places(new) == []
    engine.dispose()


def test_masks_cover_though_the_rest_of_a_reload_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path)
    path, engine, hall = tmp_path / "skyveil.yaml", database_of(config), camera_id("hall")
    site = LiveSite(path, Hub(), audit_of(config, engine), engine)
    applied = Applied()
    monkeypatch.setattr(site, "_supervisor", applied)
    text = json.loads(path.read_text())
    text["cameras"][0] |= {
        "masks": [{"name": "door", "points": [[0, 0], [1, 0], [1, 1]]}],
        "password": {"env": "NOT_SET_ANYWHERE"},
    }
    path.write_text(json.dumps(text))
    with pytest.raises(SettingsRefused, match="NOT_SET_ANYWHERE"):
        site.reload()
    (specs,) = applied.specs
    assert len(specs[hall].settings.masks) == 1 and specs[hall].password is None
    covered = applied.specs[-1][hall].settings.masks
    text["cameras"][0]["masks"] = []
    path.write_text(json.dumps(text))
    with pytest.raises(SettingsRefused, match="NOT_SET_ANYWHERE"):
        site.reload()
    assert (
        applied.specs[-1][hall].settings.masks == covered != ()
    )  # taken away only with all that was changed beside it
    engine.dispose()


@pytest.mark.parametrize("here", [True, False])
def test_a_target_that_a_reload_adds_brings_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    for entry in MODELS.values():
        if here or entry is not PPOCR_DETECTOR:
            (tmp_path / entry.file).touch()
    monkeypatch.setattr("skyveil.app.models.folders", lambda: [tmp_path])
    config = configured(tmp_path)
    path, engine, hall = tmp_path / "skyveil.yaml", database_of(config), camera_id("hall")
    site = LiveSite(path, Hub(), audit_of(config, engine), engine)
    applied = Applied()
    monkeypatch.setattr(site, "_supervisor", applied)
    before = applied.models = {"before": tmp_path}
    assert site.reload() == "nothing" and applied.models == before
    text = json.loads(path.read_text())
    text["cameras"][0]["targets"] = ["face", "head", "plate"]
    path.write_text(json.dumps(text))
    if here:
        assert site.reload() == "changed hall"
        assert {CENTERFACE.name, YOLOX_NANO.name, PPOCR_DETECTOR.name} <= set(applied.models)
        assert Kind.PLATE in applied.specs[-1][hall].settings.targets
    else:
        with pytest.raises(SettingsRefused, match=f"not on this machine: {PPOCR_DETECTOR.name}"):
            site.reload()
        assert applied.models == before and all(Kind.PLATE not in one[hall].settings.targets for one in applied.specs)
    engine.dispose()


class Applied:
    """What a supervisor is told to run."""

    def __init__(self) -> None:
        self.models: dict[str, Path] = {}
        self.specs: list[Mapping[CameraId, CameraSpec]] = []

    def apply(self, specs: Mapping[CameraId, CameraSpec]) -> None:
        self.specs.append(specs)

    def health(self) -> dict[CameraId, CameraHealth]:
        return {}


def test_a_new_mask_covers_though_the_calibration_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    engine = database_of(config)
    site = LiveSite(tmp_path / "skyveil.yaml", Hub(), audit_of(config, engine), engine)
    applied = Applied()
    monkeypatch.setattr(site, "_supervisor", applied)
    (tmp_path / "hall.json").write_text("{}")
    corner = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    recorded: list[str] = []
    record = partial(recorded.append, "masks")
    site.set_masks(camera_id("hall"), (NamedMask("door", corner),), version=version_of(()), recorded=record)
    assert [one[camera_id("hall")].settings.masks for one in applied.specs] == [(Mask(corner),)] * 2
    with pytest.raises(SettingsRefused, match="load the page again"):
        site.set_masks(camera_id("hall"), (), version=version_of(()), recorded=record)
    assert recorded == ["masks"]
    assert site.masks(camera_id("hall")) == (NamedMask("door", corner),)
    engine.dispose()


@pytest.mark.parametrize("text", ["{}", calibration_text(Hung(6, 35, 900).given)])
def test_places_are_judged_by_what_a_camera_measures_with_and_not_by_what_its_file_holds(
    tmp_path: Path, text: str
) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    engine, hall = database_of(config), camera_id("hall")
    site = LiveSite(tmp_path / "skyveil.yaml", Hub(), audit_of(config, engine), engine)
    before = site.drawing(hall), site.calibration(hall).fitted
    (tmp_path / "hall.json").write_text(text)
    assert (site.drawing(hall), site.calibration(hall).fitted) == before
    (zone, line) = site.judged(hall, before[0].places)
    assert not zone.refused and zone.area_m2 == pytest.approx(30) and line.length_m is not None
    engine.dispose()


def test_a_camera_that_keeps_its_density_network_as_its_calibration_is_refused_is_not_public(tmp_path: Path) -> None:
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    engine = database_of(config)
    config = dataclasses.replace(config, numbers=dataclasses.replace(config.numbers, public=True))
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    assert [one.public for one in live.places(camera_id("hall"))] == [True, True]
    (hall,) = config.cameras
    live.configure(
        planned(dataclasses.replace(config, cameras=(dataclasses.replace(hall, density_network=NETWORK),)), {})
    )
    assert [(one.staff, one.public) for one in live.places(camera_id("hall"))] == [(True, False)] * 2
    engine.dispose()


@pytest.mark.parametrize("public", [False, True])
def test_a_damaged_mark_of_noise_keeps_no_server_from_starting_and_is_told(tmp_path: Path, public: bool) -> None:
    config = configured(tmp_path)
    config = dataclasses.replace(config, numbers=dataclasses.replace(config.numbers, public=public))
    config.server.keys.mkdir()
    (config.server.keys / "noise.mark").write_text("{")
    engine = database_of(config)
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    assert [one for one in live.problems() if "the public is told nothing" in one] == live.problems() != []
    live.start()
    live.close()
    assert (config.server.keys / "noise.mark").read_text() == "{"
    engine.dispose()


def test_retention_quiet_hours_and_escalation_change_with_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    monkeypatch.setattr(NumberStore, "keep", lambda _, retention: taken.append(retention))
    monkeypatch.setattr(Desk, "adjust", lambda _, **told: taken.append(told))
    config = configured(tmp_path)
    engine = database_of(config)
    live = LiveCrowd(config, engine, {}, health=dict, tell=lambda event: None)
    quiet = dataclasses.replace(config.alarms, escalate_s=7.0, quiet=Quiet("22:00", "06:00"))
    numbers = dataclasses.replace(config.numbers, staff_days=2, public_days=3)
    live.configure(planned(dataclasses.replace(config, alarms=quiet, numbers=numbers), {}))
    hours = QuietHours(clock(22), clock(6), ZoneInfo(config.server.timezone))
    assert taken[-2:] == [Retention(2 * 86400, 3 * 86400), {"escalate_s": 7.0, "quiet": hours}]
    engine.dispose()
