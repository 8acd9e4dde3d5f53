"""A site sends cameras on by RTSP: all targets covered, or less with a reason that stands in the audit log."""

import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import av
import pytest

from skyveil.app.config import load
from skyveil.app.server import database_of
from skyveil.core.errors import SettingsRefused
from skyveil.public.store import AuditLog
from tests.app.test_hot_reload import health, wait
from tests.app.test_live_site import Site, running
from tests.public.restream.test_restream import pulled

REASON = "The station's control room, agreed on 2026-05-01"
ALL = ["face", "head", "person", "plate"]


def rows_of(config: Path) -> dict[str, dict[str, object]]:
    lines = config.read_text().partition("cameras:\n")[2].splitlines()
    rows = [json.loads(line.strip()[2:]) for line in lines if line.startswith("  - ")]
    return {str(one["id"]): one for one in rows}


def write(config: Path, rows: Mapping[str, Mapping[str, object]], outputs: str) -> None:
    head = config.read_text().partition("cameras:\n")[0].partition("outputs:")[0]
    lines = "".join(f"  - {json.dumps(one)}\n" for one in rows.values())
    config.write_text(f"{head}outputs: {outputs}\ncameras:\n{lines}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def audited(site: Site, action: str) -> list[tuple[str, object]]:
    engine = database_of(load(site.config))
    try:
        return [(one.object, one.details.get("reason")) for one in AuditLog(engine).entries(action=action)]
    finally:
        engine.dispose()


def test_a_vms_pulls_what_may_leave_until_it_may_not(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("vms: plenty-of-goats\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    port = free_port()
    outputs = json.dumps({"restream": {"username": "vms", "password": {"secret": "vms"}, "port": port}})
    url = f"rtsp://vms:plenty-of-goats@127.0.0.1:{port}"
    with running(tmp_path) as site:
        site.wait_for_live(4)
        rows = rows_of(site.config)
        rows["square"]["restream"] = True
        write(site.config, rows, outputs)
        site.process.send_signal(signal.SIGHUP)
        # Faces and heads alone are not enough for what leaves the control room.
        wait(lambda: "restream_reason" in (site.folder / "log").read_text())
        rows["square"]["restream_reason"] = REASON
        rows["mirror"] |= {"restream": True, "targets": ALL}
        write(site.config, rows, outputs)
        site.process.send_signal(signal.SIGHUP)
        wait(lambda: audited(site, "restream.allow") == [("square", REASON), ("mirror", None)])
        wait(lambda: health(site)["mirror"]["state"] == "live")
        for name in ("square", "mirror"):
            size, times = pulled(f"{url}/{name}", 15)
            assert size == (320, 240)
            assert times == sorted(times)
        # The others are not there.
        with pytest.raises(av.error.FFmpegError):
            pulled(f"{url}/west", 1)
        wait(lambda: {name for name, _ in audited(site, "view.restream")} == {"square", "mirror"})
        # Taken back, it ends.
        rows["square"] |= {"restream": False}
        write(site.config, rows, outputs)
        site.process.send_signal(signal.SIGHUP)
        wait(lambda: audited(site, "restream.end") == [("square", None)])
        with pytest.raises(av.error.FFmpegError):
            pulled(f"{url}/square", 1)
        assert pulled(f"{url}/mirror", 5)[0] == (320, 240)
    assert "goats" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("camera", "outputs", "says"),
    [
        ({"restream": True}, "{}", "nothing sends it on: write `outputs.restream` or `outputs.push`"),
        ({"restream": True, "targets": ["face", "head"]}, "", "add person, plate to `targets`"),
        ({"restream": True, "targets": ["person", "plate"]}, "", "add face, head to `targets`"),
        ({"restream": True, "restream_reason": "because"}, "", "restream_reason"),
    ],
)
def test_less_than_every_target_without_a_reason_is_refused(
    tmp_path: Path, camera: dict[str, object], outputs: str, says: str
) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text("version: 1\ncameras:\n")
    row = {"id": "door", "name": "Door", "purpose": "Safety", "source": "rtsp://10.0.0.1/", **camera}
    write(path, {"door": row}, outputs or "{restream: {username: vms, password: {secret: vms}}}")
    with pytest.raises(SettingsRefused) as refused:
        load(path)
    assert says in str(refused.value)
