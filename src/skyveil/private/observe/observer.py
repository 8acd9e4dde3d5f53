"""From what was found in a camera's frames to the measures of its zones and lines. Private side.

Places and tracks live in memory, in here; what comes out is about places on the floor.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, final

from skyveil.core.camera import CrowdSpec, LineSpec, Shares, ZoneSpec
from skyveil.core.ids import CameraId
from skyveil.core.kinds import Kind
from skyveil.measure.calibration import Calibration
from skyveil.measure.calibration_text import calibration_from
from skyveil.measure.grid import CameraGrids
from skyveil.measure.level import ZoneKind
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.places import Line, Zone
from skyveil.measure.points import Points, points_of
from skyveil.measure.quantity import Quantity, unknown
from skyveil.private.detections import Detections
from skyveil.private.observe.head_count import HeadMap
from skyveil.private.observe.heads import crowded, feet_px, heads_px, plausible
from skyveil.private.observe.lines import LineWatch
from skyveil.private.observe.linker import Linker
from skyveil.private.observe.zones import PictureZone, ZoneWatch

COUNTED_FROM: Final = 0.5
"""A person of this score is counted; to be covered a much lower one is enough. On PETS09 the count is then within one
of the labels in 92 % of frames, and on ShanghaiTech B no more than the true one in 96 % of pictures (with 0.4 93 %)."""
_BOX_ERROR_PX: Final = 2.0
"""Error of a box's upper edge."""
STALE_S: Final = 15.0
"""Age at which numbers are no longer known."""
_EDGE_PX: Final = 2.0
"""A box that touches the upper edge shows no head."""


@final
class Observer:
    """Observes one camera. One thread owns it; it forgets everything with the instance."""

    def __init__(self, crowd: CrowdSpec, *, size_wh: tuple[int, int], camera: CameraId) -> None:
        """Raise MeasureRefused when the calibration is of another picture or a place does not lie on the floor."""
        self._camera = camera
        self._linker = Linker()
        self._calibration = None if crowd.calibration is None else calibration_from(crowd.calibration, size_wh=size_wh)
        self._zones: list[ZoneWatch | PictureZone] = []
        self._lines: list[LineWatch] = []
        self._uncounted = tuple(line.id for line in crowd.lines) if self._calibration is None else ()
        if self._calibration is None:
            self._zones += [PictureZone(one.id, _pixels(one.corners, size_wh)) for one in crowd.zones]
        else:
            self._zones += [
                ZoneWatch(
                    _zone(one, self._calibration, size_wh), self._calibration, orange=one.orange, critical=one.critical
                )
                for one in crowd.zones
            ]
            self._lines += [LineWatch(_line(one, self._calibration, size_wh), self._calibration) for one in crowd.lines]
        self._seen_s: float | None = None
        self._told: dict[str, Mapping[Measure, Quantity]] = {}

    def see(self, found: Detections, *, at_s: float) -> None:
        """Take what was found in the frame at `at_s`, seconds of the source's clock, which runs forward."""
        persons = found.of_kind(Kind.PERSON)
        boxes = persons.xyxy[(persons.score >= COUNTED_FROM) & (persons.xyxy[:, 1] > _EDGE_PX)]
        heads, feet = heads_px(boxes, self._calibration), feet_px(boxes, self._calibration)
        self._seen_s = at_s
        if self._calibration is None:
            for zone in self._zones:
                if isinstance(zone, PictureZone):
                    zone.take(feet, crowded=crowded(boxes))
            return
        keep = plausible(heads, feet, self._calibration)
        heads = heads[keep]
        places_m = self._calibration.under_heads(heads)
        error_m = _BOX_ERROR_PX * self._calibration.heads_m_per_px(heads)
        linked = self._linker.link(places_m, at_s=at_s, error_m=error_m)
        for zone in self._zones:
            if isinstance(zone, ZoneWatch):
                zone.take(places_m, linked, at_s=at_s, crowded=crowded(boxes))
        for line in self._lines:
            line.take(linked, at_s=at_s)

    def measures(self, *, start_s: float, end_s: float, at_s: float, heads: HeadMap | None = None) -> CameraMeasures:
        """The measures since this was asked last, for the span from `start_s` to `end_s` of unix time.

        at_s: now, on the clock of `see`. heads: the newest map of a density network, if there is one; an older one than
        15 s counts for nothing. A span without a frame repeats what was told last with its age, for 15 s.
        """
        age_s = STALE_S + 1 if self._seen_s is None else max(0.0, at_s - self._seen_s)
        places = []
        heads_age_s = 0.0 if heads is None else at_s - heads.at_s
        heads = heads if 0 <= heads_age_s <= STALE_S else None
        for zone in self._zones:
            values = zone.values() if isinstance(zone, PictureZone) else zone.values(heads, heads_age_s=heads_age_s)
            if values:
                self._told[zone.id] = values
            told = values or _older(self._told.get(zone.id, zone.nothing()), age_s)
            places.append(PlaceMeasures(zone.id, start_s, end_s, told))
        for line in self._lines:
            values = line.values(at_s=at_s, known=age_s <= 2 * (end_s - start_s))
            places.append(PlaceMeasures(line.id, start_s, end_s, values))
        for uncounted in self._uncounted:
            nothing = {one: unknown(one.unit) for one in (Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD)}
            places.append(PlaceMeasures(uncounted, start_s, end_s, nothing))
        return CameraMeasures(self._camera, tuple(places))

    @property
    def calibrated(self) -> bool:
        """Whether places are known in metres."""
        return self._calibration is not None

    def grids(self) -> CameraGrids | None:
        """The local densities that the newest measures rest on; None without a calibration."""
        if self._calibration is None:
            return None
        found = (zone.grid() for zone in self._zones if isinstance(zone, ZoneWatch))
        return CameraGrids(self._camera, self._calibration.to_shares, tuple(grid for grid in found if grid is not None))


def _older(values: Mapping[Measure, Quantity], age_s: float) -> dict[Measure, Quantity]:
    if age_s > STALE_S:
        return {measure: unknown(measure.unit, age_s=age_s) for measure in values}
    return {measure: replace(quantity, age_s=quantity.age_s + age_s) for measure, quantity in values.items()}


def _pixels(corners: tuple[Shares, ...], size_wh: tuple[int, int]) -> Points:
    return points_of([[x * size_wh[0], y * size_wh[1]] for x, y in corners])


def _zone(spec: ZoneSpec, calibration: Calibration, size_wh: tuple[int, int]) -> Zone:
    corners = calibration.floor_of(_pixels(spec.corners, size_wh))
    allowed = None
    if spec.way is not None:
        first, second = calibration.floor_of(_pixels(spec.way, size_wh))
        allowed = float(second[0] - first[0]), float(second[1] - first[1])
    return Zone(spec.id, corners, ZoneKind(spec.use), allowed)


def _line(spec: LineSpec, calibration: Calibration, size_wh: tuple[int, int]) -> Line:
    start, end = calibration.floor_of(_pixels((spec.start, spec.end), size_wh))
    return Line(spec.id, (float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
