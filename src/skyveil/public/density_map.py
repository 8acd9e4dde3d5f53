"""How full each part of a zone is now, for the control room. Public side; made by `gate.release_maps` only."""

import re
from typing import Final, NoReturn, final

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import CameraId, PlaceId
from skyveil.public._seal import SEAL, _Seal

STEP_PER_M2: Final = 0.5
"""Densities are told in steps of this. Somebody alone reaches 0.32 per m2 at their place, and so is on no map."""
OUTSIDE: Final = "."
STEPS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
"""What stands for a step; the last one for all that is more."""
MOST_SQUARES: Final = 60_000
SQUARES: Final = re.compile(rf"[.{STEPS}]{{1,{MOST_SQUARES}}}")


@final
class DensityMap:
    """The local density of one zone at a time, square by square. Shown, and never stored by itself.

    side_m: side of a square. low_m: corner with the least x and y. columns: squares of a row. squares: row after row,
    rows along y, one of `STEPS` a square or `OUTSIDE`. floor_to_picture: nine numbers row by row, the map from metres
    on the floor to shares of the picture.
    """

    __slots__ = ("_seal", "at_s", "camera", "columns", "floor_to_picture", "low_m", "place", "side_m", "squares")

    _seal: _Seal
    camera: CameraId
    place: PlaceId
    at_s: float
    side_m: float
    low_m: tuple[float, float]
    columns: int
    squares: str
    floor_to_picture: tuple[float, ...]

    def __init__(
        self,
        camera: CameraId,
        place: PlaceId,
        *,
        at_s: float,
        side_m: float,
        low_m: tuple[float, float],
        columns: int,
        squares: str,
        floor_to_picture: tuple[float, ...],
        seal: _Seal,
    ) -> None:
        if seal is not SEAL:
            raise BoundaryViolated("a DensityMap is made by gate.release_maps only")
        put = object.__setattr__
        put(self, "_seal", seal)
        put(self, "camera", camera)
        put(self, "place", place)
        put(self, "at_s", at_s)
        put(self, "side_m", side_m)
        put(self, "low_m", low_m)
        put(self, "columns", columns)
        put(self, "squares", squares)
        put(self, "floor_to_picture", floor_to_picture)

    @property
    def per_m2(self) -> list[float | None]:
        """The density of each square, persons per m2, the lower end of its step; None outside of the zone."""
        return [None if one == OUTSIDE else STEPS.index(one) * STEP_PER_M2 for one in self.squares]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every change."""
        raise BoundaryViolated(f"DensityMap.{name} can not be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse to lose a field."""
        raise BoundaryViolated(f"DensityMap.{name} can not be deleted")

    def __init_subclass__(cls) -> NoReturn:
        """Refuse subclasses."""
        raise BoundaryViolated("DensityMap can not be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise BoundaryViolated("DensityMap can not be pickled or copied")

    def __repr__(self) -> str:
        """Place and time, without densities."""
        return f"DensityMap({self.camera}/{self.place}, {self.at_s:.0f})"


def sealed_map(one: object) -> DensityMap:
    """The map itself when the gate made it; BoundaryViolated otherwise."""
    if type(one) is not DensityMap or getattr(one, "_seal", None) is not SEAL:
        raise BoundaryViolated(f"expected a DensityMap from gate.release_maps, got {type(one).__name__}")
    return one
