"""Zones and lines that are drawn in the console: what they are on the floor, and as the configuration has them. App."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import TypeAdapter, ValidationError

from skyveil.app.config.document import Plain
from skyveil.app.config.edit import set_keys
from skyveil.app.config.load import checked_camera, load, said
from skyveil.app.config.models import Camera, Config, Line, Zone
from skyveil.core.errors import MeasureRefused, SettingsRefused
from skyveil.core.ids import PlaceId
from skyveil.gate.grounds import LEAST_AREA_M2, Grounds, grounds
from skyveil.measure.calibration import Calibration
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.level import DEFAULTS, ZoneKind
from skyveil.measure.places import LEAST_AREA_M2 as ONE_PERSON_M2
from skyveil.measure.places import SHOWN_LEAST, Raster
from skyveil.measure.places import Line as FloorLine
from skyveil.measure.places import Zone as FloorZone
from skyveil.measure.points import Points, crosses_itself, points_of
from skyveil.public.web.drawn import Code, Drawing, DrawnPlace, DrawnThresholds, Judged

_ZONE: Final = TypeAdapter(Zone)
_LINE: Final = TypeAdapter(Line)
_CELL_M: Final = 0.5
_WORDS: Final[Mapping[Code, str]] = {
    "crosses": "its outline crosses itself: move its corners",
    "flat": "it has no inside: give it 3 corners that do not lie in line",
    "horizon": "it reaches the horizon: draw it on the floor",
    "one-person": f"it is under {ONE_PERSON_M2:g} m2, the place of one person: draw it larger",
    "far": "heads are too small, or out of the picture, in more than half of it: draw it nearer",
    "small": f"it is under {LEAST_AREA_M2:g} m2: only the control room is told of it",
    "uncalibrated": "the camera is not calibrated, so it has no size: only the control room is told of it",
    "overlap": "it shares ground with another zone: only the control room is told of zones here",
}


def drawing_of(config: Config, camera: Camera, *, running: str | None = None) -> Drawing:
    """What is drawn on a camera, as the configuration has it. running: the calibration that it measures with."""
    places = _drawn(camera)
    return Drawing(
        version_of(camera),
        camera.calibration is not None,
        places,
        judged(config, camera, places, running=running),
        {
            kind.value: DrawnThresholds(*one.densities, rise_s=one.rise_s, fall_s=one.fall_s)
            for kind, one in DEFAULTS.items()
        },
    )


def drawn(path: Path, camera: str, places: Sequence[DrawnPlace], *, version: str) -> Config:
    """Write other places of a camera to the file, atomically; gives the new configuration.

    Raises SettingsRefused, and changes nothing, when a place is refused, or `version` is not what the file has.
    """
    config = load(path)
    one = named(config, camera)
    if version_of(one) != version:
        raise SettingsRefused("the places were drawn anew by somebody else meanwhile: load the page again")
    for place, said_of in zip(places, judged(config, one, places), strict=True):
        if said_of.refused:
            raise SettingsRefused(f"{place.name}: {said_of.words}")
    return set_keys(path, camera, values_of(places))


def named(config: Config, camera: str) -> Camera:
    """A camera of a configuration; SettingsRefused when it has none of this name."""
    found = next((one for one in config.cameras if one.id == camera), None)
    if found is None:
        raise SettingsRefused(f"the configuration has no camera {camera!r}")
    return found


def version_of(camera: Camera) -> str:
    """Short words for what is drawn: another drawing has others."""
    text = json.dumps(values_of(_drawn(camera)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def values_of(places: Sequence[DrawnPlace]) -> dict[str, Plain]:
    """Places as the file has them: the keys `zones` and `lines` of a camera."""
    lines: list[Plain] = [_line_value(one) for one in places if one.line]
    zones: list[Plain] = [_zone_value(one) for one in places if not one.line]
    return {"zones": zones, "lines": lines}


def judged(
    config: Config, camera: Camera, places: Sequence[DrawnPlace], *, running: str | None = None
) -> tuple[Judged, ...]:
    """What each place would be and whether it can be saved, in their order."""
    try:
        calibration = calibration_of(camera, running=running)
    except (MeasureRefused, SettingsRefused) as error:
        return tuple(_refused(one, "other", str(error)) for one in places)
    return judged_on(config, camera, places, calibration)


def judged_on(
    config: Config, camera: Camera, places: Sequence[DrawnPlace], calibration: Calibration | None
) -> tuple[Judged, ...]:
    """The same under a calibration."""
    told = [_on_floor(one, calibration) for one in places]
    for index, words in _problems(config, camera, places):
        if not told[index].refused:
            told[index] = _refused(places[index], "other", words)
    return _told(config, told, places, calibration)


def calibration_of(camera: Camera, *, running: str | None = None) -> Calibration | None:
    """The calibration of a camera; raises SettingsRefused or MeasureRefused when it is none.

    running: the one that it measures with, whatever its file holds by now; without it, that of the file.
    """
    if camera.calibration is None:
        return None
    if running is not None:
        return calibration_from(running)
    try:
        return calibration_from(camera.calibration.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{camera.calibration}: the calibration of {camera.id} can not be read") from error


def _drawn(camera: Camera) -> tuple[DrawnPlace, ...]:
    zones = [
        DrawnPlace(
            one.id,
            one.name,
            line=False,
            points=one.points,
            use=one.kind,
            way=one.way,
            thresholds=None if one.thresholds is None else DrawnThresholds(**asdict(one.thresholds)),
        )
        for one in camera.zones
    ]
    return (*zones, *(DrawnPlace(one.id, one.name, line=True, points=one.points) for one in camera.lines))


def _zone_value(place: DrawnPlace) -> dict[str, Plain]:
    value: dict[str, Plain] = {
        "id": place.id,
        "name": place.name,
        "kind": place.use,
        "points": [list(point) for point in place.points],
    }
    if place.way is not None:
        value["way"] = [list(point) for point in place.way]
    if place.thresholds is not None:
        value["thresholds"] = dict(asdict(place.thresholds))
    return value


def _line_value(place: DrawnPlace) -> dict[str, Plain]:
    return {"id": place.id, "name": place.name, "points": [list(point) for point in place.points]}


def _problems(config: Config, camera: Camera, places: Sequence[DrawnPlace]) -> list[tuple[int, str]]:
    """What the configuration would refuse, by place."""
    found: list[tuple[int, str]] = []
    zones: dict[int, Zone] = {}
    lines: dict[int, Line] = {}
    for index, one in enumerate(places):
        try:
            if one.line:
                lines[index] = _LINE.validate_python(_line_value(one))
            else:
                zones[index] = _ZONE.validate_python(_zone_value(one))
        except ValidationError as error:
            problem = error.errors()[0]
            found.append((index, f"{problem['loc'][0]} {said(problem['type'], problem['msg'])}"))
    order = {"zones": list(zones), "lines": list(lines)}
    drawn = replace(camera, zones=tuple(zones.values()), lines=tuple(lines.values()))
    for where, words in checked_camera(config, drawn, ()):
        if where and where[0] in order and len(where) > 1:
            found.append((order[str(where[0])][int(where[1])], words))
        elif where == ("targets",):
            found += [(index, words) for index in range(len(places))]
    return found


def _on_floor(place: DrawnPlace, calibration: Calibration | None) -> Judged:
    """What a place is in metres, and what refuses it there."""
    corners = points_of(place.points)
    if not place.line and len(corners) < 3:
        return _refused(place, "flat")
    if not place.line and crosses_itself(corners):
        return _refused(place, "crosses")
    if calibration is None:
        return Judged(place.id, code="" if place.line else "uncalibrated", words=_words(place, "uncalibrated"))
    floor = calibration.floor_of(corners * calibration.size_wh)
    if not np.isfinite(floor).all():
        return _refused(place, "horizon")
    try:
        return _line_on(place, floor, calibration) if place.line else _zone_on(place, floor, calibration)
    except MeasureRefused as error:
        return _refused(place, "other", str(error).removeprefix(f"{place.id}: "))


def _zone_on(place: DrawnPlace, floor: Points, calibration: Calibration) -> Judged:
    allowed = None
    if place.way is not None:
        first, second = calibration.floor_of(points_of(place.way) * calibration.size_wh)
        allowed = float(second[0] - first[0]), float(second[1] - first[1])
    zone = FloorZone(PlaceId(place.id), floor, ZoneKind(place.use), allowed)
    if zone.area_m2 < ONE_PERSON_M2:
        return replace(_refused(place, "one-person"), area_m2=zone.area_m2)
    raster = Raster(zone, side_m=_CELL_M)
    shown = calibration.shows_heads(raster.centres_m)[raster.inside.ravel()]
    if len(shown) and float(shown.mean()) < SHOWN_LEAST:
        return replace(_refused(place, "far"), area_m2=zone.area_m2)
    return Judged(place.id, area_m2=zone.area_m2)


def _line_on(place: DrawnPlace, floor: Points, calibration: Calibration) -> Judged:
    start, end = floor
    line = FloorLine(PlaceId(place.id), (float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
    if float(calibration.shows_heads(line.points_m).mean()) < SHOWN_LEAST:
        return replace(_refused(place, "far"), length_m=line.width_m)
    middle, ahead = (start + end) / 2, np.array(line.forward) * min(1.0, line.width_m / 2)
    arrow = calibration.pixels_of(points_of([middle.tolist(), (middle + ahead).tolist()])) / calibration.size_wh
    forward = None
    if np.isfinite(arrow).all():
        (x1, y1), (x2, y2) = arrow.tolist()
        forward = ((x1, y1), (x2, y2))
    return Judged(place.id, length_m=line.width_m, forward=forward)


def _told(
    config: Config, judged: Sequence[Judged], places: Sequence[DrawnPlace], calibration: Calibration | None
) -> tuple[Judged, ...]:
    """The same with who is told of each."""
    lines = frozenset(PlaceId(one.id) for one in places if one.line)
    floors: dict[PlaceId, Points] = {}
    if calibration is not None:
        for one, said_of in zip(places, judged, strict=True):
            if not one.line and not said_of.refused:
                floors[PlaceId(one.id)] = calibration.floor_of(points_of(one.points) * calibration.size_wh)
    try:
        grounded, overlapping = grounds(floors, lines), False
    except SettingsRefused:
        grounded, overlapping = grounds({}, lines), True
    return tuple(_audience(one, grounded, public=config.numbers.public, overlapping=overlapping) for one in judged)


def _audience(one: Judged, told: Grounds, *, public: bool, overlapping: bool) -> Judged:
    if one.refused:
        return one
    if one.id in told:
        return replace(one, staff=True, public=public)
    if one.area_m2 is None:
        return one
    code: Code = "overlap" if overlapping and one.area_m2 >= LEAST_AREA_M2 else "small"
    return replace(one, code=code, words=_WORDS[code])


def _refused(place: DrawnPlace, code: Code, words: str = "") -> Judged:
    return Judged(place.id, refused=True, code=code, words=words or _WORDS[code])


def _words(place: DrawnPlace, code: Code) -> str:
    return "" if place.line else _WORDS[code]
