"""The alarm desk: what is open, what happened, who takes it on, and drills. Public side."""

from dataclasses import dataclass
from typing import Annotated, Final, final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, status

from skyveil.public.alarm.event import Occasion
from skyveil.public.store import Principal
from skyveil.public.store.alarm_log import LoggedEvent
from skyveil.public.store.roles import Permission
from skyveil.public.web.numbers import PlaceName, place_of
from skyveil.public.web.state import Access, Console, ConsoleDep, allowed, camera, refusals

router: Final = APIRouter(prefix="/api/v1", tags=["alarms"])
CanSee = Annotated[Principal, Depends(allowed(Permission.ALARMS))]
CanAcknowledge = Annotated[Principal, Depends(allowed(Permission.ACKNOWLEDGE))]
CanDrill = Annotated[Access, Depends(camera(Permission.ACKNOWLEDGE))]
_ALARM: Final = r"^[a-z0-9-]{1,32}$"
AlarmId = Annotated[str, Path(pattern=_ALARM)]


@final
@dataclass(frozen=True, slots=True)
class AlarmOut:
    """An open alarm. place is empty for an outage, whose camera is then a camera's or a group's id."""

    id: str
    camera: str
    place: str
    name: str
    level: str
    rank: int
    since_s: float
    raised_s: float
    reasons: list[str]
    step: int
    acknowledged_by: str
    acknowledged_s: float | None
    drill: bool


@final
@dataclass(frozen=True, slots=True)
class AlarmEventOut:
    """Something that happened to an alarm. name: of the place, camera or group, for people, as it was then."""

    id: int
    at_s: float
    alarm: str
    event: str
    camera: str
    place: str
    name: str
    level: str
    words: str
    actor: str
    drill: bool


@router.get("/alarms")
def alarms(principal: CanSee, console: ConsoleDep) -> list[AlarmOut]:
    """The open alarms of cameras that you may see, the most urgent first."""
    visible = _visible(console, principal)
    return [_alarm(one, principal, visible) for one in console.crowd.alarms() if visible.shows(one)]


@router.get("/alarms/log")
def alarm_log(
    principal: CanSee,
    console: ConsoleDep,
    alarm: Annotated[str, Query(pattern=_ALARM)] = "",
    from_s: Annotated[float | None, Query(alias="from", ge=0, le=1e11)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[AlarmEventOut]:
    """What happened to alarms, or to one of them, newest first."""
    visible = _visible(console, principal)
    found = console.crowd.alarm_log(
        visible.cameras, groups=visible.groups, alarm=alarm, from_s=from_s, before=before, limit=limit
    )
    return [_event(one.seen_by(visible.cameras)) for one in found]


@router.post("/alarms/{alarm}/acknowledge")
def acknowledge(alarm: AlarmId, principal: CanAcknowledge, console: ConsoleDep) -> AlarmOut:
    """Take an alarm on; a drill ends with it."""
    found = _open(console, principal, alarm)
    if not all(principal.may(Permission.ACKNOWLEDGE, one) for one in found.cameras):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "cameras are out that are not yours: this alarm is taken on by somebody who is granted all of them",
        )
    with refusals():
        taken = console.crowd.acknowledge(found.id, principal.name)
    console.audit.record(principal.name, "alarm.acknowledge", f"{taken.camera}/{taken.place}", _details(taken))
    return _alarm(taken, principal, _visible(console, principal))


@router.get("/alarms/{alarm}/cap.xml", response_class=Response)
def cap(alarm: AlarmId, principal: CanSee, console: ConsoleDep) -> Response:
    """An open alarm in the Common Alerting Protocol 1.2."""
    found = _open(console, principal, alarm)
    seen = found.seen_by(_visible(console, principal).cameras)
    return Response(console.crowd.cap_xml(seen), media_type="application/cap+xml")


@router.post("/cameras/{camera}/places/{place}/drill")
def drill(access: CanDrill, place: PlaceName, console: ConsoleDep) -> AlarmOut:
    """Raise a drill, which goes the whole way of a red alarm; every message of it says DRILL."""
    with refusals():
        raised = console.crowd.drill(access.id, place_of(console, access, place), access.principal.name)
    console.audit.record(access.principal.name, "alarm.drill", f"{raised.camera}/{raised.place}", _details(raised))
    return _alarm(raised, access.principal, _visible(console, access.principal))


def _details(one: Occasion) -> dict[str, str | int | float | bool | None]:
    return {"alarm": one.id, "level": one.level, "drill": one.drill}


@final
@dataclass(frozen=True, slots=True)
class _Visible:
    """The cameras that are open to who asks, and their groups, whose outages may be seen as well."""

    cameras: frozenset[str]
    groups: frozenset[str]

    def shows(self, one: Occasion) -> bool:
        """Whether an alarm may be seen."""
        return one.camera in self.cameras or (not one.place and one.camera in self.groups)


def _visible(console: Console, principal: Principal) -> _Visible:
    seen = [one for one in console.site.cameras() if principal.may(Permission.ALARMS, one.id)]
    return _Visible(frozenset(one.id for one in seen), frozenset(one.group for one in seen if one.group))


def _open(console: Console, principal: Principal, alarm: str) -> Occasion:
    found = next((one for one in console.crowd.alarms() if one.id == alarm), None)
    if found is None or not _visible(console, principal).shows(found):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such open alarm")
    return found


def _alarm(whole: Occasion, principal: Principal, visible: _Visible) -> AlarmOut:
    """An alarm; whoever has no exact numbers reads the words that messages have."""
    one = whole.seen_by(visible.cameras)
    exact = principal.may(Permission.EXACT_NUMBERS, one.camera)
    return AlarmOut(
        id=one.id,
        camera=one.camera,
        place=one.place,
        name=one.name,
        level=one.level,
        rank=one.rank,
        since_s=one.since_s,
        raised_s=one.raised_s,
        reasons=list(one.reasons if exact else one.words),
        step=one.step,
        acknowledged_by=one.acknowledged_by,
        acknowledged_s=one.acknowledged_s,
        drill=one.drill,
    )


def _event(one: LoggedEvent) -> AlarmEventOut:
    return AlarmEventOut(
        id=one.id,
        at_s=one.at_s,
        alarm=one.alarm,
        event=one.happened,
        camera=one.camera,
        place=one.place,
        level=one.level,
        name=one.words[0] if one.words else one.place,
        words="; ".join(one.words[1:]),
        actor=one.actor,
        drill=one.drill,
    )
