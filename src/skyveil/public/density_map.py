"""How full each part of a zone is now, for the control room. Public side; made by `gate.release_maps` only."""

import re
from typing import Final, final

from skyveil.core.ids import CameraId, PlaceId
from skyveil.public._seal import Sealed, _Seal, made_by_gate

STEP_PER_M2: Final = 0.5
"""Densities are told in steps of this. Somebody alone reaches 0.32 per m2 at their place, and so is on no map."""
OUTSIDE: Final = "."
STEPS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
"""What stands for a step; the last one for all that is more."""
MOST_SQUARES: Final = 60_000
SQUARES: Final = re.compile(rf"[.{STEPS}]{{1,{MOST_SQUARES}}}")


@final
class DensityMap(Sealed, made_by="gate.release_maps"):
    """The local density of one zone at a time, square by square. Shown, and never stored by itself.

    side_m: side of a square. low_m: corner with the least x and y. columns: squares of a row. squares: row after row,
    rows along y, one of `STEPS` a square or `OUTSIDE`. floor_to_picture: nine numbers row by row, the map from metres
    on the floor to shares of the picture.
    """

    __slots__ = ("at_s", "camera", "columns", "floor_to_picture", "low_m", "place", "side_m", "squares")

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
        self._fill(
            seal,
            camera=camera,
            place=place,
            at_s=at_s,
            side_m=side_m,
            low_m=low_m,
            columns=columns,
            squares=squares,
            floor_to_picture=floor_to_picture,
        )

    @property
    def per_m2(self) -> list[float | None]:
        """The density of each square, persons per m2, the lower end of its step; None outside of the zone."""
        return [None if one == OUTSIDE else STEPS.index(one) * STEP_PER_M2 for one in self.squares]

    def __repr__(self) -> str:
        """Place and time, without densities."""
        return f"DensityMap({self.camera}/{self.place}, {self.at_s:.0f})"


def sealed_map(one: object) -> DensityMap:
    """The map itself when the gate made it; BoundaryViolated otherwise."""
    return made_by_gate(one, DensityMap)
