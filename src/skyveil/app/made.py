"""What earlier runs made: known by the result beside it, and not by what it is called. App."""

import hashlib
from pathlib import Path
from typing import Final

from skyveil.app.names import shown
from skyveil.core.errors import InputRefused
from skyveil.public.record.result import read_result

_BLOCK: Final = 1 << 20


def result_of(output: Path) -> Path:
    """Where the result JSON of an output lies."""
    return output.with_name(output.name + ".json")


def is_own_output(path: Path) -> bool:
    """Whether an earlier run made this file: the result beside it tells its name and size.

    Not its hash: a folder that is done again would be read before anything begins. Who can forge a result can change
    outputs as well.
    """
    side = (read_result(result_of(path)) or {}).get("output")
    if not isinstance(side, dict) or side.get("name") != path.name or not path.is_file():
        return False
    return side.get("size") == path.stat().st_size


def told_hash(side: object) -> str | None:
    """The hash in one side of a result that was read back."""
    sha256 = side.get("sha256") if isinstance(side, dict) else None
    return sha256 if isinstance(sha256, str) else None


def sha256_of(path: Path) -> str:
    """The hash of a file, read in blocks; InputRefused when it can not be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputRefused(f"{shown(path)}: can not be read: {error.strerror}") from error
    return digest.hexdigest()
