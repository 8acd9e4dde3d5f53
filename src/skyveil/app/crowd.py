"""Numbers and alarms of a running site: configuration, store, desk and messages, tied together. App."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from time import time as unix_s
from typing import Final, final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from skyveil.app.alarms import Alarms
from skyveil.app.config import Config
from skyveil.app.crowd_plan import CrowdPlan, planned, public_of, thresholds_of, titled
from skyveil.app.drawings import Drawings
from skyveil.app.hour_maps import HourMaps
from skyveil.app.numbers import Numbers
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import LevelState, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Aggregate, NumberSeries
from skyveil.public.alarm.cap import open_alarm_xml
from skyveil.public.alarm.desk import Desk
from skyveil.public.alarm.event import AlarmEvent, Occasion
from skyveil.public.audience import Audience
from skyveil.public.density_map import DensityMap, sealed_map
from skyveil.public.hour_map import HourMap
from skyveil.public.store.alarm_log import AlarmLog, LoggedEvent
from skyveil.public.store.draw_mark import NAME, DrawMark
from skyveil.public.store.hour_maps import HourMapStore
from skyveil.public.store.ledger import Ledger, Spent
from skyveil.public.store.numbers import NumberStore
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
        self.configure(planned(config, specs))

    def configure(self, plan: CrowdPlan) -> None:
        """Count, tell, watch, keep and be quiet as another configuration says. Nothing here can be refused."""
        self._config, self._grounds = plan.config, plan.grounds
        self._store.keep(plan.retention)
        self._places, self._thresholds = plan.places, plan.thresholds
        self._maps = {key: one for key, one in tuple(self._maps.items()) if self._counted(*key)}
        self._numbers.configure(plan.tellings)
        self._numbers.keep(plan.places)
        self._alarms.configure(plan.watches)
        self._alarms.adjust(escalate_s=plan.config.alarms.escalate_s, quiet=plan.quiet)

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
        return self._alarms.drill(camera, place.id, titled(of, place.name), actor)

    def cap_xml(self, alarm: Occasion) -> bytes:
        """An open alarm as CAP 1.2."""
        kept = self._config.alarms
        return open_alarm_xml(alarm, now_s=unix_s(), sender=kept.sender, link=kept.link)
