"""Sends the streams of some cameras on by RTSP, as the configuration says. App, server process.

Which cameras may be sent on is decided before their processes change and widened after: a camera that is to show more
is taken away first.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from skyveil.app.certificate import Certificate
from skyveil.core.ids import CameraId
from skyveil.public.encode.header import StreamHeader
from skyveil.public.restream.push import Push, Target
from skyveil.public.restream.server import Access, RestreamServer
from skyveil.public.store import AuditLog
from skyveil.public.types import RedactedPacket

log: Final = logging.getLogger(__name__)
AGAIN_S: Final = 3600.0
"""How often the audit log is told that the same address plays the same camera: a VMS connects again at every hiccup."""
_RETRY_S: Final = 10.0


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """What is sent on, to whom. reasons: by camera, why less than every target is covered; empty where all are."""

    access: Access | None = None
    push: Target | None = None
    tls: tuple[Path, Path] | None = None
    reasons: tuple[tuple[CameraId, str], ...] = ()

    @property
    def cameras(self) -> frozenset[CameraId]:
        """Every camera that is sent on."""
        return frozenset(camera for camera, _ in self.reasons)


@final
class Restreaming:
    """The RTSP server of a site. Only the event loop's thread touches it, but for `problems`."""

    def __init__(self, audit: AuditLog, *, now: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._now = now
        self._wanted = Wanted()
        self._allowed: frozenset[CameraId] = frozenset()
        self._headers: dict[CameraId, StreamHeader] = {}
        self._server: RestreamServer | None = None
        self._listening: asyncio.Task[None] | None = None
        self._pushing: dict[CameraId, tuple[Push, asyncio.Task[None]]] = {}
        self._played: dict[tuple[CameraId, str], float] = {}
        self._problem = ""
        self.certificate: Certificate | None = None
        """What is shown to who connects by TLS."""

    def narrow(self, cameras: frozenset[CameraId]) -> None:
        """Send on no camera but these from now on."""
        self._allowed &= cameras
        if self._server is not None:
            for camera in self._server.cameras() - self._allowed:
                self._server.remove(camera)
        for camera in self._pushing.keys() - self._allowed:
            self._pushing.pop(camera)[1].cancel()

    def configure(self, wanted: Wanted) -> None:
        """Send these cameras on."""
        before, self._wanted = self._wanted, wanted
        self._allowed = wanted.cameras
        if (wanted.access, wanted.tls) != (before.access, before.tls):
            self._stop()
            if wanted.access is not None:
                self.certificate = None if wanted.tls is None else Certificate(*wanted.tls)
                tls = None if self.certificate is None else self.certificate.context
                self._server = RestreamServer(wanted.access, on_play=self._plays, tls=tls)
                self._listening = asyncio.create_task(self._listen(self._server), name="restreaming")
        if self._server is not None:
            for camera in self._server.cameras() - wanted.cameras:
                self._server.remove(camera)
            for camera in wanted.cameras - self._server.cameras():
                if camera in self._headers:
                    self._server.begin(camera, self._headers[camera])
        self._push(wanted, anew=wanted.push != before.push)

    def _push(self, wanted: Wanted, *, anew: bool) -> None:
        """Publish these cameras and no others."""
        stay = frozenset[CameraId]() if anew or wanted.push is None else wanted.cameras
        for camera in self._pushing.keys() - stay:
            self._pushing.pop(camera)[1].cancel()
        target = wanted.push
        if target is None:
            return
        for camera in wanted.cameras - self._pushing.keys():
            push = Push(target, camera)
            self._pushing[camera] = (push, asyncio.create_task(push.run(), name="pushing"))
            if camera in self._headers:
                push.begin(self._headers[camera])

    def begin(self, camera: CameraId, header: StreamHeader) -> None:
        """A camera's stream begins."""
        self._headers[camera] = header
        if self._server is not None and camera in self._allowed:
            self._server.begin(camera, header)
        if camera in self._pushing and camera in self._allowed:
            self._pushing[camera][0].begin(header)

    def publish(self, camera: CameraId, packet: RedactedPacket) -> None:
        """A picture of a camera."""
        if self._server is not None and camera in self._allowed:
            self._server.publish(camera, packet)
        if camera in self._pushing and camera in self._allowed:
            self._pushing[camera][0].publish(packet)

    def problems(self) -> list[str]:
        """What is wrong."""
        server = self._server
        found = [self._problem, "" if server is None else server.problem()]
        found += [push.problem() for push, _ in tuple(self._pushing.values())]
        return [problem for problem in found if problem]

    def close(self) -> None:
        """End every connection."""
        self._push(Wanted(), anew=True)
        self._stop()

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if self._server is not None:
            self._server.close()
        self._server, self._listening, self._problem, self.certificate = None, None, "", None

    async def _listen(self, server: RestreamServer) -> None:
        """Listen, and try again where something else still does."""
        while True:
            try:
                await server.start()
            except OSError as error:
                self._problem = f"what is sent on by RTSP can not be offered: {error.strerror}"
                log.warning("%s", self._problem)
                await asyncio.sleep(_RETRY_S)
            else:
                self._problem = ""
                return

    def _plays(self, camera: CameraId, address: str) -> None:
        """Somebody begins to look: the audit log says so, once an hour for one address."""
        now_s = self._now()
        if now_s - self._played.get((camera, address), -AGAIN_S) < AGAIN_S:
            return
        self._played = {key: at_s for key, at_s in self._played.items() if now_s - at_s < AGAIN_S}
        self._played[camera, address] = now_s
        access = self._wanted.access
        asyncio.get_running_loop().run_in_executor(
            None, self._audit.record, access.username if access is not None else "", "view.restream", camera,
            {"address": address},
        )  # fmt: skip


def told_reasons(audit: AuditLog, before: Wanted, after: Wanted) -> None:
    """Write into the audit log what is sent on anew, and why less may be covered in it."""
    for camera, reason in sorted(set(after.reasons) - set(before.reasons)):
        audit.record("(configuration)", "restream.allow", camera, {"reason": reason[:200]} if reason else {})
    for camera in sorted(before.cameras - after.cameras):
        audit.record("(configuration)", "restream.end", camera)
