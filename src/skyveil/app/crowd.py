"""Numbers and alarms of a running site: configuration, store, desk and messages, tied together. App."""

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import time
from time import monotonic
from time import time as unix_s
from typing import Final, final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from skyveil.app.alarms import Alarms, Watch, Watched
from skyveil.app.config import Config
from skyveil.app.config.measured import crowd_of
from skyveil.app.config.models import Camera, Zone
from skyveil.app.drawings import Drawings
from skyveil.app.hour_maps import HourMaps
from skyveil.app.numbers import Numbers, Telling, fair_epsilon
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import CalibrationRefused, MeasureRefused, SettingsRefused
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.gate.grounds import Grounds, grounds
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.level import DEFAULTS, LevelState, Thresholds, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.measure.points import Points, points_of
from skyveil.public.aggregate import Aggregate, NumberSeries
from skyveil.public.alarm.cap import open_alarm_xml
from skyveil.public.alarm.desk import Desk
from skyveil.public.alarm.event import AlarmEvent, Occasion
from skyveil.public.alarm.quiet import QuietHours
from skyveil.public.audience import Audience
from skyveil.public.budget import DAY_S
from skyveil.public.density_map import DensityMap, sealed_map
from skyveil.public.hour_map import HourMap
from skyveil.public.store.alarm_log import AlarmLog, LoggedEvent
from skyveil.public.store.draw_mark import NAME, DrawMark
from skyveil.public.store.hour_maps import HourMapStore
from skyveil.public.store.ledger import Ledger, Spent
from skyveil.public.store.numbers import NumberStore, Retention
from skyveil.public.store.spool import Spool
from skyveil.public.web.site import PlaceView

log: Final = logging.getLogger(__name__)
TICK_S: Final = 1.0
MAP_S: Final = 5.0
"""A map that is older is shown no more."""
_JOIN_S: Final = 10.0


@final
class LiveCrowd:
    """Takes what cameras count. Its threads write down, store and judge it, so that none waits for another."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        specs: Mapping[CameraId, CameraSpec],
        *,
        health: Callable[[], Mapping[CameraId, CameraHealth]],
        tell: Callable[[AlarmEvent], None],
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """specs: the cameras that run. health: of every camera. tell: sends messages of an alarm, without waiting.
        also: writes down something else, with the same patience."""
        self._also = also
        self._store = NumberStore(engine)
        self._ledger = Ledger(engine, self._store, mark=DrawMark(config.server.keys / NAME))
        self._log = AlarmLog(engine)
        self._hour_maps = HourMaps(HourMapStore(engine))
        folder = config.server.data / "numbers"
        self._numbers = Numbers(self._store, self._ledger, Spool(folder), Drawings(folder / "drawings.json"))
        self._alarms = Alarms(Desk(), self._log, self._numbers.newest, tell)
        self._health = health
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._unsaid = ""
        self._failed: dict[str, str] = {}
        """What fails now, by thread."""
        self._maps: dict[tuple[CameraId, PlaceId], tuple[float, DensityMap]] = {}
        self.configure(config, specs)

    def configure(self, config: Config, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Count, tell, watch, keep and be quiet as another configuration says, of which these cameras run."""
        self._config = config
        kept = config.numbers
        self._store.keep(Retention(kept.staff_days * DAY_S, kept.public_days * DAY_S))
        self._places = {
            camera_id(one.id): frozenset(
                [PlaceId(zone.id) for zone in one.zones] + [PlaceId(line.id) for line in one.lines]
            )
            for one in config.cameras
        }
        self._thresholds = {
            (camera_id(one.id), PlaceId(zone.id)): thresholds_of(zone).densities
            for one in config.cameras
            for zone in one.zones
        }
        self._maps = {key: one for key, one in tuple(self._maps.items()) if self._counted(*key)}
        texts = {camera_id(one.id): _calibration(one, specs) for one in config.cameras}
        self._grounds = {name: grounds_of(one, texts[name]) for one in config.cameras for name in [camera_id(one.id)]}
        stay_s = config.numbers.stay_minutes * 60
        self._numbers.configure(
            {
                name: Telling(found, public_of(config, one), fair_epsilon(found), stay_s, drawn_of(one, texts[name]))
                for one in config.cameras
                for name, found in [(camera_id(one.id), self._grounds[camera_id(one.id)])]
            }
        )
        self._numbers.keep(self._places)
        groups = {one.id: one.name for one in config.groups}
        self._alarms.configure(
            {
                camera_id(one.id): Watch(
                    {PlaceId(zone.id): Watched(_titled(one, zone.name), thresholds_of(zone)) for zone in one.zones},
                    (one.id, one.name) if one.group is None else (one.group, groups[one.group]),
                )
                for one in config.cameras
                if one.enabled and one.zones and one.calibration is not None
            }
        )
        self._alarms.adjust(escalate_s=config.alarms.escalate_s, quiet=_quiet(config))

    def start(self) -> None:
        """Store and judge from now on, once a second."""
        for name, tick in (("numbers", self._keep), ("alarms", self._judge)):
            self._threads.append(threading.Thread(target=self._run, args=(name, tick), name=name, daemon=True))
        write = threading.Thread(target=self._numbers.write_down, args=(self._stop,), name="spool", daemon=True)
        self._threads.append(write)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Store what has ended, and keep the rest on disk."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._numbers.close()
        with suppress(SQLAlchemyError):
            self._hour_maps.store()
        with suppress(SQLAlchemyError):
            self._alarms.write()

    def heard(self, camera: CameraId, aggregate: Aggregate) -> None:
        """Take what a camera counted of its own places, on that camera's thread."""
        if aggregate.camera != camera:
            log.warning("camera %s sent numbers of another camera", camera)
            return
        if not self._counted(camera, aggregate.place):
            return  # a place that was taken out of the configuration a moment ago
        self._numbers.heard(aggregate)

    def heard_map(self, camera: CameraId, density_map: DensityMap) -> None:
        """Take where a zone is full, on that camera's thread: for now, and for the map of the hour."""
        one = sealed_map(density_map)
        thresholds = self._thresholds.get((camera, one.place))
        if one.camera == camera and thresholds is not None:
            self._maps[camera, one.place] = (monotonic(), one)
            self._hour_maps.heard(one, thresholds)

    def _counted(self, camera: CameraId, place: PlaceId) -> bool:
        return place in self._places.get(camera, frozenset())

    def _run(self, name: str, tick: Callable[[], None]) -> None:
        """Once a second until the end. A fault is told and tried again: one bad number must not end all alarms."""
        while not self._stop.wait(TICK_S):
            try:
                tick()
            except Exception as error:
                problem = f"{name} failed: {type(error).__name__}"
                if self._failed.get(name) != problem:
                    log.exception("%s", problem)
                self._failed[name] = problem
            else:
                self._failed.pop(name, None)

    def _keep(self) -> None:
        self._numbers.tick()
        try:
            self._alarms.write()
            self._hour_maps.tick()
            self._also()
        except SQLAlchemyError as error:
            self._say(
                f"the alarm log, maps of the day and views of cameras wait for the database: {type(error).__name__}"
            )
        else:
            self._unsaid = ""

    def _judge(self) -> None:
        self._alarms.tick(self._health())

    def _say(self, problem: str) -> None:
        if problem != self._unsaid:
            log.warning("%s", problem)
        self._unsaid = problem

    def problems(self) -> list[str]:
        """What is wrong now, in sentences."""
        said = [self._unsaid] if self._unsaid else []
        return [*self._numbers.problems(), *self._alarms.problems(), *said, *self._failed.values()]

    def losses(self) -> dict[str, int]:
        """What was lost since the start, by kind."""
        return {**self._numbers.losses(), "alarm_events": self._alarms.lost}

    def undelivered(self, event: AlarmEvent, service: str) -> None:
        """Log that a message service never took a message about an alarm; from any thread."""
        self._alarms.undelivered(event, service)

    def prune(self, older_than_s: float) -> None:
        """Forget events of alarms from before a time."""
        self._log.prune(older_than_s)

    # --- what the console asks ----------------------------------------------------------------------------------------

    def places(self, camera: CameraId) -> list[PlaceView]:
        """The zones and lines of a camera."""
        one = next((one for one in self._config.cameras if one.id == camera), None)
        if one is None:
            return []
        told, public = self._grounds[camera], public_of(self._config, one)
        zones = [
            PlaceView(
                PlaceId(zone.id),
                zone.name,
                line=False,
                staff=PlaceId(zone.id) in told,
                public=public and PlaceId(zone.id) in told,
                points=zone.points,
                use=ZoneKind(zone.kind),
                thresholds=thresholds_of(zone).densities,
                pressure_from=thresholds_of(zone).pressure_ratio,
            )
            for zone in one.zones
        ]
        return zones + [
            PlaceView(
                PlaceId(each.id),
                each.name,
                line=True,
                staff=PlaceId(each.id) in told,
                public=public and PlaceId(each.id) in told,
                points=each.points,
            )
            for each in one.lines
        ]

    def newest(self, camera: CameraId) -> Sequence[Aggregate]:
        """The newest exact numbers of its places."""
        return self._numbers.newest(camera)

    def levels(self, camera: CameraId) -> Mapping[PlaceId, LevelState]:
        """The levels of its zones that are watched."""
        return self._alarms.levels(camera)

    def maps(self, camera: CameraId) -> Sequence[DensityMap]:
        """Where its zones are full now."""
        since_s = monotonic() - MAP_S
        return [one for (of, _), (taken_s, one) in tuple(self._maps.items()) if of == camera and taken_s >= since_s]

    def day(self, camera: CameraId) -> Sequence[HourMap]:
        """Where its zones were full in the last 24 hours, hour by hour."""
        return [one for one in self._hour_maps.day(camera) if self._counted(camera, one.place)]

    def chart(
        self,
        audience: Audience,
        camera: CameraId,
        place: PlaceId,
        measures: Sequence[Measure],
        *,
        period_s: int,
        from_s: int,
        to_s: int,
    ) -> Sequence[NumberSeries]:
        """Stored numbers of a place that begin in a span of time, by measure."""
        return self._store.series(audience, camera, place, measures, period_s=period_s, from_s=from_s, to_s=to_s)

    def spent(self, camera: CameraId, at_s: float) -> Sequence[Spent]:
        """What the public was told of a camera on the day of a time."""
        return self._ledger.spent(camera, at_s)

    def open_data(self) -> bool:
        """Whether public numbers are given to everybody."""
        return self._config.numbers.public

    def alarms(self) -> Sequence[Occasion]:
        """The open alarms, the most urgent first."""
        return self._alarms.open()

    def alarm_log(
        self,
        of: Collection[str],
        *,
        groups: Collection[str],
        alarm: str,
        from_s: float | None,
        before: int | None,
        limit: int,
    ) -> Sequence[LoggedEvent]:
        """What happened to alarms of these cameras, and to outages of these groups, newest first."""
        return self._log.events(of=of, groups=groups, alarm=alarm, from_s=from_s, before=before, limit=limit)

    def acknowledge(self, alarm: str, actor: str) -> Occasion:
        """Take an alarm on."""
        return self._alarms.acknowledge(alarm, actor)

    def drill(self, camera: CameraId, place: PlaceView, actor: str) -> Occasion:
        """Raise a drill at a place."""
        of = next(one for one in self._config.cameras if one.id == camera)
        return self._alarms.drill(camera, place.id, _titled(of, place.name), actor)

    def cap_xml(self, alarm: Occasion) -> bytes:
        """An open alarm as CAP 1.2."""
        kept = self._config.alarms
        return open_alarm_xml(alarm, now_s=unix_s(), sender=kept.sender, link=kept.link)


def thresholds_of(zone: Zone) -> Thresholds:
    """The thresholds of a zone: its own, or those of its kind."""
    own = zone.thresholds
    if own is None:
        return DEFAULTS[ZoneKind(zone.kind)]
    return Thresholds(own.yellow, own.orange, own.red, own.critical, rise_s=own.rise_s, fall_s=own.fall_s)


def public_of(config: Config, camera: Camera) -> bool:
    """Whether the public may be told of a camera: not while a density network counts in its zones, whose sum one visit
    may change by more than the noise is made for.

    A configuration with both is refused; a camera whose new calibration is refused keeps the network that it had.
    """
    return config.numbers.public and not (camera.zones and camera.density_network)


def _titled(camera: Camera, place: str) -> str:
    """The name of a place in alarms and messages: two cameras may have a zone of one name."""
    return f"{camera.name}: {place}"


def _calibration(camera: Camera, specs: Mapping[CameraId, CameraSpec]) -> str | None:
    """The calibration that a camera measures with, whatever its file holds by now; that of its file where it does not
    run."""
    spec = specs.get(camera_id(camera.id))
    try:
        crowd = crowd_of(camera) if spec is None else spec.crowd
    except CalibrationRefused as error:
        log.warning("%s", error)
        return None
    return None if crowd is None else crowd.calibration


def grounds_of(camera: Camera, calibration: str | None) -> Grounds:
    """What of a camera may be told outside the control room: its lines, and its zones of 10 m2 or more.

    A zone has an area only where the camera is calibrated; where zones overlap, none of them is told.
    """
    lines = frozenset(PlaceId(one.id) for one in camera.lines)
    try:
        return grounds(_floor_of(camera, calibration), lines)
    except (MeasureRefused, SettingsRefused) as error:
        log.warning("no zone of camera %s is told outside the control room: %s", camera.id, error)
        return grounds({}, lines)


def drawn_of(camera: Camera, calibration: str | None) -> dict[PlaceId, str]:
    """A name for how each place of a camera is drawn and measured: other corners or calibration, another name."""
    zones = [(one.id, f"zone {one.points} {calibration or ''}") for one in camera.zones]
    lines = [(one.id, f"line {one.points} {calibration or ''}") for one in camera.lines]
    return {PlaceId(name): hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in zones + lines}


def _floor_of(camera: Camera, text: str | None) -> dict[PlaceId, Points]:
    """The corners of every zone in metres on the floor; none without a calibration."""
    if text is None or not camera.zones:
        return {}
    calibration = calibration_from(text)
    return {
        PlaceId(zone.id): calibration.floor_of(points_of(zone.points) * calibration.size_wh) for zone in camera.zones
    }


def _quiet(config: Config) -> QuietHours | None:
    quiet = config.alarms.quiet
    if quiet is None:
        return None
    return QuietHours(time.fromisoformat(quiet.start), time.fromisoformat(quiet.end), ZoneInfo(config.server.timezone))
