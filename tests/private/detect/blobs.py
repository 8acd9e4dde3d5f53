"""Engines that answer, in the form of each real network, with the bright blobs of the picture they are shown."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from skyveil.core.errors import DetectorFailed
from skyveil.core.manifest import CENTERFACE, PPOCR_DETECTOR, YOLOX_NANO, ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.detect.engine import Computed, Outputs, Pending, Pictures, Shape, Shapes
from skyveil.private.detect.finder import Finder
from skyveil.private.detect.network import Network
from skyveil.private.detect.yolox import STRIDES_PX
from tests.private.made import Box

BRIGHT = 180
FACE_CELL_PX = 4
TEXT_PX = 80


def blobs(picture: Pictures) -> list[Box]:
    """Boxes around what is bright in one picture."""
    bright = (picture.min(axis=2) > BRIGHT).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in stats[1:count, :4].tolist()]


def as_centerface(picture: Pictures) -> Outputs:
    rows, columns = picture.shape[0] // FACE_CELL_PX, picture.shape[1] // FACE_CELL_PX
    heat, size, offset = (np.zeros((1, planes, rows, columns), np.float32) for planes in (1, 2, 2))
    for x1, y1, x2, y2 in blobs(picture):
        x, y = (x1 + x2) / 2 / FACE_CELL_PX - 0.5, (y1 + y2) / 2 / FACE_CELL_PX - 0.5
        row, column = min(max(0, round(y)), rows - 1), min(max(0, round(x)), columns - 1)
        heat[0, 0, row, column] = 0.75
        size[0, :, row, column] = np.log([(y2 - y1) / FACE_CELL_PX, (x2 - x1) / FACE_CELL_PX])
        offset[0, :, row, column] = y - row, x - column
    return heat, size, offset


_CAR = 2
"""COCO's class of cars, which nobody asks for."""


def as_yolox(picture: Pictures) -> Outputs:
    """Upright blobs are persons, lying ones cars."""
    stride, columns = STRIDES_PX[0], picture.shape[1] // STRIDES_PX[0]
    count = sum((picture.shape[0] // one) * (picture.shape[1] // one) for one in STRIDES_PX)
    cells = np.zeros((1, count, 85), np.float32)
    for x1, y1, x2, y2 in blobs(picture):
        x, y = (x1 + x2) / 2 / stride, (y1 + y2) / 2 / stride
        cell = cells[0, int(y) * columns + int(x)]
        cell[:4] = x - int(x), y - int(y), np.log((x2 - x1) / stride), np.log((y2 - y1) / stride)
        cell[4] = 1.0
        cell[5 + (_CAR if x2 - x1 > y2 - y1 else 0)] = 0.75
    return (cells,)


def as_text(picture: Pictures) -> Outputs:
    """Text is where it is bright, and not too high; the network shows it shrunken by what the decoder grows it by."""
    chance = np.zeros((1, 1, *picture.shape[:2]), np.float32)
    for x1, y1, x2, y2 in blobs(picture):
        if y2 - y1 > TEXT_PX:
            continue
        chance[0, 0, int(y1) + 2 : int(y2) - 2, int(x1) + 2 : int(x2) - 2] = 0.75
    return (chance,)


@dataclass
class BlobEngine:
    """Notes the sizes and colours it is shown; fails at look `fails_at`, counted from 0."""

    entry: ModelEntry
    fails_at: int | None = None
    shown_wh: list[tuple[int, int]] = field(default_factory=list)
    colours: set[int] = field(default_factory=set)

    @property
    def precision(self) -> Computed:
        return "f32"

    @property
    def device(self) -> str:
        return "CPU"

    def prepare(self, shape: Shape) -> None:
        pass

    def start(self, pictures: Pictures) -> Pending:
        if len(self.shown_wh) == self.fails_at:
            raise DetectorFailed(f"{self.entry.name}: failed as it was told")
        assert len(pictures) == 1
        self.shown_wh.append((pictures.shape[2], pictures.shape[1]))
        self.colours |= set(np.unique(pictures).tolist())
        kinds = {CENTERFACE.name: as_centerface, YOLOX_NANO.name: as_yolox, PPOCR_DETECTOR.name: as_text}
        return Answer(kinds[self.entry.name](pictures[0]))


@dataclass
class Answer:
    outputs: Outputs

    def wait(self) -> Outputs:
        return self.outputs


class Blobs:
    """A real finder whose networks are blob engines."""

    def __init__(
        self, *, shapes: Shapes = "fixed", precision: Precision = "auto", face_fails_at: int | None = None
    ) -> None:
        self.finder = Finder({}, precision=precision, shapes=shapes)
        self.face, self.person, self.text = (BlobEngine(entry) for entry in (CENTERFACE, YOLOX_NANO, PPOCR_DETECTOR))
        self.face.fails_at = face_fails_at
        for engine in (self.face, self.person, self.text):
            self.finder._open[engine.entry.name] = Network(engine.entry, engine)
