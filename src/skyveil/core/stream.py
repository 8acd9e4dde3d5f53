"""What a stream of pictures is, in numbers. Core: it crosses the wall, so it holds no more than that."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final


@final
@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Shape, clock and colour of frames.

    width, height: the displayed size, after rotation; for video padded to even numbers.
    time_base: seconds per tick; average_rate: frames per second where it is known.
    sample_aspect: width of a sample divided by its height, after rotation.
    bit_depth: 8 or 10.
    color: primaries, transfer and matrix (ITU-T H.273 code points; 2 is unspecified).
    """

    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction | None
    sample_aspect: Fraction
    bit_depth: int
    full_range: bool
    color: tuple[int, int, int]

    @property
    def fps(self) -> float | None:
        """The average rate as a plain number."""
        return None if self.average_rate is None else float(self.average_rate)
