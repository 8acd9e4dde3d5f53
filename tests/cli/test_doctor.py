"""`skyveil doctor` as an operator runs it."""

import json
from pathlib import Path

from tests.cli.running import run

MAIN = "skyveil.cli.main"
CONFIG = """\
version: 1
server: {port: 0}
cameras:
  - {id: door, name: Door, purpose: Safety, source: "rtsp://127.0.0.1/1"}
"""


def test_what_is_wrong_is_said_with_what_to_do_and_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(CONFIG)
    (tmp_path / "skyveil-data").mkdir()
    (tmp_path / "skyveil-data" / "skyveil.sqlite").write_bytes(b"no database" * 100)
    ran = run("doctor", "--config", path, module=MAIN)
    assert ran.code == 1 and ran.err == ""
    errors = [line for line in ran.out.splitlines() if line.startswith("error")]
    assert any("database" in line for line in errors)
    told = json.loads(run("doctor", "--config", path, "--json", module=MAIN).out)
    assert all(one["do"] for one in told if one["level"] == "error")
    assert {one["level"] for one in told} <= {"ok", "warning", "error"}


def test_a_wrong_configuration_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(CONFIG.replace("purpose", "purpos"))
    ran = run("doctor", "--config", path, module=MAIN)
    assert ran.code == 1 and "purpose" in ran.out and ":4" in ran.out


def test_a_plan_is_printed_without_any_configuration(tmp_path: Path) -> None:
    del tmp_path
    ran = run("doctor", "--plan", "12", module=MAIN)
    assert ran.code == 0 and "12 cameras" in ran.out and "cores" in ran.out
    assert json.loads(run("doctor", "--plan", "12", "--json", module=MAIN).out)["cameras"] == 12
