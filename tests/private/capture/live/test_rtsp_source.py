"""Sources against the project's own RTSP server: real sockets, real codecs."""

import io
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from examples.rtsp_server import Camera, Clip, RtspServer, load, serving
from skyveil.core.camera import CameraSpec, Transport
from skyveil.core.health import CameraUnavailable, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.private._pixels import look
from skyveil.private.capture.live import source as live_source
from skyveil.private.capture.live.given import Arrived, Given, LiveSource
from skyveil.private.capture.live.rtcp import sender_time_s
from skyveil.private.capture.live.source import RtspSource, open_live
from tests.private.capture.live.dialling import Dial

FPS = 20
PASSWORD = 'p"w,d'  # noqa: S105 (of a server on loopback)


def made(path: Path, *, codec: str = "libx264", size: tuple[int, int] = (320, 240), frames: int = 40) -> Path:
    """A clip whose mean luma tells the number of each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream.codec_context.options = {"preset": "ultrafast", **quiet}
        for number in range(frames):
            shade = np.full((size[1], size[0], 3), 40 + 4 * (number % 40), np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return load(made(tmp_path_factory.mktemp("clip") / "camera.mp4"))


def spec_for(
    server: RtspServer,
    path: str = "/1",
    *,
    transport: Transport = "auto",
    login: tuple[str, str] | None = None,
    max_fps: float | None = None,
) -> CameraSpec:
    source = SafeUrl(f"rtsp://127.0.0.1:{server.port}{path}")
    username, password = (None, None) if login is None else (login[0], Secret(login[1]))
    return CameraSpec(camera_id("hall"), source, username, password, transport, max_fps=max_fps)


def opened(spec: CameraSpec) -> RtspSource:
    source = open_live(spec, Given(spec), Dial(spec.source.reveal()))
    assert isinstance(source, RtspSource)
    return source


def first(source: LiveSource, number: int) -> list[Arrived]:
    found: list[Arrived] = []
    for arrived in source.frames():
        if arrived is not None:
            found.append(arrived)
        if len(found) == number:
            break
    return found


def shade(arrived: Arrived) -> float:
    return float(look(arrived.raw)[0].mean())


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_whole_in_order_and_timed_by_the_camera(clip: Clip, transport: Transport) -> None:
    with serving({"/1": Camera(clip)}) as server, closing(opened(spec_for(server, transport=transport))) as source:
        found = first(source, 30)
    assert [(one.raw.width, one.raw.height) for one in found] == [(320, 240)] * 30
    intact = [one for one in found if not one.raw.damaged]
    assert len(intact) >= 20
    steps = np.diff([one.raw.time.ticks for one in intact])
    assert (steps > 0).all()
    assert np.median(steps) == 90_000 / FPS
    levels = np.diff([shade(one) for one in intact])
    assert np.median(levels) == pytest.approx(4 * 219 / 255, abs=0.6)
    assert [one.raw.id.index for one in found] == list(range(30))


def test_pictures_before_the_first_key_picture_do_not_come(clip: Clip) -> None:
    camera = Camera(clip, phase=3)
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        assert not first(source, 1)[0].raw.damaged


def test_a_name_and_password_are_proven_and_wrong_ones_named(clip: Clip) -> None:
    with serving({"/1": Camera(clip)}, user="viewer", password=PASSWORD) as server:
        with closing(opened(spec_for(server, login=("viewer", PASSWORD)))) as source:
            assert first(source, 1)
        for wrong in (("viewer", "guess"), None):
            with pytest.raises(CameraUnavailable) as refused:
                opened(spec_for(server, login=wrong))
            assert refused.value.cause is Cause.WRONG_PASSWORD


def test_an_address_without_a_camera_is_told_apart_from_a_dead_one(clip: Clip) -> None:
    with serving({"/1": Camera(clip)}) as server, pytest.raises(CameraUnavailable) as refused:
        opened(spec_for(server, "/2"))
    assert refused.value.cause is Cause.NO_VIDEO


def test_a_dropped_connection_ends_with_its_cause(clip: Clip) -> None:
    with serving({"/1": Camera(clip)}) as server, closing(opened(spec_for(server))) as source:
        assert first(source, 2)
        server.drop()
        with pytest.raises(CameraUnavailable) as lost:
            first(source, 10_000)
        assert lost.value.cause is Cause.LINK_LOST


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("frozen", Cause.FROZEN), ("no_key_frames", Cause.NO_KEY_FRAME), ("garbage", Cause.GARBAGE)],
)
def test_a_camera_that_gives_no_picture_is_given_up_with_its_cause(
    clip: Clip, fault: str, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_source, "SILENT_S", 1.0)
    camera = Camera(clip, phase=1)
    setattr(camera.faults, fault, True)
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        with pytest.raises(CameraUnavailable) as lost:
            for arrived in source.frames():
                assert arrived is None or arrived.raw.damaged
        assert lost.value.cause in {cause, Cause.NO_KEY_FRAME if cause is Cause.GARBAGE else cause}


def test_after_a_lost_packet_everything_is_damaged_until_a_key_picture(clip: Clip) -> None:
    camera = Camera(clip)
    camera.faults.lose_every = 25
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        found = first(source, 60)
    assert any(one.raw.damaged for one in found)
    for one in found:
        if not one.raw.damaged:
            luma = look(one.raw)[0]
            assert int(luma.max()) - int(luma.min()) <= 3


def test_a_timestamp_that_wraps_goes_on(clip: Clip) -> None:
    camera = Camera(clip)
    camera.faults.first_timestamp = (1 << 32) - 90_000
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        steps = np.diff([one.raw.time.ticks for one in first(source, 40)])
    assert (steps > 0).all() and steps.max() < 3 * 90_000 / FPS


def test_a_camera_may_choose_its_channels(clip: Clip) -> None:
    camera = Camera(clip)
    camera.faults.first_channel = 4
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        assert first(source, 3)


def test_a_clock_that_jumps_is_left_for_ours(clip: Clip) -> None:
    camera = Camera(clip)
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        before = first(source, 10)
        camera.faults.first_timestamp = 1_000_000_007
        after = first(source, 20)
    steps = np.diff([one.raw.time.ticks for one in (*before, *after)])
    assert (steps > 0).all() and steps.max() < 2 * 90_000


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_clock_of_a_camera_is_known_by_its_reports(clip: Clip, transport: Transport) -> None:
    camera = Camera(clip)
    camera.faults.clock_offset_s = -7200.0
    with serving({"/1": camera}) as server:
        spec = spec_for(server, transport=transport)
        given = Given(spec)
        with closing(open_live(spec, given, Dial(spec.source.reveal()))) as source:
            for _ in source.frames():
                if given.clock_offset_s is not None:
                    break
    assert given.clock_offset_s == pytest.approx(-7200.0, abs=5.0)


def report(ntp: int) -> bytes:
    return struct.pack(">BBHIQIII", 0x80, 200, 6, 1, ntp, 0, 0, 0)


RECEIVER = struct.pack(">BBHI", 0x80, 201, 1, 9)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (report((3_900_000_000 << 32) + (1 << 31)), 1_691_011_200.5),
        (RECEIVER + report(4_000_000_000 << 32), 1_791_011_200.0),
        # Without a clock: nothing, or the time since it was switched on.
        (report(0), None),
        (report(3600 << 32), None),
        # Cut off, no report, no RTCP, endless.
        (report(4_000_000_000 << 32)[:20], None),
        (RECEIVER, None),
        (b"GET / HTTP/1.1\r\n" * 4, None),
        (b"\x80\xc9\x00\x00" * 10, None),
        (b"", None),
    ],
)
def test_a_report_is_read_for_its_time_only(data: bytes, told: float | None) -> None:
    assert sender_time_s(data) == told


def test_interlaced_cameras_are_made_whole(tmp_path: Path) -> None:
    """Every second line of a moving bar is one field ahead: combs, which must be gone."""
    path = tmp_path / "interlaced.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        stream.codec_context.options = {"x264-params": "tff=1:qp=10"}
        for number in range(20):
            luma = np.full((96, 128), 40, np.uint8)
            for field in (0, 1):
                luma[field::2, 4 * number + 2 * field : 4 * number + 2 * field + 20] = 200
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, np.full((48, 128), 128, np.uint8)]), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with serving({"/1": Camera(load(path))}) as server, closing(opened(spec_for(server))) as source:
        found = first(source, 15)
    assert (np.diff([one.raw.time.ticks for one in found]) > 0).all()
    moving = [one for one in found if not one.raw.damaged][2:]
    assert len(moving) > 5
    for one in moving:
        luma = look(one.raw)[0].astype(int)
        combs = np.abs(luma[20:75] - (luma[19:74] + luma[21:76]) / 2) > 60
        assert combs.mean() < 0.01


def test_pictures_above_the_highest_rate_are_dropped_at_the_entrance(clip: Clip) -> None:
    with serving({"/1": Camera(clip)}) as server, closing(opened(spec_for(server, max_fps=5.0))) as source:
        times = [one.raw.time.seconds for one in first(source, 8)]
        assert source.dropped > 8
    assert min(np.diff(times)) > 0.17


def test_h265_and_parameter_sets_that_only_the_description_holds(tmp_path: Path) -> None:
    hevc = load(made(tmp_path / "h265.mp4", codec="libx265"))
    bare = replace(hevc, pictures=tuple(tuple(u for u in p if not 32 <= (u[0] >> 1) & 63 <= 34) for p in hevc.pictures))
    with serving({"/1": Camera(hevc), "/2": Camera(bare)}) as server:
        for path in ("/1", "/2"):
            with closing(opened(spec_for(server, path))) as source:
                assert sum(not one.raw.damaged for one in first(source, 10)) >= 5


def test_a_change_of_size_comes_with_its_shape(clip: Clip, tmp_path: Path) -> None:
    larger = load(made(tmp_path / "larger.mp4", size=(640, 360)))
    both = replace(clip, pictures=clip.pictures + larger.pictures)
    with serving({"/1": Camera(both)}) as server, closing(opened(spec_for(server))) as source:
        shapes = {(one.shape.width, one.shape.height) for one in first(source, 70)}
    assert shapes == {(320, 240), (640, 360)}


def jpeg_payloads() -> Iterator[tuple[bytes, bool]]:
    """A JPEG of Pillow as RFC 2435 cuts it, with its tables in the first packet."""
    from PIL import Image

    target = io.BytesIO()
    grey = Image.fromarray(np.tile(np.linspace(30, 220, 64).astype(np.uint8), (48, 1))).convert("RGB")
    grey.save(target, "JPEG", quality=80, subsampling="4:2:0")
    data = target.getvalue()
    tables, at = b"", 2
    while data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] == 0xDB:
            body = data[at + 4 : at + 2 + size]
            tables += b"".join(body[n + 1 : n + 65] for n in range(0, len(body), 65))
        at += 2 + size
    scan = data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) : -2]
    for start in range(0, len(scan), 300):
        head = bytes([0]) + start.to_bytes(3) + bytes((1, 255, 64 // 8, 48 // 8))
        quant = b"\0\0\0\x80" + tables if start == 0 else b""
        yield head + quant + scan[start : start + 300], start + 300 >= len(scan)


def test_motion_jpeg_is_put_together_again() -> None:
    from skyveil.private.capture.live.decoder import LiveDecoder
    from skyveil.private.capture.live.rtp import Pictures, RtpPacket

    pictures, decoder = Pictures("mjpeg", ()), LiveDecoder("mjpeg")
    coded = [
        one
        for number, (payload, marker) in enumerate(jpeg_payloads())
        for one in pictures.push(RtpPacket(number, 7, marker, payload), lost=False)
    ]
    (decoded,) = decoder.pictures(coded[0])
    luma = decoded.picture.to_ndarray(format="gray")
    assert luma.shape == (48, 64)
    assert luma[:, 2].mean() == pytest.approx(36, abs=4) and luma[:, 61].mean() == pytest.approx(214, abs=4)


def waited(camera: Camera, pictures: int) -> None:
    """Read nothing until the camera has sent so many more pictures."""
    newest = max(camera.pushed.values(), default=0.0)
    until_s = time.monotonic() + 60
    while sum(at_s > newest for at_s in tuple(camera.pushed.values())) < pictures:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_of_what_waited_only_the_last_moment_is_kept(clip: Clip) -> None:
    camera = Camera(clip)
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        frames = source.frames()
        next(one for one in frames if one is not None)
        waited(camera, 30)
        found = [next(one for one in frames if one is not None) for _ in range(2)]
        assert 0 < source.dropped < 30
    assert found[1].raw.time.seconds - found[0].raw.time.seconds < 1


def test_who_catches_up_is_heard_meanwhile(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(clip)
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        frames = source.frames()
        next(one for one in frames if one is not None)
        with monkeypatch.context() as patch:
            patch.setattr(live_source, "CATCH_UP_S", -1.0)  # every step takes too long
            waited(camera, 20)
            assert [next(frames) for _ in range(20)] == [None] * 20
        next(one for one in frames if one is not None)


def test_who_is_slower_than_the_camera_is_told_so_and_gets_what_came_meanwhile_up_to_the_newest(clip: Clip) -> None:
    camera = Camera(clip)
    rounds: list[list[Arrived]] = [[]]
    with serving({"/1": camera}) as server, closing(opened(spec_for(server))) as source:
        for arrived in source.frames():
            if arrived is not None:
                rounds[-1].append(arrived)
                if not arrived.newer:
                    rounds.append([])
                    waited(camera, 5)
            if len(rounds) == 7:
                break
    assert all(one.behind for some in rounds[3:6] for one in some)
    assert min(len(some) for some in rounds[3:6]) >= 4
    times = [one.raw.time.seconds for some in rounds for one in some]
    assert np.diff(times) == pytest.approx([1 / FPS] * (len(times) - 1), abs=0.001)
