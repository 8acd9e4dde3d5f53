"""The result of one file as JSON: what was done, by which networks, with which hashes. Public side.

Schema `skyveil.result/1`, described in docs/reference/result-json.md. It holds file names without folders, and no
position of a person, crop, user, host or time of day. With `input_hash` switched off it does not tell which input it
was made of either: neither its hash nor its size.
"""

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias, final

from skyveil.public.record.output import OutputFile
from skyveil.public.wire import Finished, Walled

SCHEMA: Final = "skyveil.result/1"
SOFTWARE: Final = ("av", "numpy", "opencv-python-headless", "openvino", "pillow", "pillow-heif")
_LIMIT: Final = 64 << 20

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@final
@dataclass(frozen=True, slots=True)
class Verified:
    """What the second look said: by another network or the same one, and how many suspects before and after."""

    independent: bool
    suspects_found: int
    suspects_left: int


@final
@dataclass(frozen=True, slots=True)
class FileSide:
    """One side of the job as a file: its name without folders, its hash and size where they may be told."""

    name: str
    sha256: str | None
    size: int | None


@final
@dataclass(frozen=True, slots=True)
class Result:
    """One finished file."""

    input: FileSide
    output: FileSide
    settings: Mapping[str, Json]
    finished: Finished
    wall: Walled
    verified: Verified | None = None

    @property
    def damaged(self) -> bool:
        """Whether the input was broken: frames had to be covered, or frames that it promises are not there."""
        return self.finished.damaged > 0 or bool(self.finished.gaps)

    @property
    def covered_share(self) -> float:
        """Mean share of the picture that is covered, over the seconds of the media."""
        shares = self.finished.covered_share_per_s
        return sum(shares) / len(shares) if shares else 0.0

    def as_json(self) -> dict[str, Json]:
        """The result as plain values, in the order of the schema."""
        done = self.finished
        return {
            "schema": SCHEMA,
            "state": "damaged" if self.damaged else "done",
            "input": _side(self.input),
            "output": _side(self.output),
            "settings": dict(self.settings),
            "models": [{"name": model.name, "sha256": model.sha256} for model in done.models],
            "precision": done.precision,
            "frames": done.frames,
            "frames_damaged": done.damaged,
            "frames_covered_wholly": done.whole,
            "duration_s": round(done.duration_s, 6),
            "source_fps": None if done.source_fps is None else round(done.source_fps, 6),
            "gaps_s": [[round(start_s, 6), round(end_s, 6)] for start_s, end_s in done.gaps],
            "dropped": list(done.dropped),
            "covered_share": round(self.covered_share, 6),
            "covered_share_per_s": [round(share, 4) for share in done.covered_share_per_s],
            "verified": None
            if self.verified is None
            else {
                "independent": self.verified.independent,
                "suspects_found": self.verified.suspects_found,
                "suspects_left": self.verified.suspects_left,
            },
            "wall": {"holds": list(self.wall.holds), "missing": list(self.wall.missing)},
            "software": software(),
            "cpu_s": {stage: round(seconds, 3) for stage, seconds in done.timings_s},
        }


def write_result(path: Path, result: Result) -> None:
    """Write the JSON in one step, over an older one. Raises OutputRefused.

    A power cut may take it; the next run then finds none that fits, and does the file again.
    """
    with OutputFile(path, overwrite=True, durable=False) as output:
        output.write(json.dumps(result.as_json(), indent=2, allow_nan=False).encode("ascii") + b"\n")
        output.commit()


def read_result(path: Path) -> dict[str, Json] | None:
    """The fields of a result that an earlier run wrote; None when there is none of this schema."""
    try:
        with path.open("rb") as file:
            fields: Json = json.loads(file.read(_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        return None
    return fields


def software() -> dict[str, Json]:
    """Versions of what took part, by package name."""
    versions: dict[str, Json] = {"skyveil": _version("skyveil"), "python": platform.python_version()}
    versions.update({name: _version(name) for name in SOFTWARE})
    return versions


@lru_cache
def _version(name: str) -> str | None:
    """The version of an installed package, by the name of the folder that tells of it; None when it is not there."""
    known = _versions().get(name.replace("-", "_"))
    if known is not None:
        return known
    from importlib.metadata import PackageNotFoundError, version  # it, and what it parses, takes 20 ms of CPU

    try:
        return version(name)
    except PackageNotFoundError:
        return None


@lru_cache
def _versions() -> Mapping[str, str]:
    """Packages with a folder NAME-VERSION.dist-info, NAME in lower case with underscores."""
    found: dict[str, str] = {}
    for folder in reversed(sys.path):  # what comes first is what is imported
        parts = (path.name.removesuffix(".dist-info").partition("-") for path in Path(folder).glob("*.dist-info"))
        found.update((name.lower(), version) for name, _, version in parts)
    return found


def _side(side: FileSide) -> dict[str, Json]:
    return {"name": side.name, "sha256": side.sha256, "size": side.size}
