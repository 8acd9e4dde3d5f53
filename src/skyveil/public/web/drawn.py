"""What is drawn on the redacted picture of a camera: zones and lines, and what is said of them. Public side.

Both the bodies of requests and what `app` is given; points are shares of the picture, 0 to 1, where the floor is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal, TypeAlias, final

from pydantic import ConfigDict, Field

_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
_Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_Point: TypeAlias = tuple[_Share, _Share]
_Density: TypeAlias = Annotated[float, Field(gt=0, le=12)]
Use: TypeAlias = Literal["walkway", "stairs", "queue", "standing"]
Code: TypeAlias = Literal[
    "", "small", "overlap", "uncalibrated", "crosses", "horizon", "one-person", "far", "flat", "other"
]
"""What is said of a place. The first three stand where only the control room is told; the others refuse it."""


@final
@dataclass(frozen=True, slots=True)
class DrawnThresholds:
    """Densities per m2 at which levels begin, and how long these must hold and be gone, seconds."""

    __pydantic_config__: ClassVar = _STRICT
    yellow: _Density
    orange: _Density
    red: _Density
    critical: _Density
    rise_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    fall_s: Annotated[float, Field(ge=0, le=3600)] = 60.0


@final
@dataclass(frozen=True, slots=True)
class DrawnPlace:
    """A zone, or a line. use, way, thresholds: of a zone; way: from where to where people should go."""

    __pydantic_config__: ClassVar = _STRICT
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["hall"])]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\P{C}+$", examples=["Hall"])]
    line: bool
    points: Annotated[
        tuple[_Point, ...], Field(min_length=2, max_length=32, examples=[[[0.1, 0.9], [0.5, 0.5], [0.9, 0.9]]])
    ]
    use: Use = "walkway"
    way: tuple[_Point, _Point] | None = None
    thresholds: DrawnThresholds | None = None


@final
@dataclass(frozen=True, slots=True)
class Judged:
    """What a place is on the floor, and who is told of it.

    area_m2, length_m: of a zone, of a line; null without a calibration. staff, public: whether they are told its
    numbers. refused: it can not be saved as it is; code and words say why, or why only the control room is told.
    forward: from where to where a line is crossed forwards, in shares.
    """

    id: str
    area_m2: float | None = None
    length_m: float | None = None
    staff: bool = False
    public: bool = False
    refused: bool = False
    code: Code = ""
    words: str = ""
    forward: tuple[tuple[float, float], tuple[float, float]] | None = None


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """The places of a camera. version: changes when they are drawn anew. defaults: thresholds by use."""

    version: str
    calibrated: bool
    places: tuple[DrawnPlace, ...]
    judged: tuple[Judged, ...]
    defaults: Mapping[str, DrawnThresholds]


@final
@dataclass(frozen=True, slots=True)
class GridPart:
    """A part of a line on the floor. fine: heads are placed well enough there."""

    points: tuple[tuple[float, float], ...]
    fine: bool


@final
@dataclass(frozen=True, slots=True)
class Fitted:
    """What a calibration says of itself, and what shows whether it is right; places in shares of the picture.

    points: on how many it rests. rms_px, rms_m, left_out_m: root mean square errors; null with nothing to compare.
    area_sigma: standard error of areas, as a share. height_m: of the camera. limit_m_per_px: where the grid is not
    fine, a head moves by more than this a pixel, and numbers end. grid: lines a metre apart, five in wide views.
    figures: foot and head of people of 1.7 m. judged: what the places of the camera would be.
    """

    size: tuple[int, int]
    points: int
    rms_px: float | None
    rms_m: float | None
    left_out_m: float | None
    area_sigma: float
    height_m: float
    limit_m_per_px: float
    grid: tuple[GridPart, ...]
    horizon: tuple[tuple[float, float], tuple[float, float]] | None
    figures: tuple[tuple[float, float, float, float], ...]
    judged: tuple[Judged, ...]


RulerWords: TypeAlias = Literal["none", "collecting", "fitted", "few", "one-row", "unlike", "lost"]
"""How far a camera is with people as rulers: nobody asked, it collects, it found; and why it ended without a camera."""


@final
@dataclass(frozen=True, slots=True)
class RulersView:
    """What a camera says of people as rulers. pairs: of foot and head, in steps of ten; enough: so many are waited for.
    view: what was given, degrees; null where nobody asked. number: of the wish, to take what it found. fitted: what
    that would be."""

    state: RulerWords
    pairs: int
    enough: int
    view: float | None
    number: int
    fitted: Fitted | None


@final
@dataclass(frozen=True, slots=True)
class CalibrationView:
    """How a camera is calibrated. version: empty without a calibration; fitted: null where none can be read."""

    version: str
    fitted: Fitted | None
