"""Where everybody was: simulated or recorded positions, and how they are read from and written to text."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Metres: TypeAlias = NDArray[np.float64]
"""Positions on the floor, shape (N, 2), metres; x to the right, y away from the viewer of the plan."""


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Parallel arrays of one row a person and frame, sorted by frame; the people are numbered within this set only."""

    rate_fps: float
    frame: NDArray[np.int64]
    person: NDArray[np.int64]
    xy: Metres
    height_m: NDArray[np.float64]

    @property
    def frames(self) -> int:
        """How many frames there are, from 0 to the last that shows somebody."""
        return 0 if not len(self.frame) else int(self.frame[-1]) + 1

    def rows(self, frame: int) -> "slice[int, int, None]":
        """Where the rows of a frame stand."""
        first, end = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(first), int(end))

    def each_frame(self) -> "Iterator[slice[int, int, None]]":
        """The rows of every frame in order, empty where nobody is."""
        return (self.rows(frame) for frame in range(self.frames))

    def crossings(self, line: Metres) -> NDArray[np.float64]:
        """Every passage over a line (2, 2): rows of (time in s, +1 from its right to its left or -1), sorted by time.

        Left and right are those of somebody who looks from the line's first point to its second.
        """
        order = np.lexsort((self.frame, self.person))
        person, frame, xy = self.person[order], self.frame[order], self.xy[order]
        along, across = line[1] - line[0], xy - line[0]
        side = along[0] * across[:, 1] - along[1] * across[:, 0]
        same = person[1:] == person[:-1]
        flipped = np.flatnonzero(same & ((side[1:] >= 0) != (side[:-1] >= 0)))
        share = side[flipped] / (side[flipped] - side[flipped + 1])
        met = xy[flipped] + share[:, None] * (xy[flipped + 1] - xy[flipped])
        place = (met - line[0]) @ along / (along @ along)
        hit = flipped[(place >= 0) & (place <= 1)]
        times = frame[hit + 1] / self.rate_fps
        found = np.stack([times, np.where(side[hit + 1] >= 0, 1.0, -1.0)], axis=1)
        return found[np.argsort(times, kind="stable")]


def read(path: Path, *, rate_fps: float) -> Trajectories:
    """Recorded trajectories in the text form of the Pedestrian Dynamics Data Archive: id, frame, x, y, z a line.

    Metres, or centimetres when any height is above 3. Heights that are missing become 1.70 m.
    """
    table = np.loadtxt(path, comments="#", ndmin=2)
    table = table[np.lexsort((table[:, 0], table[:, 1]))]
    height = table[:, 4] if table.shape[1] > 4 else np.zeros(len(table))
    unit = 0.01 if len(height) and height.max() > 3 else 1.0
    frame = table[:, 1].astype(np.int64)
    return Trajectories(
        rate_fps,
        frame - (frame[0] if len(frame) else 0),
        table[:, 0].astype(np.int64),
        table[:, 2:4] * unit,
        np.where(height * unit < 0.5, 1.70, height * unit),
    )


def write(trajectories: Trajectories, path: Path) -> None:
    """Write the form that `read` reads, in metres."""
    rows = np.column_stack([trajectories.person, trajectories.frame, trajectories.xy, trajectories.height_m])
    header = f"framerate: {trajectories.rate_fps:g} fps\nid frame x/m y/m z/m"
    np.savetxt(path, rows, fmt=["%d", "%d", "%.4f", "%.4f", "%.3f"], delimiter="\t", header=header)
