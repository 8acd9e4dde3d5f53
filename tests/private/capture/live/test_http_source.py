"""Sources over HTTP against the project's own server: real sockets, real codecs."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from examples.http_server import (
    BodyPage,
    HttpServer,
    MjpegPage,
    Page,
    RedirectPage,
    Scheme,
    TextPage,
    hls,
    http_serving,
    jpegs,
    mp4_fragments,
    ts_segments,
)
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private.capture.live import http, mjpeg, stream
from skyveil.private.capture.live.given import Arrived, Given, LiveSource
from skyveil.private.capture.live.source import open_live
from skyveil.private.capture.live.transport_stream import SegmentJoiner
from tests.private.capture.live.dialling import Dial
from tests.private.capture.live.test_rtsp_source import FPS, first, made, shade

PASSWORD = 'p"w,d'  # noqa: S105 (of a server on loopback)
STEP = 4 * 219 / 255
"""Luma between two pictures of the clip."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("clip") / "camera.mp4", frames=80)


@pytest.fixture(scope="module")
def pictures(clip: Path) -> list[bytes]:
    return jpegs(clip)[:40]


@pytest.fixture(scope="module")
def segments(clip: Path) -> list[bytes]:
    return ts_segments(clip)


def spec_for(address: str, *, login: tuple[str, str] | None = None, max_fps: float | None = None) -> CameraSpec:
    username, password = (None, None) if login is None else (login[0], Secret(login[1]))
    return CameraSpec(camera_id("hall"), SafeUrl(address), username, password, max_fps=max_fps)


def opened(spec: CameraSpec) -> LiveSource:
    return open_live(spec, Given(spec), Dial(spec.source.reveal()))


def cause_of(spec: CameraSpec) -> Cause:
    with pytest.raises(CameraUnavailable) as refused, closing(opened(spec)) as source:
        for arrived in source.frames():
            assert arrived is None or arrived.raw.damaged
    return refused.value.cause


@contextmanager
def source_of(page: Page) -> Iterator[LiveSource]:
    with http_serving({"/1": page}) as server, closing(opened(spec_for(server.address + "/1"))) as source:
        yield source


def smooth(found: list[Arrived]) -> None:
    """Every picture of the clip comes once, intact, in order and at its time."""
    assert [one.raw.id.index for one in found] == list(range(len(found)))
    assert not any(one.raw.damaged for one in found)
    steps = np.diff([one.raw.time.ticks for one in found])
    assert (steps > 0).all()
    assert np.median(steps) == pytest.approx(90_000 / FPS, abs=2)
    assert np.median(np.diff([shade(one) for one in found])) == pytest.approx(STEP, abs=0.6)


# --- motion JPEG ----------------------------------------------------------------------------------------------------

QUIRKS = {
    "as it should be": MjpegPage([]),
    "dashes in the header": MjpegPage([], kind="multipart/x-mixed-replace;boundary=--frame"),
    "quoted": MjpegPage([], kind='Multipart/X-Mixed-Replace; boundary="frame"'),
    "no lengths, and line feeds only": MjpegPage(
        [], head=lambda _: b"--frame\nContent-Type: image/jpeg\n\n", tail=b"\n"
    ),
    "wrong lengths": MjpegPage([], head=lambda _: b"--frame\r\nContent-Length: 77\r\n\r\n"),
    "another boundary": MjpegPage([], head=lambda _: b"\r\n--somethingelse\r\n\r\n"),
    "no boundary at all": MjpegPage([], kind="image/jpeg", head=lambda _: b"", tail=b""),
}


@pytest.mark.parametrize("name", QUIRKS)
def test_motion_jpeg_comes_whole_however_its_parts_are_written(name: str, pictures: list[bytes]) -> None:
    quirk = QUIRKS[name]
    with source_of(MjpegPage(pictures, 20.0, quirk.kind, quirk.head, quirk.tail)) as source:
        found = first(source, 8)
    assert [(one.raw.width, one.raw.height) for one in found] == [(320, 240)] * 8
    levels = [shade(one) for one in found]
    assert np.median(np.diff(levels)) == pytest.approx(STEP, abs=1.5)
    assert (np.diff([one.raw.time.ticks for one in found]) > 0).all()


def test_pictures_are_cut_wherever_the_bytes_are_split(pictures: list[bytes]) -> None:
    data = b"noise\xff" + b"--x\r\n\r\n".join(pictures[:3]) + b"\xff\xd8\xff"
    for size in (1, 7, 4096):
        cutter = mjpeg.JpegCutter()
        cut = [one for at in range(0, len(data), size) for one in cutter.push(data[at : at + size])]
        assert cut == pictures[:3]


def test_a_picture_inside_the_header_of_a_picture_is_not_taken_for_one(pictures: list[bytes]) -> None:
    inner = pictures[0]
    outer = inner[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner + inner[2:]
    assert mjpeg.JpegCutter().push(outer) == [outer]


def test_a_picture_without_an_end_does_not_take_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "PICTURE_LIMIT", 100_000)
    cutter = mjpeg.JpegCutter()
    with pytest.raises(CameraUnavailable) as refused:
        for _ in range(100):
            cutter.push(b"\xff\xd8\xff\xda\x00\x02" + bytes(10_000))
    assert refused.value.cause is Cause.GARBAGE


def test_pictures_that_wait_are_left_out(pictures: list[bytes]) -> None:
    with source_of(MjpegPage([b"".join(pictures[at : at + 10]) for at in (0, 10, 20, 30)], fps=4.0)) as source:
        found = first(source, 5)
        assert source.dropped >= 5
    assert not any(one.behind for one in found)  # a camera that sends in bursts is waited for


def test_who_takes_longer_than_pictures_take_to_come_is_behind(pictures: list[bytes]) -> None:
    with source_of(MjpegPage(pictures, fps=20.0)) as source:
        behind = []
        for one in filter(None, source.frames()):
            behind.append(one.behind)
            if len(behind) == 4:
                break
            time.sleep(0.5)
    assert not behind[0] and all(behind[2:])


# --- streams and files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_an_endless_stream_is_shown_as_it_comes(clip: Path, chunked: bool) -> None:
    (stream_of_bytes,) = ts_segments(clip, gops=1000)
    size = len(stream_of_bytes) // 80
    pieces = [stream_of_bytes[at : at + size] for at in range(0, len(stream_of_bytes), size)]
    with source_of(BodyPage(pieces, "video/mp2t", 1 / FPS, chunked=chunked)) as source:
        smooth(first(source, 40))
        with pytest.raises(CameraUnavailable) as lost:
            first(source, 1000)
    assert lost.value.cause is Cause.LINK_LOST


def test_a_clock_of_33_bits_that_wraps_goes_on(clip: Path) -> None:
    (stream_of_bytes,) = ts_segments(clip, gops=1000, starts_s=(1 << 33) / 90_000 - 1.0)
    with source_of(BodyPage((stream_of_bytes,), "video/mp2t")) as source:
        smooth(first(source, 40))


@pytest.mark.parametrize("container", ["ts", "mp4"])
def test_a_file_is_played_at_its_own_pace_again_and_again(clip: Path, segments: list[bytes], container: str) -> None:
    header, fragments = mp4_fragments(clip)
    pieces, kind = (segments[:3], "video/mp2t") if container == "ts" else ((header, *fragments[:3]), "video/mp4")
    with source_of(BodyPage(pieces, kind)) as source:
        found = first(source, 50)
    assert (np.diff([one.raw.time.ticks for one in found]) > 0).all()
    assert np.diff([one.arrival_s for one in found]).mean() == pytest.approx(1 / FPS, abs=0.02)
    levels = [shade(one) for one in found]
    assert sum(step < -10 * STEP for step in np.diff(levels)) == 1


def test_pictures_that_come_late_are_left_out_and_a_source_that_stood_still_is_followed() -> None:
    waits, live = stream.Pace(waits=True), stream.Pace(waits=False)
    assert waits.left_s(10.0, 100.0) == 0.0
    assert waits.left_s(10.5, 100.1) == pytest.approx(0.4)
    assert waits.left_s(11.0, 102.0) == pytest.approx(-1.0)
    assert waits.left_s(12.0, 106.0) == 0.0
    assert waits.left_s(12.5, 106.0) == pytest.approx(0.5)
    assert live.left_s(10.0, 100.0) == 0.0
    assert live.left_s(11.0, 100.2) == 0.0
    assert live.left_s(12.0, 103.2) == pytest.approx(-2.0, abs=0.01)


# --- what FFmpeg writes ---------------------------------------------------------------------------------------------


def remuxed(clip: Path, target: Path, kind: str, **options: str) -> None:
    with av.open(str(clip)) as container, av.open(str(target), "w", format=kind, options=options) as made_of_it:
        stream = container.streams.video[0]
        copied = made_of_it.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = copied
                made_of_it.mux(packet)


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_playlist_of_ffmpeg_is_played(clip: Path, tmp_path: Path, kind: str) -> None:
    remuxed(clip, tmp_path / "a.m3u8", "hls", hls_segment_type=kind, hls_time="1", hls_list_size="0")
    pages: dict[str, Page] = {
        f"/{one.name}": BodyPage((one.read_bytes(),), "application/octet-stream") for one in tmp_path.iterdir()
    }
    assert len(pages) >= 5
    with http_serving(pages) as server, closing(opened(spec_for(server.address + "/a.m3u8"))) as source:
        smooth(first(source, 40))


def test_motion_jpeg_of_ffmpeg_is_cut(pictures: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "a.mjpeg").write_bytes(b"".join(pictures))
    remuxed(tmp_path / "a.mjpeg", tmp_path / "a.multipart", "mpjpeg")
    data = (tmp_path / "a.multipart").read_bytes()
    assert data.count(b"--ffmpeg") >= len(pictures)
    assert mjpeg.JpegCutter().push(data) == pictures


@pytest.mark.parametrize("kind", ["matroska", "flv", "mp4"])
def test_other_containers_are_streamed(clip: Path, tmp_path: Path, kind: str) -> None:
    options = {"movflags": "faststart"} if kind == "mp4" else {}
    remuxed(clip, tmp_path / "a", kind, **options)
    with source_of(BodyPage(((tmp_path / "a").read_bytes(),), "video/x")) as source:
        smooth(first(source, 15))


# --- HLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["live", "master"])
@pytest.mark.parametrize("container", ["ts", "mp4"])
def test_a_live_playlist_is_followed_near_its_edge(
    clip: Path, segments: list[bytes], container: str, name: str
) -> None:
    header, parts = (None, segments) if container == "ts" else mp4_fragments(clip)
    with http_serving(hls("a", parts, seconds=0.5, header=header)) as server:
        with closing(opened(spec_for(f"{server.address}/a/{name}.m3u8"))) as source:
            found = first(source, 25)
        # The playlist shows four segments: the oldest is further back than one starts.
        asked = [one for one in server.requests if "segment" in one]
        assert server.connections == 1
    smooth(found)
    assert asked[0] == f"/a/segment{len(parts) - 3}"


def test_a_discontinuity_is_crossed(segments: list[bytes]) -> None:
    with (
        http_serving(hls("a", segments[:4], seconds=0.5)) as server,
        closing(opened(spec_for(f"{server.address}/a/live.m3u8"))) as source,
    ):
        found = first(source, 60)
    assert not any(one.raw.damaged for one in found)
    assert (np.diff([one.raw.time.ticks for one in found]) > 0).all()
    assert np.diff([one.arrival_s for one in found]).max() < 1.5


def test_a_complete_playlist_is_played_again_and_again(segments: list[bytes]) -> None:
    with (
        http_serving(hls("a", segments[:2], seconds=0.5)) as server,
        closing(opened(spec_for(f"{server.address}/a/whole.m3u8"))) as source,
    ):
        found = first(source, 50)
    assert not any(one.raw.damaged for one in found)
    assert (np.diff([one.raw.time.ticks for one in found]) > 0).all()


def test_only_the_counters_of_transport_packets_change_and_they_count_on(segments: list[bytes]) -> None:
    joiner, joined = SegmentJoiner(), b""
    for segment in segments:
        joiner.begin()
        joined += b"".join(joiner.joined(segment[at : at + 1000]) for at in range(0, len(segment), 1000))
    packets = np.frombuffer(joined, np.uint8).reshape(-1, 188)
    before = np.frombuffer(b"".join(segments), np.uint8).reshape(-1, 188)
    changed = packets != before
    assert changed.any() and not (changed[:, :3].any() or changed[:, 4:].any())
    video = packets[(packets[:, 1] & 0x1F == 1) & (packets[:, 2] == 0)][:, 3]
    assert set(np.diff(video[video & 0x10 > 0] & 15) % 16) == {1}
    other = b"no such packet" + b"G" * 400
    joiner.begin()
    assert b"".join(joiner.joined(other[at : at + 14]) for at in range(0, len(other), 14)) == other


def text(*lines: str) -> TextPage:
    return TextPage(lambda: "\n".join(("#EXTM3U", *lines)))


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        (text('#EXT-X-KEY:METHOD=AES-128,URI="k"', "#EXTINF:1,", "segment"), Cause.UNSUPPORTED_STREAM),
        (text("#EXTINF:1,", "#EXT-X-BYTERANGE:100@0", "segment"), Cause.UNSUPPORTED_STREAM),
        (text("#EXTINF:1,", "http://192.0.2.1/segment"), Cause.ELSEWHERE),
        (text("#EXTINF:1,", "https://127.0.0.1/segment"), Cause.ELSEWHERE),
        (text("#EXTINF:1,", "file:///etc/passwd"), Cause.ELSEWHERE),
        (text("#EXT-X-STREAM-INF:BANDWIDTH=1", "//192.0.2.1/live.m3u8"), Cause.ELSEWHERE),
        (text('#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="av01.0.04M.08"', "live.m3u8"), Cause.UNSUPPORTED_CODEC),
        (text(*("x" for _ in range(10_001))), Cause.GARBAGE),
        (TextPage(lambda: "#EXTM3U" + "x" * (1 << 20)), Cause.GARBAGE),
        (TextPage(lambda: "<html>", kind="text/html"), Cause.NO_VIDEO),
        (TextPage(lambda: "garbage" * 99_999, kind="video/mp4"), Cause.UNSUPPORTED_STREAM),
        (RedirectPage("/1"), Cause.GARBAGE),
        (RedirectPage("http://192.0.2.1/1"), Cause.ELSEWHERE),
        (RedirectPage("https://127.0.0.1/1"), Cause.ELSEWHERE),
        (RedirectPage("http://u:p@127.0.0.1/1"), Cause.GARBAGE),
        (RedirectPage("/none"), Cause.NO_VIDEO),
    ],
)
def test_what_is_not_read_or_lies_elsewhere_is_refused_with_its_cause(page: Page, cause: Cause) -> None:
    with http_serving({"/1": page}) as server:
        assert cause_of(spec_for(server.address + "/1")) is cause


# --- the connection -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["basic", "digest-md5", "digest-sha256"])
def test_a_name_and_password_are_proven_and_wrong_ones_named(segments: list[bytes], scheme: Scheme) -> None:
    with http_serving(hls("a", segments, seconds=0.5), login=("viewer", PASSWORD), scheme=scheme) as server:
        address = f"{server.address}/a/live.m3u8"
        with closing(opened(spec_for(address, login=("viewer", PASSWORD)))) as source:
            assert len(first(source, 12)) == 12
        for wrong in (("viewer", "guess"), None):
            assert cause_of(spec_for(address, login=wrong)) is Cause.WRONG_PASSWORD


def test_a_redirection_on_the_same_server_is_followed(pictures: list[bytes]) -> None:
    pages: dict[str, Page] = {"/1": RedirectPage("2/../3?q=1", 307), "/3?q=1": MjpegPage(pictures)}
    with http_serving(pages) as server, closing(opened(spec_for(server.address + "/1"))) as source:
        assert first(source, 2)


def frozen(server: HttpServer) -> None:
    server.faults.frozen = True


@pytest.mark.parametrize("page", ["mjpeg", "ts", "hls"])
def test_a_server_that_freezes_is_given_up(
    pictures: list[bytes], segments: list[bytes], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (http, mjpeg, stream, hls_module()):
        monkeypatch.setattr(module, "SILENT_S", 1.0)
    monkeypatch.setattr(http, "ANSWER_S", 1.0)
    pages: dict[str, Page] = {
        "/mjpeg": MjpegPage(pictures),
        "/ts": BodyPage(
            [one[at : at + 188 * 5] for one in segments for at in range(0, len(one), 940)], "video/mp2t", 0.02
        ),
        **hls("a", segments, seconds=0.5),
    }
    with http_serving(pages) as server:
        address = server.address + ("/a/live.m3u8" if page == "hls" else f"/{page}")
        with closing(opened(spec_for(address))) as source:
            assert first(source, 3)
            frozen(server)
            with pytest.raises(CameraUnavailable) as lost:
                first(source, 10_000)
            assert lost.value.cause is Cause.FROZEN
        assert cause_of(spec_for(address)) is Cause.FROZEN


def hls_module() -> object:
    from skyveil.private.capture.live import hls

    return hls
