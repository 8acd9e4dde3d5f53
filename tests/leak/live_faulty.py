"""A camera process with the product's own networks, which fail when a signal says so.

SIGUSR1 makes every look raise, and a second one ends that; SIGUSR2 makes the next look hang.
"""

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from skyveil.app import camera
from skyveil.app.live import Live
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import DetectorFailed
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.finder import Finder
from skyveil.private.detect.pyramid import Area, Level
from skyveil.private.frame import RawFrame


class Faulty:
    """The networks, and what is wrong with them now."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._raises = self._hangs = False
        signal.signal(signal.SIGUSR1, self._toggle)
        signal.signal(signal.SIGUSR2, self._stop)

    def _toggle(self, _: int, __: FrameType | None) -> None:
        self._raises = not self._raises

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._hangs = True

    def _fail(self) -> None:
        if self._raises:
            raise DetectorFailed("on purpose")
        while self._hangs:
            time.sleep(1)

    @property
    def used(self) -> tuple[str, ...]:
        return self._finder.used

    def faces(
        self, raw: RawFrame, area: Area, pyramid: Sequence[Level], *, threshold: float, quarters: int = 0
    ) -> Scored:
        self._fail()
        return self._finder.faces(raw, area, pyramid, threshold=threshold, quarters=quarters)

    def faces_in(self, raw: RawFrame, areas: Sequence[Area], pyramid: Sequence[Level], *, threshold: float) -> Scored:
        self._fail()
        return self._finder.faces_in(raw, areas, pyramid, threshold=threshold)

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        self._fail()
        return self._finder.persons(raw, area, scale=scale, threshold=threshold)

    def persons_passing(
        self, parts: Sequence[tuple[RawFrame, Area]], *, scale: float, threshold: float
    ) -> list[Scored]:
        return [self.persons(raw, area, scale=scale, threshold=threshold) for raw, area in parts]

    def plates(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        self._fail()
        return self._finder.plates(raw, area, scale=scale, threshold=threshold)


def main() -> None:
    """Run as the camera process."""

    def making(models: Mapping[str, Path], spec: CameraSpec) -> Live:
        return Live(spec, Faulty(Finder(models, precision=spec.settings.precision, shapes="fixed")))

    sys.exit(camera.main(making))
