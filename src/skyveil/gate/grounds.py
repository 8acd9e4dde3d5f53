"""Which places may be told of outside the control room. Gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import PlaceId

LEAST_AREA_M2: Final = 10.0
"""A smaller zone is one person's place: a seat, a desk, a door."""

PolygonM: TypeAlias = NDArray[np.float64]
"""Shape (N, 2), N >= 3, corners in metres on the floor, in order; it does not cross itself."""


@final
@dataclass(frozen=True, slots=True)
class Grounds:
    """Zones and lines of one camera whose numbers may be told to staff and to the public. Made by `grounds`."""

    areas_m2: Mapping[PlaceId, float]
    lines: frozenset[PlaceId]

    def __contains__(self, place: object) -> bool:
        """Whether the place may be told of."""
        return place in self.areas_m2 or place in self.lines


def grounds(zones: Mapping[PlaceId, PolygonM], lines: frozenset[PlaceId] = frozenset()) -> Grounds:
    """The grounds made of the zones that are large enough, and of all lines.

    Zones under 10 m2 are left out: they stay in the control room. Raises SettingsRefused when two of the others
    overlap, because the difference of two numbers would be a third one, about the place that they share.
    """
    areas = {place: area for place, corners in zones.items() if (area := area_m2(corners)) >= LEAST_AREA_M2}
    for one, other in combinations(sorted(areas), 2):
        if overlap(zones[one], zones[other]):
            raise SettingsRefused(f"the zones {one} and {other} overlap: numbers for staff need zones side by side")
    return Grounds(MappingProxyType(areas), lines)


def area_m2(corners: PolygonM) -> float:
    """The area of a polygon (the shoelace formula)."""
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def overlap(one: PolygonM, other: PolygonM) -> bool:
    """Whether two polygons share ground; common edges and corners are no ground."""
    if _edges_cross(one, other):
        return True
    # No edge of one passes through an edge of the other: one lies in the other, or they are apart.
    return any(_inside(point, other) for point in _probes(one)) or any(_inside(point, one) for point in _probes(other))


def _edges_cross(one: PolygonM, other: PolygonM) -> bool:
    a, b = one[:, None], np.roll(one, -1, axis=0)[:, None]
    c, d = other[None], np.roll(other, -1, axis=0)[None]
    first, second = _turn(a, b, c) * _turn(a, b, d), _turn(c, d, a) * _turn(c, d, b)
    return bool(((first < 0) & (second < 0)).any())


def _turn(a: PolygonM, b: PolygonM, c: PolygonM) -> NDArray[np.float64]:
    """Above 0 where a, b, c turn left; 0 within a square millimetre of a line."""
    ab, ac = b - a, c - a
    cross = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]
    return np.where(np.abs(cross) < 1e-6, 0.0, cross)


def _probes(corners: PolygonM) -> PolygonM:
    """Corners, middles of edges, and points a little inside each corner, so that no probe set lies on edges alone."""
    after, before = np.roll(corners, -1, axis=0), np.roll(corners, 1, axis=0)
    middles = (corners + after) / 2
    near = corners + 1e-3 * ((after - corners) + (before - corners))
    kept = [point for point in near if _inside(point, corners)]
    return np.concatenate([corners, middles, np.reshape(kept, (-1, 2))])


def _inside(point: NDArray[np.float64], corners: PolygonM) -> bool:
    """Whether a point lies inside, not on the edge (crossing number)."""
    a, b = corners, np.roll(corners, -1, axis=0)
    along = _turn(a, b, point)
    within = (np.minimum(a, b) <= point + 1e-9).all(axis=1) & (point - 1e-9 <= np.maximum(a, b)).all(axis=1)
    if bool(((along == 0) & within).any()):
        return False
    upward = a[:, 1] <= point[1]
    crosses = upward != (b[:, 1] <= point[1])
    return bool((crosses & (np.where(upward, along, -along) > 0)).sum() % 2)
