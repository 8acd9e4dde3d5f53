"""The people of one zone over time. Private side; what comes out is about the zone."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.ids import PlaceId
from skyveil.measure import flow, unrest
from skyveil.measure.calibration import Calibration
from skyveil.measure.density import Field, LocalDensity, VoronoiDensity
from skyveil.measure.grid import DensityGrid
from skyveil.measure.level import DEFAULTS, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.measure.places import SHOWN_LEAST, SHOWN_WHOLE, Raster, Zone
from skyveil.measure.points import Points
from skyveil.measure.quantity import Quality, Quantity, measured, unknown, worst
from skyveil.private.observe.head_count import HeadCount, HeadMap
from skyveil.private.observe.linker import GAP_S, Linked

COUNTABLE_PER_M2: Final = 2.0
"""Density that boxes of persons can count: above it one in front hides the next, and a number is only "at least"."""
COUNT_SIGMA: Final = 0.15
"""Standard error of a count as a share, of one frame, where people can be counted (status.md says on what)."""
_SPEED_SD: Final = 0.1
"""Error of one linked head's velocity along x or y, m/s: what remains of 5 cm of jitter after the linker's filter."""
_AREA_SIGMA: Final = 0.1
"""Standard error of its area up to which a zone is measured well: what calibrations are held to."""
_OVER_S: Final = 300.0
"""Stays and waits are of the last five minutes."""
_STEP_S: Final = 1.0
_SETTLED: Final = 3
"""Frames that somebody must be on the other side of a zone's edge to have come or gone."""


@final
@dataclass(frozen=True, slots=True)
class _Moment:
    """What one frame says of the zone."""

    count: float
    density: float
    hottest: float
    dense_m2: float
    speed: float | None
    velocity: tuple[float, float] | None
    wrong: float
    standing: float
    crowded: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Second:
    """What the newest second left for what takes longer: the local fields inside, and means of the zone."""

    at_s: float
    density: NDArray[np.float64]
    velocity: NDArray[np.float64]
    people: NDArray[np.float64]
    mean_velocity: tuple[float, float]
    voronoi: float


@final
class ZoneWatch:
    """Watches one zone of a calibrated camera. One thread owns it."""

    def __init__(
        self, zone: Zone, calibration: Calibration, *, orange: float | None = None, critical: float | None = None
    ) -> None:
        """orange, critical: densities per m2 from which on the zone has these levels; else those of its kind."""
        self.id: PlaceId = zone.id
        self._zone = zone
        self._voronoi = VoronoiDensity(zone)
        self._local = LocalDensity(zone)
        self._orange = DEFAULTS[zone.kind].orange if orange is None else orange
        self._critical = DEFAULTS[zone.kind].critical if critical is None else critical
        raster = Raster(zone, side_m=0.25)
        shown = calibration.shows_heads(raster.centres_m)[raster.inside.ravel()]
        self._shown = float(shown.mean()) if len(shown) else 0.0
        self._area_sigma = calibration.area_sigma_of(zone.corners_m)
        self._visits = _Visits(zone)
        self._heads = HeadCount(zone, calibration)
        self._moments: list[_Moment] = []
        self._fields: list[Field] = []
        self._at_s = 0.0
        self._began_s: float | None = None
        self._seconds: deque[_Second] = deque(maxlen=180)
        self._counts: deque[float] = deque(maxlen=int(_OVER_S))
        self._minute: deque[Quantity] = deque(maxlen=60)
        self._pressures: deque[float] = deque(maxlen=3600)
        self._fresh = False

    def take(self, points_m: Points, linked: Linked, *, at_s: float, crowded: bool) -> None:
        """Take the places of the people found in the frame at `at_s`, (N, 2), and the tracks.

        crowded: whether people hide each other.

        People are counted where they were found: tracks that wait to be found again would count some twice.
        """
        if self._began_s is None or at_s - self._at_s > GAP_S:
            self._begin(at_s)
        self._at_s = at_s
        inside = self._zone.holds(linked.at_m)
        velocity = linked.velocity[inside & linked.found]
        field = self._local.of(points_m, linked.at_m, linked.velocity)
        allowed = self._zone.allowed
        self._moments.append(
            _Moment(
                float(self._zone.holds(points_m).sum()),
                self._voronoi.of(points_m),
                self._local.hottest(field),
                self._local.dense_m2(field, from_per_m2=self._orange),
                flow.median_speed(velocity),
                flow.mean_velocity(velocity),
                0.0 if allowed is None else flow.wrong_way_share(velocity, allowed),
                float((np.hypot(velocity[:, 0], velocity[:, 1]) < flow.STANDS_BELOW).sum()),
                crowded,
            )
        )
        self._fields.append(field)
        self._visits.take(linked.number, inside, at_s=at_s)

    def _begin(self, at_s: float) -> None:
        """Begin what takes longer than a second; what pressure is normal here stays known."""
        self._began_s = at_s
        for before in (self._moments, self._fields, self._seconds, self._counts, self._minute):
            before.clear()

    def values(self, heads: HeadMap | None = None, *, heads_age_s: float = 0.0) -> dict[Measure, Quantity]:
        """The measures of the frames since this was asked last; empty when there were none.

        heads: what a density network saw so long ago, for where boxes can not count.
        """
        moments, fields = self._moments, self._fields
        self._moments, self._fields = [], []
        self._fresh = bool(moments) and self._shown >= SHOWN_LEAST
        if not moments:
            return {}
        if not self._fresh:
            return self.nothing()
        self._remember(moments, fields)
        hottest = max(one.hottest for one in moments)
        good = self._shown >= SHOWN_WHOLE and self._area_sigma <= _AREA_SIGMA
        quality = Quality.GOOD if good else Quality.DEGRADED
        if hottest >= COUNTABLE_PER_M2 or any(one.crowded for one in moments):
            quality = Quality.AT_LEAST
        seen = None if heads is None else self._heads.of(heads.per_cell)
        if seen is not None and seen >= COUNTABLE_PER_M2 * self._area_m2:
            quality = Quality.AT_LEAST  # whatever boxes say of a crowd in which they find few
        found = self._crowding(moments, quality)
        found |= self._motion(moments)
        found |= self._queue(quality, moments)
        if heads is not None and seen is not None:
            found |= self._estimated(found[Measure.COUNT], seen, heads.error, heads_age_s)
        self._minute.append(found[Measure.COUNT])
        found[Measure.OCCUPANCY] = _mean(self._minute)
        return found | self._unrest()

    @property
    def _area_m2(self) -> float:
        """The area of the part that is seen."""
        return self._zone.area_m2 * self._shown

    def _estimated(self, boxes: Quantity, seen: float, error: float, age_s: float) -> dict[Measure, Quantity]:
        """Count and density by a density network that saw so many people, where boxes can not count.

        Where it saw fewer than boxes did it is wrong, and what boxes found stays the least that is there.
        """
        if boxes.quality is not Quality.AT_LEAST or boxes.value is None or seen < boxes.value:
            return {}
        sigma, density = float(np.hypot(error * seen, 0.5)), seen / self._area_m2
        per_m2_sigma = density * float(np.hypot(error, self._area_sigma))
        return {
            Measure.COUNT: Quantity(seen, sigma, Measure.COUNT.unit, Quality.ESTIMATED, age_s),
            Measure.DENSITY: Quantity(density, per_m2_sigma, Measure.DENSITY.unit, Quality.ESTIMATED, age_s),
        }

    def grid(self) -> DensityGrid | None:
        """The local densities that the newest values rest on; None when those were of no frame."""
        if not self._fresh:
            return None
        inside = self._local.inside
        per_m2 = np.full(inside.shape, np.nan)
        per_m2[inside] = self._seconds[-1].density
        return DensityGrid(self.id, self._local.side_m, self._local.low_m, per_m2)

    def nothing(self) -> dict[Measure, Quantity]:
        """What is said of a zone that can not be measured."""
        return {one: unknown(one.unit) for one in (Measure.COUNT, Measure.DENSITY, Measure.VORONOI_DENSITY)}

    def _crowding(self, moments: list[_Moment], quality: Quality) -> dict[Measure, Quantity]:
        count = float(np.mean([one.count for one in moments]))
        sigma = float(np.hypot(COUNT_SIGMA * count, 0.5 if count else 0.0))
        area = self._area_m2
        share = float(np.hypot(sigma / max(count, 1.0), self._area_sigma))
        values = {
            Measure.COUNT: (count, sigma),
            Measure.DENSITY: (count / area, share * max(count, 1.0) / area),
            Measure.VORONOI_DENSITY: _with([one.density / self._shown for one in moments], share),
            Measure.LOCAL_DENSITY_MAX: _with([one.hottest for one in moments], share),
            Measure.DENSE_AREA: _with([one.dense_m2 for one in moments], share),
        }
        return {one: Quantity(value, sd, one.unit, quality, 0.0) for one, (value, sd) in values.items()}

    def _motion(self, moments: list[_Moment]) -> dict[Measure, Quantity]:
        speeds = [one.speed for one in moments if one.speed is not None]
        velocities = [one.velocity for one in moments if one.velocity is not None]
        found = {one: unknown(one.unit) for one in (Measure.SPEED, Measure.VELOCITY_X, Measure.VELOCITY_Y)}
        if speeds and velocities:
            x, y = np.mean(velocities, axis=0)
            for one, value in (
                (Measure.SPEED, np.mean(speeds)),
                (Measure.VELOCITY_X, x),
                (Measure.VELOCITY_Y, y),
            ):
                found[one] = measured(float(value), one.unit, sigma=_SPEED_SD)
        if self._zone.allowed is not None:
            share = float(np.mean([one.wrong for one in moments]))
            found[Measure.WRONG_WAY_SHARE] = measured(share, Measure.WRONG_WAY_SHARE.unit)
        return found

    def _queue(self, quality: Quality, moments: list[_Moment]) -> dict[Measure, Quantity]:
        began_s = self._at_s if self._began_s is None else self._began_s
        over_s = min(_OVER_S, max(self._at_s - began_s, 1.0))
        arrivals, departures = self._visits.since(self._at_s - over_s)
        found = {Measure.MEAN_STAY: flow.mean_stay(float(np.mean(self._counts)), arrivals, over_s=over_s)}
        if self._zone.kind is ZoneKind.QUEUE:
            length = float(np.mean([one.standing for one in moments]))
            unit = Measure.QUEUE_LENGTH.unit
            found[Measure.QUEUE_LENGTH] = Quantity(length, COUNT_SIGMA * length, unit, quality, 0.0)
            found[Measure.QUEUE_WAIT] = flow.queue_wait(length, departures, over_s=over_s)
        return found

    def _remember(self, moments: list[_Moment], fields: list[Field]) -> None:
        inside = self._local.inside
        velocities = [one.velocity for one in moments if one.velocity is not None]
        x, y = np.mean(velocities, axis=0) if velocities else (0.0, 0.0)
        self._counts.append(float(np.mean([one.count for one in moments])))
        self._seconds.append(
            _Second(
                self._at_s,
                np.mean([one.density[inside] for one in fields], axis=0),
                np.mean([one.velocity[inside] for one in fields], axis=0),
                np.mean([one.people[inside] for one in fields], axis=0),
                (float(x), float(y)),
                float(np.mean([one.density for one in moments])),
            )
        )

    def _unrest(self) -> dict[Measure, Quantity]:
        last = list(self._seconds)[-int(unrest.PRESSURE_WINDOW_S) :]
        now = unrest.pressure(
            np.array([one.density for one in last]),
            np.array([one.velocity for one in last]),
            np.array([one.people for one in last]),
            speed_sd=_SPEED_SD,
        )
        ratio = unrest.ratio_to_normal(now, np.array(self._pressures))
        if now.value is not None:
            self._pressures.append(now.value)
        means = np.array([one.mean_velocity for one in self._seconds])[-int(unrest.OSCILLATION_WINDOW_S) :]
        found = {Measure.PRESSURE: now, Measure.PRESSURE_RATIO: ratio}
        dense = self._seconds[-1].voronoi >= unrest.SIGNS_FROM
        sway = unrest.oscillation(means, step_s=_STEP_S)
        waves = unrest.stop_and_go(np.hypot(means[:, 0], means[:, 1]), step_s=_STEP_S)
        signs = (Measure.OSCILLATION, Measure.OSCILLATION_PERIOD, Measure.STOP_AND_GO, Measure.STOP_AND_GO_PERIOD)
        for one, quantity in zip(signs, (*sway, *waves), strict=True):
            found[one] = quantity if dense else unknown(one.unit)
        found[Measure.TIME_TO_CRITICAL] = unrest.time_to_critical(
            np.array([one.at_s for one in self._seconds]),
            np.array([one.voronoi for one in self._seconds]),
            critical=self._critical,
        )
        return found


@final
class PictureZone:
    """A zone of a camera without calibration: it can be counted, and nothing else. One thread owns it."""

    def __init__(self, place: PlaceId, corners_px: Points) -> None:
        self.id = place
        self._zone = Zone(place, corners_px)
        self._counts: list[int] = []
        self._crowded = False

    def take(self, feet_px: Points, *, crowded: bool) -> None:
        """Take the feet of the people in one frame, (N, 2) pixels; crowded: whether people hide each other."""
        self._crowded = self._crowded or crowded
        self._counts.append(int(self._zone.holds(feet_px).sum()))

    def values(self) -> dict[Measure, Quantity]:
        """The mean count since this was asked last; empty when there was no frame."""
        counts, self._counts = self._counts, []
        quality = Quality.AT_LEAST if self._crowded else Quality.DEGRADED
        self._crowded = False
        if not counts:
            return {}
        count = float(np.mean(counts))
        sigma = float(np.hypot(COUNT_SIGMA * count, 0.5 if count else 0.0))
        return {Measure.COUNT: Quantity(count, sigma, Measure.COUNT.unit, quality, 0.0)}

    def nothing(self) -> dict[Measure, Quantity]:
        """What is said when nothing was ever seen."""
        return {Measure.COUNT: unknown(Measure.COUNT.unit)}


@final
class _Visits:
    """Counts who came into a zone and who left it; keeps only when."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._number = np.zeros(0, np.int64)
        self._inside = np.zeros(0, np.bool_)
        self._turned = np.zeros(0, np.int64)
        self._came: deque[float] = deque(maxlen=10_000)
        self._left: deque[float] = deque(maxlen=10_000)

    def take(self, number: NDArray[np.int64], inside: NDArray[np.bool_], *, at_s: float) -> None:
        """Take the tracks of one frame: their numbers, ascending, and who of them is inside."""
        was, turned = inside.copy(), np.zeros(len(number), np.int64)
        if len(self._number):
            row = np.minimum(np.searchsorted(self._number, number), len(self._number) - 1)
            known = self._number[row] == number
            was[known], turned[known] = self._inside[row[known]], self._turned[row[known]]
        turned = np.where(inside != was, turned + 1, 0)
        settled = turned >= _SETTLED
        self._came += [at_s] * int((settled & inside).sum())
        self._left += [at_s] * int((settled & ~inside).sum())
        self._number, self._inside = number, np.where(settled, inside, was)
        self._turned = np.where(settled, 0, turned)

    def since(self, at_s: float) -> tuple[int, int]:
        """How many came and how many left since then."""
        return sum(one >= at_s for one in self._came), sum(one >= at_s for one in self._left)


def _mean(counts: Collection[Quantity]) -> Quantity:
    """The mean of known counts, with the worst of their qualities, and their errors taken as the same throughout."""
    value = float(np.mean([one.value or 0.0 for one in counts]))
    sigma = float(np.mean([one.sigma or 0.0 for one in counts]))
    return Quantity(value, sigma, Measure.OCCUPANCY.unit, worst(one.quality for one in counts), 0.0)


def _with(values: list[float], share: float) -> tuple[float, float]:
    mean = float(np.mean(values))
    return mean, mean * share
