from pathlib import Path
from types import SimpleNamespace

import pytest

from skyveil.app.doctor import diagnose, hides_processes
from skyveil.app.models import Checked, State, compiled_folder, write_compiled
from skyveil.app.process import kept_waiting_s
from skyveil.app.sizing import Machine
from skyveil.private.detect.engine import Preprocess
from skyveil.private.detect.networks import Use
from tests.private.tiny_networks import one_step, written

GOOD = """\
version: 1
server: {port: 0}
cameras:
  - {id: door, name: Door, purpose: Safety, source: "rtsp://127.0.0.1/1"}
"""


@pytest.fixture(autouse=True)
def not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of CPU that other tests need not spend."""
    monkeypatch.setattr("skyveil.app.doctor.measured", lambda: None)


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


@pytest.mark.parametrize(
    ("mounts", "hidden"),
    [
        ("45 43 0:21 / /proc rw,relatime - proc proc rw", False),
        ("45 43 0:21 / /proc rw,relatime - proc proc rw,hidepid=0", False),
        ("45 43 0:21 / /proc rw,relatime shared:5 - proc proc rw,hidepid=1", True),
        ("45 43 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=invisible", True),
        ("45 43 0:21 / /proc rw - proc proc rw\n63 45 0:39 / /proc rw - proc proc rw,hidepid=ptraceable", True),
        ("45 43 0:21 / /proc rw - proc proc rw,hidepid=2\n63 45 0:39 / /proc rw - proc proc rw,hidepid=off", False),
        ("45 43 0:21 / /mnt/proc rw - proc proc rw,hidepid=2", False),
        ("", False),
    ],
)
def test_root_is_told_what_hides_processes_from_other_accounts(mounts: str, hidden: bool) -> None:
    assert hides_processes(mounts) is hidden


@pytest.mark.parametrize("told", [True, False])
def test_a_machine_that_hides_how_long_processes_wait_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """With hidepid the wall keeps the server from it: tried by hand with 0, 1, 2 and 4, for tests may not mount."""
    seen: list[float | None] = []

    def waited_s(pid: int) -> float | None:
        seen.append(kept_waiting_s(pid))
        return seen[-1] if told else None

    monkeypatch.setattr("skyveil.app.doctor.kept_waiting_s", waited_s)
    path = tmp_path / "skyveil.yaml"
    path.write_text(GOOD)
    found = [one.level for one in diagnose(path) if "wait for a processor" in one.what]
    assert found == ([] if told else ["warning"])
    assert seen and seen[0] is not None


def test_what_a_setting_needs_and_opens_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "skyveil.yaml"
    (tmp_path / "secrets.yaml").write_text("vms: goats\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    path.write_text(
        GOOD.replace("{port: 0}", "{port: 0, c2pa: {certificate: a.pem, key: b.pem}}")
        + 'outputs: {restream: {username: vms, password: {secret: vms}, bind: "0.0.0.0"}}\n'
    )
    monkeypatch.setattr("skyveil.app.doctor.find_spec", lambda name: None)
    told = {(one.level, one.what.split(":")[0]) for one in diagnose(path)}
    assert ("error", "the configuration needs the extra `c2pa`") in told
    assert ("warning", "streams are sent on from 0.0.0.0 without TLS") in told


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plug-in of Apprise
def test_what_is_named_and_not_there_is_told_in_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "skyveil.yaml"
    for name, value in (("NOBODY", "nobody://x"), ("DESK", "json://127.0.0.1/x")):
        monkeypatch.setenv(name, value)
    (tmp_path / "there.png").touch()
    (tmp_path / "there.mp4").touch()
    path.write_text(
        GOOD
        + f"""\
  - {{id: clip, name: A, purpose: x, source: "file://{tmp_path}/clip.mp4"}}
  - {{id: resting, name: A, purpose: x, source: "file://{tmp_path}/clip.mp4", enabled: false}}
  - {{id: here, name: A, purpose: x, source: "file://{tmp_path}/there.mp4"}}
sites:
  - {{id: hall, name: Hall, plan: nothere.png}}
  - {{id: yard, name: Yard, plan: there.png}}
  - {{id: bare, name: Bare}}
outputs:
  messages: [{{name: Nobody, address: {{env: NOBODY}}}}, {{name: Desk, address: {{env: DESK}}}}]
"""
    )

    def told() -> list[tuple[str, str]]:
        words = ("plan", "video", "Nobody", "Desk", "Apprise", "messages")
        return [(one.level, one.what) for one in diagnose(path) if any(word in one.what for word in words)]

    unknown = "an address for messages is not one that Apprise knows: see its list of services"
    missing = [
        ("warning", f"the plan of the site hall is not there: {tmp_path}/nothere.png"),
        ("warning", f"the video of the camera clip is not there: {tmp_path}/clip.mp4"),
    ]
    assert told() == [("error", f"Nobody is told of no alarm: {unknown}"), *missing]
    monkeypatch.setattr("skyveil.app.doctor.find_spec", lambda name: None)
    assert told() == [("error", "the configuration needs the extra `messages`"), *missing]


def test_networks_that_are_not_compiled_for_this_machine_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    entry, weights = written(tmp_path, one_step("Relu"))
    use = Use(entry, Preprocess("rgb"), (0,), ((32, 32), (32, 64)))
    monkeypatch.setattr("skyveil.app.models.verify", lambda: [Checked(entry, weights, State.OK)])
    monkeypatch.setattr("skyveil.private.detect.networks.USES", (use,))

    def told() -> dict[str, str]:
        return {one.level: one.what for one in diagnose(tmp_path / "none.yaml") if "compiled" in one.what}

    assert told()["warning"].startswith("3 of 3 compiled networks")
    for name, content in use.compiled(weights, present=compiled_folder(), scratch=tmp_path):
        write_compiled(name, content or b"")
    assert told() == {"ok": "the networks are compiled for this machine"}
    missing, damaged, _ = sorted(compiled_folder().glob("*.blob"))
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert told()["warning"].startswith("1 of 3 compiled networks")
    assert damaged.name in told()["error"]


def test_a_machine_that_is_too_small_is_told_with_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(GOOD)
    monkeypatch.setattr("skyveil.app.doctor.processors", lambda: 1)
    for machine, level, words in (
        (Machine(100.0, 50.0, "f32"), "warning", "measured on this machine: 150 ms"),
        (Machine(2.0, 5.0, "bf16"), "ok", "measured on this machine: 7 ms"),
        (None, "ok", "not measured, 14.2 ms"),
    ):
        monkeypatch.setattr("skyveil.app.doctor.measured", lambda machine=machine: machine)
        assert any(one.level == level and words in one.what for one in diagnose(path))


def test_what_recordings_grow_to_is_told_of_cameras_that_are_recorded_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "skyveil.yaml"
    monkeypatch.setattr("skyveil.app.doctor.shutil.disk_usage", lambda folder: SimpleNamespace(free=50e9))
    path.write_text(GOOD)
    assert ("warning", "50 GB are free; what 1 cameras keep grows to about 65 GB") in heard(path)
    for less in ("retention: {gigabytes: 40}", "record: false", "retention: {hours: 24}"):
        path.write_text(GOOD + f"defaults: {{{less}}}\n")
        assert ("ok", "the disk has room: 50 GB free") in heard(path)
    path.write_text(GOOD.replace("name: Door", "name: Door, enabled: false"))
    assert ("ok", "the disk has room: 50 GB free") in heard(path)


def test_a_look_makes_no_database(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(GOOD)
    assert ("ok", "the database is made at the first start") in heard(path)
    assert [one.name for one in tmp_path.iterdir()] == ["skyveil.yaml"]


def heard(path: Path) -> set[tuple[str, str]]:
    return {(one.level, one.what) for one in diagnose(path)}
