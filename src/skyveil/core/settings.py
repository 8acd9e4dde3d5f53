"""What an operator may choose for one redaction. Core: read by both sides, sent to the worker as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.kinds import Kind

Mode: TypeAlias = Literal["balanced", "strict"]
FillName: TypeAlias = Literal["solid", "background", "mosaic"]
Codec: TypeAlias = Literal["h264", "h265", "av1"]
Mount: TypeAlias = Literal["standard", "overhead", "fisheye", "vehicle"]
Precision: TypeAlias = Literal["auto", "f32"]

DEFAULT_TARGETS: Final = frozenset({Kind.FACE, Kind.HEAD})
"""What a control room may not see; what leaves it takes PERSON and PLATE as well."""


@final
@dataclass(frozen=True, slots=True)
class Mask:
    """A polygon that the operator wants covered, for the whole media or from `start_s` to `end_s`.

    Seconds after the first frame, as players show them: files may begin at any time of their own clock.
    """

    points: tuple[tuple[float, float], ...]
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        """Raise SettingsRefused unless the mask has 3 corners or more and a span that runs forward."""
        if len(self.points) < 3:
            raise SettingsRefused(f"a mask needs at least 3 corners, got {len(self.points)}")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise SettingsRefused(f"a mask must end after it starts, got {self.start_s} to {self.end_s}")

    def covers(self, seconds: float) -> bool:
        """Whether the mask holds so long after the first frame; both ends belong to it."""
        return (self.start_s is None or seconds >= self.start_s) and (self.end_s is None or seconds <= self.end_s)


@final
@dataclass(frozen=True, slots=True)
class RedactSettings:
    """How one file is redacted. Every default is the safe one."""

    targets: frozenset[Kind] = DEFAULT_TARGETS
    mode: Mode = "balanced"
    mount: Mount = "standard"
    fill: FillName = "solid"
    masks: tuple[Mask, ...] = field(default=())
    codec: Codec = "h264"
    preset: str | None = None
    crf: int | None = None
    keep_audio: bool = False
    precision: Precision = "auto"
    max_look_age_s: float = 1.0

    def __post_init__(self) -> None:
        """Raise SettingsRefused for a value outside what its field allows."""
        if not self.targets:
            raise SettingsRefused("no target: choose some of face, head, person, plate")
        if not 0.04 <= self.max_look_age_s <= 10:
            raise SettingsRefused(f"max_look_age_s must be 0.04 to 10 seconds, got {self.max_look_age_s}")


def targets_from(names: Iterable[str]) -> frozenset[Kind]:
    """The kinds with these names, any case; SettingsRefused names the first unknown one."""
    known = {kind.name.lower(): kind for kind in Kind}
    found = set()
    for name in names:
        if name.strip().lower() not in known:
            raise SettingsRefused(f"unknown target {name!r}: choose some of {', '.join(known)}")
        found.add(known[name.strip().lower()])
    return frozenset(found)
