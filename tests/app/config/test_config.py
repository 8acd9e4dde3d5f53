import os
import re
from dataclasses import fields
from pathlib import Path

import pytest

from skyveil.app.camera_line import spec_from, spec_json
from skyveil.app.config import Secrets, load, set_masks, specs, told
from skyveil.app.config.edit import set_keys
from skyveil.app.config.models import (
    C2pa,
    Camera,
    Config,
    Defaults,
    DensityNetwork,
    DensityUse,
    Group,
    Line,
    Mask,
    MqttOutput,
    Oidc,
    OidcRole,
    Outputs,
    Place,
    PushOutput,
    RestreamOutput,
    Retention,
    Server,
    Thresholds,
    Tls,
    WebhookOutput,
    Zone,
)
from skyveil.app.config.models import Secret as SecretModel
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import camera_id
from skyveil.core.kinds import Kind
from skyveil.core.secret import Secret
from skyveil.measure.calibration_text import calibration_text
from tests.measure.cameras import Hung

CALIBRATION = calibration_text(Hung(6, 60, 1300).given)
CROWD = """\
    calibration: door.calibration.json
    zones:
      - {id: porch, name: Porch, kind: queue, points: [[0, 0.5], [1, 0.5], [1, 1]], way: [[0, 0.6], [1, 0.6]]}
      - id: hall
        name: Hall
        points: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]
        thresholds: {yellow: 1, orange: 2, red: 3, critical: 4}
    lines:
      - {id: step, name: Step, points: [[0.2, 0.8], [0.7, 0.8]]}
    # the end of the door
"""
GOOD = """\
# The hall.
version: 1
server:
  timezone: Europe/Zurich
sites:
  - {id: hall, name: Hall}
defaults:
  username: viewer
  hindsight: 3
cameras:
  - id: door        # north
    name: Main door
    purpose: Safety of the crowd at the door
    source: rtsp://10.0.0.5/live
    site: hall
    password: {secret: door}
    targets: [face, head, plate]
    masks:
      - name: window
        points: [[0, 0], [0.5, 0], [0.5, 0.5]]
    # the end of the door
  - {id: stairs, name: Stairs, purpose: Falls, source: "file:///video.mp4", hindsight: 0, enabled: true}
"""


def written(folder: Path, text: str = GOOD) -> Path:
    path = folder / "skyveil.yaml"
    path.write_text(text)
    secrets = folder / "secrets.yaml"
    secrets.write_text("door: hunter2\n")
    secrets.chmod(0o600)
    return path


def test_a_good_file_gives_its_cameras_with_defaults_and_secrets(tmp_path: Path) -> None:
    config = load(written(tmp_path))
    found = specs(config, Secrets(config.server.secrets))
    door, stairs = found[camera_id("door")], found[camera_id("stairs")]
    assert door.password == Secret("hunter2")
    assert door.username == "viewer"
    assert (door.hindsight, stairs.hindsight) == (3, 0)
    assert set(door.settings.targets) == {Kind.FACE, Kind.HEAD, Kind.PLATE}
    assert set(stairs.settings.targets) == {Kind.FACE, Kind.HEAD}
    assert list(door.settings.masks[0].points) == [(0, 0), (0.5, 0), (0.5, 0.5)]
    assert config.server.data == tmp_path / "skyveil-data"
    assert "hunter2" not in f"{found} {config}"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        # a key that nobody knows, with the nearest one
        ("    purpose: Safety", "    purpse: Safety", 13, "did you mean `purpose`?"),
        # no purpose at all
        ("    purpose: Safety of the crowd at the door\n", "", 11, "`cameras.0.purpose` is required"),
        ("Safety of the crowd at the door", '"  "', 13, "purpose"),
        ("rtsp://10.0.0.5", "rtsp://a:b@10.0.0.5", 14, "must not hold a name or password"),
        ("rtsp://10.0.0.5", "gopher://10.0.0.5", 14, "starts with one of"),
        # pictures beside the encrypted connection
        ("rtsp://10.0.0.5/live", "rtsps://10.0.0.5/live\n    transport: udp", 15, "`transport: udp` sends"),
        ("site: hall", "site: hal", 15, "did you mean `hall`?"),
        ("id: stairs", "id: door", 22, "twice"),
        ("Europe/Zurich", "Europe/Zurch", 4, "time zone"),
        ("Europe/Zurich", "posix/Europe/Zurich", 4, "time zone"),  # no browser knows it
        ("Europe/Zurich", "localtime", 4, "time zone"),
        ("[0.5, 0.5]]", "[0.5, 1.5]]", 20, "less than or equal to 1"),
        ("version: 1", "version: 2", 2, "version"),
        ("hindsight: 3", "hindsight: many", 9, "hindsight"),
        ("  username: viewer", "  username: viewer\n  username: other", 9, "twice"),
        ("{secret: door}", "hunter2", 16, "password"),
        ("{secret: door}", "{}", 16, "`{secret: NAME}`"),
        ("targets: [face, head, plate]", "targets: [faces]", 17, "choices"),
        ("cameras:\n", "cameras: [\n", 11, "no YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsRefused) as refused:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    assert any(f"skyveil.yaml:{line}: " in one and says in one for one in str(refused.value).splitlines()), (
        refused.value
    )


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    broken = (
        GOOD.replace("purpose: Falls", "purpose: ''")
        .replace("Europe/Zurich", "Nowhere")
        .replace("[0.5, 0.5]]", "[0, 2]]")
    )
    with pytest.raises(SettingsRefused) as refused:
        load(written(tmp_path, broken))
    assert {line.split(":")[1] for line in str(refused.value).splitlines()} == {"20", "22"}


def with_crowd(text: str = CROWD) -> str:
    return GOOD.replace("    # the end of the door\n", text)


def test_zones_and_lines_reach_the_camera_with_the_text_of_its_calibration(tmp_path: Path) -> None:
    (tmp_path / "door.calibration.json").write_text(CALIBRATION)
    config = load(written(tmp_path, with_crowd()))
    found = specs(config, Secrets(config.server.secrets))
    crowd = found[camera_id("door")].crowd
    assert crowd is not None
    porch, hall = crowd.zones
    assert (porch.use, porch.way, porch.corners[2]) == ("queue", ((0, 0.6), (1, 0.6)), (1, 1))
    assert (hall.use, hall.way) == ("walkway", None)
    assert crowd.lines[0].end == (0.7, 0.8)
    assert crowd.calibration == CALIBRATION
    assert found[camera_id("stairs")].crowd is None


def test_a_crowd_crosses_the_control_socket_unchanged(tmp_path: Path) -> None:
    (tmp_path / "door.calibration.json").write_text(CALIBRATION)
    config = load(written(tmp_path, with_crowd()))
    for spec in specs(config, Secrets(config.server.secrets)).values():
        assert spec_from(spec_json(spec)) == spec


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: step", "id: porch", "`porch` stands here twice"),
        ("id: hall", "id: porch", "`porch` stands here twice"),
        ("red: 3", "red: 2", "thresholds rise"),
        ("[0.7, 0.8]]", "[0.7, 0.8], [1, 1]]", "lines.0.points"),
        ("[[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]", "[[0.1, 0.5], [0.4, 0.5]]", "zones.1.points"),
        ("[[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]", "[[0, 0], [0.5, 0.5], [1, 1]]", "do not lie in line"),
        ("kind: queue", "kind: pool", "choices"),
        ("yellow: 1", "yelow: 1", "did you mean `yellow`?"),
        ("way: [[0, 0.6], [1, 0.6]]", "way: [[0, 0.6], [0, 0.6]]", "a way has two different points"),
        ("[[0.2, 0.8], [0.7, 0.8]]", "[[0.2, 0.8], [0.2, 0.8]]", "a line has two different ends"),
    ],
)
def test_a_wrong_zone_or_line_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CROWD
    with pytest.raises(SettingsRefused, match=re.escape(says)):
        load(written(tmp_path, with_crowd(CROWD.replace(old, new))))


@pytest.mark.parametrize("places", [True, False])
@pytest.mark.parametrize("text", ["{}", "no json", CALIBRATION.replace("skyveil-calibration-1", "other")])
def test_a_calibration_that_is_none_is_refused_with_and_without_places(tmp_path: Path, text: str, places: bool) -> None:
    (tmp_path / "door.calibration.json").write_text(text)
    crowd = CROWD if places else CROWD.partition("    zones:")[0]
    config = load(written(tmp_path, with_crowd(crowd)))
    with pytest.raises(SettingsRefused, match=r"^camera door: .*`skyveil calibrate`$"):
        specs(config, Secrets(config.server.secrets))


def test_a_calibration_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = load(written(tmp_path, with_crowd()))
    with pytest.raises(SettingsRefused, match=r"door\.calibration\.json"):
        specs(config, Secrets(config.server.secrets))


@pytest.mark.parametrize(
    "text",
    [
        "version: 2020-13-45\n",
        "version: 1\nserver: {port: " + "9" * 5000 + "}\n",
        "a: &x [1]\nb: *x\n",
        "[" * 2000,
        "\x00",
        "version: 1\nserver: {keys: data/k, data: data}\n",
    ],
)
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsRefused):
        load(written(tmp_path, text))


def test_a_secrets_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    config = load(written(tmp_path))
    config.server.secrets.chmod(0o644)
    with pytest.raises(SettingsRefused, match="chmod 600"):
        specs(config, Secrets(config.server.secrets))


DOOR_S = SecretModel(secret="door")  # noqa: S106 (a name)


@pytest.mark.parametrize(
    ("written_as", "password"),
    [
        ("012345", "012345"), ("007", "007"), ("1_000", "1_000"), ("12:34:56", "12:34:56"), ("0x1F", "0x1F"),
        ("yes", "yes"), ("null", "null"), ("2020-01-02", "2020-01-02"), ("a#b", "a#b"), ('"a: b #c"', "a: b #c"),
        ("'it''s'", "it's"), ("pässwort", "pässwort"),
    ],
)  # fmt: skip
def test_a_password_is_taken_as_it_is_written(tmp_path: Path, written_as: str, password: str) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text(f"other: x\ndoor: {written_as}\n")
    path.chmod(0o600)
    assert Secrets(path).get(DOOR_S).reveal() == password


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("door:\n", "secrets.yaml:1: the password of `door` is empty"),
        ("a: x\ndoor: [pass]\n", "secrets.yaml:2: the password of `door` is a list or a table: put it in quotes"),
        ("door: pass #1\n", "secrets.yaml:1: the password of `door` ends before a #"),
        ("door: a\ndoor: b\n", "secrets.yaml:2: `door` stands here twice"),
        ("door: p@ss: word\n", "secrets.yaml:1: this is no YAML"),
        ("just text\n", "secrets.yaml:1: a secrets file has lines"),
    ],
)
def test_a_password_that_would_be_another_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingsRefused) as refused:
        Secrets(path).get(DOOR_S)
    assert str(refused.value).startswith(said)
    assert "pass" not in str(refused.value).replace("password", "")


def test_a_password_may_come_from_the_environment(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD.replace("{secret: door}", "{env: DOOR}")))
    found = specs(config, Secrets(config.server.secrets, {"DOOR": "x"}))
    assert found[camera_id("door")].password is not None
    with pytest.raises(SettingsRefused, match="DOOR"):
        specs(config, Secrets(config.server.secrets, {}))


OUTPUTS = """\
outputs:
  mqtt: {host: broker.local, username: site, password: {secret: door}, ca_file: ca.pem}
  webhooks:
    - {url: "https://ops.example/in?key=1", secret: {secret: door}}
"""


def test_no_output_is_lost_on_the_way(tmp_path: Path) -> None:
    more = """\
  messages: [{name: Duty, address: {secret: door}}]
  push: {address: "rtsp://media.example/live", ca_file: ca.pem}
  restream: {username: vms, password: {secret: door}}
"""
    outputs = load(written(tmp_path, GOOD + OUTPUTS + more)).outputs
    assert [field.name for field in fields(outputs) if not getattr(outputs, field.name)] == []
    assert outputs.push is not None and outputs.push.ca_file == tmp_path / "ca.pem"


def test_outputs_are_read_with_their_secrets_which_nothing_prints(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD + OUTPUTS))
    found = told(config, Secrets(config.server.secrets))
    (broker,), (receiver,) = found.brokers, found.receivers
    assert (broker.host, broker.port, broker.tls, broker.ca_file) == ("broker.local", 8883, True, tmp_path / "ca.pem")
    assert (broker.password, receiver.secret) == (Secret("hunter2"), Secret("hunter2"))
    assert found.discovery == "homeassistant"
    assert "hunter2" not in str(found) and "key=1" not in str(found)
    with pytest.raises(SettingsRefused, match="no secret 'nothing'"):
        loaded = load(written(tmp_path, GOOD + OUTPUTS.replace("secret: door", "secret: nothing")))
        told(loaded, Secrets(loaded.server.secrets))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("https://ops", "ftp://ops", 26, "https://host/path"),
        ("https://ops", "https://a:b@ops", 26, "without a name or password"),
        ("host: broker.local", "host: mqtt://broker.local", 24, "host"),
        ("secret: {secret: door}", "secret: hunter2", 26, "secret"),
        ("secret: {secret: door}", "secret: {}", 26, "`{secret: NAME}`"),
        (", secret: {secret: door}", "", 26, "is required"),
        ("username: site", "usernme: site", 24, "did you mean `username`?"),
        ("mqtt:", "mqt:", 24, "did you mean `mqtt`?"),
    ],
)
def test_wrong_outputs_are_refused_with_line_and_key(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in OUTPUTS
    with pytest.raises(SettingsRefused) as refused:
        load(written(tmp_path, GOOD + OUTPUTS.replace(old, new, 1)))
    assert any(f"skyveil.yaml:{line}: " in one and says in one for one in str(refused.value).splitlines()), (
        refused.value
    )


@pytest.mark.parametrize("camera", ["door", "stairs"])
def test_masks_are_changed_and_every_other_byte_stays(tmp_path: Path, camera: str) -> None:
    path = written(tmp_path)
    mask = Mask('Nachbar "süd"', ((0.1, 0.1), (0.2, 0.1), (0.2, 0.3)))
    config = set_masks(path, camera, [mask])
    assert next(one for one in config.cameras if one.id == camera).masks == (mask,)
    text = path.read_text()
    for comment in ("# The hall.", "# north", "# the end of the door"):
        assert comment in text
    assert load(path).cameras == config.cameras
    set_masks(path, camera, [])
    assert not next(one for one in load(path).cameras if one.id == camera).masks


def test_the_certificates_for_a_camera_lie_beside_the_file(tmp_path: Path) -> None:
    camera = "{id: a, name: A, purpose: x, source: 'rtsps://h/1', ca_file: ca.pem}"
    assert load(written(tmp_path, f"version: 1\ncameras: [{camera}]\n")).cameras[0].ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize("end", ["    calibration:\n", "    calibration: # later\n", "    calibration:"])
def test_a_key_without_a_value_is_given_one(tmp_path: Path, end: str) -> None:
    path = written(
        tmp_path, f"version: 1\ncameras:\n  - id: a\n    name: A\n    purpose: x\n    source: rtsp://h/1\n{end}"
    )
    set_keys(path, "a", {"calibration": "a.json"})
    assert load(path).cameras[0].calibration == tmp_path / "a.json"


def test_ends_of_lines_and_a_link_and_other_files_stay_as_they_are(tmp_path: Path) -> None:
    real = written(tmp_path, GOOD)
    real.write_bytes(GOOD.replace("\n", "\r\n").encode())
    link = tmp_path / "linked.yaml"
    link.symlink_to(real.name)
    before, known = real.read_bytes().count(b"\r\n"), sorted(tmp_path.iterdir())
    set_masks(link, "door", [Mask("m", ((0, 0), (1, 0), (1, 1)))])
    assert link.is_symlink() and any(one.masks for one in load(real).cameras)
    assert real.read_bytes().count(b"\r\n") == real.read_bytes().count(b"\n") >= before - 10
    assert sorted(tmp_path.iterdir()) == known


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_changed_by_root_keeps_owner_and_group(tmp_path: Path) -> None:
    path = written(tmp_path)
    os.chown(path, 65534, 65533)
    set_masks(path, "door", [])
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_masks_of_an_unknown_camera_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(SettingsRefused):
        set_masks(path, "nobody", [])
    assert path.read_text() == GOOD


def test_what_is_said_last_comes_before_a_change_and_may_refuse_it(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    text, camera = path.read_text(), load(path).cameras[0].id
    seen: list[str] = []

    def refuse() -> None:
        seen.append(path.read_text())
        raise SettingsRefused("somebody was faster")

    with pytest.raises(SettingsRefused, match="faster"):
        set_masks(path, camera, [Mask("m", ((0, 0), (1, 0), (1, 1)))], last=refuse)
    assert seen == [text] == [path.read_text()]
    assert not list(tmp_path.glob(".*.part"))
    with pytest.raises(SettingsRefused, match="nobody"):
        set_masks(path, "nobody", [], last=refuse)
    assert len(seen) == 1


def test_every_key_is_in_the_reference() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/reference/configuration.md").read_text(encoding="utf-8")
    models_of = (
        Config,
        Server,
        Tls,
        Place,
        Group,
        Defaults,
        Outputs,
        MqttOutput,
        WebhookOutput,
        RestreamOutput,
        PushOutput,
        Oidc,
        OidcRole,
        C2pa,
        Camera,
        Mask,
        Retention,
        SecretModel,
        Zone,
        Line,
        Thresholds,
        DensityNetwork,
        DensityUse,
    )
    assert [f.name for model in models_of for f in fields(model) if f"| `{f.name}` |" not in page] == []
