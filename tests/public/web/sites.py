"""A site that holds still, for tests of the console."""

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from skyveil.core.camera import AskedRulers
from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.gate.release_maps import release_maps
from skyveil.measure.given import Given, Hung, solved
from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.measure.level import Level, LevelState, Reason, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Aggregate, NumberSeries, Told
from skyveil.public.alarm.cap import cap_xml
from skyveil.public.alarm.event import AlarmEvent, Happened, Occasion
from skyveil.public.audience import Audience
from skyveil.public.density_map import DensityMap
from skyveil.public.hour_map import HourMap, Layout
from skyveil.public.store.alarm_log import LoggedEvent
from skyveil.public.store.ledger import Spent
from skyveil.public.web.drawn import CalibrationView, Drawing, DrawnPlace, Fitted, Judged, RulersView
from skyveil.public.web.site import (
    CameraView,
    GapView,
    HoldView,
    NamedMask,
    PlaceView,
    SegmentView,
    SiteView,
    version_of,
)
from tests.public.store.made import COUNT, EXACT, numbers, place

GOOD = "plenty of goats"
"""The password of all accounts of these tests."""


def view(name: str) -> CameraView:
    return CameraView(
        camera_id(name), name.title(), "Hall", "Safety", ("face", "head"), "balanced", "standard", 2, True, True, 72.0,
        "UTC", site="hall", site_name="Hall",
    )  # fmt: skip


class StillSite:
    def __init__(self, *names: str) -> None:
        self.views = [view(name) for name in names]
        self.set: dict[str, tuple[NamedMask, ...]] = {}
        self.others: tuple[NamedMask, ...] | None = None
        """Masks that somebody else sets in the moment in which some are set."""
        self.drawn: dict[str, tuple[DrawnPlace, ...]] = {}
        self.calibrated: dict[str, Given] = {}
        self.asked: dict[str, tuple[int, AskedRulers]] = {}
        self.trusted: list[CameraId] = []
        self.public = False
        self.wrong: list[str] = []
        self.fps = 10.0

    def cameras(self) -> Sequence[CameraView]:
        return self.views

    def sites(self) -> Sequence[SiteView]:
        return [SiteView("hall", "Hall", None)]

    def health(self) -> Mapping[CameraId, CameraHealth]:
        return {
            one.id: CameraHealth(one.id, CameraState.LIVE, Cause.OK, 1.0, fps=self.fps, age_s=0.1) for one in self.views
        }

    def masks(self, camera: CameraId) -> tuple[NamedMask, ...]:
        return self.set.get(camera, ())

    def set_masks(
        self, camera: CameraId, masks: tuple[NamedMask, ...], *, version: str, recorded: Callable[[], None]
    ) -> None:
        if self.others is not None:
            self.set[camera], self.others = self.others, None
        if version != version_of(self.masks(camera)):
            raise SettingsRefused("the masks were changed by somebody else meanwhile: load the page again")
        recorded()
        self.set[camera] = masks

    def drawing(self, camera: CameraId) -> Drawing:
        places = self.drawn.get(camera, ())
        return Drawing(
            str(len(places)), calibrated=True, places=places, judged=self.judged(camera, places), defaults={}
        )

    def judged(self, camera: CameraId, places: Sequence[DrawnPlace]) -> tuple[Judged, ...]:
        return tuple(
            Judged(one.id, refused=True, code="other", words="no")
            if one.name == "refused"
            else Judged(one.id, area_m2=20.0, staff=True, public=self.public)
            for one in places
        )

    def draw(self, camera: CameraId, places: Sequence[DrawnPlace], *, version: str) -> Drawing:
        self.drawn[camera] = tuple(places)
        return self.drawing(camera)

    def calibration(self, camera: CameraId) -> CalibrationView:
        given = self.calibrated.get(camera)
        return CalibrationView("", None) if given is None else CalibrationView("1", self.fitted(camera, given))

    def fitted(self, camera: CameraId, given: Given) -> Fitted:
        found, judged = solved(given), self.judged(camera, self.drawn.get(camera, ()))
        return Fitted(
            found.size_wh, 4, 0.5, None, None, 0.05, found.camera_m[2], 0.1, (), None, ((0.1, 0.9, 0.1, 0.5),), judged
        )

    def calibrate(self, camera: CameraId, given: Given, *, version: str) -> CalibrationView:
        self.calibrated[camera] = given
        return self.calibration(camera)

    def rulers(self, camera: CameraId) -> RulersView:
        if camera not in self.asked:
            return RulersView("none", 0, 60, None, 0, None)
        number, asked = self.asked[camera]
        found = self.fitted(camera, Given((1920, 1080), camera=Hung(5.0, 30.0, asked.view_deg)))
        return RulersView("fitted", 60, 60, asked.view_deg, number, found)

    def ask_rulers(self, camera: CameraId, asked: AskedRulers) -> None:
        if self.wrong:
            raise SettingsRefused("people are not looked for: add head or person to the camera's targets")
        self.asked[camera] = (len(self.asked) + 1, asked)

    def drop_rulers(self, camera: CameraId) -> None:
        self.asked.pop(camera, None)

    def calibrate_by_rulers(self, camera: CameraId, number: int, *, version: str) -> CalibrationView:
        _, asked = self.asked.pop(camera)
        return self.calibrate(camera, Given((1920, 1080), camera=Hung(5.0, 30.0, asked.view_deg)), version=version)

    def trust_view(self, camera: CameraId) -> None:
        self.trusted.append(camera)

    def reload(self) -> str:
        if self.wrong:
            raise SettingsRefused("skyveil.yaml:3: wrong")
        return "nothing"

    def settings(self) -> Mapping[str, str | int | float | None]:
        return {"timezone": "UTC", "port": 8400}

    def problems(self) -> Sequence[str]:
        return self.wrong

    def losses(self) -> Mapping[str, int]:
        return {"notices": 3}


class StillRecordings:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def days(self, camera: CameraId, zone: ZoneInfo) -> Sequence[str]:
        return ["2026-05-01"]

    def span(self, camera: CameraId, from_s: float, to_s: float) -> tuple[Sequence[SegmentView], Sequence[GapView]]:
        return [SegmentView(7, from_s, from_s + 2, 0.0, "00112233aabbccdd")], [GapView(from_s + 2, to_s, "link-lost")]

    def segment(self, camera: CameraId, number: int) -> bytes:
        if number != 7:
            raise RecordingMissing("there is no such recording")
        return b"segment"

    def init(self, camera: CameraId, name: str) -> bytes:
        return b"init"

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        return "#EXTM3U\n"

    def export(self, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str) -> str:
        name = f"{camera}-20260501t140500z-0123abcd.mp4"
        (self._folder / name).write_bytes(b"export")
        (self._folder / f"{name}.statement.json").write_text('{"gaps": []}')
        return name

    def exported(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise RecordingMissing("there is no such export")
        return path

    def holds(self, camera: CameraId) -> Sequence[HoldView]:
        return [HoldView("abcd", 1.0, 2.0, "accident", "requested", 3.0, "ada", None)]

    def ask_hold(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> str:
        return "abcd"

    def decide_hold(self, camera: CameraId, hold: str, *, approve: bool, actor: str) -> None:
        if hold != "abcd":
            raise RecordingMissing("there is no such hold")


HALL = PlaceId("hall")
VALUES = {Audience.CONTROL_ROOM: 41.0, Audience.STAFF: 45.0, Audience.PUBLIC: 43.0}
HOW = {Audience.CONTROL_ROOM: Told.EXACT, Audience.STAFF: Told.ROUNDED, Audience.PUBLIC: Told.NOISY}


class StillCrowd:
    """A hall and a desk at every camera; the public is told of the door's hall where `public`; two open alarms."""

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        self.asked: list[tuple[Audience, str]] = []
        door, stairs = camera_id("door"), camera_id("stairs")
        self.open = [
            Occasion("alarm-1", door, HALL, "Hall", Level.RED, 3, 5.0, ("density 5.2 per m2",), (), 4.0),
            Occasion("alarm-2", stairs, HALL, "Stairs", Level.ORANGE, 2, 5.0, (), (), 4.0),
        ]

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        if camera not in ("door", "stairs"):
            return []
        desk = PlaceView(PlaceId("desk"), "Desk", line=False, staff=False, public=False)
        return [
            PlaceView(
                HALL, "Hall", line=False, staff=True, public=self.public and camera == "door", use=ZoneKind.STAIRS
            ),
            desk,
        ]

    def levels(self, camera: CameraId) -> Mapping[PlaceId, LevelState]:
        reason = Reason(COUNT, 41.0, 40.0, "density 5.2 per m2")
        return {HALL: LevelState(Level.RED, Level.RED, 5.0, (reason,))}

    def maps(self, camera: CameraId) -> Sequence[DensityMap]:
        grid = DensityGrid(HALL, 0.5, (0.0, 1.0), np.array([[0.2, 3.1], [np.nan, 5.0]]))
        return release_maps(CameraGrids(camera, np.eye(3), (grid,)), at_s=5.0)

    def day(self, camera: CameraId) -> Sequence[HourMap]:
        made = []
        for start_s, seconds, per_m2 in ((0, 30, [[0.2, 3.1], [np.nan, 5.0]]), (3600, 20, [[0, 0.2], [np.nan, 0]])):
            grid = DensityGrid(HALL, 0.5, (0.0, 1.0), np.array(per_m2))
            (released,) = release_maps(CameraGrids(camera, np.eye(3), (grid,)), at_s=start_s + 5.0)
            made.append(HourMap.empty(camera, HALL, start_s, Layout.of(released, (2.0, 4.0))))
            made[-1].add(released, seconds)
        return made

    def newest(self, camera: CameraId) -> Sequence[Aggregate]:
        return numbers(EXACT, place(HALL, {COUNT: 41, Measure.VORONOI_DENSITY: 1.2}), camera=camera)

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
        self.asked.append((audience, camera))
        return [NumberSeries(place, COUNT, period_s, [from_s], [HOW[audience]], [VALUES[audience]], [None], ["good"])]

    def spent(self, camera: CameraId, at_s: float) -> Sequence[Spent]:
        return [Spent(camera, 20000, HALL, COUNT, 900, "discrete-laplace", 5, Fraction(1, 3))]

    def open_data(self) -> bool:
        return self.public

    def alarms(self) -> Sequence[Occasion]:
        return self.open

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
        return [
            LoggedEvent(
                *(n, 4.0, one.id, Happened.RAISED, one.camera, one.place, one.level),
                *((one.name, *one.words), "", one.drill, one.cameras),
            )
            for n, one in enumerate(self.open, start=1)
            if (one.camera in of or (not one.place and one.camera in groups)) and alarm in ("", one.id)
        ]

    def acknowledge(self, alarm: str, actor: str) -> Occasion:
        found = next((one for one in self.open if one.id == alarm), None)
        if found is None:
            raise SettingsRefused("there is no such open alarm: it was cleared")
        return found

    def drill(self, camera: CameraId, place: PlaceView, actor: str) -> Occasion:
        return Occasion("drill-1", camera, place.id, place.name, Level.RED, 3, 5.0, (), (), 4.0, drill=True)

    def cap_xml(self, alarm: Occasion) -> bytes:
        return cap_xml(AlarmEvent(4.0, Happened.RAISED, alarm, told=True), sender="skyveil")
