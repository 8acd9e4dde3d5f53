"""Certificates and folders of a configuration, looked at before they are needed."""

import json
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyveil.app.camera_line import spec_json
from skyveil.app.config import load, refuse_unusable
from skyveil.app.server import serve
from skyveil.app.task import Begin
from skyveil.cli.main import app
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.public.wire import Failed, WireReader
from tests.app.authority import Authority

CAMERA = "{id: a, name: A, purpose: x, source: 'rtsps://h/1', ca_file: ca.pem"
MQTT = "outputs: {mqtt: {host: h, ca_file: ca.pem}}"


def written(folder: Path, text: str) -> Path:
    path = folder / "skyveil.yaml"
    path.write_text(f"version: 1\n{text}\n")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("server: {tls: {certificate: ca.pem, key: ca.pem}}", "`server.tls`: .*can not be used: No such file"),
        ("server: {tls: {certificate: text.pem, key: text.pem}}", "`server.tls`: .*text.pem can not be used"),
        ("server: {keys: text.pem/keys}", "`server.keys`: .*text.pem is no folder"),
        ("server: {data: text.pem}", "`server.data`: .*text.pem is no folder"),
        (f"cameras: [{CAMERA}}}]", "`ca_file` of the camera `a`: .*ca.pem can not be used: No such file"),
        (f"cameras: [{CAMERA.replace('ca.pem', 'text.pem')}}}]", "`ca_file` of the camera `a`: .* can not be used"),
        (MQTT, "`outputs.mqtt.ca_file`: .*can not be used: No such file"),
    ],
)
def test_what_a_configuration_names_and_nobody_can_use_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "text.pem").write_text("no certificate\n")
    path = written(tmp_path, text)
    with pytest.raises(SettingsRefused, match=told):
        refuse_unusable(load(path))
    ran = CliRunner().invoke(app, ["check", str(path)])
    assert ran.exit_code == 1 and ran.stderr.startswith("`") and ran.stderr.count("\n") == 1


def test_what_can_be_used_is_taken_and_nothing_is_made(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server()
    (own,) = tmp_path.glob("server*.pem")
    text = f"server: {{tls: {{certificate: {own.name}, key: {own.name}}}}}\n{MQTT}\ncameras: [{CAMERA}}}]"
    refuse_unusable(load(written(tmp_path, text.replace("ca.pem", authority.file.name))))
    assert {one.name for one in tmp_path.iterdir()} == {"skyveil.yaml", own.name, authority.file.name}


def test_a_camera_that_is_off_or_in_the_clear_needs_no_authority(tmp_path: Path) -> None:
    off, clear = CAMERA + ", enabled: false}", CAMERA.replace("id: a", "id: b").replace("rtsps", "rtsp") + "}"
    refuse_unusable(load(written(tmp_path, f"cameras: [{off}, {clear}]")))


def test_a_server_that_can_not_begin_says_why_and_does_not_for_one_camera(tmp_path: Path) -> None:
    camera = f"cameras: [{CAMERA}}}]"
    with pytest.raises(SettingsRefused, match=r"^`server.tls`: \S+ with \S+ can not be used: No such file[^\n]*$"):
        serve(written(tmp_path, "server: {tls: {certificate: gone.pem, key: gone.pem}}\n" + camera))
    (tmp_path / "file").touch()
    with pytest.raises(SettingsRefused, match=r"^`server.keys`: [^\n]* is no folder[^\n]*$"):
        serve(written(tmp_path, "server: {keys: file/keys}\n" + camera))
    ran = CliRunner().invoke(app, ["user", "list", "-c", str(written(tmp_path, "server: {keys: file/keys}"))])
    assert ran.exit_code == 1 and ran.stderr == f"{tmp_path}/file/keys: Not a directory\n"


def test_a_camera_whose_authority_is_gone_says_so_before_it_ends(tmp_path: Path) -> None:
    spec = CameraSpec(camera_id("a"), SafeUrl("rtsps://127.0.0.1/1"), ca_file=tmp_path / "gone.pem")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for order in ({"begin": Begin((), {}).json()}, {"camera": spec_json(spec)}):
            ours.sendall(json.dumps(order).encode() + b"\n")
        command = [sys.executable, "-P", "-m", "skyveil.app.camera"]
        ended = subprocess.run(command, stdin=theirs.fileno(), capture_output=True, check=False)
    assert ended.returncode == 1
    assert list(WireReader(BytesIO(ended.stdout))) == [
        Failed("WorkerFailed", "its `ca_file` can not be used: No such file or directory")
    ]
