"""A camera process with the real wall, source, gate and encoder, and networks that do as they are told."""

import ctypes
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.app import camera
from skyveil.app.live import Live
from skyveil.app.rulers import Rulers
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import DetectorFailed
from skyveil.core.geometry import no_boxes
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.pyramid import Area, Level
from skyveil.private.frame import RawFrame
from tests.measure.cameras import SIZE_WH, Hung

HUNG: Final = Hung(6, 35, 1300)
CROWD_M: Final = np.array([(x, y) for y in np.arange(7.0, 11.0, 0.6) for x in np.arange(-2.0, 2.1, 0.6)])
"""Where the people of a crowd stand, metres on the floor before `HUNG`; about 3 per m2."""
FIRST_M: Final = np.array([(x, y) for y in (7.4, 8.7, 10.0) for x in (-1.3, 0.0, 1.3)])
"""Where those stand who came before it: too far from one another for a hot spot."""
FIRST_S: Final = 6.0
FIRST_LOOKS: Final = 40
"""How long they are alone: in seconds for a fast machine, in looks for one that hardly looks at all."""


def crowd_boxes(people: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes round people who stand at these points of the floor, metres; pixels of a picture of `SIZE_WH`."""
    heads, feet = HUNG.shows(people, np.full(len(people), 1.68)), HUNG.shows(people, np.zeros(len(people)))
    half = 0.15 * np.abs(feet[:, 1] - heads[:, 1])
    middle = (heads[:, 0] + feet[:, 0]) / 2
    return np.stack([middle - half, heads[:, 1], middle + half, feet[:, 1]], axis=1)


def walkers_boxes(look: int) -> NDArray[np.float64]:
    """Boxes round twelve people who are elsewhere at each look, one in each part of the floor, pixels of `SIZE_WH`."""
    random = np.random.default_rng(look)
    x, y = np.meshgrid([-3.0, -1.0, 1.0, 3.0], [6.0, 9.0, 12.5])
    people = np.stack([x.ravel(), y.ravel()], axis=1) + random.uniform(-0.6, 0.6, (x.size, 2))
    heads, feet = HUNG.shows(people, random.normal(1.68, 0.09, len(people))), HUNG.shows(people, np.zeros(len(people)))
    half = 0.13 * np.abs(feet[:, 1] - heads[:, 1])
    left, right = np.minimum(feet[:, 0], heads[:, 0]) - half, np.maximum(feet[:, 0], heads[:, 0]) + half
    return np.stack([left, heads[:, 1], right, feet[:, 1]], axis=1)


def _nothing() -> Scored:
    return Scored(no_boxes(), np.zeros(0, np.float32))


def _ways_out() -> list[str]:
    """The ways out of the process that worked."""
    worked = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            socket.socket(socket.AF_INET, kind).close()
            worked.append("socket")
        except OSError:
            pass
    libc = ctypes.CDLL(None, use_errno=True)
    # Every descriptor, the camera's own connection among them: none connects anew, or sends to another address.
    address = b"\x02\x00\x00\x09\x7f\x00\x00\x01" + bytes(8)
    for descriptor in range(3, 32):
        if libc.connect(descriptor, address, 16) == 0:
            worked.append("connect")
        if libc.sendto(descriptor, b"x", 1, 0, address, 16) >= 0:
            worked.append("sendto")
        if libc.bind(descriptor, address, 16) == 0 or libc.listen(descriptor, 1) == 0:
            worked.append("bind")
    return worked


class Nets:
    """Networks that see nothing, two people who stand still, a few people and then a crowd, or people who walk about;
    or fail as they are told."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self._looks = 0
        self._since_s = 0.0

    @property
    def used(self) -> tuple[str, ...]:
        return ("stand-in@000000000000",)

    def _look(self) -> Scored:
        self._looks += 1
        if self.fault == "compiles" and self._looks == 1:
            time.sleep(2.5)
        if self.fault == "slow":
            time.sleep(0.5)
        if self.fault == "raises":
            raise DetectorFailed("on purpose")
        if self.fault == "dies":
            ctypes.string_at(0)
        if self.fault == "escapes" and _ways_out():
            raise DetectorFailed("a way out of the process worked")
        return _nothing()

    def faces(
        self, raw: RawFrame, area: Area, pyramid: Sequence[Level], *, threshold: float, quarters: int = 0
    ) -> Scored:
        return self._look()

    def faces_in(self, raw: RawFrame, areas: Sequence[Area], pyramid: Sequence[Level], *, threshold: float) -> Scored:
        return self._look()

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        if self.fault == "two people":
            boxes = [[area[2] * x, area[3] * 0.3, area[2] * (x + 0.1), area[3] * 0.8] for x in (0.2, 0.6)]
            return Scored(np.array(boxes, np.float32), np.full(2, 0.9, np.float32))
        if self.fault == "a crowd":
            self._looks += 1
            self._since_s = self._since_s or time.monotonic()
            early = self._looks <= FIRST_LOOKS or time.monotonic() - self._since_s < FIRST_S
            boxes_of = crowd_boxes(FIRST_M if early else CROWD_M) * (area[2] / SIZE_WH[0])
            return Scored(boxes_of.astype(np.float32), np.full(len(boxes_of), 0.9, np.float32))
        if self.fault == "walkers":
            self._looks += 1
            boxes_of = walkers_boxes(self._looks) * (area[2] / SIZE_WH[0])
            return Scored(boxes_of.astype(np.float32), np.full(len(boxes_of), 0.9, np.float32))
        return self._look()

    def persons_passing(
        self, parts: Sequence[tuple[RawFrame, Area]], *, scale: float, threshold: float
    ) -> list[Scored]:
        return [self.persons(raw, area, scale=scale, threshold=threshold) for raw, area in parts]

    def plates(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        return self._look()


def main() -> None:
    """Run as the camera process; the fault is the first argument."""
    fault = sys.argv[1] if len(sys.argv) > 1 else ""

    def making(_: Mapping[str, Path], spec: CameraSpec) -> Live:
        live = Live(spec, Nets(fault))
        if fault == "walkers":
            live.rulers = Rulers(clock=lambda: 20 * time.monotonic())  # hours pass in minutes
        return live

    sys.exit(camera.main(making))
