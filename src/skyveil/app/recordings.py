"""Recordings of a running site: what cameras give is stored, what the console asks is read. App."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final
from zoneinfo import ZoneInfo

from skyveil.app.config import Config
from skyveil.app.config.load import records
from skyveil.app.config.models import Retention
from skyveil.app.exports import export
from skyveil.app.owner import refuse_for_root
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import RecordingMissing
from skyveil.core.health import CameraHealth, CameraState
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive import Archive, Holds, KeyStore, Policy, Recorder
from skyveil.public.live.fragments import Fragment
from skyveil.public.web.site import ExportsFull, GapView, HoldView, SegmentView

log: Final = logging.getLogger(__name__)
_EXPORTS_KEPT_S: Final = 86400.0
EXPORTS: Final = 4
"""One that is made and those that wait. Each takes what a processor has, and 700 MB: cameras need both, and who waits
holds one of 40 threads that answer everybody."""


def archive_of(config: Config) -> tuple[Archive, KeyStore, Holds]:
    """The recordings of a configuration, to read; SettingsRefused for root where they belong to another account."""
    refuse_for_root(config)
    keys = KeyStore(config.server.keys)
    folder = config.server.data / "recordings"
    return Archive(folder, keys), keys, Holds(config.server.data, keys=config.server.keys)


@final
class LiveRecordings:
    """The recordings of a running site."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._archive, keys, self._holds = archive_of(config)
        self._exports = config.server.data / "exports"
        self._recorder = Recorder(
            config.server.data / "recordings",
            keys,
            self._holds,
            floor_bytes=config.server.disk_floor_gigabytes * 1e9,
        )
        self._recorded: frozenset[CameraId] = frozenset()
        self._default = Policy()
        self._policies: dict[CameraId, Policy] = {}
        """Retentions of cameras' own; a camera that was removed keeps its last one while the server runs."""
        self._inits: dict[CameraId, bytes] = {}
        """How each camera's stream began, recorded or not: a reload may want it recorded, and the stream goes on."""
        self._begun: set[CameraId] = set()
        """Cameras whose stream is being recorded; of each its own thread alone says so."""
        self._causes: dict[CameraId, str] = {}
        """Why a camera went, until its next fragment is taken."""
        self._trouble = ""
        self._asking = threading.Lock()
        self._actors: set[str] = set()
        self._exporting = threading.Lock()

    def start(self, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Begin to record; deletes first what became too old meanwhile."""
        self.configure(self._config, specs)
        self.sweep()

    def configure(self, config: Config, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Record these cameras from now on, and keep them so long."""
        self._config = config
        cameras = {camera_id(one.id): one for one in config.cameras}
        self._recorded = frozenset(name for name in specs if records(config, cameras[name]))
        self._default = policy_of(config.defaults.retention)
        for name, camera in cameras.items():
            if camera.retention is None:
                self._policies.pop(name, None)
            else:
                self._policies[name] = policy_of(camera.retention)

    def close(self) -> None:
        """Close what is being written."""
        self._recorder.close()

    # --- from the cameras' threads ----------------------------------------------------------------------------------

    def begin(self, camera: CameraId, init: bytes) -> None:
        """A stream begins."""
        self._inits[camera] = init
        self._begun.discard(camera)

    def take(self, camera: CameraId, fragment: Fragment, wall_s: float) -> None:
        """A fragment of a stream that began. What keeps it from the disk is told, and keeps nobody from seeing it."""
        recorded = camera in self._recorded
        cause = self._causes.pop(camera, None)
        if recorded and cause is not None:
            self._recorder.note(camera, cause)
        if recorded != (camera in self._begun):  # a stream began, or a reload changed whether it is recorded
            self._recorder.begin(camera, self._inits[camera])  # which ends what was open
        if recorded:
            self._begun.add(camera)
            self._recorder.take(camera, fragment, wall_s)
        else:
            self._begun.discard(camera)

    def health(self, health: CameraHealth) -> None:
        """Remember why a camera gives nothing: a gap tells its cause. The watchdog calls it: it waits for no disk."""
        down = health.state not in (CameraState.LIVE, CameraState.COVERED, CameraState.STARTING)
        if down and health.camera in self._recorded:
            self._causes.setdefault(health.camera, health.cause)

    # --- housekeeping -----------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Delete what is too old; a failure is told and tried again."""
        try:
            self._recorder.sweep(self._policies, self._default)
            for path in self._exports.glob("*.mp4*") if self._exports.is_dir() else ():
                if time.time() - path.stat().st_mtime > _EXPORTS_KEPT_S:
                    path.unlink()
            self._trouble = ""
        except (OSError, RecordingMissing) as error:
            self._trouble = f"recordings can not be cleared: {error}"
            log.warning("%s", self._trouble)

    def problems(self) -> list[str]:
        """What is wrong."""
        return [*([self._trouble] if self._trouble else []), *self._recorder.problems()]

    # --- what the console asks --------------------------------------------------------------------------------------

    def days(self, camera: CameraId, zone: ZoneInfo) -> Sequence[str]:
        """Days of a time zone with recordings."""
        return self._archive.days_in(camera, zone)

    def span(self, camera: CameraId, from_s: float, to_s: float) -> tuple[Sequence[SegmentView], Sequence[GapView]]:
        """Segments and gaps."""
        segments: list[SegmentView] = []
        gaps: list[GapView] = []
        for _, one in self._archive.entries(camera, from_s, to_s):
            if one.kind == "segment":
                segments.append(SegmentView(one.number, one.start_s, one.end_s, one.media_s, one.init))
            else:
                gaps.append(GapView(one.start_s, one.end_s, one.cause))
        return segments, gaps

    def segment(self, camera: CameraId, number: int) -> bytes:
        """A segment."""
        return self._archive.segment(camera, number)

    def init(self, camera: CameraId, name: str) -> bytes:
        """An init segment."""
        return self._archive.init(camera, name)

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        """A playlist."""
        return self._archive.playlist(camera, from_s, to_s)

    def export(self, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str) -> str:
        """Make an MP4 that shows no person and no plate; gives its name. Waits for another one that is being made.

        Raises ExportsFull where too many wait already, or one of the same person: else one could keep all others out.
        """
        with self._asking:
            if actor in self._actors:
                raise ExportsFull("another export of yours is being made: wait for it")
            if len(self._actors) == EXPORTS:
                raise ExportsFull(
                    "exports of others are being made, and as many wait as may: try again in some minutes"
                )
            self._actors.add(actor)
        config, archive, to = self._config, self._archive, self._exports
        try:
            with self._exporting:
                return export(config, archive, camera, from_s, to_s, actor=actor, reason=reason, to=to).name
        finally:
            with self._asking:
                self._actors.remove(actor)

    def exported(self, name: str) -> Path:
        """The file of an export."""
        path = self._exports / name
        if path.parent != self._exports or not path.is_file():
            raise RecordingMissing("there is no such export")
        return path

    def holds(self, camera: CameraId) -> Sequence[HoldView]:
        """Holds."""
        now_s = time.time()
        return [
            HoldView(
                one.id,
                one.from_s,
                one.to_s,
                one.reason,
                one.state(now_s),
                one.expires_s,
                one.requested_by,
                one.approved_by,
            )
            for one in self._holds.of(camera)
        ]

    def ask_hold(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> str:
        """Ask."""
        return self._holds.ask(camera, from_s, to_s, reason=reason, days=days, actor=actor).id

    def decide_hold(self, camera: CameraId, hold: str, *, approve: bool, actor: str) -> None:
        """Decide."""
        self._holds.decide(camera, hold, approve=approve, actor=actor)


def policy_of(retention: Retention | None) -> Policy:
    """How long recordings are kept, as the configuration says, or usually."""
    return Policy() if retention is None else Policy(retention.hours, retention.gigabytes)
