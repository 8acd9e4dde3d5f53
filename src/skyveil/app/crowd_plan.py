"""What a configuration says of numbers and alarms, made before a running site goes by any of it. App."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Final, final
from zoneinfo import ZoneInfo

from skyveil.app.alarms import Watch, Watched
from skyveil.app.config import Config
from skyveil.app.config.measured import crowd_of
from skyveil.app.config.models import Camera, Zone
from skyveil.app.numbers import Telling, fair_epsilon
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import CalibrationRefused, MeasureRefused, SettingsRefused
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.gate.grounds import Grounds, grounds
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.level import DEFAULTS, Thresholds, ZoneKind
from skyveil.measure.points import Points, points_of
from skyveil.public.alarm.quiet import QuietHours
from skyveil.public.budget import DAY_S
from skyveil.public.store.numbers import Retention

log: Final = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True)
class CrowdPlan:
    """What is counted, told, watched and kept. thresholds: persons per m2, of every zone."""

    config: Config
    retention: Retention
    places: Mapping[CameraId, frozenset[PlaceId]]
    thresholds: Mapping[tuple[CameraId, PlaceId], tuple[float, float, float, float]]
    grounds: Mapping[CameraId, Grounds]
    tellings: Mapping[CameraId, Telling]
    watches: Mapping[CameraId, Watch]
    quiet: QuietHours | None


def planned(config: Config, specs: Mapping[CameraId, CameraSpec]) -> CrowdPlan:
    """What a configuration says, of which these cameras run; SettingsRefused for values that contradict each other."""
    kept, groups = config.numbers, {one.id: one.name for one in config.groups}
    cameras = {camera_id(one.id): one for one in config.cameras}
    texts = {name: _calibration(one, specs) for name, one in cameras.items()}
    found = {name: grounds_of(one, texts[name]) for name, one in cameras.items()}
    return CrowdPlan(
        config,
        Retention(kept.staff_days * DAY_S, kept.public_days * DAY_S),
        places={
            name: frozenset([PlaceId(zone.id) for zone in one.zones] + [PlaceId(line.id) for line in one.lines])
            for name, one in cameras.items()
        },
        thresholds={
            (name, PlaceId(zone.id)): thresholds_of(zone).densities
            for name, one in cameras.items()
            for zone in one.zones
        },
        grounds=found,
        tellings={
            name: Telling(
                found[name],
                public_of(config, one),
                fair_epsilon(found[name]),
                kept.stay_minutes * 60,
                drawn_of(one, texts[name]),
            )
            for name, one in cameras.items()
        },
        watches={
            name: Watch(
                {PlaceId(zone.id): Watched(titled(one, zone.name), thresholds_of(zone)) for zone in one.zones},
                (one.id, one.name) if one.group is None else (one.group, groups[one.group]),
            )
            for name, one in cameras.items()
            if one.enabled and one.zones and one.calibration is not None
        },
        quiet=_quiet(config),
    )


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


def titled(camera: Camera, place: str) -> str:
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
