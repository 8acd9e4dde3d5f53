"""A number that says how sure, how old and of what unit it is. Measure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from skyveil.core.errors import MeasureRefused


@final
class Unit(StrEnum):
    """Units of the SI, and persons."""

    PERSONS = "persons"
    PER_M2 = "1/m2"
    PER_S = "1/s"
    PER_M_S = "1/(m s)"
    M_PER_S = "m/s"
    S = "s"
    PER_S2 = "1/s2"
    SHARE = "share"
    """0 to 1, or a ratio to a zone's normal value, which may be more."""
    M2 = "m2"


@final
class Quality(StrEnum):
    """How far a value may be relied on."""

    GOOD = "good"
    DEGRADED = "degraded"
    """Measured, but with more error than usual: few frames, many misses, far from the camera."""
    ESTIMATED = "estimated"
    """Past what can be counted, and estimated by a density network: the true value may be more or less by its error."""
    AT_LEAST = "at-least"
    """Near or past what can be counted: the true value is this or more."""
    UNKNOWN = "unknown"
    """Not measured: no picture, no calibration, a camera that moved, too little data. It has no value."""


def worst(qualities: Iterable[Quality]) -> Quality:
    """The worst of some qualities: the last of good, degraded, estimated, at-least, unknown."""
    return max(qualities, key=tuple(Quality).index)


@final
@dataclass(frozen=True, slots=True)
class Quantity:
    """One value with its error.

    value: None exactly when the quality is UNKNOWN, so that "not known" can never be taken for 0.
    sigma: standard error of the value in its unit; None when it is not known.
    age_s: seconds between the last picture that it rests on and the moment it was said.
    """

    value: float | None
    sigma: float | None
    unit: Unit
    quality: Quality
    age_s: float

    def __post_init__(self) -> None:
        """Raise MeasureRefused for a value that is no number, or one that contradicts its quality."""
        if (self.value is None) != (self.quality is Quality.UNKNOWN):
            raise MeasureRefused(f"a value of quality {self.quality} in {self.unit} must have a value unless unknown")
        if self.value is not None and not math.isfinite(self.value):
            raise MeasureRefused(f"a value in {self.unit} must be a finite number or unknown")
        if self.sigma is not None and not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise MeasureRefused(f"the error of a value in {self.unit} must be 0 or more, or not known")
        if not (math.isfinite(self.age_s) and self.age_s >= 0):
            raise MeasureRefused(f"the age of a value in {self.unit} must be 0 s or more")

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def __str__(self) -> str:
        """The value in words: `unknown`, `at least 12 persons`, `about 60 persons (+-9)`, `1.84 1/m2 (+-0.20)`."""
        if self.value is None:
            return "unknown"
        words = f"{self.value:.3g} {self.unit}"
        if self.quality is Quality.AT_LEAST:
            return f"at least {words}"
        words = f"about {words}" if self.quality is Quality.ESTIMATED else words
        return words if self.sigma is None else f"{words} (+-{self.sigma:.2g})"


def measured(value: float, unit: Unit, *, sigma: float | None = None, age_s: float = 0.0) -> Quantity:
    """A value of good quality."""
    return Quantity(value, sigma, unit, Quality.GOOD, age_s)


def unknown(unit: Unit, *, age_s: float = 0.0) -> Quantity:
    """What is said when there is no value."""
    return Quantity(None, None, unit, Quality.UNKNOWN, age_s)
