"""What cameras do wrong, behind the wall: each is told with its cause, shows nothing raw, and ends nobody's process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.live_demo import live
from examples.rtsp_server import Camera, Clip, load, serving
from skyveil.app.config import load as load_config
from skyveil.app.recordings import archive_of
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import SafeUrl
from skyveil.public.encode.header import StreamHeader
from tests.app.test_live_site import PATIENCE_S, camera_processes, running
from tests.app.test_supervisor import Seen, spec, supervising
from tests.private.capture.live.dialling import closed_port
from tests.private.capture.live.test_rtsp_source import made


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("clip") / "camera.mp4")


@pytest.fixture(scope="module")
def clip(path: Path) -> Clip:
    return load(path)


@contextmanager
def server_process(path: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """The server as a process of its own, to be stopped and killed."""
    command = [sys.executable, "-m", "examples.rtsp_server", str(path), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("rtsp://")
            yield process
        finally:
            process.kill()


def test_a_stream_without_an_intact_picture_is_told_and_covered_wholly(clip: Clip) -> None:
    seen = Seen()
    faults = ("no_key_frames", "no_parameter_sets", "garbage", "silent_describe")
    cameras = {f"/{fault}": Camera(clip, phase=1) for fault in faults}
    for fault in faults:
        setattr(cameras[f"/{fault}"].faults, fault, True)
    names = {fault: camera_id(fault.replace("_", "-")) for fault in faults}
    with serving(cameras) as server, supervising(seen) as supervisor:
        supervisor.apply({name: spec(server, name, f"/{fault}") for fault, name in names.items()})
        causes = {
            "no_key_frames": {Cause.NO_KEY_FRAME},
            "no_parameter_sets": {Cause.NO_KEY_FRAME, Cause.GARBAGE},
            "garbage": {Cause.NO_KEY_FRAME, Cause.GARBAGE},
            "silent_describe": {Cause.FROZEN},
        }
        for fault, name in names.items():
            wait_for_stale(seen, name, causes[fault])
        health = supervisor.health()
    for name in names.values():
        assert health[name].whole == health[name].frames
        assert health[name].restarts == 0
        assert CameraState.FAILED not in {state for state, _ in seen.states[name]}


def test_a_camera_that_changes_codec_and_size_is_followed(clip: Clip, tmp_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    camera = Camera(clip)
    larger = load(made(tmp_path / "larger.mp4", size=(640, 360)))
    other = load(made(tmp_path / "other.mp4", codec="libx265", size=(480, 272)))
    with serving({"/1": camera}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        for now, width in ((larger, 640), (other, 480), (clip, 320)):
            seen.wait_for_state(one, CameraState.LIVE)
            camera.clip = now
            wait_for_width(seen, one, width)
            seen.wait_for_packets(one, seen.counts()[one] + 3)
        assert supervisor.health()[one].restarts == 0


def test_a_frozen_and_a_killed_server_are_told_and_the_picture_comes_back(path: Path) -> None:
    seen, one, port = Seen(), camera_id("one"), closed_port()
    camera = CameraSpec(one, SafeUrl(f"rtsp://127.0.0.1:{port}/1"))
    with supervising(seen) as supervisor:
        with server_process(path, port) as server:
            supervisor.apply({one: camera})
            seen.wait_for_state(one, CameraState.LIVE)
            process = supervisor.process_id(one)
            said = len(seen.states[one])
            server.send_signal(signal.SIGSTOP)
            seen.wait_for(lambda: (CameraState.STALE, Cause.FROZEN) in seen.states[one][said:])
            said = len(seen.states[one])
            server.send_signal(signal.SIGCONT)
            seen.wait_for_state(one, CameraState.LIVE, after=said)
            said = len(seen.states[one])
        seen.wait_for_state(one, CameraState.UNREACHABLE, after=said)
        said = len(seen.states[one])
        with server_process(path, port):
            seen.wait_for_state(one, CameraState.LIVE, after=said)
        assert supervisor.process_id(one) == process


def test_one_picture_a_second_is_not_stale_and_sixty_are_carried(clip: Clip) -> None:
    seen = Seen()
    slow, fast = camera_id("slow"), camera_id("fast")
    cameras = {"/slow": Camera(clip, fps=1.0), "/fast": Camera(clip, fps=60.0)}
    with serving(cameras) as server, supervising(seen) as supervisor:
        supervisor.apply({name: spec(server, name, f"/{name}") for name in (slow, fast)})
        for name in (slow, fast):
            seen.wait_for_state(name, CameraState.LIVE)
        packets = seen.counts()[slow]
        seen.wait_for_packets(slow, packets + 4)
        seen.wait_for_packets(fast, 60)
        assert states(seen, slow) == {CameraState.LIVE}
        assert states(seen, fast) == {CameraState.LIVE}


def test_a_link_that_goes_and_comes_leaves_one_gap_with_its_cause_and_ends_no_process(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.wait_for_live(4)
        children = camera_processes(site.process.pid)
        faults, square = site.cameras.cameras["/square"].faults, camera_id("square")
        archive, _, holds = archive_of(load_config(site.config))

        def causes() -> list[str]:
            return [entry.cause for _, entry in archive.entries(square, 0, 1e10) if entry.kind == "gap"]

        faults.frozen = True
        wait_until(lambda: live(site.address, site.token) == 3)
        faults.frozen = False
        wait_until(lambda: "frozen" in causes())
        site.wait_for_live(4)
        assert camera_processes(site.process.pid) == children
    assert causes().count("frozen") == 1 and "clock-jump" not in causes()
    assert archive.verify(square, holds) == []


def wait_until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.1)


def wait_for_stale(seen: Seen, name: CameraId, causes: set[Cause]) -> None:
    told = {(CameraState.STALE, cause) for cause in causes}
    seen.wait_for(lambda: bool(told & set(seen.states.get(name, []))))


def wait_for_width(seen: Seen, name: CameraId, width: int) -> None:
    def shown() -> bool:
        said = seen.messages.get(name, [])
        return any(isinstance(one, StreamHeader) and one.stream.width == width for one in said)

    seen.wait_for(shown)


def states(seen: Seen, name: CameraId) -> set[CameraState]:
    """The states from the first time that the camera was live."""
    said = [state for state, _ in seen.states[name]]
    return set(said[said.index(CameraState.LIVE) :])
