"""Removes faces, heads, persons and number plates from video and pictures before a pixel is stored, shown or sent."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from skyveil.app.api import redact_file as redact_file
    from skyveil.app.api import redact_image as redact_image

__all__ = ["__version__", "redact_file", "redact_image"]


def __getattr__(name: str) -> object:
    """Import the API when it is first asked for: `import skyveil` alone must cost nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'skyveil' has no attribute {name!r}")
    from skyveil.app import api

    return getattr(api, name)
