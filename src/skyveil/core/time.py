"""Exact media time. Core. Wall time is for people and lives elsewhere."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final


@final
@dataclass(frozen=True, slots=True)
class MediaTime:
    """Presentation time of a frame: `ticks` of `time_base` seconds each."""

    ticks: int
    time_base: Fraction

    @property
    def seconds(self) -> float:
        """The time in seconds from the start of the media's clock."""
        base = self.time_base
        return self.ticks * base.numerator / base.denominator  # float(ticks * base), in a tenth of the time
