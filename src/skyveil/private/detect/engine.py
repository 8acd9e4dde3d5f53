"""What a runtime must do for a network, and the words it shares with `network`. Private side."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed, SkyveilError

Pictures: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) or (B, H, W, 3), RGB."""
Outputs: TypeAlias = tuple[NDArray[np.float32], ...]
Computed: TypeAlias = Literal["bf16", "i8", "f32"]
"""i8: integers of 8 bits, but for the last step (`eight_bits`)."""
Shapes: TypeAlias = Literal["fixed", "any"]
Shape: TypeAlias = tuple[int, int, int]
"""(B, H, W) of what goes in; (-1, -1, -1) is any."""

ANY_SHAPE: Final[Shape] = (-1, -1, -1)


@final
@dataclass(frozen=True, slots=True)
class Preprocess:
    """What a network wants of a picture.

    wants: the order of its channels; pictures are always given as RGB.
    mean, scale: it sees `(x - mean) / scale` of x in 0..255, per channel in the order of `wants`.
    """

    wants: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Pending(Protocol):
    """A look that was started."""

    def wait(self) -> Outputs:
        """What the network answers; DetectorFailed when it raised or hangs, or when this was answered before."""


class Engine(Protocol):
    """One network in one runtime. Everything a runtime raises leaves it as one of our errors."""

    @property
    def precision(self) -> Computed:
        """The number format it computes in."""

    @property
    def device(self) -> str:
        """Where it computes, as results show it."""

    def prepare(self, shape: Shape) -> None:
        """Compile for (B, H, W), so that the first look at it costs no more than the others."""

    def start(self, pictures: Pictures) -> Pending:
        """Start a look at (B, H, W, 3), contiguous."""


def checked(describe: str, batch: int, outputs: Outputs) -> Outputs:
    """`outputs` unchanged; DetectorFailed when they are not one per picture, are empty, or hold a number that is not
    finite.

    A NaN compared with a threshold reads as "nothing there". It is seen through the sum, which is cheap.
    """
    if any(output.ndim == 0 or len(output) != batch for output in outputs):
        raise DetectorFailed(f"{describe} does not take {batch} pictures at once: give it one by one")
    if not all(output.size for output in outputs):
        raise DetectorFailed(f"{describe}: the network gave an empty answer")
    with np.errstate(over="ignore", invalid="ignore"):
        if not all(np.isfinite(output.sum(dtype=np.float64)) for output in outputs):
            raise DetectorFailed(f"{describe}: the network answered with numbers that are not finite")
    return outputs


@contextmanager
def translated(errors: tuple[type[Exception], ...], into: type[SkyveilError], what: str) -> Iterator[None]:
    """Raise what a runtime raises as `into`, with the last line of its message: the first ones name its sources."""
    try:
        yield
    except errors as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise into(f"{what}: {lines[-1]}") from error
