"""Sources against Debian's gst-rtsp-server: another maker's RTSP and RTP."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from examples.http_server import jpegs
from examples.rtsp_server import load
from skyveil.core.camera import CameraSpec, Transport
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live.given import Given
from skyveil.private.capture.live.source import RtspSource, open_live
from tests.private.capture.live.dialling import Dial
from tests.private.capture.live.gst_server import gst_serving, missing
from tests.private.capture.live.test_rtsp_source import FPS, first, made, shade

MISSING = missing()
LOGIN = ("viewer", "pass word")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def annex_b(path: Path) -> list[bytes]:
    return [b"".join(b"\0\0\0\1" + unit for unit in units) for units in load(path).pictures]


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    folder = tmp_path_factory.mktemp("clips")
    h264, h265 = made(folder / "a.mp4"), made(folder / "b.mp4", codec="libx265")
    return {"h264": annex_b(h264), "h265": annex_b(h265), "jpeg": jpegs(h264)}


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, streams: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    scheme = str(request.param)
    with gst_serving(tmp_path_factory.mktemp("gst"), streams, fps=FPS, scheme=scheme, login=LOGIN) as port:
        yield scheme, port


def opened(port: int, path: str, *, transport: Transport, password: str | None) -> RtspSource:
    source = SafeUrl(f"rtsp://127.0.0.1:{port}/{path}")
    secret = None if password is None else Secret(password)
    spec = CameraSpec(camera_id("hall"), source, None if password is None else LOGIN[0], secret, transport)
    live = open_live(spec, Given(spec), Dial(source.reveal()))
    assert isinstance(live, RtspSource)
    return live


@pytest.mark.parametrize(
    ("server", "codec", "transport"),
    [
        *(("open", codec, transport) for codec in ("h264", "h265", "jpeg") for transport in ("tcp", "udp")),
        *((scheme, "h264", transport) for scheme in ("basic", "digest") for transport in ("tcp", "udp")),
    ],
    indirect=["server"],
)
def test_pictures_of_another_makers_server_come_whole_and_timed(
    server: tuple[str, int], codec: str, transport: Transport
) -> None:
    scheme, port = server
    password = None if scheme == "open" else LOGIN[1]
    with closing(opened(port, codec, transport=transport, password=password)) as source:
        found = first(source, 15)
    intact = [one for one in found if not one.raw.damaged]
    assert len(intact) >= 10
    assert {(one.raw.width, one.raw.height) for one in intact} == {(320, 240)}
    steps = np.diff([one.raw.time.ticks for one in intact])
    assert (steps > 0).all()
    assert np.median(steps) == pytest.approx(90_000 / FPS, abs=2)
    assert np.median(np.diff([shade(one) for one in intact])) == pytest.approx(4 * 219 / 255, abs=1.5)


@pytest.mark.parametrize("server", ["open"], indirect=True)
def test_another_makers_reports_tell_its_clock(server: tuple[str, int]) -> None:
    _, port = server
    with closing(opened(port, "h264", transport="tcp", password=None)) as source:
        for _ in source.frames():
            if source.clock_offset_s is not None:
                break
        assert abs(source.clock_offset_s or 99.0) < 5.0


@pytest.mark.parametrize("server", ["basic", "digest"], indirect=True)
def test_another_makers_server_refuses_a_wrong_password_and_path(server: tuple[str, int]) -> None:
    _, port = server
    for path, password, cause in (
        ("h264", "guess", Cause.WRONG_PASSWORD),
        ("h264", None, Cause.WRONG_PASSWORD),
        ("nothing", LOGIN[1], Cause.NO_VIDEO),
    ):
        with pytest.raises(CameraUnavailable) as refused:
            opened(port, path, transport="tcp", password=password)
        assert refused.value.cause is cause
