"""Density networks of a configuration before a camera uses them: found, hashed, tried, compiled ahead. App."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from skyveil.app.config import Config
from skyveil.app.config.measured import network_of
from skyveil.app.models import DENSITY_PREFIX, compiled_folder, folders, is_whole, locate, write_compiled
from skyveil.core.density import DensityNetwork
from skyveil.core.errors import ModelCorrupt, ModelMissing, SkyveilError

_LOOKS: Final = 3


@final
@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a network: `problem` is empty for one that can be used, and `words` then say what it does."""

    name: str
    words: str = ""
    problem: str = ""


def tried(config: Config) -> Iterator[Tried]:
    """Each density network of a configuration, loaded and shown an empty picture; those that answer are compiled."""
    kept: set[Path] = set()
    for given in config.density_networks:
        network = network_of(given)
        try:
            path = located(network)
            words = _words(network, path)
            kept.add(_compiled(network, path))
        except SkyveilError as error:
            yield Tried(given.id, problem=str(error))
        else:
            yield Tried(given.id, words)
    for stale in set(compiled_folder().glob(f"{DENSITY_PREFIX}*.blob")) - kept:
        stale.unlink()


def located(network: DensityNetwork) -> Path:
    """The file of a network; raises ModelMissing or ModelCorrupt, saying what to do."""
    path = locate(network.entry)
    if path is None:
        places = " or ".join(str(folder) for folder in folders())
        raise ModelMissing(f"{network.file} of the density network {network.name} is not here: put it in {places}")
    if not is_whole(network.entry, path):
        raise ModelCorrupt(f"{path} is not the file that the density network {network.name} names by its sha256")
    return path


def _words(network: DensityNetwork, path: Path) -> str:
    from skyveil.app.density import LATE_S
    from skyveil.private.detect.density import HeadMapper
    from skyveil.private.detect.view import blank

    mapper = HeadMapper.open(network, path)
    picture = blank(network.size_wh)
    began_s = time.perf_counter()
    sums = [float(mapper.look(picture).sum()) for _ in range(_LOOKS)]
    look_s = (time.perf_counter() - began_s) / _LOOKS
    rows, columns = mapper.shape
    slow = ", which is too slow" if look_s > LATE_S else ""
    side_px = network.size_wh[0] // columns
    return (
        f"one map of {columns}x{rows}, cells of {side_px} px, {1000 * look_s:.0f} ms a look{slow}; "
        f"in an empty grey picture it sees {sums[0]:.1f} people"
    )


def _compiled(network: DensityNetwork, path: Path) -> Path:
    from skyveil.private.detect.density import compiled_of

    name, content = compiled_of(network, path)
    return write_compiled(name, content)
