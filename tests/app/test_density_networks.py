"""Density networks in a configuration: what is refused, what is told before a camera uses one, and what is compiled."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skyveil.app import models
from skyveil.app.config import Secrets, load, specs
from skyveil.app.doctor import diagnose
from skyveil.app.supervisor import _lasting
from skyveil.cli.models import models_app
from skyveil.core.density import Density, DensityNetwork
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import camera_id
from skyveil.core.settings import Mask
from skyveil.measure.calibration_text import calibration_text
from tests.measure.cameras import Hung
from tests.private.tiny_networks import bright_spots, one_step

HALL = camera_id("hall")
ONE = {"id": "crowd", "file": "crowd.onnx", "sha256": "0" * 64, "size": [128, 64], "scaling": "unit"}
USE = {"network": "crowd", "error": 0.2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of models, and a cache of its own."""
    place = tmp_path / "weights"
    place.mkdir()
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return place


def put(folder: Path, weights: bytes, **more: object) -> dict[str, object]:
    """The file of a network, and what a configuration says of it."""
    (folder / "crowd.onnx").write_bytes(weights)
    return {**ONE, "sha256": hashlib.sha256(weights).hexdigest(), **more}


def written(tmp_path: Path, *networks: dict[str, object], **camera: object) -> Path:
    path = tmp_path / "skyveil.yaml"
    (tmp_path / "hall.json").write_text(calibration_text(Hung(6, 60, 1300).given))
    hall = {
        "id": "hall", "name": "Hall", "purpose": "Safety of the crowd", "source": "rtsp://h/1",
        "calibration": "hall.json",
        "zones": [{"id": "floor", "name": "Floor", "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]}],
        "density_network": USE, **camera,
    }  # fmt: skip
    used = {key: value for key, value in hall.items() if value is not None}
    value = {"version": 1, "server": {"port": 0}, "density_networks": list(networks), "cameras": [used]}
    path.write_text(json.dumps(value, indent=1))
    return path


def run(path: Path) -> Result:
    return CliRunner().invoke(models_app, ["density", "--config", str(path)])


def test_a_camera_is_given_its_network_and_where_it_lies(tmp_path: Path, folder: Path) -> None:
    given = put(folder, bright_spots(), channels="bgr", persons=0.01)
    config = load(written(tmp_path, given))
    network = DensityNetwork("crowd", "crowd.onnx", str(given["sha256"]), (128, 64), "bgr", "unit", 0.01)
    found = specs(config, Secrets(config.server.secrets))[HALL]
    assert found.density == Density(network, 0.2, folder / "crowd.onnx")
    # Another network needs another process: one that runs can not read another file.
    other = replace(found, density=replace(found.density, error=0.3))
    assert _lasting(other) != _lasting(found)
    assert _lasting(replace(found, settings=replace(found.settings, masks=(Mask(((0, 0), (1, 0), (1, 1))),)))) == (
        _lasting(found)
    )


def test_a_network_that_is_not_here_keeps_no_camera_from_running(tmp_path: Path) -> None:
    config = load(written(tmp_path, dict(ONE)))
    density = specs(config, Secrets(config.server.secrets))[HALL].density
    assert density is not None and density.path is None


@pytest.mark.parametrize(
    ("network", "camera", "says"),
    [
        ({"sha256": None}, {}, "sha256` is required"),
        ({"sha256": "0" * 63}, {}, "sha256"),
        ({"file": "crowd.pt"}, {}, "file"),
        ({"file": "../crowd.onnx"}, {}, "file"),
        ({"size": [130, 64]}, {}, "size"),
        ({"size": [128]}, {}, "size"),
        ({"size": [4096, 64]}, {}, "size"),
        ({"scaling": "what it likes"}, {}, "is not one of the choices"),
        ({"persons": 0}, {}, "persons"),
        ({"mean": [0, 0, 0]}, {}, "`mean` is not known here"),
        ({}, {"density_network": {"network": "crowd"}}, "error` is required"),
        ({}, {"density_network": {"network": "crowd", "error": 0}}, "error"),
        ({}, {"density_network": {"network": "crowds", "error": 0.2}}, "did you mean `crowd`?"),
        ({}, {"calibration": None}, "in metres: add a `calibration`"),
    ],
)
def test_what_can_not_be_used_is_refused_by_check(
    tmp_path: Path, network: dict[str, object], camera: dict[str, object], says: str
) -> None:
    given = {key: value for key, value in {**ONE, **network}.items() if value is not None}
    with pytest.raises(SettingsRefused) as refused:
        load(written(tmp_path, given, **camera))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("public", "camera", "refused"),
    [
        (True, {}, True),
        (True, {"density_network": None}, False),
        (False, {}, False),
        (True, {"enabled": False}, False),  # nobody counts there
        (True, {"zones": None}, False),
    ],
)
def test_the_public_is_not_told_of_zones_that_a_network_counts(
    tmp_path: Path, public: bool, camera: dict[str, object], refused: bool
) -> None:
    path = written(tmp_path, dict(ONE), **camera)
    path.write_text(json.dumps({**json.loads(path.read_text()), "numbers": {"public": public}}))
    if not refused:
        load(path)
        return
    with pytest.raises(SettingsRefused, match="the public can not be told of a zone that a density network counts"):
        load(path)


def test_two_networks_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="the id `crowd` stands here twice"):
        load(written(tmp_path, dict(ONE), dict(ONE)))


def test_doctor_says_when_a_network_is_missing_or_another_file(tmp_path: Path, folder: Path) -> None:
    def told(path: Path) -> list[tuple[str, str]]:
        return [(one.level, one.what) for one in diagnose(path) if "density network" in one.what]

    first, second = models.folders()
    words = f"crowd.onnx of the density network crowd is not here: put it in {first} or {second}"
    assert told(written(tmp_path, dict(ONE))) == [("error", words)]
    put(folder, bright_spots())
    ((level, what),) = told(written(tmp_path, dict(ONE)))
    assert level == "error" and "is not the file that the density network crowd names by its sha256" in what
    ((level, _),) = told(written(tmp_path, dict(ONE), density_network=None))
    assert level == "warning"
    assert told(written(tmp_path, put(folder, bright_spots()))) == [
        ("ok", "the density network crowd is here and whole")
    ]


def test_a_network_is_tried_and_compiled_and_what_is_not_used_any_more_goes(tmp_path: Path, folder: Path) -> None:
    answer = run(written(tmp_path, put(folder, bright_spots(persons=2.0))))
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("ok        crowd  one map of 16x8, cells of 8 px, ")
    assert "in an empty grey picture it sees 0.0 people" in answer.stdout
    (first,) = models.compiled_folder().glob("*.blob")
    assert run(written(tmp_path, put(folder, bright_spots()))).exit_code == 0
    (second,) = models.compiled_folder().glob("*.blob")
    assert first != second
    models.compile_ahead()  # as `models pull` does: it leaves what is the operator's
    assert second.exists()


@pytest.mark.parametrize(
    ("weights", "more", "says"),
    [
        (one_step("Identity"), {}, "expected a map (1, 1, rows, columns)"),
        (bright_spots(last="Log"), {}, "not finite"),
        (bright_spots(), {"sha256": "0" * 64}, "is not the file that the density network crowd names"),
        (bright_spots(cell_px=16), {"size": [128, 72]}, "cells are squares of 1 to 64 whole pixels"),
        (b"", {}, "does not load"),
    ],
    ids=["three maps", "infinite", "another file", "no whole cells", "empty"],
)
def test_a_network_that_can_not_be_used_is_told_and_not_compiled(
    tmp_path: Path, folder: Path, weights: bytes, more: dict[str, object], says: str
) -> None:
    answer = run(written(tmp_path, put(folder, weights, **more)))
    assert answer.exit_code == 1
    assert answer.stdout.startswith("wrong     crowd  ") and says in answer.stdout
    assert not list(models.compiled_folder().glob("*.blob"))


def test_a_configuration_that_is_wrong_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing.yaml").exit_code == 2
