"""What a camera process must know of its camera. Core: made from the configuration, read behind the wall."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

from skyveil.core.density import Density
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import CameraId, PlaceId
from skyveil.core.secret import SafeUrl, Secret
from skyveil.core.settings import RedactSettings

Transport: TypeAlias = Literal["auto", "tcp", "udp"]

SCHEMES: Final = ("rtsp", "rtsps", "http", "https", "file")
"""Where live pictures may come from. `file:///path` is played in a loop."""

UDP_IN_CLEAR: Final = "`transport: udp` sends the pictures of rtsps:// without encryption: write `transport: tcp`"
"""RTP beside an RTSP connection is under no TLS, and SRTP is not spoken."""

HINDSIGHT_LIMIT: Final = 25

Shares: TypeAlias = tuple[float, float]
"""A point of the picture: x and y as shares of its width and height, 0 to 1."""
ZoneUse: TypeAlias = Literal["walkway", "stairs", "queue", "standing"]


@final
@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """A part of the floor that numbers are about: its corners where the floor is seen in the picture.

    way: from where to where people should go, when only one direction is right. orange, critical: densities per m2 from
    which on the zone has these levels, where they are not those of its use.
    """

    id: PlaceId
    use: ZoneUse
    corners: tuple[Shares, ...]
    way: tuple[Shares, Shares] | None = None
    orange: float | None = None
    critical: float | None = None


@final
@dataclass(frozen=True, slots=True)
class LineSpec:
    """A line on the floor whose crossings are counted; forward is to the left of who looks from `start` to `end`."""

    id: PlaceId
    start: Shares
    end: Shares


@final
@dataclass(frozen=True, slots=True)
class CrowdSpec:
    """What is measured of the crowd before a camera. calibration: the text of its file; without one there are counts,
    never densities."""

    zones: tuple[ZoneSpec, ...] = ()
    lines: tuple[LineSpec, ...] = ()
    calibration: str | None = None


Corners: TypeAlias = tuple[tuple[int, int], ...]
"""Places in the picture: x and y in `SHARE`ths of its width and height."""
SHARE: Final = 10_000
MOST_CORNERS: Final = 96
MOST_SCENES: Final = 2


@final
@dataclass(frozen=True, slots=True)
class KnownView:
    """What is known of a camera's view from before its process began.

    scenes: where corners of the place lay, once as calibrated and once as last seen; empty where nothing is known.
    moved: the camera was moved, and nobody has put that right yet.
    """

    scenes: tuple[Corners, ...] = ()
    moved: bool = False


@final
@dataclass(frozen=True, slots=True)
class AskedRulers:
    """A wish that people before a camera be rulers. view_deg: degrees from the left to the right edge of its picture,
    which people do not tell. head_m: mean height of heads over the floor, metres."""

    view_deg: float
    head_m: float


@final
@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One camera. `settings.masks` are in shares of the picture, 0 to 1, whatever its size.

    hindsight: frames that wait so that a later look can cover them; each costs one frame of latency.
    max_fps: pictures above this rate are dropped at the entrance; None keeps all.
    key_every_s: longest time between key frames, which is what a new viewer waits for at most.
    preset: the encoder's; with its constant quantiser `ultrafast` gives about as many bytes as `superfast` did with a
    rate factor where the view is calm, in a third of the CPU (`public.encode.header.EncodeSettings`).
    crowd: None where nothing is measured. density: the operator's network for crowds that boxes can not count.
    view: is no setting, and two cameras that differ in it alone are equal.
    """

    id: CameraId
    source: SafeUrl
    username: str | None = None
    password: Secret | None = None
    transport: Transport = "auto"
    settings: RedactSettings = field(default_factory=RedactSettings)
    hindsight: int = 2
    preset: str = "ultrafast"
    crf: int | None = None
    max_fps: float | None = None
    key_every_s: float = 2.0
    ca_file: Path | None = None
    verify_tls: bool = True
    crowd: CrowdSpec | None = None
    density: Density | None = None
    view: KnownView = field(default_factory=KnownView, compare=False)

    def __post_init__(self) -> None:
        """Raise SettingsRefused for a value outside what its field allows."""
        if self.source.scheme not in SCHEMES:
            raise SettingsRefused(f"a source starts with one of {', '.join(SCHEMES)}, got {self.source.scheme!r}")
        if self.source.scheme == "rtsps" and self.transport == "udp":
            raise SettingsRefused(UDP_IN_CLEAR)
        if not 0 <= self.hindsight <= HINDSIGHT_LIMIT:
            raise SettingsRefused(f"hindsight must be 0 to {HINDSIGHT_LIMIT} frames, got {self.hindsight}")
        if self.max_fps is not None and not 0.2 <= self.max_fps <= 120:
            raise SettingsRefused(f"max_fps must be 0.2 to 120, got {self.max_fps}")
        if not 0.2 <= self.key_every_s <= 10:
            raise SettingsRefused(f"key_every_s must be 0.2 to 10 seconds, got {self.key_every_s}")
