"""The operator's density-map network: a picture in, one map of heads out, or nothing at all. Private side.

What a file is was said by nobody but its name and hash. So all of its answers are checked by their shape, with one
picture when it is loaded and at every call: a map that is not exactly one map of numbers that can be is never used.
"""

from pathlib import Path
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.density import SCALINGS, DensityNetwork
from skyveil.core.errors import DetectorFailed
from skyveil.private.detect.engine import Outputs, Preprocess
from skyveil.private.detect.engine_openvino import OpenVinoEngine
from skyveil.private.detect.network import Network, verified_weights
from skyveil.private.detect.view import Rgb, blank, rgb_view
from skyveil.private.frame import RawFrame

PerCell: TypeAlias = NDArray[np.float32]
"""How many heads each cell of the picture shows, (rows, columns)."""

CELL_PX: Final = 8
"""Finer maps are summed to cells of this side: zones have no finer edges, and the rest would only cost time."""
COARSEST_PX: Final = 64
"""A cell that is larger than this, of the picture that the network sees, says too little about where people are."""
MOST_PERSONS: Final = 1e6
"""No picture shows more: the network's numbers are no people, or `persons` is wrong."""


@final
class HeadMapper:
    """A network that was loaded and answered as it must. One thread owns it."""

    def __init__(self, network: Network, given: DensityNetwork) -> None:
        """Look at an empty picture once; raises DetectorFailed when the answer is not one map."""
        self._network = network
        self._given = given
        self.shape = network_map(network.infer(blank(given.size_wh)), given).shape
        """Rows and columns of the network's own map."""

    @staticmethod
    def open(given: DensityNetwork, path: Path, *, compiled: Path | None = None) -> "HeadMapper":
        """The network at `path`; raises ModelMissing, ModelCorrupt or DetectorFailed.

        It computes in f32 everywhere: how many people there are must not depend on the processor.
        """
        network = Network.open(
            given.entry, path, preprocess=preprocess_of(given), precision="f32", compiled=compiled, shapes="fixed"
        )
        return HeadMapper(network, given)

    def look(self, picture: Rgb) -> PerCell:
        """How many heads each cell of a picture of the network's size shows; raises DetectorFailed."""
        found = network_map(self._network.infer(picture), self._given)
        if found.shape != self.shape:
            raise DetectorFailed(
                f"{self._network.describe}: expected a map of {self.shape[0]}x{self.shape[1]} as before, "
                f"got {found.shape[0]}x{found.shape[1]}"
            )
        per_cell = summed(found, cell_px=self._given.size_wh[0] // found.shape[1]) * np.float32(self._given.persons)
        if not float(per_cell.sum(dtype=np.float64)) <= MOST_PERSONS:
            raise DetectorFailed(f"{self._network.describe}: more than {MOST_PERSONS:.0e} people: check `persons`")
        return per_cell


def shown(raw: RawFrame, given: DensityNetwork) -> Rgb:
    """The whole frame as the network sees it, (H, W, 3)."""
    return rgb_view(raw, (0, 0, raw.width, raw.height), given.size_wh)


def network_map(outputs: Outputs, given: DensityNetwork) -> PerCell:
    """The one map among the answers to one picture, (rows, columns), as it is; DetectorFailed when it is no such map.

    It is (1, 1, rows, columns) or (1, rows, columns), holds finite numbers of 0 or more, and each of its cells is a
    square of 1 to 64 whole pixels of the network's picture.
    """
    name = given.entry.describe
    if len(outputs) != 1:
        raise DetectorFailed(f"{name}: expected one map of heads, got {len(outputs)} answers")
    (answer,) = outputs
    if answer.ndim not in (3, 4) or any(side != 1 for side in answer.shape[:-2]):
        raise DetectorFailed(f"{name}: expected a map (1, 1, rows, columns) or (1, rows, columns), got {answer.shape}")
    rows, columns = int(answer.shape[-2]), int(answer.shape[-1])
    found: PerCell = answer.reshape(rows, columns)
    width, height = given.size_wh
    if width % columns or height % rows or width // columns != height // rows or width // columns > COARSEST_PX:
        raise DetectorFailed(
            f"{name}: cells are squares of 1 to {COARSEST_PX} whole pixels, "
            f"got a map of {columns}x{rows} for a picture of {width}x{height}"
        )
    if not np.isfinite(found).all() or found.min() < 0:
        raise DetectorFailed(f"{name}: a map of heads holds finite numbers of 0 or more")
    return found


def summed(found: PerCell, *, cell_px: int) -> PerCell:
    """The same heads in cells of 8 px or a little more, where those of the map are finer."""
    times = max(1, CELL_PX // cell_px)
    rows, columns = found.shape
    while rows % times or columns % times:
        times -= 1
    squares: PerCell = found.reshape(rows // times, times, columns // times, times)
    return np.asarray(squares.sum(axis=(1, 3)), np.float32)


def preprocess_of(given: DensityNetwork) -> Preprocess:
    """Colours and scaling, in the order of the network's channels."""
    mean, scale = SCALINGS[given.scaling]
    if given.channels == "bgr":
        mean, scale = (mean[2], mean[1], mean[0]), (scale[2], scale[1], scale[0])
    return Preprocess(given.channels, mean, scale)


def compiled_of(given: DensityNetwork, path: Path) -> tuple[str, bytes]:
    """The name and content of the file of this network compiled for this machine; raises as `HeadMapper.open` does."""
    engine = OpenVinoEngine(
        given.entry, verified_weights(given.entry, path), preprocess_of(given), None, shapes="fixed", precision="f32"
    )
    shape = (1, given.size_wh[1], given.size_wh[0])
    return engine.blob_name(shape), engine.export(shape)
