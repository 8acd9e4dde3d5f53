"""A running site: configuration, cameras, live views and recordings, tied together. App."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

from sqlalchemy import Engine

from skyveil import __version__
from skyveil.app.certificate import Certificate
from skyveil.app.config import Config, Secrets, Told, load, sent_on, set_masks, specs, told
from skyveil.app.config.load import settings_of
from skyveil.app.config.models import Camera
from skyveil.app.config.models import Mask as ConfigMask
from skyveil.app.crowd import LiveCrowd
from skyveil.app.networks import needed
from skyveil.app.places import drawing_of, drawn, judged, named
from skyveil.app.prepared import prepared
from skyveil.app.recalibrate import calibrated, calibration_view, fitted, fitted_of
from skyveil.app.recordings import LiveRecordings
from skyveil.app.restreaming import Restreaming, Wanted, told_reasons
from skyveil.app.ruler_fits import RulerFits
from skyveil.app.shown import cameras_in, settings_in
from skyveil.app.supervisor import COMMAND, Supervisor
from skyveil.app.telling import Telling
from skyveil.app.views import Views
from skyveil.core.camera import AskedRulers, CameraSpec
from skyveil.core.errors import SettingsRefused, SkyveilError
from skyveil.core.health import SENTENCES, CameraHealth, CameraState
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mask
from skyveil.measure.calibration import Calibration
from skyveil.measure.given import Given, solved
from skyveil.public.aggregate import Aggregate
from skyveil.public.alarm.event import AlarmEvent, Happened
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.density_map import DensityMap
from skyveil.public.encode.header import StreamHeader
from skyveil.public.live.fragments import Fragmenter
from skyveil.public.live.hub import Hub
from skyveil.public.ruler_report import RulerReport
from skyveil.public.store import AuditLog
from skyveil.public.store.views import ViewStore
from skyveil.public.types import RedactedPacket
from skyveil.public.web.drawn import CalibrationView, Drawing, DrawnPlace, Fitted, Judged, RulersView
from skyveil.public.web.site import CameraView, NamedMask, SiteView, version_of
from skyveil.public.wire import Message
from skyveil.public.wire.cameras import Epoch, ViewSeen

log: Final = logging.getLogger(__name__)
_WELL: Final = frozenset({CameraState.LIVE, CameraState.STARTING, CameraState.STOPPED})


@final
@dataclass(slots=True)
class _Stream:
    """What is known of a camera's stream; its own thread alone touches it."""

    fragmenter: Fragmenter | None = None
    epoch: tuple[int, float] | None = None


@final
class LiveSite:
    """Runs the cameras of a configuration. `start` is called once, in the event loop that serves the console."""

    def __init__(
        self, path: Path, hub: Hub, audit: AuditLog, engine: Engine, *, command: Sequence[str] = COMMAND
    ) -> None:
        """Read the configuration; SettingsRefused when it is wrong."""
        self._path = path
        self._hub = hub
        self._command = command
        self._lock = threading.Lock()
        self.config = load(path)
        secrets = Secrets(self.config.server.secrets)
        self._specs, self._told = specs(self.config, secrets), told(self.config, secrets)
        self._audit, self._sent_on = audit, sent_on(self.config, secrets)
        self.telling, self.restreaming = Telling(__version__, on_lost=self._undelivered), Restreaming(audit)
        self.recordings = LiveRecordings(self.config)
        self.views = Views(ViewStore(engine), self._trust)
        self.crowd = LiveCrowd(
            self.config, engine, self._specs, health=self.health, tell=self._alarm, also=self.views.tick
        )
        self._know_views()
        self._rulers = RulerFits(self._order_rulers)
        self._refused: list[str] = []
        """Calibrations that the last reload did not take over."""
        self._waiting: list[str] = []
        """Keys of the file that are used when the server starts again."""
        self.certificate: Certificate | None = None
        """What the console shows to who connects by TLS."""
        self._streams: dict[CameraId, _Stream] = {}
        self._supervisor: Supervisor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start every camera. Raises ModelMissing."""
        self._loop = loop
        self._tell()
        told_reasons(self._audit, Wanted(), self._sent_on)
        self._in_loop(partial(self.restreaming.configure, self._sent_on))
        models = needed(self._specs)
        self._supervisor = Supervisor(
            models, on_message=self._heard, on_health=self._health, command=self._command, view_of=self.views.of
        )
        self._supervisor.apply(self._specs)
        self.recordings.start(self._specs)
        self.crowd.start()

    def close(self) -> None:
        """End every camera, and close what is being recorded."""
        if self._supervisor is not None:
            self._supervisor.close()
        self.recordings.close()
        self.crowd.close()

    # --- what cameras say, on their own threads ---------------------------------------------------------------------

    def _heard(self, camera: CameraId, message: Message) -> None:
        stream = self._streams.setdefault(camera, _Stream())
        match message:
            case StreamHeader():
                stream.fragmenter = Fragmenter(message)
                self._in_loop(partial(self._hub.start, camera, stream.fragmenter.init, stream.fragmenter.mime))
                self.recordings.begin(camera, stream.fragmenter.init)
                self._in_loop(partial(self.restreaming.begin, camera, message))
            case Epoch():
                stream.epoch = (message.pts, message.wall_s)
            case RedactedPacket() if stream.fragmenter is not None:
                fragment = stream.fragmenter.fragment(message)
                self._in_loop(partial(self._hub.publish, camera, fragment.data, keyframe=fragment.keyframe))
                if camera in self._sent_on.cameras:
                    self._in_loop(partial(self.restreaming.publish, camera, message))
                if stream.epoch is not None:
                    pts, wall_s = stream.epoch
                    self.recordings.take(camera, fragment, wall_s + float((message.pts - pts) * message.time_base))
            case DensityMap():
                self.crowd.heard_map(camera, message)
            case Aggregate():
                self.crowd.heard(camera, message)
            case ViewSeen():
                self.views.seen(camera, message)
            case RulerReport():
                self._rulers.heard(camera, message)
            case _:
                log.warning("camera %s sent a %s, which a live camera never does", camera, type(message).__name__)

    def _health(self, health: CameraHealth) -> None:
        self.recordings.health(health)
        self.views.health(health)
        self._rulers.health(health)
        self._in_loop(partial(self._hub.state, health))
        self._in_loop(partial(self.telling.health, health))

    def _alarm(self, event: AlarmEvent) -> None:
        self._in_loop(partial(self.telling.alarm, AlarmNotice(event, self.config.alarms.link)))

    def _undelivered(self, notice: AlarmNotice, service: str) -> None:
        self.crowd.undelivered(notice.event, service)

    def _in_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    # --- what the console asks ----------------------------------------------------------------------------------------

    def cameras(self) -> list[CameraView]:
        """Every camera of the configuration."""
        return cameras_in(self.config)

    def sites(self) -> list[SiteView]:
        """Every site of the configuration."""
        return [SiteView(one.id, one.name, one.plan) for one in self.config.sites]

    def health(self) -> Mapping[CameraId, CameraHealth]:
        """The health of every camera that runs."""
        return {} if self._supervisor is None else self._supervisor.health()

    def masks(self, camera: CameraId) -> tuple[NamedMask, ...]:
        """The masks of a camera."""
        return _masks(self.config, camera)

    def set_masks(
        self, camera: CameraId, masks: tuple[NamedMask, ...], *, version: str, recorded: Callable[[], None]
    ) -> None:
        """Write other masks to the configuration and cover them at once, whatever else is wrong with it."""

        def last() -> None:
            if version_of(_masks(load(self._path), camera)) != version:
                raise SettingsRefused("the masks were changed by somebody else meanwhile: load the page again")
            recorded()

        with self._lock:
            set_masks(self._path, camera, [ConfigMask(mask.name, mask.points) for mask in masks], last=last)
            self._cover({camera: tuple(Mask(mask.points) for mask in masks)})
            self._apply(load(self._path))

    def _cover(self, masks: Mapping[CameraId, tuple[Mask, ...]]) -> None:
        """Cover these masks at once, of cameras that run."""
        specs = {
            name: replace(spec, settings=replace(spec.settings, masks=masks.get(name, spec.settings.masks)))
            for name, spec in self._specs.items()
        }
        if specs != self._specs:
            self._specs = specs
            if self._supervisor is not None:
                self._supervisor.apply(specs)

    def drawing(self, camera: CameraId) -> Drawing:
        """The zones and lines of a camera."""
        return drawing_of(self.config, self._camera(camera), running=self._running(camera))

    def judged(self, camera: CameraId, places: Sequence[DrawnPlace]) -> tuple[Judged, ...]:
        """What places would be on the floor of a camera, and what refuses them; nothing is changed."""
        return judged(self.config, self._camera(camera), places, running=self._running(camera))

    def draw(self, camera: CameraId, places: Sequence[DrawnPlace], *, version: str) -> Drawing:
        """Write other places to the configuration and count there from now on."""
        with self._lock:
            drawn(self._path, camera, places, version=version)
            self._apply(load(self._path))
            return self.drawing(camera)

    def calibration(self, camera: CameraId) -> CalibrationView:
        """How a camera is calibrated."""
        return calibration_view(self.config, self._camera(camera), running=self._running(camera))

    def fitted(self, camera: CameraId, given: Given) -> Fitted:
        """What the calibration from this would be; nothing is changed."""
        return fitted(self.config, self._camera(camera), given)

    def calibrate(self, camera: CameraId, given: Given, *, version: str) -> CalibrationView:
        """Calibrate a camera anew, and measure with that from now on."""
        return self._calibrate(camera, solved(given), version)

    def _calibrate(self, camera: CameraId, calibration: Calibration, version: str) -> CalibrationView:
        with self._lock:
            calibrated(self._path, camera, calibration, version=version)
            self._apply(load(self._path))
            return self.calibration(camera)

    def rulers(self, camera: CameraId) -> RulersView:
        """How far a camera is with people as rulers, and what they say."""
        return self._rulers.view(camera, partial(fitted_of, self.config, self._camera(camera)))

    def ask_rulers(self, camera: CameraId, asked: AskedRulers) -> None:
        """Have people before a camera be rulers, from now on until there is a fit."""
        if not settings_of(self.config, self._camera(camera)).targets & {Kind.HEAD, Kind.PERSON}:
            raise SettingsRefused("people are not looked for: add head or person to the camera's targets")
        health = self.health().get(camera)
        self._rulers.begin(camera, asked, restarts=0 if health is None else health.restarts)

    def drop_rulers(self, camera: CameraId) -> None:
        """Forget what people said."""
        self._rulers.drop(camera)

    def calibrate_by_rulers(self, camera: CameraId, number: int, *, version: str) -> CalibrationView:
        """Calibrate a camera by what people said."""
        view = self._calibrate(camera, self._rulers.found(camera, number), version)
        self._rulers.drop(camera)
        return view

    def _order_rulers(self, camera: CameraId, asked: AskedRulers | None) -> bool:
        return self._supervisor is not None and self._supervisor.rulers(camera, asked)

    def trust_view(self, camera: CameraId) -> None:
        """Take what a camera sees now for its calibrated view."""
        self.views.trust(camera)

    def _trust(self, camera: CameraId) -> None:
        if self._supervisor is not None:
            self._supervisor.trust_view(camera)

    def _know_views(self) -> None:
        self.views.configure(self._specs, cameras=[camera_id(one.id) for one in self.config.cameras])

    def _running(self, camera: CameraId) -> str | None:
        """The calibration that a camera measures with: after one was refused, not that of its file."""
        spec = self._specs.get(camera)
        return None if spec is None or spec.crowd is None else spec.crowd.calibration

    def _camera(self, camera: CameraId) -> Camera:
        return named(self.config, camera)

    def reload(self) -> str:
        """Read the configuration again; what changed and was refused, in words.

        New masks of a file that can be read cover whatever else is refused, beside those of before.
        """
        with self._lock:
            before, config = self._specs, load(self._path)
            new = {camera_id(one.id): settings_of(config, one).masks for one in config.cameras}
            self._cover({name: _together(spec.settings.masks, new.get(name, ())) for name, spec in before.items()})
            return self._apply(config, before=before)

    def settings(self) -> dict[str, str | int | float | None]:
        """What the server is set to, as it runs."""
        return settings_in(self.config, self._path)

    def renew_certificates(self) -> None:
        """Show who connects from now on what lies in the files of `server.tls` now. In the event loop's thread."""
        for one in (self.certificate, self.restreaming.certificate):
            if one is not None:
                one.renew()

    def problems(self) -> list[str]:
        """What is wrong now."""
        found = [f"{one.camera}: {SENTENCES[one.cause]}" for one in self.health().values() if one.state not in _WELL]
        told = self.telling.problems() + self.restreaming.problems()
        found += [] if self._supervisor is None else self._supervisor.problems()
        found += [f"{one}; what it measured before goes on" for one in self._refused]
        found += [_waits(self._waiting)] if self._waiting else []
        if self.certificate is not None and (problem := self.certificate.problem()):
            found.append(problem)
        return found + self.recordings.problems() + told + self.crowd.problems()

    def losses(self) -> Mapping[str, int]:
        """What was lost since the start, by kind."""
        return {"notices": self.telling.lost(), **self.crowd.losses()}

    def _apply(self, config: Config, *, before: Mapping[CameraId, CameraSpec] | None = None) -> str:
        """Run another configuration, all of it or, where it is refused, nothing; cameras that did not change are not
        disturbed. before: what ran, for the words."""
        new = prepared(config, self.config, self._specs, self._sent_on)
        old, wanted = self._specs if before is None else before, new.specs
        told_reasons(self._audit, self._sent_on, new.sent_on)
        # From here on nothing is refused: who is told that the old configuration runs on finds all of it.
        self._refused, self._waiting = new.refused, new.waiting
        self.config, self._specs, self._told = new.config, wanted, new.told
        self._know_views()
        # What may not leave any more ends before a process shows more, and what may begins when the old one is gone.
        self._in_loop(partial(self.restreaming.narrow, new.sent_on.cameras))
        self.recordings.configure(new.config, wanted)
        if self._supervisor is not None:
            self._supervisor.models = new.models or self._supervisor.models
            self._supervisor.apply(wanted)
        self.crowd.configure(new.crowd)  # after the masks: numbers that are late harm nobody
        self._sent_on = new.sent_on
        self._in_loop(partial(self.restreaming.configure, new.sent_on))
        added, removed = wanted.keys() - old.keys(), old.keys() - wanted.keys()
        changed = {name for name in wanted.keys() & old.keys() if wanted[name] != old[name]}
        for name in removed:
            self._in_loop(partial(self._hub.remove, name))
        self._tell()
        parts = [("added", added), ("removed", removed), ("changed", changed)]
        said = [f"{word} {', '.join(sorted(names))}" for word, names in parts if names]
        for problem in self._refused:
            log.error("refused, what it measured goes on: %s", problem)
            said.append(f"refused {problem}")
        if self._waiting:
            log.warning(_waits(self._waiting))
            said.append(_waits(self._waiting))
        return "; ".join(said) or "nothing"

    def _tell(self) -> None:
        """Tell whom the configuration names, of the cameras that it names."""
        names = {camera_id(one.id): one.name for one in self.config.cameras if one.enabled}
        self._in_loop(partial(self._tell_these, self._told, names))

    def _tell_these(self, told: Told, names: Mapping[CameraId, str]) -> None:
        """In the event loop, which tells events too: what is open now is cleared there later, and never before."""
        events = [AlarmEvent(time.time(), Happened.TOLD, one, told=True) for one in self.crowd.alarms()]
        self.telling.configure(told, names, [AlarmNotice(event, self.config.alarms.link) for event in events])


def _together(before: tuple[Mask, ...], now: tuple[Mask, ...]) -> tuple[Mask, ...]:
    return (*before, *(mask for mask in now if mask not in before))


def _waits(keys: Sequence[str]) -> str:
    return f"needs a restart: {', '.join(keys)}"


def _masks(config: Config, camera: CameraId) -> tuple[NamedMask, ...]:
    return tuple(NamedMask(mask.name, mask.points) for one in config.cameras if one.id == camera for mask in one.masks)


def log_refused(error: SkyveilError) -> None:
    """Say in the log that a configuration was refused, and that the old one runs on."""
    log.error("the configuration was refused, the old one runs on: %s", str(error).replace("\n", "; "))
