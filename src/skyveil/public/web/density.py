"""Where zones are full, now and over a day, for the control room. Public side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Final, final

from fastapi import APIRouter, Query

from skyveil.public.density_map import sealed_map
from skyveil.public.hour_map import HOUR_S, HourMap, joined
from skyveil.public.web.numbers import CanReadExact
from skyveil.public.web.state import ConsoleDep

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}/density", tags=["numbers"])


@final
@dataclass(frozen=True, slots=True)
class DensityOut:
    """Where a zone is full. per_m2: row after row, in steps of 0.5; null outside of the zone.

    low_m: corner with the least x and y on the floor. floor_to_picture: nine numbers row by row, the map from metres on
    the floor to shares of the picture.
    """

    place: str
    at_s: float
    side_m: float
    low_m: tuple[float, float]
    columns: int
    per_m2: list[float | None]
    floor_to_picture: list[float]


@final
@dataclass(frozen=True, slots=True)
class HourOut:
    """An hour of the day. measured_s: how much of it was measured, of the zone that was measured most."""

    start_s: int
    measured_s: int


@final
@dataclass(frozen=True, slots=True)
class DayMapOut:
    """Where a zone was full. Squares are those of `DensityOut`.

    measured_s: seconds that are in it. left_out_s: seconds that were measured before the zone was drawn, calibrated or
    judged anew. mean, highest: persons per m2. over_share: for each of the thresholds, the share of the measured time.
    """

    place: str
    measured_s: int
    left_out_s: int
    side_m: float
    low_m: tuple[float, float]
    columns: int
    mean: list[float | None]
    highest: list[float | None]
    thresholds: list[float]
    over_share: list[list[float | None]]
    floor_to_picture: list[float]


@final
@dataclass(frozen=True, slots=True)
class DayOut:
    """Where zones were full in the last 24 hours: the hours that there are, and the maps of what was asked for."""

    hours: list[HourOut]
    maps: list[DayMapOut]


@router.get("")
def density(access: CanReadExact, console: ConsoleDep) -> list[DensityOut]:
    """Where the zones of a camera are full now, for the control room; nobody who stands alone is on it."""
    return [
        DensityOut(
            place=one.place,
            at_s=one.at_s,
            side_m=one.side_m,
            low_m=one.low_m,
            columns=one.columns,
            per_m2=one.per_m2,
            floor_to_picture=list(one.floor_to_picture),
        )
        for one in map(sealed_map, console.crowd.maps(access.id))
    ]


@router.get("/day")
def day(
    access: CanReadExact, console: ConsoleDep, hour: Annotated[float | None, Query(ge=0, le=1e11)] = None
) -> DayOut:
    """Where the zones of a camera were full in the last 24 hours, or in the hour that holds `hour` (unix seconds)."""
    found = console.crowd.day(access.id)
    wanted = [one for one in found if hour is None or one.start_s == int(hour) // HOUR_S * HOUR_S]
    by_place = groupby(sorted(wanted, key=lambda one: one.place), key=lambda one: one.place)
    return DayOut(_hours(found), [_map(list(maps)) for _, maps in by_place])


def _hours(maps: Sequence[HourMap]) -> list[HourOut]:
    measured_s: dict[int, dict[str, int]] = {}
    for one in maps:
        places = measured_s.setdefault(one.start_s, {})
        places[one.place] = places.get(one.place, 0) + one.measured_s
    return [HourOut(start_s, max(measured_s[start_s].values())) for start_s in sorted(measured_s)]


def _map(maps: Sequence[HourMap]) -> DayMapOut:
    one, left_out_s = joined(maps)
    return DayMapOut(
        place=one.place,
        measured_s=one.measured_s,
        left_out_s=left_out_s,
        side_m=one.layout.side_m,
        low_m=one.layout.low_m,
        columns=one.layout.columns,
        mean=one.mean_per_m2,
        highest=one.highest_per_m2,
        thresholds=list(one.layout.thresholds),
        over_share=one.over_share,
        floor_to_picture=list(one.layout.floor_to_picture),
    )
