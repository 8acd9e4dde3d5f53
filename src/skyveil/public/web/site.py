"""What the console and the API are shown of a site; `app` gives it. Public side.

`Site` is a Protocol because the public side knows neither configuration nor supervisor.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final
from zoneinfo import ZoneInfo

from skyveil.core.camera import AskedRulers
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.given import Given
from skyveil.measure.level import LevelState, ZoneKind
from skyveil.measure.measures import Measure
from skyveil.public.aggregate import Aggregate, NumberSeries
from skyveil.public.alarm.event import Occasion
from skyveil.public.audience import Audience
from skyveil.public.density_map import DensityMap
from skyveil.public.hour_map import HourMap
from skyveil.public.store.alarm_log import LoggedEvent
from skyveil.public.store.ledger import Spent
from skyveil.public.web.drawn import CalibrationView, Drawing, DrawnPlace, Fitted, Judged, RulersView


@final
@dataclass(frozen=True, slots=True)
class CameraView:
    """One camera, without its address or password."""

    id: CameraId
    name: str
    place: str
    purpose: str
    targets: tuple[str, ...]
    mode: str
    mount: str
    hindsight: int
    enabled: bool
    record: bool
    retention_hours: float
    timezone: str
    """Of its site, else of the server."""
    site: str = ""
    site_name: str = ""
    group: str = ""
    group_name: str = ""
    position: tuple[float, float] | None = None


@final
@dataclass(frozen=True, slots=True)
class NamedMask:
    """A static mask: corners in shares of the picture, 0 to 1."""

    name: str
    points: tuple[tuple[float, float], ...]


def version_of(masks: Sequence[NamedMask]) -> str:
    """Short words for the masks of a camera: others have others."""
    text = json.dumps([(mask.name, mask.points) for mask in masks])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@final
@dataclass(frozen=True, slots=True)
class SiteView:
    """One site, and the picture of its plan."""

    id: str
    name: str
    plan: Path | None


class Site(Protocol):
    """A running installation."""

    def cameras(self) -> Sequence[CameraView]:
        """Every camera of the configuration."""
        ...

    def sites(self) -> Sequence[SiteView]:
        """Every site of the configuration."""
        ...

    def health(self) -> Mapping[CameraId, CameraHealth]:
        """The health of every camera that runs."""
        ...

    def masks(self, camera: CameraId) -> tuple[NamedMask, ...]:
        """The masks of a camera."""
        ...

    def set_masks(
        self, camera: CameraId, masks: tuple[NamedMask, ...], *, version: str, recorded: Callable[[], None]
    ) -> None:
        """Write other masks to the configuration and cover them at once.

        Raises SettingsRefused, and changes nothing, when `version` is not that of the masks there any more. `recorded`
        writes that they change into the audit log: it is called when nothing else refuses it, before they do.
        """
        ...

    def drawing(self, camera: CameraId) -> Drawing:
        """The zones and lines of a camera."""
        ...

    def judged(self, camera: CameraId, places: Sequence[DrawnPlace]) -> Sequence[Judged]:
        """What places would be on the floor of a camera, and what refuses them; nothing is changed."""
        ...

    def draw(self, camera: CameraId, places: Sequence[DrawnPlace], *, version: str) -> Drawing:
        """Write other places to the configuration and count there from now on.

        Raises SettingsRefused, and changes nothing, when `version` is not the newest any more or one is refused.
        """
        ...

    def calibration(self, camera: CameraId) -> CalibrationView:
        """How a camera is calibrated."""
        ...

    def fitted(self, camera: CameraId, given: Given) -> Fitted:
        """What the calibration from this would be; nothing is changed. Raises SettingsRefused or MeasureRefused."""
        ...

    def calibrate(self, camera: CameraId, given: Given, *, version: str) -> CalibrationView:
        """Calibrate a camera anew, and measure with that from now on.

        Raises SettingsRefused or MeasureRefused, and changes nothing, when `version` is not the newest any more, the
        calibration is none, or a place could not be measured with it.
        """
        ...

    def rulers(self, camera: CameraId) -> RulersView:
        """How far a camera is with people as rulers, and what they say."""
        ...

    def ask_rulers(self, camera: CameraId, asked: AskedRulers) -> None:
        """Have people before a camera be rulers until there is a fit; raises SettingsRefused when it can not."""
        ...

    def drop_rulers(self, camera: CameraId) -> None:
        """Forget the wish, what people said, and the people."""
        ...

    def calibrate_by_rulers(self, camera: CameraId, number: int, *, version: str) -> CalibrationView:
        """Calibrate a camera by what people said in this wish; raises as `calibrate` does, and then changes nothing."""
        ...

    def trust_view(self, camera: CameraId) -> None:
        """Take what a camera sees now for its calibrated view, from now on."""
        ...

    def reload(self) -> str:
        """Read the configuration again; what changed, in words.

        Raises SettingsRefused, and then nothing changed, but that new masks of a file that could be read cover as well.
        """
        ...

    def settings(self) -> Mapping[str, str | int | float | None]:
        """What the server is set to, for people."""
        ...

    def problems(self) -> Sequence[str]:
        """What is wrong now, in sentences; empty when all is well."""
        ...

    def losses(self) -> Mapping[str, int]:
        """What was lost since the start, by kind: notices, numbers, events of alarms."""
        ...


@final
@dataclass(frozen=True, slots=True)
class SegmentView:
    """A stored segment; `media_s` is where its media time begins."""

    number: int
    start_s: float
    end_s: float
    media_s: float
    init: str


@final
@dataclass(frozen=True, slots=True)
class GapView:
    """A stretch without a recording, and why."""

    start_s: float
    end_s: float
    cause: str


@final
@dataclass(frozen=True, slots=True)
class HoldView:
    """A span that is kept past its retention."""

    id: str
    from_s: float
    to_s: float
    reason: str
    state: str
    expires_s: float
    requested_by: str
    approved_by: str | None


@final
class ExportsFull(Exception):
    """One export is made and as many wait as may."""


class Recordings(Protocol):
    """The stored recordings of a site; raises RecordingMissing for what is not there."""

    def days(self, camera: CameraId, zone: ZoneInfo) -> Sequence[str]:
        """Days of a time zone with anything recorded, oldest first."""
        ...

    def span(self, camera: CameraId, from_s: float, to_s: float) -> tuple[Sequence[SegmentView], Sequence[GapView]]:
        """What is stored, and missing, between two times."""
        ...

    def segment(self, camera: CameraId, number: int) -> bytes:
        """A segment, readable."""
        ...

    def init(self, camera: CameraId, name: str) -> bytes:
        """An init segment."""
        ...

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        """An HLS playlist; its addresses are relative to the recordings' own."""
        ...

    def export(self, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str) -> str:
        """Make an MP4, with a statement beside it; gives its name for `exported`. May take long.

        Raises RecordingMissing or ExportsFull.
        """
        ...

    def exported(self, name: str) -> Path:
        """The file of an export."""
        ...

    def holds(self, camera: CameraId) -> Sequence[HoldView]:
        """The holds of a camera."""
        ...

    def ask_hold(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> str:
        """Ask for a hold; gives its id."""
        ...

    def decide_hold(self, camera: CameraId, hold: str, *, approve: bool, actor: str) -> None:
        """Approve a hold, or let it go."""
        ...


@final
@dataclass(frozen=True, slots=True)
class PlaceView:
    """A zone or line of a camera, and who beyond the control room is told of it.

    points: where it is in the picture, in shares. use, thresholds: what people do in a zone, and the densities from
    yellow to critical; a line has none. pressure_from: how many times its normal crowd pressure makes yellow orange.
    """

    id: PlaceId
    name: str
    line: bool
    staff: bool
    public: bool
    points: tuple[tuple[float, float], ...] = ()
    use: ZoneKind | None = None
    thresholds: tuple[float, ...] = ()
    pressure_from: float | None = None


class Crowd(Protocol):
    """Numbers and alarms of a site."""

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        """The zones and lines of a camera."""
        ...

    def newest(self, camera: CameraId) -> Sequence[Aggregate]:
        """The newest exact numbers of its places."""
        ...

    def levels(self, camera: CameraId) -> Mapping[PlaceId, LevelState]:
        """The levels of its zones that are watched."""
        ...

    def maps(self, camera: CameraId) -> Sequence[DensityMap]:
        """Where its zones are full now; nothing that is older than some seconds."""
        ...

    def day(self, camera: CameraId) -> Sequence[HourMap]:
        """Where its zones were full in the last 24 hours, hour by hour."""
        ...

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
        ...

    def spent(self, camera: CameraId, at_s: float) -> Sequence[Spent]:
        """What the public was told of a camera on the day of a time, and what that costs."""
        ...

    def open_data(self) -> bool:
        """Whether public numbers are given to everybody."""
        ...

    def alarms(self) -> Sequence[Occasion]:
        """The open alarms, the most urgent first."""
        ...

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
        ...

    def acknowledge(self, alarm: str, actor: str) -> Occasion:
        """Take an alarm on; raises SettingsRefused when it is not open."""
        ...

    def drill(self, camera: CameraId, place: PlaceView, actor: str) -> Occasion:
        """Raise a drill at a place."""
        ...

    def cap_xml(self, alarm: Occasion) -> bytes:
        """An open alarm as CAP 1.2."""
        ...
