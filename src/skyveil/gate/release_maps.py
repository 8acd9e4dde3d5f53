"""The door for maps of density. Gate: the control room sees where it is full, and nobody who stands alone."""

import numpy as np

from skyveil.measure.grid import CameraGrids, DensityGrid
from skyveil.public._seal import SEAL
from skyveil.public.density_map import MOST_SQUARES, OUTSIDE, STEP_PER_M2, STEPS, DensityMap


def release_maps(measured: CameraGrids, *, at_s: float) -> tuple[DensityMap, ...]:
    """The maps of a camera's zones at `at_s`, unix time, in steps of 0.5 per m2; none of a zone with too many squares.

    For the control room, which sees the redacted picture anyway; no differential privacy. One of them is never stored;
    what an hour of them says together is, for 24 hours.
    """
    return tuple(_sealed(measured, one, at_s) for one in measured.grids if one.per_m2.size <= MOST_SQUARES)


def _sealed(measured: CameraGrids, grid: DensityGrid, at_s: float) -> DensityMap:
    steps = np.minimum(np.floor(np.nan_to_num(grid.per_m2, nan=0.0) / STEP_PER_M2), len(STEPS) - 1).astype(int)
    told = np.where(np.isnan(grid.per_m2), OUTSIDE, np.array(list(STEPS))[steps])
    return DensityMap(
        measured.camera,
        grid.place,
        at_s=at_s,
        side_m=grid.side_m,
        low_m=grid.low_m,
        columns=grid.per_m2.shape[1],
        squares="".join(told.ravel().tolist()),
        floor_to_picture=tuple(float(one) for one in measured.floor_to_picture.ravel()),
        seal=SEAL,
    )
