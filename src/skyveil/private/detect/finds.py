"""What a watch asks of those who find things in frames. Private side."""

from collections.abc import Sequence
from typing import Protocol

from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.pyramid import Area, Level
from skyveil.private.frame import RawFrame


class Finds(Protocol):
    """What a watch asks about frames; `detect.finder.Finder` says what each answer holds."""

    @property
    def used(self) -> tuple[str, ...]:
        """The networks that looked so far."""
        ...

    def faces(
        self, raw: RawFrame, area: Area, pyramid: Sequence[Level], *, threshold: float, quarters: int = 0
    ) -> Scored:
        """Faces in one part of a frame, looked at as if it were turned so many quarters against the clock."""
        ...

    def faces_in(self, raw: RawFrame, areas: Sequence[Area], pyramid: Sequence[Level], *, threshold: float) -> Scored:
        """Faces in several parts of a frame."""
        ...

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        """Persons in one part of a frame."""
        ...

    def persons_passing(
        self, parts: Sequence[tuple[RawFrame, Area]], *, scale: float, threshold: float
    ) -> list[Scored]:
        """Persons in parts of several frames, an answer for each."""
        ...

    def plates(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        """Number plates in one part of a frame."""
        ...
