"""Numbers by audience: what staff are told, and what only the control room has. Public side."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias, final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, status

from skyveil.core.ids import PlaceId
from skyveil.measure.level import LevelState, ZoneKind, level_of_service
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Aggregate, NumberSeries, released
from skyveil.public.audience import Audience
from skyveil.public.store.export import PERIODS, csv_of, table_of
from skyveil.public.store.roles import Permission
from skyveil.public.web.site import PlaceView
from skyveil.public.web.state import Access, Console, ConsoleDep, camera

router: Final = APIRouter(prefix="/api/v1/cameras/{camera}", tags=["numbers"])
CanRead = Annotated[Access, Depends(camera(Permission.NUMBERS))]
CanReadExact = Annotated[Access, Depends(camera(Permission.EXACT_NUMBERS))]
PlaceName = Annotated[str, Path(max_length=63, examples=["hall"])]
Period: TypeAlias = Literal["minute", "quarter", "hour", "day"]
MOST: Final = 50_000
"""Numbers of one answer: a month of minutes of one measure."""


@final
@dataclass(frozen=True, slots=True)
class PlaceOut:
    """A zone or line, and who beyond the control room is told of it.

    points: where it is in the picture, in shares. use, thresholds: of a zone, the densities from yellow to critical.
    pressure_from: how many times its normal crowd pressure makes yellow orange.
    """

    id: str
    name: str
    line: bool
    staff: bool
    public: bool
    points: list[tuple[float, float]]
    use: str
    thresholds: list[float]
    pressure_from: float | None


@final
@dataclass(frozen=True, slots=True)
class FigureOut:
    """One number. value: null unless it is told `exact`, `rounded` or `noisy`. sigma: its standard error."""

    measure: str
    unit: str
    told: str
    value: float | None
    sigma: float | None
    quality: str


@final
@dataclass(frozen=True, slots=True)
class NowOut:
    """The newest numbers of a place. level, since_s, reasons: of a zone that is watched, else null and empty.

    service: Fruin's level of service, A to F, of a zone whose density is measured, else null; where the density is
    `at-least`, this or a worse one.
    """

    place: str
    service: str | None
    level: str | None
    since_s: float | None
    reasons: list[str]
    start_s: float
    end_s: float
    age_s: float
    figures: list[FigureOut]


@final
@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one measure. start_s, value, sigma, told and quality have one entry for each period."""

    measure: str
    unit: str
    start_s: list[int]
    value: list[float | None]
    sigma: list[float | None]
    told: list[str]
    quality: list[str]


@final
@dataclass(frozen=True, slots=True)
class Chart:
    """Numbers of a place over time. period_s: seconds of each; times are unix seconds."""

    camera: str
    place: str
    audience: str
    period_s: int
    series: list[Series]


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """Which numbers of a place are asked for."""

    place: PlaceId
    measures: tuple[Measure, ...]
    period_s: int
    from_s: int
    to_s: int


def asked(
    place: PlaceName,
    measure: Annotated[list[Measure] | None, Query(max_length=len(Measure))] = None,
    period: Period = "minute",
    from_s: Annotated[float | None, Query(alias="from", ge=0, le=1e11)] = None,
    to_s: Annotated[float | None, Query(alias="to", ge=0, le=1e11)] = None,
) -> Asked:
    """A dependency: the numbers asked for; the last day where no time is given."""
    until_s = int(time.time()) if to_s is None else int(to_s)
    since_s = until_s - 86400 if from_s is None else int(from_s)
    measures = tuple(measure or (Measure.COUNT, Measure.CROSSED_FORWARD, Measure.CROSSED_BACKWARD))
    if since_s > until_s:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"`from` ({since_s}) is later than `to` ({until_s})")
    return at_most(MOST, Asked(PlaceId(place), measures, PERIODS[period], since_s, until_s))


def at_most(most: int, wanted: Asked) -> Asked:
    """What is asked for, if it is no more numbers than this; else the answer says so."""
    if wanted.to_s - wanted.from_s > most // len(wanted.measures) * wanted.period_s:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"at most {most} numbers at once: ask for less time")
    return wanted


AskedDep = Annotated[Asked, Depends(asked)]


@router.get("/places")
def places(access: CanRead, console: ConsoleDep) -> list[PlaceOut]:
    """The zones and lines of a camera."""
    return [
        PlaceOut(
            id=one.id,
            name=one.name,
            line=one.line,
            staff=one.staff,
            public=one.public,
            points=list(one.points),
            use=one.use or "",
            thresholds=list(one.thresholds),
            pressure_from=one.pressure_from,
        )
        for one in console.crowd.places(access.id)
    ]


@router.get("/numbers")
def now(access: CanReadExact, console: ConsoleDep) -> list[NowOut]:
    """The newest exact numbers of every place, for the control room."""
    levels = console.crowd.levels(access.id)
    uses = {one.id: one.use for one in console.crowd.places(access.id)}
    newest = [released(one, Audience.CONTROL_ROOM) for one in console.crowd.newest(access.id)]
    return [_now(one, levels.get(one.place), uses.get(one.place)) for one in newest]


@router.get("/places/{place}/numbers")
def staff_chart(access: CanRead, console: ConsoleDep, wanted: AskedDep) -> Chart:
    """Numbers of a place as staff are told them: nothing under five, rounded to five."""
    return chart(console, Audience.STAFF, access, wanted)


@router.get("/places/{place}/numbers.csv", response_class=Response)
def staff_csv(access: CanRead, console: ConsoleDep, wanted: AskedDep) -> Response:
    """The same as a table."""
    return as_csv(_found(console, Audience.STAFF, access, wanted))


@router.get("/places/{place}/numbers/exact")
def exact_chart(access: CanReadExact, console: ConsoleDep, wanted: AskedDep) -> Chart:
    """Exact numbers of a place, at most 24 hours old, for the control room."""
    return chart(console, Audience.CONTROL_ROOM, access, wanted)


def place_of(console: Console, access: Access, name: str) -> PlaceView:
    """A place of a camera; 404 when it has none of this name."""
    found = next((one for one in console.crowd.places(access.id) if one.id == name), None)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such place")
    return found


def _found(console: Console, audience: Audience, access: Access, wanted: Asked) -> Sequence[NumberSeries]:
    place_of(console, access, wanted.place)
    return console.crowd.chart(
        audience,
        access.id,
        wanted.place,
        wanted.measures,
        period_s=wanted.period_s,
        from_s=wanted.from_s,
        to_s=wanted.to_s,
    )


def chart(console: Console, audience: Audience, access: Access, wanted: Asked) -> Chart:
    """The numbers asked for, for an audience that the route has checked."""
    found = _found(console, audience, access, wanted)
    return Chart(access.id, wanted.place, audience, wanted.period_s, series_of(found))


def series_of(numbers: Sequence[NumberSeries]) -> list[Series]:
    """Numbers as they are answered."""
    return [
        Series(one.measure, one.measure.unit, one.start_s, one.value, one.sigma, one.told, one.quality)
        for one in numbers
    ]


def as_csv(numbers: Sequence[NumberSeries]) -> Response:
    """Numbers as comma-separated values (RFC 4180), one row for each."""
    table = table_of("numbers", numbers, from_s=0)
    return Response(csv_of(table), media_type="text/csv; charset=utf-8")


def _service(one: Aggregate, use: ZoneKind | None) -> str | None:
    """The level of service of a zone; None of a line, and where no density is measured."""
    density = one.figures.get(Measure.VORONOI_DENSITY, one.figures.get(Measure.DENSITY))
    if use is None or density is None or density.quantity.value is None:
        return None
    return level_of_service(density.quantity.value, use)


def _now(one: Aggregate, state: LevelState | None, use: ZoneKind | None) -> NowOut:
    figures = [
        FigureOut(
            measure,
            measure.unit,
            figure.told,
            figure.quantity.value,
            figure.quantity.sigma,
            figure.quantity.quality,
        )
        for measure, figure in one.figures.items()
    ]
    return NowOut(
        one.place,
        _service(one, use),
        None if state is None else state.level,
        None if state is None else state.since_s,
        [] if state is None else [reason.words for reason in state.reasons],
        one.start_s,
        one.end_s,
        max(0.0, time.time() - one.end_s),
        figures,
    )
