"""Recordings of a running site: what cameras give is stored, what the console asks is read. App."""

import json
import logging
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
from av.video.stream import VideoStream

from skyveil import __version__
from skyveil.app.api import redact_file
from skyveil.app.config import Config
from skyveil.app.config.load import records
from skyveil.app.config.models import Retention
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import RecordingMissing, SkyveilError
from skyveil.core.health import CameraHealth, CameraState
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.public.archive import Archive, Holds, KeyStore, Policy, Recorder, Stretch
from skyveil.public.archive.provenance import Credential, Made, sign
from skyveil.public.live.fragments import Fragment
from skyveil.public.web.site import GapView, HoldView, SegmentView

log: Final = logging.getLogger(__name__)
_EXPORT_TARGETS: Final = frozenset({Kind.FACE, Kind.HEAD, Kind.PERSON, Kind.PLATE})
"""What leaves the control room shows no person and no plate."""
_EXPORTS_KEPT_S: Final = 86400.0
_RETRY_S: Final = 10.0
"""After a recording failed; to begin one again reads all lines of the camera's days."""


def archive_of(config: Config) -> tuple[Archive, KeyStore, Holds]:
    """The recordings of a configuration, to read."""
    keys = KeyStore(config.server.keys)
    folder = config.server.data / "recordings"
    return Archive(folder, keys), keys, Holds(config.server.data)


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
        self._failed: dict[CameraId, str] = {}
        self._retry_s: dict[CameraId, float] = {}
        self._trouble = ""

    def start(self, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Begin to record; deletes first what became too old meanwhile."""
        self.configure(self._config, specs)
        self.sweep()

    def configure(self, config: Config, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Record these cameras from now on, and keep them so long."""
        self._config = config
        cameras = {camera_id(one.id): one for one in config.cameras}
        self._recorded = frozenset(name for name in specs if records(config, cameras[name]))
        default = config.defaults.retention
        self._default = Policy() if default is None else _policy(default)
        for name in self._failed.keys() - self._recorded:
            self._failed.pop(name, None)
        for name, camera in cameras.items():
            if camera.retention is None:
                self._policies.pop(name, None)
            else:
                self._policies[name] = _policy(camera.retention)

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
        if camera in self._failed and time.monotonic() < self._retry_s[camera]:
            return
        try:
            self._take(camera, fragment, wall_s)
            self._failed.pop(camera, None)
        except (OSError, RecordingMissing) as error:
            said = error.strerror or "the disk failed" if isinstance(error, OSError) else str(error)
            if self._failed.get(camera) != said:
                log.warning("camera %s: recording failed: %s", camera, said)
            self._failed[camera], self._retry_s[camera] = said, time.monotonic() + _RETRY_S
            self._causes[camera] = "disk-full"

    def _take(self, camera: CameraId, fragment: Fragment, wall_s: float) -> None:
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
        failed = [f"{name}: recording failed: {said}" for name, said in tuple(self._failed.items())]
        return [*([self._trouble] if self._trouble else []), *failed, *self._recorder.problems()]

    # --- what the console asks --------------------------------------------------------------------------------------

    def days(self, camera: CameraId) -> Sequence[str]:
        """Days with recordings."""
        return self._archive.days(camera)

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
        """Make an MP4 that shows no person and no plate; gives its name."""
        made = export(self._config, self._archive, camera, from_s, to_s, actor=actor, reason=reason, to=self._exports)
        return made.name

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


def _policy(retention: Retention) -> Policy:
    return Policy(retention.hours, retention.gigabytes)


def export(
    config: Config, archive: Archive, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str, to: Path
) -> Path:
    """Write a span as one MP4 into the folder `to`, with a statement beside it.

    What was recorded is always redacted once more, with whole persons and plates: today's configuration does not tell
    what was covered when it was recorded.
    """
    to.mkdir(parents=True, exist_ok=True, mode=0o750)
    start = datetime.fromtimestamp(from_s, UTC).strftime("%Y%m%dt%H%M%Sz")
    target = to / f"{camera}-{start}-{secrets.token_hex(4)}.mp4"
    part = target.with_suffix(".part.mp4")
    try:
        _joined(archive.stretches(camera, from_s, to_s), part)
        redact_file(part, target, settings=RedactSettings(targets=_EXPORT_TARGETS), input_hash=False)
    finally:
        part.unlink(missing_ok=True)
    head = archive.head(camera)
    if config.server.c2pa is not None:
        targets = tuple(kind.name.lower() for kind in sorted(_EXPORT_TARGETS))
        made = Made(camera, from_s, to_s, targets, None if head is None else head.digest, __version__)
        try:
            sign(target, made, Credential(config.server.c2pa.certificate, config.server.c2pa.key))
        except SkyveilError:
            for path in (target, target.with_suffix(".mp4.json")):
                path.unlink(missing_ok=True)
            raise
    statement = {
        "camera": camera,
        "from_s": from_s,
        "to_s": to_s,
        "exported_by": actor,
        "reason": reason,
        "redacted_again": True,
        "chain_head": None if head is None else asdict(head),
    }
    target.with_suffix(".mp4.statement.json").write_text(json.dumps(statement, indent=1) + "\n", encoding="utf-8")
    return target


def _joined(stretches: Iterable[Stretch], target: Path) -> None:
    """Redacted packets of one or more MP4s in one file; a hole in their times is closed to one picture.

    Raises RecordingMissing when there is none, or when their pictures differ in size.
    """
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output:
        stream: VideoStream | None = None
        last, step = -1, 1
        for media in stretches:
            with av.open(media, "r", format="mp4") as container:
                source = container.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(source)
                    stream.time_base = source.time_base or Fraction(1, 90_000)
                if (stream.width, stream.height) != (source.width, source.height):
                    raise RecordingMissing(
                        "the camera's picture changes its size in this span: export the parts one by one"
                    )
                offset: int | None = None
                for packet in container.demux(source):
                    if packet.pts is None or not packet.size:
                        continue
                    offset = last + step - packet.pts if offset is None else offset
                    packet.pts = packet.dts = max(last + 1, packet.pts + offset)
                    step = max(1, packet.pts - last) if last >= 0 else step
                    last = packet.pts
                    packet.stream = stream
                    output.mux(packet)
        if stream is None:
            raise RecordingMissing("nothing is recorded there")
