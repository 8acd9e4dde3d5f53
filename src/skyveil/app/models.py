"""Weights on this machine: found, checked, compiled ahead. App. It makes no request: see `fetch`."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, final

import platformdirs

from skyveil.core.errors import ModelMissing
from skyveil.core.kinds import WITH_FACES, Kind
from skyveil.core.manifest import (
    CENTERFACE,
    COMPILED,
    MODELS,
    PPOCR_DETECTOR,
    YOLOX_NANO,
    ModelEntry,
    entry_named,
)
from skyveil.core.settings import RedactSettings
from skyveil.public.record.output import OutputFile

FOLDER_VARIABLE: Final = "SKYVEIL_MODELS"
DENSITY_PREFIX: Final = "density-"
"""How compiled networks of the operator's are named; `skyveil models density` looks after them."""

_NEEDED: Final = {
    Kind.FACE: (CENTERFACE, YOLOX_NANO),  # persons say where a face need not be looked for
    Kind.HEAD: (CENTERFACE, YOLOX_NANO),  # a head seen close has a face and no body
    Kind.PERSON: (YOLOX_NANO,),
    Kind.PLATE: (PPOCR_DETECTOR,),
}


@final
class State(StrEnum):
    """What is known of one network's file."""

    OK = "ok"
    MISSING = "missing"
    CORRUPT = "corrupt"


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """One network after its file was hashed; `path` is None when it is missing."""

    entry: ModelEntry
    path: Path | None
    state: State


# ---- on this machine -------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where pulled weights lie when no folder is named."""
    return Path(platformdirs.user_cache_dir("skyveil", appauthor=False)) / "models"


def compiled_folder() -> Path:
    """Where networks compiled for this machine lie."""
    return Path(platformdirs.user_cache_dir("skyveil", appauthor=False)) / "compiled"


def locate(entry: ModelEntry) -> Path | None:
    """The file of a network: in the folder that SKYVEIL_MODELS names, else in the user cache. It is not hashed here."""
    return next((path for folder in folders() if (path := folder / entry.file).is_file()), None)


def ensure(names: Iterable[str], *, optional: Iterable[str] = ()) -> dict[str, Path]:
    """The paths a worker reads: every network of `names`, those of `optional` that are here, and compiled networks.

    Raises:
        ModelMissing: one of `names` is not on this machine; the message says what to do.
    """
    wanted = [entry_named(name) for name in names]
    missing = [entry.name for entry in wanted if locate(entry) is None]
    if missing:
        raise ModelMissing(
            f"not on this machine: {', '.join(missing)}; run: skyveil models pull {' '.join(missing)} "
            f"(without a network: pull --to FOLDER elsewhere, then set {FOLDER_VARIABLE}=FOLDER)"
        )
    entries = [*wanted, *(entry_named(name) for name in optional)]
    paths = {entry.name: path for entry in entries if (path := locate(entry)) is not None}
    if compiled_folder().is_dir():
        paths[COMPILED] = compiled_folder()
    return paths


def ensure_for(settings: RedactSettings, *, verify: bool) -> dict[str, Path]:
    """The paths for a redaction: the networks its targets need and, for `verify`, a second opinion if it is here."""
    needed = {entry.name: None for kind in sorted(settings.targets) for entry in _NEEDED[kind]}
    if verify and settings.targets & WITH_FACES:
        needed[CENTERFACE.name] = None
    return ensure(needed, optional=[entry.name for entry in MODELS.values() if verify and not entry.required])


def verify(names: Iterable[str] = tuple(MODELS)) -> list[Checked]:
    """Every named network with its file hashed anew."""
    return [_checked(entry_named(name)) for name in names]


def _checked(entry: ModelEntry) -> Checked:
    path = locate(entry)
    if path is None:
        return Checked(entry, None, State.MISSING)
    return Checked(entry, path, State.OK if is_whole(entry, path) else State.CORRUPT)


def folders() -> list[Path]:
    """Where weights are looked for, in order."""
    named = os.environ.get(FOLDER_VARIABLE)
    return [Path(named).absolute(), cache_folder()] if named else [cache_folder()]


def is_whole(entry: ModelEntry, path: Path) -> bool:
    """Whether the file at `path` is there, readable, and the manifest's."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


# ---- compiled ahead --------------------------------------------------------------------------------------------------


def compile_ahead() -> list[Path]:
    """Compile the networks that are here for the sizes they are used at, so that workers start in a third of the time.

    Files that are there and whole stay; what is of an older version of anything goes. Returns the files in place.
    A worker asked for another precision than this CPU's own compiles for itself.
    """
    from skyveil.private.detect.networks import USES

    folder = compiled_folder()
    kept: list[Path] = []
    with TemporaryDirectory(prefix="skyveil-") as scratch:
        for use in USES:
            path = locate(use.entry)
            if path is None:
                continue
            for name, content in use.compiled(path, present=folder, scratch=Path(scratch)):
                if content is not None:
                    write_compiled(name, content)
                kept.append(folder / name)
    for stale in set(folder.glob("*.blob")) - set(kept):
        if not stale.name.startswith(DENSITY_PREFIX):
            stale.unlink()
    return kept


def not_compiled() -> tuple[list[str], list[str], int]:
    """Compiled networks that are missing for this machine and these versions, those that are not as they were written,
    and how many there should be: of the networks whose weights are here and whole. Nothing is compiled.

    A worker passes over the first in silence and compiles for itself at every start; with the second it does not start.
    """
    from skyveil.private.detect.engine_openvino import is_whole as is_blob_whole
    from skyveil.private.detect.networks import USES

    here = {one.entry.name: one.path for one in verify() if one.state is State.OK and one.path is not None}
    wanted = [
        compiled_folder() / name
        for use in USES
        if (path := here.get(use.entry.name)) is not None
        for name in use.compiled_names(path)
    ]
    missing = [path.name for path in wanted if not path.exists()]
    broken = [path.name for path in wanted if path.exists() and not is_blob_whole(path)]
    return missing, broken, len(wanted)


def write_compiled(name: str, content: bytes) -> Path:
    """The file of a network that was compiled for this machine."""
    folder = compiled_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with OutputFile(folder / name, overwrite=True) as output:
        output.write(content)
        output.commit()
    return folder / name
