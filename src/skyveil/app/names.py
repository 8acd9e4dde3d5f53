"""Names of files as a person may be shown them. App."""

import os
import unicodedata
from pathlib import Path


def shown(path: Path | str) -> str:
    """A path or name for a screen: control and direction characters are escaped, so it stays one honest line."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"}
        else letter
        for letter in text
    )
