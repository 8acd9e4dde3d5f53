"""The process of one camera: `python -m skyveil.app.camera`. App, behind the wall.

stdin is one end of a socket pair on which the parent gives orders and connections; stdout takes `public.wire`
messages; stderr takes plain text. The wall is raised before the camera is reached and before the libraries that
compute are imported. The end of the parent ends the process.
"""

import os
import random
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, final

from skyveil.app import sandbox
from skyveil.app.camera_line import crowd_from, masks_from, rulers_from, spec_from
from skyveil.app.control import Control, Order, SocketConnection, SocketPair, secured
from skyveil.app.dial import trusting
from skyveil.app.load import Load
from skyveil.app.task import Begin
from skyveil.app.worker import own_stdout, quiet_logging, stranger
from skyveil.core.camera import CameraSpec, KnownView
from skyveil.core.errors import SkyveilError, WorkerFailed
from skyveil.core.health import CameraState, CameraUnavailable, Cause
from skyveil.core.settings import Mask
from skyveil.private.capture.live.connection import Connection, UdpPair
from skyveil.public.wire import Failed, Message, Walled, WireWriter
from skyveil.public.wire.cameras import Dial, DialPorts, Epoch, Pulse

if TYPE_CHECKING:
    from skyveil.app.live import Live

PULSE_S: Final = 0.5
STALE_S: Final = 2.0
COVERED_S: Final = 5.0
_COMING_S: Final = 1.0
"""Pictures still come when one was taken so lately; then it is not the camera that stopped."""
DIAL_S: Final = 8.0
BACK_OFF_S: Final[tuple[float, ...]] = (0.5, 1.0)
"""Waits between two attempts to reach a camera that is away, so that its picture is back within 3 s of it: an attempt
that nobody answers takes 2 s more. Each varies by a quarter, so that a site does not come back at once."""
PATIENT_S: Final[tuple[float, ...]] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The same where a person must do something first: cameras lock out who tries wrong passwords often."""
_LASTING: Final = frozenset(
    {
        Cause.WRONG_PASSWORD,
        Cause.CERTIFICATE,
        Cause.UNSUPPORTED_CODEC,
        Cause.UNSUPPORTED_STREAM,
        Cause.ELSEWHERE,
        Cause.FILE_MISSING,
    }
)
_EPOCH_S: Final = 0.5
_TROUBLES: Final = {"dns": Cause.WRONG_ADDRESS, "refused": Cause.WRONG_ADDRESS, "unreachable": Cause.WRONG_ADDRESS}
_STATES: Final = {
    Cause.WRONG_PASSWORD: CameraState.REFUSED,
    Cause.UNSUPPORTED_CODEC: CameraState.UNSUPPORTED,
    Cause.FROZEN: CameraState.STALE,
    Cause.NO_KEY_FRAME: CameraState.STALE,
    Cause.GARBAGE: CameraState.STALE,
}
LiveFactory: TypeAlias = "Callable[[Mapping[str, Path], CameraSpec], Live]"


@final
class Stopped(Exception):
    """The parent asked the process to end."""


@final
@dataclass(slots=True)
class _Counts:
    """What a pulse tells."""

    frames: int = 0
    whole: int = 0
    dropped: int = 0
    behind_s: float = 0.0


@final
class CameraProcess:
    """Keeps one camera going until it is told to stop. One thread owns it."""

    def __init__(
        self, spec: CameraSpec, live: "Live", control: Control, wire: WireWriter, tls: ssl.SSLContext | None
    ) -> None:
        self._spec = spec
        self._live = live
        self._control = control
        self._wire = wire
        self._tls = tls
        self._dials = 0
        self._answers: deque[Order] = deque()
        self._masks: tuple[Mask, ...] | None = None
        self._counts = _Counts()
        self._load = Load(spec.max_fps)
        self._times: deque[float] = deque(maxlen=1000)
        self._state, self._cause = CameraState.STARTING, Cause.CONNECTING
        self._pulse_s = self._left_s = self._covered_s = self._came_s = 0.0
        self._epoch: tuple[int, float] | None = None

    def run(self) -> None:
        """Reach the camera again and again, with patience; ends when the parent says so."""
        failures = 0
        try:
            while True:
                began_s, waits_s = time.monotonic(), BACK_OFF_S
                try:
                    self._run_once()
                except CameraUnavailable as error:
                    waits_s = PATIENT_S if error.cause in _LASTING else BACK_OFF_S
                    # A connection that held for a while starts the patience anew.
                    failures = 0 if time.monotonic() - began_s > 30 else failures
                    self._say(_STATES.get(error.cause, CameraState.UNREACHABLE), error.cause)
                wait_s = waits_s[min(failures, len(waits_s) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
                failures += 1
                until_s = time.monotonic() + wait_s
                while time.monotonic() < until_s:
                    self._listen(0.1)
                    self._pulse()
        except Stopped:
            return

    def _run_once(self) -> None:
        """Show the camera until it fails; raises CameraUnavailable."""
        with closing(self._live.opened(self)) as source:
            for arrived in source.frames():
                self._counts.dropped = self._live.dropped
                self._listen(0.0)
                if arrived is not None:
                    for message in self._live.seen(arrived):
                        # First its wall time: without it the first key frame could not be recorded.
                        self._note()
                        self._send(message)
                    self._note()
                    self._came_s = time.monotonic()
                self._judge()
                self._pulse()

    def _note(self) -> None:
        """Take over what the live chain counted since it was asked last."""
        for left in self._live.left():
            self._counts.frames += 1
            self._counts.whole += left.whole
            self._counts.behind_s = max(0.0, left.left_s - left.arrival_s)
            self._times.append(left.left_s)
            if not left.whole:
                self._covered_s = 0.0
            elif not self._covered_s or left.left_s - self._left_s > STALE_S:
                self._covered_s = left.left_s  # pictures that stopped in between were not covered all the time
            self._left_s = left.left_s
            self._tell_epoch(left.pts, time.time() - (time.monotonic() - left.arrival_s))

    def _judge(self) -> None:
        """The state of a camera that is connected."""
        now_s = time.monotonic()
        self._load.note(shown=self._counts.frames, late=self._live.late, now_s=now_s)
        stale = now_s - self._left_s > STALE_S
        if not stale and self._covered_s and now_s - self._covered_s > COVERED_S:
            self._say(CameraState.COVERED, self._live.trouble or Cause.DETECTOR_LATE)
        elif not stale:
            beside = self._live.beside
            self._say(CameraState.LIVE, Cause.OVERLOADED if beside is Cause.OK and self._load.overloaded else beside)
        elif self._load.leaves_out and now_s - max(self._came_s, self._left_s) <= _COMING_S:
            shown = now_s - self._left_s <= COVERED_S
            self._say(CameraState.LIVE if shown else CameraState.STALE, Cause.OVERLOADED)
        elif self._state in (CameraState.LIVE, CameraState.COVERED) or self._cause is Cause.OVERLOADED:
            self._say(CameraState.STALE, Cause.FROZEN)

    def _say(self, state: CameraState, cause: Cause) -> None:
        if (state, cause) != (self._state, self._cause):
            self._state, self._cause = state, cause
            self._pulse_s = 0.0
            self._pulse()

    def _pulse(self) -> None:
        now_s = time.monotonic()
        if now_s - self._pulse_s < PULSE_S:
            return
        self._pulse_s = now_s
        recent = [one for one in self._times if now_s - one <= 2.0]
        self._wire.send(
            Pulse(
                state=self._state,
                cause=self._cause,
                fps=len(recent) / 2.0,
                behind_s=self._counts.behind_s,
                frames=self._counts.frames,
                dropped=self._counts.dropped,
                whole=self._counts.whole,
                rss_bytes=_rss_bytes(),
                descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (names only)
                clock_offset_s=self._live.clock_offset_s,
            )
        )

    def _tell_epoch(self, pts: int, wall_s: float) -> None:
        """Say which wall time a presentation time has; again when the wall clock was set."""
        if self._epoch is not None:
            expected_s = self._epoch[1] + (pts - self._epoch[0]) / 90_000
            if abs(expected_s - wall_s) < _EPOCH_S:
                return
        self._epoch = (pts, wall_s)
        self._wire.send(Epoch(pts, wall_s))

    def _send(self, message: Message) -> None:
        self._wire.send(message)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _listen(self, wait_s: float) -> None:
        """Take the orders that are there."""
        for order in self._control.orders(wait_s):
            if "stop" in order:
                raise Stopped
            if "masks" in order:
                self._live.mask(masks_from(order["masks"]))
            if "crowd" in order:
                self._live.measure(crowd_from(order["crowd"]))
            if "trust_view" in order:
                self._live.trust_view()
            if "rulers" in order:
                self._live.measure_by_people(rulers_from(order["rulers"]))
            if "dialled" in order:
                self._answers.append(order)

    def _answer(self) -> Order:
        """What the parent says to the last `Dial`."""
        until_s = time.monotonic() + DIAL_S
        while time.monotonic() < until_s:
            while self._answers:
                order = self._answers.popleft()
                if order["dialled"] == self._dials:
                    return order
                for given in self._control.taken(_descriptors(order)):
                    given.close()
            self._listen(0.1)
            self.idle()
        raise CameraUnavailable(Cause.WRONG_ADDRESS)

    def _asked(self, message: Dial) -> list[socket.socket]:
        self._wire.send(message)
        order = self._answer()
        if "error" in order:
            raise CameraUnavailable(_TROUBLES.get(str(order["error"]), Cause.WRONG_ADDRESS))
        return self._control.taken(_descriptors(order))

    # --- connections, for the source ----------------------------------------------------------------------------------

    def tcp(self) -> Connection:
        """A new connection to the camera, under TLS where the address says so; raises CameraUnavailable."""
        self._dials += 1
        (given,) = self._asked(Dial(self._dials, "tcp"))
        if self._tls is not None:
            given = secured(given, self._tls, self._spec.source.host)
        return SocketConnection(given)

    def udp(self) -> UdpPair:
        """Two new UDP sockets; raises CameraUnavailable."""
        self._dials += 1
        first, second = self._asked(Dial(self._dials, "udp"))
        return SocketPair(first, second, self._bind)

    def idle(self) -> None:
        """Look at orders and clocks while a source waits."""
        self._listen(0.0)
        if self._state in (CameraState.LIVE, CameraState.COVERED):
            self._judge()
        self._pulse()

    def _bind(self, rtp_port: int, rtcp_port: int) -> None:
        self._wire.send(DialPorts(self._dials, rtp_port, rtcp_port))
        if "error" in self._answer():
            raise CameraUnavailable(Cause.WRONG_ADDRESS)


def _descriptors(order: Order) -> int:
    number = order.get("sockets", 0)
    return number if isinstance(number, int) else 0


def _rss_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (a file of the kernel, read every half second)
        return int(file.read().split()[1]) * 4096


def begun(control: Control) -> tuple[Begin, CameraSpec]:
    """What the parent says at first, with what it changed meanwhile; raises WorkerFailed."""
    begin: Begin | None = None
    spec: CameraSpec | None = None
    orders: list[Order] = []
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        # A change that comes before the camera was made while that was being written, and may not be in it.
        orders += control.orders(1.0)
        for order in orders:
            if "begin" in order:
                begin = Begin.of_json(order["begin"])
            if "camera" in order:
                spec = spec_from(order["camera"])
        if begin is not None and spec is not None:
            return begin, _changed(spec, orders)
    raise WorkerFailed("the parent gave no camera within 30 s")


def _changed(spec: CameraSpec, orders: Iterable[Order]) -> CameraSpec:
    for order in orders:
        if "masks" in order:
            spec = replace(spec, settings=replace(spec.settings, masks=masks_from(order["masks"])))
        if "crowd" in order:
            spec = replace(spec, crowd=crowd_from(order["crowd"]))
        if "trust_view" in order:
            spec = replace(spec, view=KnownView())
    return spec


def main(making: "LiveFactory | None" = None) -> int:
    """Serve one camera until told to stop. `making` makes what sees and encodes; the product's own unless a test's."""
    wire = WireWriter(own_stdout())
    control = Control(socket.socket(fileno=os.dup(0)))
    try:
        begin, spec = begun(control)
        locked = sandbox.lock_memory()
        readable = (*begin.readable, *begin.models.values())
        if spec.source.scheme == "file":
            readable = (*readable, Path(spec.source.path))
        if spec.density is not None and spec.density.path is not None:
            readable = (*readable, spec.density.path)
        process = _walled(wire, control, spec, begin, readable, locked, making or _product)
        if process is None:
            return 1
        process.run()
    except (SkyveilError, OSError) as error:
        wire.send(Failed.of(error if isinstance(error, SkyveilError) else stranger(error)))
        return 1
    return 0


def _walled(
    wire: WireWriter,
    control: Control,
    spec: CameraSpec,
    begin: Begin,
    readable: tuple[Path, ...],
    locked: str,
    making: "LiveFactory",
) -> CameraProcess | None:
    """Raise the wall, say so, and make what stands behind it; None when the wall has holes."""
    tls = trusting(spec)  # behind the wall no certificate can be read
    report = sandbox.enter(readable, given_sockets=True)
    quiet_logging()
    report = (
        replace(report, holds=(*report.holds, "memory locked"))
        if not locked
        else replace(report, missing=(*report.missing, f"memory locked: {locked}"))
    )
    wire.send(Walled(report.holds, report.missing))
    if not report.enough:
        wire.send(Failed.of(WorkerFailed(f"the wall around raw pixels has holes: {'; '.join(report.missing)}")))
        return None
    return CameraProcess(spec, making(begin.models, spec), control, wire, tls)


def _product(models: Mapping[str, Path], spec: CameraSpec) -> "Live":
    """The product's own chain, imported behind the wall."""
    from skyveil.app.live import Live
    from skyveil.core.manifest import COMPILED
    from skyveil.private.detect.finder import Finder

    finder = Finder(models, precision=spec.settings.precision, shapes="fixed")
    finder.prepare(spec.settings.targets)
    return Live(spec, finder, compiled=models.get(COMPILED))


if __name__ == "__main__":
    sys.exit(main())
