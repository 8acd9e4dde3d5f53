"""Keeps one process per camera alive. App, parent side.

Each camera has a thread that reads its pipe; one more thread watches the wall-clock of all. What a process sends goes
to `on_message` on that camera's thread. A process that says nothing for 5 s is killed, one that ended is started again:
at once, then with growing waits, after many times in ten minutes now and then. Two start at a time for each processor.
"""

import io
import json
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, final

from skyveil.app.camera_line import crowd_json, masks_json, rulers_json, spec_json
from skyveil.app.dial import Dialer, DialFailed, refuse_untrusting
from skyveil.app.running import Heard, Running, Starts, Turn, started
from skyveil.app.task import Begin, Json
from skyveil.core.camera import AskedRulers, CameraSpec, KnownView
from skyveil.core.errors import WorkerFailed
from skyveil.core.health import CameraHealth, CameraState, CameraUnavailable, Cause
from skyveil.core.ids import CameraId
from skyveil.public.wire import Failed, Message, Walled, WireReader
from skyveil.public.wire.cameras import Dial, DialPorts, Pulse

log: Final = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-P", "-m", "skyveil.app.camera")
STALE_S: Final = 2.0
SILENT_S: Final = 5.0
"""A process tells a pulse every half second; the slowest single step measured, compiling a network, takes under 2 s."""
STARTING_S: Final = 90.0
"""A process that has not shown a picture yet may be silent for so long: networks are compiled, and many may start at
once. Seen on two busy cores: processes that were killed at 5 s, or at 30 s, compiled again, for ever."""
STOP_S: Final = 4.0
RESTART_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
BUDGET: Final = 10
BUDGET_SPAN_S: Final = 600.0
_FAILED_RETRY_S: Final = 120.0
_DIALS: Final = 4
"""Connections to one camera that are made at a time. Its process waits for one, but gives it up after 8 s: with three
name servers that do not answer and two domains to search, the address was looked for for 56 s."""
_CHECK_S: Final = 0.2


@final
class _Camera:
    """One camera's process, restarted as needed. Its own thread reads; `change` and `check` come from others."""

    def __init__(self, spec: CameraSpec, owner: "Supervisor") -> None:
        self.spec = spec
        self._owner = owner
        self._lock = threading.Lock()
        self._dials = threading.Semaphore(_DIALS)
        self._stopping = threading.Event()
        self._process: Running | None = None
        self._restarts = 0
        self._deaths: deque[float] = deque(maxlen=BUDGET)
        self._dialer = Dialer(spec.source)
        self.health = CameraHealth(spec.id, CameraState.STARTING, Cause.CONNECTING, time.time())
        self._frame_s: float | None = None
        self._frames_before = 0
        self._last_pulse: Pulse | None = None
        self._killed_as = Cause.PROCESS_DIED
        self._was_heard = True
        self.trouble = ""
        """Why its health was not told last."""
        self._thread = threading.Thread(target=self._run, name=f"camera-{spec.id}", daemon=True)
        self._thread.start()

    # --- from other threads -------------------------------------------------------------------------------------------

    def change(self, spec: CameraSpec) -> None:
        """Cover other masks, and measure other places, from the next frame on."""
        before, self.spec = self.spec, spec
        if spec.settings.masks != before.settings.masks:
            self._order({"masks": masks_json(spec.settings.masks)})
        if spec.crowd != before.crowd:
            self._order({"crowd": crowd_json(spec.crowd)})

    def trust_view(self) -> None:
        """Take the view that is seen now for the calibrated one."""
        self._order({"trust_view": True})

    def rulers(self, asked: AskedRulers | None) -> bool:
        """Take people for rulers from now on, or no more; whether there is a process that was heard, and so hears."""
        process = self._process
        self._order({"rulers": rulers_json(asked)})
        return process is not None and process.heard_s is not None

    def ask_to_stop(self) -> None:
        """Ask the process to end; `join` waits for it."""
        self._stopping.set()
        self._order({"stop": True})

    def join(self, until_s: float) -> None:
        """Wait until process and thread are gone; after `until_s` (monotonic) the process is killed."""
        self._thread.join(max(0.0, until_s - time.monotonic()))
        if self._thread.is_alive():
            self._kill(self._process, Cause.PROCESS_SILENT)
            self._thread.join(5)

    def is_over(self) -> bool:
        """Whether its thread has ended: nobody starts its process again."""
        return not self._thread.is_alive()

    def check(self, now_s: float) -> None:
        """Notice silence: stale after 2 s, killed after 5; time in which the machine kept it waiting does not count."""
        process = self._process
        if process is None or self._stopping.is_set():
            return
        starting = process.heard_s is None or self.health.state is CameraState.STARTING
        silent_s = process.silent_s(now_s)
        if silent_s > (STARTING_S if starting else SILENT_S):
            self._kill(process, Cause.PROCESS_SILENT)
        elif self.health.state in (CameraState.LIVE, CameraState.COVERED):
            if silent_s > STALE_S:
                self._tell(CameraState.STALE, Cause.PROCESS_SILENT)
            elif not starting and now_s - (process.heard_s or now_s) > SILENT_S:
                self._tell(CameraState.STALE, Cause.OVERLOADED)
        self.health = replace(self.health, age_s=None if self._frame_s is None else now_s - self._frame_s)

    # --- this camera's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            try:
                self._one_life()
            except CameraUnavailable as error:  # no process was started, so none ended
                if error.cause is not self.health.cause:
                    log.warning("camera %s: %s: %s", self.spec.id, error, error.__cause__)
                self._tell(CameraState.UNREACHABLE, error.cause)
                wait_s = RESTART_S[-2]
                continue
            except (WorkerFailed, OSError) as error:
                log.warning("camera %s: %s", self.spec.id, error)
            except Exception as error:  # whatever it is, it must not leave a camera that nobody starts again
                log.warning("camera %s: %s", self.spec.id, type(error).__name__)
            if self._stopping.is_set():
                break
            now_s = time.monotonic()
            self._restarts += 1
            self._deaths.append(now_s)
            log.warning("camera %s: its process ended (%s) and is started again", self.spec.id, self._killed_as)
            spent = len(self._deaths) == BUDGET and now_s - self._deaths[0] < BUDGET_SPAN_S
            recent = sum(now_s - one < 60 for one in self._deaths)
            wait_s = RESTART_S[min(recent - 1, len(RESTART_S) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
            # One that was not heard waits in any case: others may wait for the turn that it had.
            wait_s = _FAILED_RETRY_S if spent else max(wait_s, 0.0 if self._was_heard else RESTART_S[1])
            self._tell(
                CameraState.FAILED if spent else CameraState.STARTING,
                Cause.RESTART_BUDGET if spent else self._killed_as,
            )
            self._killed_as = Cause.PROCESS_DIED
        self._tell(CameraState.STOPPED, Cause.OK)

    def _one_life(self) -> None:
        """Start the process and read it until it ends."""
        refuse_untrusting(self.spec)
        with self._owner.starts.turn(
            wanted=lambda: not self._stopping.is_set(), waits=lambda: self._tell(CameraState.STARTING, Cause.WAITING)
        ) as turn:
            if self._stopping.is_set():
                return
            if self.health.cause is Cause.WAITING:  # its turn has come; why one was started again stays told
                self._tell(CameraState.STARTING, Cause.CONNECTING)
            process = started(self._owner.command, now_s=time.monotonic())
            with self._lock:
                self._process = process
            try:
                self._read(process, turn)
            finally:
                self._was_heard = process.heard_s is not None
                with self._lock:
                    self._process = None
                process.close()
                self._dialer.forget()
                self._frames_before += 0 if self._last_pulse is None else self._last_pulse.frames
                self._last_pulse = None

    def _read(self, process: Running, turn: Turn) -> None:
        """Tell the process its camera, and hear it until it ends."""
        self._order({"begin": Begin(self._owner.readable, self._owner.models).json()})
        known = self._owner.view_of(self.spec.id)
        self._order({"camera": spec_json(replace(self.spec, view=known))})
        for message in WireReader(io.BufferedReader(Heard(process.stdout), 1 << 18)):
            if process.heard_s is not None or isinstance(message, Pulse):
                process.heard_s = time.monotonic()
                turn.end()
            self._take(message)

    def _take(self, message: Message) -> None:
        match message:
            case Pulse():
                self._last_pulse = message
                self._pulse(message)
            case Dial():
                if self._dials.acquire(blocking=False):
                    # In a thread of its own: a slow name server must not keep us from hearing the process.
                    threading.Thread(target=self._dial, args=(message,), daemon=True).start()
                else:
                    self._order({"dialled": message.number, "error": "timeout"})
            case DialPorts():
                self._bind(message)
            case Failed():
                log.warning("camera %s: %s", self.spec.id, message.message)
            case Walled():
                self._owner.walls[self.spec.id] = message
            case _:
                self._owner.on_message(self.spec.id, message)

    def _pulse(self, pulse: Pulse) -> None:
        now_s = time.monotonic()
        if pulse.fps > 0:
            self._frame_s = now_s
        same = (pulse.state, pulse.cause) == (self.health.state, self.health.cause)
        self.health = CameraHealth(
            camera=self.spec.id,
            state=pulse.state,
            cause=pulse.cause,
            since_s=self.health.since_s if same else time.time(),
            fps=pulse.fps,
            age_s=None if self._frame_s is None else now_s - self._frame_s,
            frames=self._frames_before + pulse.frames,
            dropped=pulse.dropped,
            whole=pulse.whole,
            restarts=self._restarts,
            rss_bytes=pulse.rss_bytes,
            descriptors=pulse.descriptors,
            clock_offset_s=pulse.clock_offset_s,
        )
        self._say()

    def _tell(self, state: CameraState, cause: Cause) -> None:
        same = (state, cause) == (self.health.state, self.health.cause)
        since_s = self.health.since_s if same else time.time()
        self.health = replace(self.health, state=state, cause=cause, since_s=since_s, fps=0.0, restarts=self._restarts)
        self._say()

    def _say(self) -> None:
        """Tell the health. Whoever hears it must not end our thread or the watchdog: nobody starts them again."""
        try:
            self._owner.on_health(self.health)
            self.trouble = ""
        except Exception as error:  # what it is, is the hearer's to say
            said = f"its health could not be told: {type(error).__name__}"
            if said != self.trouble:
                log.warning("camera %s: %s", self.spec.id, said)
            self.trouble = said

    def _dial(self, wish: Dial) -> None:
        answer: dict[str, Json] = {"dialled": wish.number}
        try:
            if wish.transport == "tcp":
                with self._dialer.tcp() as given:
                    self._order(answer | {"sockets": 1}, (given,))
            else:
                first, second = self._dialer.udp(wish.number)
                with first, second:
                    self._order(answer | {"sockets": 2}, (first, second))
        except DialFailed as error:
            self._order(answer | {"error": error.trouble})
        finally:
            self._dials.release()

    def _bind(self, ports: DialPorts) -> None:
        try:
            self._dialer.bind(ports.number, ports.rtp_port, ports.rtcp_port)
            self._order({"dialled": ports.number})
        except DialFailed as error:
            self._order({"dialled": ports.number, "error": error.trouble})

    def _order(self, order: dict[str, Json], sockets: Sequence[socket.socket] = ()) -> None:
        """Send an order, and sockets with it; a process that is gone needs none, one that does not read is ended."""
        process = self._process
        if process is not None:
            try:
                process.order(json.dumps(order).encode() + b"\n", sockets)
            except TimeoutError:
                self._kill(process, Cause.PROCESS_SILENT)
            except OSError:
                pass

    def _kill(self, process: Running | None, cause: Cause) -> None:
        with self._lock:
            if process is not None and process is self._process:
                self._killed_as = cause
                # A stopped process hears nothing but this.
                with suppress(ProcessLookupError):
                    os.kill(process.popen.pid, signal.SIGKILL)


@final
class Supervisor:
    """Runs the cameras that it is given. `apply`, `health` and `close` may be called from any one thread at a time."""

    def __init__(
        self,
        models: Mapping[str, Path],
        *,
        on_message: Callable[[CameraId, Message], None],
        on_health: Callable[[CameraHealth], None],
        command: Sequence[str] = COMMAND,
        readable: tuple[Path, ...] = (),
        view_of: Callable[[CameraId], KnownView] = lambda _: KnownView(),
    ) -> None:
        """All callbacks come on the camera's own thread, and must not block for long. view_of: what a process that
        begins is told of its camera's view."""
        self.view_of = view_of
        self.models = dict(models)
        """The networks of processes that begin; other ones are put here before cameras that need them are applied."""
        self.command = tuple(command)
        self.readable = readable
        self.on_message = on_message
        self.on_health = on_health
        self.starts = Starts()
        self.walls: dict[CameraId, Walled] = {}
        """What each camera's process said of the wall around it."""
        self._cameras: dict[CameraId, _Camera] = {}
        self._closed = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="camera-watchdog", daemon=True)
        self._watchdog.start()

    def apply(self, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Run these cameras and no others. A camera that did not change is not disturbed; new masks cover,
        and new places are measured, at once."""
        leaving = [
            camera
            for name, camera in self._cameras.items()
            if name not in specs or _lasting(specs[name]) != _lasting(camera.spec) or camera.is_over()
        ]
        for camera in leaving:
            camera.ask_to_stop()
        until_s = time.monotonic() + STOP_S
        for camera in leaving:
            camera.join(until_s)
            del self._cameras[camera.spec.id]
        for name, spec in specs.items():
            running = self._cameras.get(name)
            if running is None:
                self._cameras[name] = _Camera(spec, self)
            elif running.spec != spec:
                running.change(spec)

    def health(self) -> dict[CameraId, CameraHealth]:
        """The health of every camera now."""
        return {name: camera.health for name, camera in tuple(self._cameras.items())}

    def problems(self) -> list[str]:
        """What failed beside the cameras' processes."""
        return [f"{name}: {camera.trouble}" for name, camera in tuple(self._cameras.items()) if camera.trouble]

    def trust_view(self, camera: CameraId) -> None:
        """Take what a camera sees now for its calibrated view; one that does not run is told when it begins."""
        running = self._cameras.get(camera)
        if running is not None:
            running.trust_view()

    def rulers(self, camera: CameraId, asked: AskedRulers | None) -> bool:
        """Take people before a camera for rulers, or no more; whether it runs. A process that ends forgets it."""
        running = self._cameras.get(camera)
        return running is not None and running.rulers(asked)

    def process_id(self, camera: CameraId) -> int | None:
        """The process of a camera, for tests and `doctor`; None while there is none."""
        process = self._cameras[camera]._process  # noqa: SLF001 (one class in two)
        return None if process is None else process.popen.pid

    def close(self) -> None:
        """End every camera, within 5 s."""
        self._closed.set()
        self.apply({})
        self._watchdog.join(5)

    def _watch(self) -> None:
        while not self._closed.wait(_CHECK_S):
            now_s = time.monotonic()
            for camera in tuple(self._cameras.values()):
                try:
                    camera.check(now_s)
                except Exception as error:  # one camera's must not leave the others unwatched
                    camera.trouble = f"it could not be watched: {type(error).__name__}"
                    log.warning("camera %s: %s", camera.spec.id, camera.trouble)


def _lasting(spec: CameraSpec) -> CameraSpec:
    """What a process can not change while it runs: everything but masks and places."""
    return replace(spec, settings=replace(spec.settings, masks=()), crowd=None)
