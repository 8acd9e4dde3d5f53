"""Cameras in real walled processes, over real RTSP, with networks that do as they are told."""

import errno
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from examples.rtsp_server import Camera, RtspServer, load, serving
from skyveil.app.camera import begun
from skyveil.app.camera_line import crowd_json, masks_json, spec_json
from skyveil.app.control import Control
from skyveil.app.dial import Dialer, DialFailed
from skyveil.app.supervisor import Supervisor, _Camera
from skyveil.app.task import Begin, Json
from skyveil.core.camera import CameraSpec, CrowdSpec, KnownView, LineSpec, ZoneSpec
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.core.settings import Mask
from skyveil.public.aggregate import Aggregate
from skyveil.public.encode.header import StreamHeader
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Message
from tests.private.capture.live.test_rtsp_source import made

SCRIPT = "import sys; sys.path[:0] = {path!r}; from tests.app.live_stand_in import main; main()"
PATIENCE_S = 60.0


class Seen:
    """What cameras said."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.messages: dict[CameraId, list[Message]] = {}
        self.states: dict[CameraId, list[tuple[CameraState, Cause]]] = {}

    def message(self, camera: CameraId, message: Message) -> None:
        with self._changed:
            self.messages.setdefault(camera, []).append(message)
            self._changed.notify_all()

    def health(self, health: CameraHealth) -> None:
        with self._changed:
            self.states.setdefault(health.camera, []).append((health.state, health.cause))
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), (self.states, self.counts())

    def counts(self) -> dict[CameraId, int]:
        return {
            name: sum(isinstance(one, RedactedPacket) for one in said) for name, said in tuple(self.messages.items())
        }

    def places(self) -> set[str]:
        return {told.place for said in tuple(self.messages.values()) for told in said if isinstance(told, Aggregate)}

    def wait_for_packets(self, camera: CameraId, number: int) -> None:
        self.wait_for(lambda: self.counts().get(camera, 0) >= number)

    def wait_for_state(self, camera: CameraId, state: CameraState, *, after: int = 0) -> None:
        self.wait_for(lambda: any(one == state for one, _ in self.states.get(camera, [])[after:]))


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("clip") / "camera.mp4")


@contextmanager
def supervising(
    seen: Seen, fault: str = "", *, view_of: Callable[[CameraId], KnownView] = lambda _: KnownView()
) -> Iterator[Supervisor]:
    command = [sys.executable, "-P", "-c", SCRIPT.format(path=sys.path), fault]
    supervisor = Supervisor({}, on_message=seen.message, on_health=seen.health, command=command, view_of=view_of)
    try:
        yield supervisor
    finally:
        supervisor.close()


def spec(server: RtspServer, name: str = "one", path: str = "/1") -> CameraSpec:
    return CameraSpec(camera_id(name), SafeUrl(f"rtsp://127.0.0.1:{server.port}{path}"))


ENDS_AT_ONCE = (sys.executable, "-c", "")
NOWHERE = CameraSpec(camera_id("one"), SafeUrl("rtsp://127.0.0.1:9/none"))


def test_who_fails_at_hearing_health_ends_no_camera_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyveil.app.supervisor.RESTART_S", (0.0, 0.0))
    monkeypatch.setattr("skyveil.app.supervisor.BUDGET", 1 << 20)
    seen, one, full = Seen(), camera_id("one"), threading.Event()
    full.set()

    def heard(health: CameraHealth) -> None:
        seen.health(health)
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    supervisor = Supervisor({}, on_message=seen.message, on_health=heard, command=ENDS_AT_ONCE)
    try:
        supervisor.apply({one: NOWHERE})
        seen.wait_for(lambda: len(seen.states.get(one, [])) >= 3)
        assert supervisor.problems() == ["one: its health could not be told: OSError"]
        full.clear()
        before = len(seen.states[one])
        seen.wait_for(lambda: len(seen.states[one]) >= before + 2)
        assert supervisor.problems() == []
    finally:
        supervisor.close()


def test_a_camera_that_can_not_be_watched_leaves_the_others_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = {camera_id(name): threading.Semaphore(0) for name in ("one", "two")}

    def check(camera: _Camera, now_s: float) -> None:
        watched[camera.spec.id].release()
        if camera.spec.id == "one":
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_Camera, "check", check)
    seen = Seen()
    supervisor = Supervisor({}, on_message=seen.message, on_health=seen.health, command=ENDS_AT_ONCE)
    try:
        supervisor.apply({name: replace(NOWHERE, id=name) for name in watched})
        assert all(one.acquire(timeout=PATIENCE_S) for one in watched.values() for _ in range(2))
    finally:
        supervisor.close()


def test_a_reload_replaces_a_camera_whose_thread_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, one = Seen(), camera_id("one")
    supervisor = Supervisor({}, on_message=seen.message, on_health=seen.health, command=ENDS_AT_ONCE)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(_Camera, "_run", lambda _: None)
            supervisor.apply({one: NOWHERE})
        supervisor._cameras[one]._thread.join()
        supervisor.apply({one: NOWHERE})
        seen.wait_for_state(one, CameraState.STARTING)
    finally:
        supervisor.close()


ASKS_AGAIN_AND_AGAIN = """
import sys
sys.path[:0] = {path}
from skyveil.core.health import CameraState, Cause
from skyveil.public.wire import WireWriter
from skyveil.public.wire.cameras import Dial, Pulse
wire = WireWriter(sys.stdout.buffer)
for number in range(50):
    wire.send(Dial(number, "tcp"))
for line in iter(sys.stdin.readline, ""):
    if '"dialled": 49' in line:
        wire.send(Pulse(CameraState.UNREACHABLE, Cause.WRONG_ADDRESS, 0, 0, 0, 0, 0, 1, 1, None))
"""


def test_a_process_that_asks_before_it_is_answered_gets_few_connections_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not ended for it: with dead name servers it gives up long before the address is found to be none."""
    asked, over = threading.Semaphore(0), threading.Event()

    def tcp(_: Dialer) -> NoReturn:
        asked.release()
        over.wait(PATIENCE_S)
        raise DialFailed("dns")

    monkeypatch.setattr(Dialer, "tcp", tcp)
    seen, one = Seen(), camera_id("one")
    command = [sys.executable, "-P", "-c", ASKS_AGAIN_AND_AGAIN.format(path=sys.path)]
    supervisor = Supervisor({}, on_message=seen.message, on_health=seen.health, command=command)
    try:
        supervisor.apply({one: NOWHERE})
        seen.wait_for_state(one, CameraState.UNREACHABLE)
        assert all(asked.acquire(timeout=PATIENCE_S) for _ in range(4))
        assert not asked.acquire(blocking=False)
        assert supervisor.health()[one].restarts == 0
    finally:
        over.set()
        supervisor.close()


def test_a_process_that_reads_nothing_can_be_killed(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 1)
        camera = supervisor._cameras[one]
        process = camera._process
        assert process is not None
        with process._sending:  # as while an order waits to be read
            camera._kill(process, Cause.PROCESS_SILENT)
            assert process.popen.wait(PATIENCE_S) == -signal.SIGKILL
        seen.wait_for(lambda: supervisor.health()[one].restarts > 0)


READS_NOTHING = """
import sys
sys.path[:0] = {path}
from skyveil.public.wire import WireWriter
from skyveil.public.wire.cameras import DialPorts
wire = WireWriter(sys.stdout.buffer)
while True:
    wire.send(DialPorts(1, 5, 6))
"""


def test_a_process_that_reads_no_orders_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks and the end that it is told would be lost, and whoever tells them would wait for it each time."""
    monkeypatch.setattr("skyveil.app.running._ORDER_S", 0.1)
    seen, one = Seen(), camera_id("one")
    command = [sys.executable, "-P", "-c", READS_NOTHING.format(path=sys.path)]
    supervisor = Supervisor({}, on_message=seen.message, on_health=seen.health, command=command)
    try:
        supervisor.apply({one: NOWHERE})
        seen.wait_for(lambda: (CameraState.STARTING, Cause.PROCESS_SILENT) in seen.states.get(one, []))
    finally:
        supervisor.close()


def test_a_camera_is_shown_and_stopped(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 5)
        seen.wait_for_state(one, CameraState.LIVE)
        health = supervisor.health()[one]
        assert health.frames and health.rss_bytes and health.descriptors and not health.restarts
        assert isinstance(seen.messages[one][0], StreamHeader)
        wall = supervisor.walls[one]
        assert {"no files", "no core", "seccomp"} <= set(wall.holds)
    assert seen.states[one][-1] == (CameraState.STOPPED, Cause.OK)


def test_a_killed_process_comes_back_and_its_neighbour_does_not_notice(clip_path: Path) -> None:
    seen, one, two = Seen(), camera_id("one"), camera_id("two")
    cameras = {"/1": Camera(load(clip_path)), "/2": Camera(load(clip_path))}
    with serving(cameras) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server), two: spec(server, "two", "/2")})
        seen.wait_for_packets(one, 3)
        seen.wait_for_packets(two, 3)
        before, neighbour = supervisor.process_id(one), supervisor.process_id(two)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        seen.wait_for_packets(one, seen.counts()[one] + 3)
        assert supervisor.process_id(one) not in (None, before)
        assert supervisor.process_id(two) == neighbour
        assert supervisor.health()[one].restarts == 1
        assert (CameraState.STARTING, Cause.PROCESS_DIED) in seen.states[one]


def test_a_stopped_process_is_killed_and_replaced(clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyveil.app.supervisor.SILENT_S", 1.5)
    monkeypatch.setattr("skyveil.app.supervisor.STALE_S", 0.9)
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_state(one, CameraState.LIVE)
        before = supervisor.process_id(one)
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        seen.wait_for(lambda: (CameraState.STARTING, Cause.PROCESS_SILENT) in seen.states[one])
        seen.wait_for(lambda: supervisor.process_id(one) not in (None, before))


def test_a_process_that_has_not_shown_a_picture_yet_is_given_time(
    clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.app.supervisor.SILENT_S", 1.0)
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen, "compiles") as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 1)
        assert supervisor.health()[one].restarts == 0


def test_a_machine_that_is_too_slow_for_a_camera_is_told_and_the_camera_is_not_stale(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen, "slow") as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for(lambda: (CameraState.LIVE, Cause.OVERLOADED) in seen.states.get(one, []))
        assert supervisor.health()[one].dropped
        assert supervisor.health()[one].restarts == 0
        assert (CameraState.STALE, Cause.FROZEN) not in seen.states[one]


def test_adding_changing_and_removing_a_camera_disturbs_no_other(clip_path: Path) -> None:
    seen, names = Seen(), [camera_id(name) for name in ("one", "two", "three")]
    cameras = {f"/{n}": Camera(load(clip_path)) for n in (1, 2, 3)}
    with serving(cameras) as server, supervising(seen) as supervisor:
        specs = {name: spec(server, name, f"/{n + 1}") for n, name in enumerate(names)}
        supervisor.apply({names[0]: specs[names[0]], names[1]: specs[names[1]]})
        seen.wait_for_packets(names[0], 1)
        seen.wait_for_packets(names[1], 1)
        kept, changed = supervisor.process_id(names[0]), supervisor.process_id(names[1])
        specs[names[1]] = replace(specs[names[1]], hindsight=0)
        supervisor.apply(specs)
        seen.wait_for_packets(names[2], 1)
        assert supervisor.process_id(names[0]) == kept
        assert supervisor.process_id(names[1]) != changed
        del specs[names[2]]
        supervisor.apply(specs)
        assert set(supervisor.health()) == {names[0], names[1]}
        assert supervisor.process_id(names[0]) == kept


def test_new_masks_reach_the_running_process(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 2)
        before = supervisor.process_id(one)
        masked = replace(spec(server).settings, masks=(Mask(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))),))
        supervisor.apply({one: replace(spec(server), settings=masked)})
        seen.wait_for_packets(one, seen.counts()[one] + 3)
        assert supervisor.process_id(one) == before


def test_new_places_reach_the_running_process(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    corners = ((0.1, 0.5), (0.9, 0.5), (0.9, 1.0), (0.1, 1.0))
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 2)
        before = supervisor.process_id(one)
        for name in ("hall", "door"):
            drawn = CrowdSpec((ZoneSpec(PlaceId(name), "walkway", corners),))
            supervisor.apply({one: replace(spec(server), crowd=drawn)})
            seen.wait_for(lambda name=name: name in seen.places())  # type: ignore[misc]  # the loop's own name
        assert supervisor.process_id(one) == before


@pytest.mark.parametrize("camera_at", [1, 3])
def test_what_changes_while_a_process_starts_is_not_lost(camera_at: int) -> None:
    one = CameraSpec(camera_id("one"), SafeUrl("rtsp://127.0.0.1/"))
    masks = (Mask(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))),)
    crowd = CrowdSpec(lines=(LineSpec(PlaceId("door"), (0.1, 0.5), (0.9, 0.5)),))
    orders: list[dict[str, Json]] = [
        {"begin": Begin((), {}).json()}, {"masks": masks_json(masks)}, {"crowd": crowd_json(crowd)},
    ]  # fmt: skip
    orders.insert(camera_at, {"camera": spec_json(one)})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(json.dumps(order).encode() + b"\n" for order in orders))
        _, spec = begun(Control(theirs))
    assert (spec.settings.masks, spec.crowd) == (masks, crowd)


@pytest.mark.parametrize("looked", [None, "before", "after"])
def test_a_process_that_begins_is_told_what_is_known_of_its_view(looked: str | None) -> None:
    known = KnownView((((1, 2), (3, 4)), ((5, 6),)), moved=True)
    one = CameraSpec(camera_id("one"), SafeUrl("rtsp://127.0.0.1/"), view=known)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        trust: list[dict[str, Json]] = [{"trust_view": True}]
        orders: list[dict[str, Json]] = [{"begin": Begin((), {}).json()}, {"camera": spec_json(one)}]
        orders = [*(trust if looked == "before" else []), *orders, *(trust if looked == "after" else [])]
        ours.sendall(b"".join(json.dumps(order).encode() + b"\n" for order in orders))
        _, spec = begun(Control(theirs))
    assert spec.view == (KnownView() if looked else known)


def test_a_camera_that_was_moved_stays_so_over_restarts_until_somebody_looks(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    crowd = CrowdSpec((ZoneSpec(PlaceId("hall"), "walkway", ((0.1, 0.5), (0.9, 0.5), (0.9, 1.0))),))
    moved = KnownView(moved=True)
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen, view_of=lambda _: moved) as supervisor:
        supervisor.apply({one: replace(spec(server), crowd=crowd)})
        seen.wait_for(lambda: (CameraState.LIVE, Cause.MOVED) in seen.states.get(one, []))
        assert (CameraState.LIVE, Cause.OK) not in seen.states[one]
        supervisor.trust_view(one)
        seen.wait_for(lambda: (CameraState.LIVE, Cause.OK) in seen.states.get(one, []))
        supervisor.trust_view(camera_id("none"))


def test_a_wrong_password_and_a_dead_address_are_told(clip_path: Path) -> None:
    seen, one, two = Seen(), camera_id("one"), camera_id("two")
    camera = Camera(load(clip_path))
    with serving({"/1": camera}, user="u", password="right") as server, supervising(seen) as supervisor:  # noqa: S106
        wrong = replace(spec(server), username="u", password=Secret("wrong"))
        dead = CameraSpec(two, SafeUrl("rtsp://127.0.0.1:9/none"))
        supervisor.apply({one: wrong, two: dead})
        seen.wait_for(lambda: (CameraState.REFUSED, Cause.WRONG_PASSWORD) in seen.states.get(one, []))
        seen.wait_for(lambda: (CameraState.UNREACHABLE, Cause.WRONG_ADDRESS) in seen.states.get(two, []))


def test_a_camera_that_goes_away_is_told_and_comes_back(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen) as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_state(one, CameraState.LIVE)
        process, before = supervisor.process_id(one), len(seen.states[one])
        server.drop()
        seen.wait_for(lambda: (CameraState.UNREACHABLE, Cause.LINK_LOST) in seen.states[one][before:])
        seen.wait_for_state(one, CameraState.LIVE, after=before)
        assert supervisor.process_id(one) == process


def test_a_process_reaches_its_camera_and_nothing_else(clip_path: Path) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen, "escapes") as supervisor:
        supervisor.apply({one: spec(server)})
        seen.wait_for_packets(one, 12)
        seen.wait_for(lambda: supervisor.health()[one].frames > 0)
        # The stand-in tries every way out at each look, and fails as a detector does when one works.
        assert supervisor.health()[one].whole < supervisor.health()[one].frames


@pytest.mark.parametrize("fault", ["raises", "dies"])
def test_a_detector_that_fails_never_yields_a_clear_picture(clip_path: Path, fault: str) -> None:
    seen, one = Seen(), camera_id("one")
    with serving({"/1": Camera(load(clip_path))}) as server, supervising(seen, fault) as supervisor:
        supervisor.apply({one: spec(server)})
        if fault == "raises":
            seen.wait_for(lambda: (CameraState.COVERED, Cause.DETECTOR_FAILED) in seen.states.get(one, []))
            health = supervisor.health()[one]
            assert health.whole == health.frames > 0
        else:
            seen.wait_for(lambda: (CameraState.STARTING, Cause.PROCESS_DIED) in seen.states.get(one, []))
            assert not seen.counts().get(one)
