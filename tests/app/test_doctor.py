from pathlib import Path

from skyveil.app.doctor import diagnose, plan

GOOD = """\
version: 1
server: {port: 0}
cameras:
  - {id: door, name: Door, purpose: Safety, source: "rtsp://127.0.0.1/1"}
"""


def test_a_sound_configuration_has_no_error_but_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(GOOD)
    found = diagnose(path)
    errors = [one.what for one in found if one.level == "error" and not one.what.startswith("the weights")]
    assert errors == []
    assert any("wall" in one.what for one in found)
    assert all(one.do for one in found if one.level != "ok")


def test_what_is_wrong_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(GOOD.replace("purpose: Safety, ", ""))
    assert [one for one in diagnose(path) if one.level == "error" and "purpose" in one.what and one.do]
    path.write_text(GOOD)
    (tmp_path / "skyveil-keys").mkdir(mode=0o755)
    (tmp_path / "skyveil-data").mkdir()
    (tmp_path / "skyveil-data" / "skyveil.sqlite").write_bytes(b"no database" * 100)
    told = [one.what for one in diagnose(path) if one.level == "error"]
    assert any("read by others" in one for one in told) and any("database" in one for one in told)


def test_a_plan_grows_with_its_cameras() -> None:
    small, large = plan(4), plan(40)
    assert large.cores > 9 * small.cores > 0
    assert large.disk_gb_per_day == 10 * small.disk_gb_per_day
