"""Numbers for everybody, without logging in, where the configuration opens them. Public side.

Only what `gate.release` made for the public is read here: counts with noise, within a budget. No other table exists
for these routes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Final, final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response, status

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.aggregate import NumberSeries
from skyveil.public.audience import Audience
from skyveil.public.web.caching import OpenRoute
from skyveil.public.web.numbers import Asked, AskedDep, Chart, as_csv, at_most, series_of
from skyveil.public.web.state import Console, ConsoleDep, address_of

ABOUT: Final = (
    "Counts with random noise, in whole numbers (discrete Laplace). `sigma` is the standard deviation of the noise; "
    "negative results are shown as 0. crossed_forward and crossed_backward: crossings of a line in each direction, by "
    "minute, hour and day; each is made by itself, so minutes do not add up to hours exactly. count: persons in a zone "
    "at the end of each quarter of an hour. Times are UTC, in unix seconds. What all numbers of one camera and day "
    "together tell of one visit of one person is limited to epsilon = 2; the ledger lists what each series costs. The "
    "promise is for each visit, not for each person: who comes again is another visit."
)


MOST: Final = 10_000
"""Numbers of one answer to somebody who did not log in: a week of minutes of one measure."""


def opened(request: Request, console: ConsoleDep) -> Console:
    """A dependency: the console, if its numbers are open to everybody and this address does not ask too often."""
    if not console.crowd.open_data():
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no open data here")
    wait_s = console.open_data.wait_s(address_of(request))
    if wait_s:
        raise HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS, "asked too often: wait", {"Retry-After": str(ceil(wait_s))}
        )
    return console


def modest(wanted: AskedDep) -> Asked:
    """A dependency: the numbers asked for, if they are not too many for somebody who did not log in."""
    return at_most(MOST, wanted)


Opened = Annotated[Console, Depends(opened)]
Modest = Annotated[Asked, Depends(modest)]
router: Final = APIRouter(prefix="/open/v1", tags=["open data"], route_class=OpenRoute)


@final
@dataclass(frozen=True, slots=True)
class OpenPlace:
    """A zone or line that the public is told of."""

    camera: str
    place: str
    name: str
    line: bool


@final
@dataclass(frozen=True, slots=True)
class OpenData:
    """What there is, and what it means."""

    about: str
    epsilon_per_visit_and_day: float
    places: list[OpenPlace]


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """What one series of one day costs. epsilon: an exact fraction."""

    place: str
    measure: str
    period_s: int
    mechanism: str
    sensitivity: int
    epsilon: str


@router.get("")
def what_there_is(console: Opened) -> OpenData:
    """The places, and what the numbers mean."""
    places = [
        OpenPlace(view.id, one.id, one.name, one.line)
        for view in console.site.cameras()
        for one in console.crowd.places(view.id)
        if one.public
    ]
    return OpenData(ABOUT, 2.0, places)


@router.get("/cameras/{camera}/places/{place}/numbers")
def public_chart(camera: str, console: Opened, wanted: Modest) -> Chart:
    """Numbers of a place, with noise."""
    name = _camera(console, camera, wanted)
    found = _found(console, name, wanted)
    return Chart(name, wanted.place, Audience.PUBLIC, wanted.period_s, series_of(found))


@router.get("/cameras/{camera}/places/{place}/numbers.csv", response_class=Response)
def public_csv(camera: str, console: Opened, wanted: Modest) -> Response:
    """The same as a table."""
    return as_csv(_found(console, _camera(console, camera, wanted), wanted))


@router.get("/cameras/{camera}/ledger")
def ledger(
    camera: Annotated[str, Path(max_length=63)],
    console: Opened,
    at_s: Annotated[float | None, Query(alias="at", ge=0, le=1e11)] = None,
) -> list[Cost]:
    """What the numbers of a camera cost on the day of a time (UTC); today's where none is given."""
    name = _known(console, camera)
    return [
        Cost(one.place, one.measure, one.period_s, one.mechanism, one.sensitivity, str(one.epsilon))
        for one in console.crowd.spent(name, time.time() if at_s is None else at_s)
    ]


def _found(console: Console, name: CameraId, wanted: Asked) -> Sequence[NumberSeries]:
    return console.crowd.chart(
        Audience.PUBLIC,
        name,
        wanted.place,
        wanted.measures,
        period_s=wanted.period_s,
        from_s=wanted.from_s,
        to_s=wanted.to_s,
    )


def _known(console: Console, text: str) -> CameraId:
    """The camera, if anything of it is public; a camera that is not looks like one that does not exist."""
    try:
        name = camera_id(text)
    except SettingsRefused:
        raise _missing() from None
    if not any(one.public for one in console.crowd.places(name)):
        raise _missing()
    return name


def _camera(console: Console, text: str, wanted: Asked) -> CameraId:
    name = _known(console, text)
    if not any(one.public and one.id == wanted.place for one in console.crowd.places(name)):
        raise _missing()
    return name


def _missing() -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, "there is no such place")
