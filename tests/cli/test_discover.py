"""`skyveil discover` against a simulated device on loopback: real multicast, real HTTP, real password."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from examples.onvif_device import Manners, OnvifDevice, onvif_serving
from examples.rtsp_server import Camera, load, serving
from skyveil.app.config import Secrets, specs
from skyveil.app.config import load as load_config
from skyveil.app.discovery import find
from skyveil.app.onvif import OnvifDevice as Client
from skyveil.app.onvif import without_credentials
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live.given import Given
from skyveil.private.capture.live.source import open_live
from tests.private.capture.live.dialling import Dial
from tests.private.capture.live.test_rtsp_source import first, made

PASSWORD = "secret<&>"  # noqa: S105 (of a device on loopback)


def discover(*arguments: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "skyveil.cli.main", "discover", "--seconds", "1", *arguments],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_device_is_found_by_multicast_and_its_streams_are_told(tmp_path: Path) -> None:
    clip = load(made(tmp_path / "camera.mp4"))
    with serving({"/main": Camera(clip)}) as server:
        manners = Manners(
            stream=f"rtsp://127.0.0.1:{server.port}", clock_offset=timedelta(hours=-3), model="TC\n - id: x"
        )
        with onvif_serving(manners, password=PASSWORD):
            table = discover("--interface", "lo", "--username", "viewer")
            lines = discover("--interface", "lo", "--username", "viewer", "--secret", "hall", "--yaml")
        assert table.returncode == lines.returncode == 0, table.stderr + lines.stderr
        for said in (table, lines):
            assert PASSWORD not in said.stdout + said.stderr and "%3" not in said.stdout
        assert f"rtsp://127.0.0.1:{server.port}/main?channel=1" in table.stdout
        assert "Acme & Sons TC? - id: x" in table.stdout and "H264 640x360 10/s" in table.stdout
        assert re.search(r"^127.0.0.1: its clock is 108\d\d s behind$", table.stdout, re.MULTILINE)
        # The lines are a configuration, once each camera has its purpose.
        config, secrets = tmp_path / "skyveil.yaml", tmp_path / "secrets.yaml"
        config.write_text("version: 1\n" + lines.stdout)
        with pytest.raises(SettingsRefused, match="purpose"):
            load_config(config)
        config.write_text(config.read_text().replace("purpose: ''", "purpose: Safety of the crowd"))
        secrets.write_text("hall: right\n")
        secrets.chmod(0o600)
        loaded = load_config(config)
        spec = specs(loaded, Secrets(loaded.server.secrets))[camera_id("camera-127-0-0-1")]
        assert spec.username == "viewer" and spec.password == Secret("right")
        with closing(open_live(spec, Given(spec), Dial(spec.source.reveal()))) as source:
            assert first(source, 1)


def test_a_device_is_found_by_its_address_and_one_that_is_not_there_is_said() -> None:
    with onvif_serving(Manners(), password=PASSWORD) as device:
        told = discover("--address", f"127.0.0.1:{device.port}", "--yaml")
        assert "the camera refuses the name or password" in told.stdout and told.returncode == 0
        assert device.asked == ["GetSystemDateAndTime", "GetDeviceInformation"]
    nobody = discover("--address", "127.0.0.1:9")
    assert nobody.returncode == 1 and "no ONVIF device answered" in nobody.stderr
    for wrong in (("--interface", "none0"), ("--address", "127.0.0.1:x"), ("--address", "no host")):
        assert discover(*wrong).returncode == 2


def client(device: OnvifDevice, password: str = PASSWORD) -> Client:
    return Client(
        SafeUrl(f"http://127.0.0.1:{device.http.server_port}/onvif/device_service"), "viewer", Secret(password)
    )


def test_a_wrong_password_and_a_document_type_are_refused() -> None:
    with onvif_serving(Manners(), password=PASSWORD) as device:
        with pytest.raises(CameraUnavailable) as refused:
            client(device, "guess").offers()
        assert refused.value.cause is Cause.WRONG_PASSWORD
        device.manners.doctype = True
        with pytest.raises(CameraUnavailable) as refused:
            client(device).offers()
        assert refused.value.cause is Cause.GARBAGE


def test_a_device_that_wants_the_password_itself_does_not_get_it() -> None:
    asked: list[str | None] = []

    class Wants(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Wants) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,), name="wants", daemon=True)
        serving.start()
        with pytest.raises(CameraUnavailable) as refused:
            Client(SafeUrl(f"http://127.0.0.1:{server.server_port}/x"), "viewer", Secret(PASSWORD)).offers()
        server.shutdown()
        serving.join(20)
    assert refused.value.cause is Cause.WRONG_PASSWORD
    assert asked and set(asked) == {None}


def test_only_the_host_that_answered_is_asked() -> None:
    # The device tells a service on another host; its path is taken, at the host that was found.
    with onvif_serving(Manners(service_host="192.0.2.9"), password=PASSWORD) as device:
        (found,) = find(addresses=[f"127.0.0.1:{device.port}"], seconds=0.5)
        assert found.service == SafeUrl("http://127.0.0.1/onvif/device_service")
        offers = client(device).offers()
        assert [one.profile for one in offers.streams] == ["main", "sub"]
        assert device.asked.count("GetStreamUri") == 2
        device.manners.stream = "rtsp://192.0.2.9"
        assert all(one.elsewhere for one in client(device).offers().streams)


@pytest.mark.parametrize("told", ["http://a//{elsewhere}/x", "x:http://{elsewhere}/x"])
def test_no_path_leads_to_another_host(told: str) -> None:
    with onvif_serving(Manners(), password=PASSWORD) as device, socket.create_server(("127.0.0.2", 0)) as elsewhere:
        elsewhere.settimeout(0)
        device.manners.media = told.format(elsewhere=f"127.0.0.2:{elsewhere.getsockname()[1]}")
        assert len(client(device).offers().streams) == 2
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_path_in_any_letters_is_asked() -> None:
    with onvif_serving(Manners(media="http://a/onvif/媒体?a=%20b"), password=PASSWORD) as device:
        assert len(client(device).offers().streams) == 2
        assert device.paths[-1] == "/onvif/%E5%AA%92%E4%BD%93?a=%20b"


def test_a_clock_at_the_end_of_time_is_none() -> None:
    late = datetime(9999, 12, 31, 23, 30, tzinfo=UTC) - datetime.now(UTC)
    with onvif_serving(Manners(clock_offset=late), password=PASSWORD) as device:
        with pytest.raises(CameraUnavailable) as refused:
            client(device).offers()
        assert refused.value.cause is Cause.WRONG_PASSWORD


def test_an_address_that_can_not_be_said_is_told_as_one_where_nothing_answers() -> None:
    with pytest.raises(CameraUnavailable) as refused:
        Client(SafeUrl("http://a..b/onvif")).offers()
    assert refused.value.cause is Cause.WRONG_ADDRESS


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"])
def test_a_device_whose_answer_never_ends_is_left(first: bytes) -> None:
    def drip(listening: socket.socket) -> None:
        with listening.accept()[0] as asked, suppress(OSError):
            asked.sendall(first)
            while True:
                asked.sendall(b"X: y\r\n")
                time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,), name="dripping", daemon=True)
        dripping.start()
        with pytest.raises(CameraUnavailable) as refused:
            Client(SafeUrl(f"http://127.0.0.1:{listening.getsockname()[1]}/x"), limit_s=0.3).offers()
        assert refused.value.cause is Cause.FROZEN
        dripping.join(20)


def test_a_profile_without_a_stream_hides_no_other() -> None:
    with onvif_serving(Manners(incomplete="sub"), password=PASSWORD) as device:
        assert [one.profile for one in client(device).offers().streams] == ["main"]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("rtsp://admin:hunter2@h:554/a?b=1", "rtsp://h:554/a?b=1"),
        ("rtsp://h/a?user=admin&Password=hunter2&channel=1&subtype=0", "rtsp://h/a?channel=1&subtype=0"),
        ("rtsp://h/a?authToken=hunter2", "rtsp://h/a"),
        ("rtsp://h/a?pwd=hunter&2&channel=1", "rtsp://h/a?channel=1"),
        ("rtsp://admin:hunt@er2@h/a", "rtsp://h/a"),
        (
            "rtsp://h/Streaming/Channels/101?transportmode=unicast",
            "rtsp://h/Streaming/Channels/101?transportmode=unicast",
        ),
    ],
)
def test_credentials_are_taken_out_of_an_address(told: str, kept: str) -> None:
    assert without_credentials(told).reveal() == kept


@pytest.mark.parametrize(
    "told", ["rtsp://admin:12#ter2@h/a", "rtsp://admin:12?ter2@h/a", "rtsp://admin:12/ter2@h/a", "", "\n"]
)
def test_an_address_that_a_password_tears_apart_is_not_shown(told: str) -> None:
    with pytest.raises(SettingsRefused):
        without_credentials(told)
