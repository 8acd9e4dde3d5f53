"""Libraries that report their use to their makers are kept from it. Core.

`import openvino` loads its model converter, which writes an identifier into the home folder and sends an event to a
web service. Skyveil makes no request at run time. The import is optional there (ImportError is expected), so refusing
it changes nothing that we use and saves a third of the import's time.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final, final

REFUSED: Final = ("openvino.tools", "openvino_telemetry")


@final
class _Refuse(MetaPathFinder):
    """Finds nothing, and refuses what reports."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in REFUSED:
            raise ModuleNotFoundError(f"{name} reports to a web service and is not loaded", name=name)
        return None


def refuse() -> None:
    """Keep the modules named in `REFUSED` from being imported; call it before the first `import openvino`."""
    if not any(isinstance(finder, _Refuse) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refuse())
