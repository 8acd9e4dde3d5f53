"""Cameras over HTTP and under TLS in real walled processes, which are handed every connection."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from examples.http_server import BodyPage, MjpegPage, hls, http_serving, jpegs, ts_segments
from examples.rtsp_server import Camera, load, serving
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraState, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from tests.app.authority import Authority
from tests.app.test_supervisor import Seen, supervising
from tests.private.capture.live.test_rtsp_source import made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("clip") / "camera.mp4", frames=80)


def spec(name: str, address: str) -> CameraSpec:
    return CameraSpec(camera_id(name), SafeUrl(address))


def test_motion_jpeg_a_playlist_and_a_file_are_shown_behind_the_wall_under_tls(clip: Path, tmp_path: Path) -> None:
    seen, authority = Seen(), Authority(tmp_path)
    segments = ts_segments(clip)
    pages = {
        "/mjpeg": MjpegPage(jpegs(clip)),
        "/file": BodyPage(segments, "video/mp2t"),
        **hls("hls", segments, seconds=0.5),
    }
    login = ("viewer", "secret")
    with http_serving(pages, login=login, tls=authority.server()) as server, supervising(seen) as supervisor:
        addresses = {"mjpeg": "/mjpeg", "playlist": "/hls/live.m3u8", "file": "/file"}
        specs = {
            camera_id(name): replace(
                spec(name, server.address + path), username=login[0], password=Secret(login[1]), ca_file=authority.file
            )
            for name, path in addresses.items()
        }
        supervisor.apply(specs)
        for name in specs:
            seen.wait_for_packets(name, 30)
            assert (CameraState.LIVE, Cause.OK) in seen.states[name]
        # A playlist that stands still: the process waits inside FFmpeg, hears its parent all the same, and tells.
        server.faults.frozen = True
        for name in specs:
            seen.wait_for_state(name, CameraState.STALE)
        assert not any(health.restarts for health in supervisor.health().values())
    for name in specs:
        assert seen.states[name][-1] == (CameraState.STOPPED, Cause.OK)


def test_rtsp_by_udp_is_shown_behind_the_wall(clip: Path) -> None:
    seen = Seen()
    with serving({"/1": Camera(load(clip))}) as server, supervising(seen) as supervisor:
        by_udp = replace(spec("udp", f"rtsp://127.0.0.1:{server.port}/1"), transport="udp")
        supervisor.apply({by_udp.id: by_udp})
        seen.wait_for_packets(by_udp.id, 10)


def test_rtsp_under_tls_is_shown_and_refused_with_an_expired_certificate(clip: Path, tmp_path: Path) -> None:
    seen, authority = Seen(), Authority(tmp_path)
    good, expired = {"/1": Camera(load(clip))}, {"/1": Camera(load(clip))}
    with (
        serving(good, user="viewer", password="secret", tls=authority.server()) as here,  # noqa: S106
        serving(expired, tls=authority.server(days=(-3, -1))) as there,
        supervising(seen) as supervisor,
    ):
        one, two = (
            replace(spec(name, f"rtsps://127.0.0.1:{server.port}/1"), ca_file=authority.file)
            for name, server in (("one", here), ("two", there))
        )
        one = replace(one, username="viewer", password=Secret("secret"))
        supervisor.apply({one.id: one, two.id: two})
        seen.wait_for_packets(one.id, 10)
        seen.wait_for(lambda: (CameraState.UNREACHABLE, Cause.CERTIFICATE) in seen.states.get(two.id, []))
        assert not seen.counts().get(two.id)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "no PEM"])
def test_an_authority_that_can_not_be_used_is_told_and_taken_when_it_is_corrected(
    content: bytes | None, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.app.supervisor.RESTART_S", (0.1, 0.1))
    seen, authority, named = Seen(), Authority(tmp_path), tmp_path / "named.pem"
    if content is not None:
        named.write_bytes(content)
    with serving({"/1": Camera(load(clip))}, tls=authority.server()) as server, supervising(seen) as supervisor:
        one = replace(spec("one", f"rtsps://127.0.0.1:{server.port}/1"), ca_file=named)
        supervisor.apply({one.id: one})
        seen.wait_for(lambda: (CameraState.UNREACHABLE, Cause.CA_FILE) in seen.states.get(one.id, []))
        assert supervisor.health()[one.id].restarts == 0
        assert Cause.PROCESS_DIED not in {cause for _, cause in seen.states[one.id]}
        named.write_bytes(authority.file.read_bytes())
        seen.wait_for_packets(one.id, 5)


def test_a_certificate_that_does_not_hold_is_told_and_nothing_is_asked(clip: Path, tmp_path: Path) -> None:
    seen, authority = Seen(), Authority(tmp_path)
    contexts = {
        "expired": authority.server(days=(-3, -1)),
        "early": authority.server(days=(1, 3)),
        "other-host": authority.server(host="192.0.2.1"),
        "unknown": authority.server(),
    }
    page = {"/mjpeg": MjpegPage(jpegs(clip))}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(http_serving(page, tls=tls)) for name, tls in contexts.items()}
        supervisor = stack.enter_context(supervising(seen))
        asked = [spec(name, server.address + "/mjpeg") for name, server in servers.items()]
        specs = {one.id: one if one.id == "unknown" else replace(one, ca_file=authority.file) for one in asked}
        supervisor.apply(specs)
        told = (CameraState.UNREACHABLE, Cause.CERTIFICATE)
        seen.wait_for(lambda: all(told in seen.states.get(camera, []) for camera in specs))
        assert not seen.counts()
        assert not any(server.requests for server in servers.values())
