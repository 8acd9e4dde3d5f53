"""A density network beside the pictures: its numbers come, its faults are told, and nothing else ever changes."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from examples.rtsp_server import Camera, load, serving
from skyveil.app.camera_line import spec_from, spec_json
from skyveil.app.density import EVERY_S, LATE_S, LOADING_S, HeadMaps
from skyveil.app.live import Live
from skyveil.app.observing import Observing, ViewWatch
from skyveil.core.camera import CameraSpec, CrowdSpec, KnownView
from skyveil.core.density import Density, DensityNetwork
from skyveil.core.errors import DetectorFailed
from skyveil.core.health import CameraState, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality
from skyveil.private.capture.live.given import Shape
from skyveil.private.detect.density import PerCell
from skyveil.private.detect.view import Rgb
from skyveil.private.frame import RawFrame
from skyveil.public.aggregate import Aggregate
from skyveil.public.density_map import DensityMap
from skyveil.public.encode.header import StreamHeader
from skyveil.public.types import RedactedPacket
from skyveil.public.wire.cameras import Epoch, ViewSeen
from tests.app.live_stand_in import Nets
from tests.app.test_live import arrived
from tests.app.test_supervisor import Seen, spec, supervising
from tests.measure.cameras import SIZE_WH
from tests.private.made import frame_of, plain
from tests.private.observe.test_head_count import DENSE, INSIDE
from tests.private.observe.test_observer import HALL, HUNG, crowd
from tests.private.tiny_networks import bright_spots, one_step

PICTURE_WH = (640, 360)
PATIENCE_S = 60.0


def density(folder: Path, weights: bytes = b"", **more: str) -> Density:
    """The network of these weights; white spots of 4x4 px in a picture of `PICTURE_WH` are people."""
    path = folder / "crowd.onnx"
    weights = weights or bright_spots()
    path.write_bytes(weights)
    sha256 = more.get("sha256", hashlib.sha256(weights).hexdigest())
    return Density(DensityNetwork("crowd", path.name, sha256, PICTURE_WH, scaling="unit"), 0.2, path)


KNOWN = Density(DensityNetwork("crowd", "crowd.onnx", "0" * 64, (64, 64)), 0.2, Path("crowd.onnx"))


class Net:
    """A network that looks when it is let, and answers as it is told."""

    def __init__(self, answer: float | Exception = 1.0) -> None:
        self.answer = answer
        self.looks = 0
        self.let = threading.Semaphore(0)

    def look(self, picture: Rgb) -> PerCell:
        assert self.let.acquire(timeout=PATIENCE_S)
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.full((picture.shape[0] // 8, picture.shape[1] // 8), self.answer, np.float32)


class Clock:
    """Seconds that go by when they are told to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def until(condition: Callable[[], bool]) -> None:
    """Wait until another thread has done something."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def ready(maps: HeadMaps) -> bool:
    """Whether the network waits for a picture."""
    return maps._began_s is None


def frame(index: int, *, damaged: bool = False) -> RawFrame:
    return frame_of(plain(), index, ms=1000 * index, damaged=damaged)


def watched(net: Net) -> tuple[HeadMaps, Clock]:
    clock = Clock()
    maps = HeadMaps(KNOWN, opens=lambda *_: net, clock=clock)
    until(lambda: ready(maps))
    clock.now_s += EVERY_S
    return maps, clock


def test_a_map_has_the_time_of_its_frame_and_the_error_that_was_measured() -> None:
    net = Net(0.5)
    maps, _ = watched(net)
    assert maps.newest() is None
    maps.offer(frame(7))
    net.let.release()
    until(lambda: ready(maps))
    newest = maps.newest()
    assert newest is not None
    assert (newest.at_s, newest.error, newest.per_cell.sum()) == (7.0, 0.2, 32.0)
    assert maps.cause is Cause.OK


def test_a_network_gets_a_picture_a_second_and_rests_as_long_as_it_looked() -> None:
    net = Net()
    maps, clock = watched(net)
    asked = []
    for takes_s in (0.1, 0.1, 2.0, 0.1):
        while ready(maps):
            clock.now_s += 0.1
            maps.offer(frame(1))
        asked.append(clock.now_s)
        clock.now_s += takes_s
        net.let.release()
        until(lambda: ready(maps))
    # A second between two pictures; after a look of 2 s another 2 s.
    assert np.diff(asked) == pytest.approx([1.0, 1.0, 4.0], abs=0.11)


def test_a_network_that_hangs_is_told_and_asked_nothing_more() -> None:
    net = Net()
    maps, clock = watched(net)
    maps.offer(frame(1))
    causes = []
    for later_s in (LATE_S, 0.1):
        clock.now_s += later_s
        causes.append(maps.cause)
    assert causes == [Cause.OK, Cause.DENSITY_LATE]
    for index in range(2, 50):
        maps.offer(frame(index))
    net.let.release()
    until(lambda: ready(maps))
    assert (net.looks, maps.cause) == (1, Cause.DENSITY_LATE)  # until one is in time: health must not swing
    clock.now_s += 2 * LATE_S
    maps.offer(frame(50))
    net.let.release()
    until(lambda: ready(maps))
    assert (net.looks, maps.cause) == (2, Cause.OK)


def test_a_network_that_never_loads_is_told() -> None:
    clock, loading = Clock(), threading.Event()

    def opens(*_: object) -> Net:
        loading.wait(PATIENCE_S)
        return Net()

    maps = HeadMaps(KNOWN, opens=opens, clock=clock)
    clock.now_s = LOADING_S + 1
    maps.offer(frame(1))
    assert (maps.cause, maps.newest()) == (Cause.DENSITY_LATE, None)
    loading.set()
    until(lambda: ready(maps))


def test_its_thread_gives_way_to_those_that_covers_wait_for() -> None:
    told: list[int] = []

    def opens(*_: object) -> Net:
        told.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return Net()

    maps = HeadMaps(KNOWN, opens=opens)
    until(lambda: ready(maps))
    assert told == [max(10, os.getpriority(os.PRIO_PROCESS, 0))]


@pytest.mark.parametrize("error", [DetectorFailed("two maps"), ZeroDivisionError(), MemoryError()])
def test_a_network_that_answered_wrongly_once_is_not_believed_again(error: Exception) -> None:
    net = Net()
    maps, clock = watched(net)
    maps.offer(frame(1))
    net.let.release()
    until(lambda: ready(maps))
    assert maps.newest() is not None
    net.answer = error
    clock.now_s += EVERY_S
    maps.offer(frame(2))
    net.let.release()
    until(lambda: maps.cause is Cause.DENSITY_WRONG)
    assert maps.newest() is None
    net.answer = 1.0
    for index in range(3, 9):
        clock.now_s += EVERY_S
        maps.offer(frame(index))
    assert (net.looks, maps.newest(), maps.cause) == (2, None, Cause.DENSITY_WRONG)


def test_a_map_of_a_scene_that_was_left_is_not_used() -> None:
    net = Net()
    maps, _ = watched(net)
    maps.offer(frame(1))
    maps.forget()
    net.let.release()
    until(lambda: ready(maps))
    assert maps.newest() is None


def test_a_damaged_frame_is_not_shown_to_it() -> None:
    maps, _ = watched(Net())
    maps.offer(frame(1, damaged=True))
    assert ready(maps)


@pytest.mark.parametrize(
    ("weights", "sha256", "cause"),
    [
        (bright_spots(), "0" * 64, Cause.DENSITY_MISSING),
        (b"no network", "", Cause.DENSITY_MISSING),
        (one_step("Identity"), "", Cause.DENSITY_WRONG),
        (bright_spots(last="Log"), "", Cause.DENSITY_WRONG),
    ],
    ids=["another file", "no onnx", "a picture", "infinite"],
)
def test_a_file_that_can_not_be_used_is_told(tmp_path: Path, weights: bytes, sha256: str, cause: Cause) -> None:
    maps = HeadMaps(density(tmp_path, weights, **({"sha256": sha256} if sha256 else {})))
    until(lambda: maps.cause is not Cause.OK)
    assert maps.cause is cause


def test_a_file_that_is_not_there_is_told() -> None:
    assert HeadMaps(replace(KNOWN, path=None)).cause is Cause.DENSITY_MISSING


def test_a_network_crosses_the_control_socket_as_it_is(tmp_path: Path) -> None:
    one = CameraSpec(camera_id("one"), SafeUrl("rtsp://h/a"), density=density(tmp_path))
    assert spec_from(spec_json(one)) == one


# --- beside a camera --------------------------------------------------------------------------------------------------


def packets(given: Density | None) -> tuple[list[bytes], Live]:
    """What leaves of 30 pictures."""
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    places = CrowdSpec((replace(crowd().zones[0], corners=whole),), (), crowd().calibration)
    one = Live(CameraSpec(camera_id("hall"), SafeUrl("rtsp://h/a"), crowd=places, density=given), Nets("two people"))
    said = [message for number in range(30) for message in one.seen(arrived(number, width=320, height=180))]
    return [message.data for message in said if isinstance(message, RedactedPacket)], one


def test_a_network_sees_nothing_of_a_view_that_is_not_trusted_and_forgets_what_it_saw() -> None:
    places = CameraSpec(camera_id("hall"), SafeUrl("rtsp://h/a"), crowd=crowd())
    shape = Shape(*SIZE_WH, Fraction(1), full_range=False, color=(1, 1, 1))
    net = Net()
    maps, clock = watched(net)
    in_place, moved = (
        Observing(places, shape, ViewWatch(replace(places, view=KnownView(moved=moved)), shape), maps)
        for moved in (False, True)
    )
    in_place.picture(frame(1))
    net.let.release()
    until(lambda: ready(maps))
    assert maps.newest() is not None
    clock.now_s += EVERY_S
    moved.picture(frame(2))
    assert ready(maps) and maps.newest() is None
    in_place.picture(frame(3))
    assert not ready(maps)
    net.let.release()


@pytest.mark.parametrize("kind", ["works", "missing", "wrong", "hangs", "raises"])
def test_nothing_that_a_density_network_does_changes_what_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    plain_packets, _ = packets(None)
    given = density(tmp_path, one_step("Identity") if kind == "wrong" else bright_spots())
    given = replace(given, path=None) if kind == "missing" else given
    ends = threading.Event()
    if kind == "hangs":
        monkeypatch.setattr("skyveil.app.density.HeadMapper.open", lambda *_, **__: ends.wait(PATIENCE_S))
    if kind == "raises":
        monkeypatch.setattr("skyveil.app.density.shown", lambda *_: 1 // 0)
    found, one = packets(given)
    ends.set()
    assert len(found) == len(plain_packets) > 20
    assert found == plain_packets
    assert one.heads is not None and one.trouble is None


def spots(path: Path) -> Path:
    """A film of white spots on black, one where the middle of each head of a dense crowd is seen."""
    at = HUNG.shows(DENSE, np.full(len(DENSE), 1.56)) / SIZE_WH * PICTURE_WH
    shade = np.zeros((PICTURE_WH[1], PICTURE_WH[0], 3), np.uint8)
    for x, y in at.round().astype(int):
        shade[y - 2 : y + 2, x - 2 : x + 2] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *PICTURE_WH, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        stream.codec_context.options = {"preset": "ultrafast", "crf": "5"}
        for number in range(40):
            one = av.VideoFrame.from_ndarray(shade, format="rgb24")
            one.pts, one.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return path


def test_a_walled_camera_estimates_a_crowd_that_its_boxes_do_not_see(tmp_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    given = density(tmp_path)
    with (
        serving({"/1": Camera(load(spots(tmp_path / "spots.mp4")))}) as server,
        supervising(seen, "two people") as supervisor,
    ):
        supervisor.apply({one: replace(spec(server), crowd=crowd(), density=given)})

        def counts(quality: Quality) -> list[float]:
            said = [message for message in tuple(seen.messages.get(one, [])) if isinstance(message, Aggregate)]
            halls = [message.figures[Measure.COUNT].quantity for message in said if message.place == HALL]
            return [quantity.value for quantity in halls if quantity.quality is quality and quantity.value is not None]

        seen.wait_for(lambda: len(counts(Quality.ESTIMATED)) >= 3)
        assert np.median(counts(Quality.ESTIMATED)) == pytest.approx(INSIDE, rel=0.15)
        assert {"no files", "no core", "seccomp"} <= set(supervisor.walls[one].holds)
        # The map itself stays: what leaves are redacted pictures, clocks, the view, and numbers of places.
        kinds = {type(message) for message in tuple(seen.messages[one])}
        assert kinds <= {StreamHeader, RedactedPacket, Epoch, ViewSeen, Aggregate, DensityMap}
        assert seen.states[one][-1] == (CameraState.LIVE, Cause.OK)

        # Another file in its place: the process that loads it says so, covers as before, and counts by boxes.
        (tmp_path / "crowd.onnx").write_bytes(bright_spots(persons=50.0))
        before = len(seen.states[one])
        supervisor.apply({one: replace(spec(server), crowd=crowd(), density=replace(given, error=0.3))})
        seen.wait_for(lambda: (CameraState.LIVE, Cause.DENSITY_MISSING) in seen.states[one][before:])
        told = len(seen.messages[one])
        seen.wait_for(lambda: sum(isinstance(message, RedactedPacket) for message in seen.messages[one][told:]) > 5)
        assert not any(
            figure.quantity.quality is Quality.ESTIMATED
            for message in seen.messages[one][told:]
            if isinstance(message, Aggregate)
            for figure in message.figures.values()
        )
