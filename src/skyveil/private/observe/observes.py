"""What a watch tells of its looks. Private side."""

from typing import Protocol

from skyveil.private.detections import Detections


class Observes(Protocol):
    """What takes the boxes of each look beside the cover path; nothing that it does changes what is covered."""

    def see(self, found: Detections, *, at_s: float) -> None:
        """Take what was found in the frame at `at_s`, seconds of media time."""
        ...
