"""The networks of one worker, asked about parts of frames. Private side; answers with boxes of the four kinds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np

from skyveil.core.kinds import Kind
from skyveil.core.manifest import ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.detect import centerface, text, yolox
from skyveil.private.detect.boxes import Scored, merged, suppressed, together
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.network import Network
from skyveil.private.detect.networks import FACES, PERSONS, TEXT, USES, Use
from skyveil.private.detect.packing import EDGE_PX, HIGH_WH, SMALL_WH, WIDE_WH, Canvas, Piece, enlarged, fits, shelved
from skyveil.private.detect.pyramid import STILL_MULTIPLE_PX, AnySize, Area, FewSizes, Level, Sizes, Window
from skyveil.private.detect.view import Rgb, blank, edged, letterboxed, rgb_view
from skyveil.private.frame import RawFrame

STILL_PERSON_SIZES_WH: Final = (
    *((416, 320), (320, 416), (416, 416)),
    *((640, 384), (640, 480), (480, 640), (640, 640)),
    (1280, 1280),
)
"""What pictures are shown at to find persons: compiling for each picture's own shape took half of a folder's time."""
_AROUND: Final = 1.0
"""Share of its sides around a part that moved, that is shown to find persons: most reach further."""
VIDEO_SIZES_WH: Final = (SMALL_WH, WIDE_WH, HIGH_WH, (320, 320), (640, 384))
"""What parts of a video are shown at."""


@final
class Finder:
    """Opens each network when it is first asked. One thread owns it."""

    def __init__(self, paths: Mapping[str, Path], *, precision: Precision, shapes: Shapes) -> None:
        self._paths = paths
        self._precision: Precision = precision
        self._shapes: Shapes = shapes
        self._sizes: Sizes = AnySize(STILL_MULTIPLE_PX) if shapes == "any" else FewSizes(VIDEO_SIZES_WH)
        self._person_sizes: Sizes = FewSizes(STILL_PERSON_SIZES_WH) if shapes == "any" else AnySize(yolox.MULTIPLE_PX)
        self._open: dict[str, Network] = {}

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The networks that looked so far."""
        return tuple(use.entry for use in USES if use.entry.name in self._open)

    @property
    def used(self) -> tuple[str, ...]:
        """The networks that looked so far, `name@sha256[:12]`."""
        return tuple(entry.describe for entry in self.models)

    @property
    def computed(self) -> str:
        """The number formats that the networks compute in, with a plus between; empty before the first look."""
        return "+".join(sorted({network.precision for network in self._open.values()}))

    def prepare(self, targets: frozenset[Kind]) -> None:
        """Compile for all sizes that parts of a video are shown at, so that no look has to wait for it.

        The size that persons are looked for in depends on the picture, and is left to the first look.
        """
        uses = [FACES] if targets & {Kind.FACE, Kind.HEAD} else []
        for use in [*uses, *([TEXT] if Kind.PLATE in targets else [])]:
            for width_px, height_px in VIDEO_SIZES_WH if self._shapes == "fixed" else ():
                self._network(use).prepare(height_px, width_px)

    def faces(
        self, raw: RawFrame, area: Area, pyramid: Sequence[Level], *, threshold: float, quarters: int = 0
    ) -> Scored:
        """Faces in one part of a frame, by the levels of `pyramid`, in picture pixels.

        quarters: turns of what the network is shown, against the clock; for networks of any shape only.
        """
        found = []
        for level in pyramid:
            for window in self._sizes.windows(area, level.scale):
                shown = np.ascontiguousarray(np.rot90(_boxed(raw, window, level.scale), quarters))
                boxes = centerface.decode(self._network(FACES).infer(shown), threshold=threshold)[0]
                boxes = _answered(_turned_back(boxes, window.size_wh, quarters), level)
                found.append(_in_picture(boxes, window, level.scale))
        return suppressed(together(found), iou=centerface.OVERLAP)

    def faces_in(self, raw: RawFrame, areas: Sequence[Area], pyramid: Sequence[Level], *, threshold: float) -> Scored:
        """Faces in several parts of a frame: small parts share a canvas, a large one is looked at by itself."""
        scale = pyramid[0].scale
        small = [area for area in areas if fits(area, scale)]
        found = [self._faces_on(raw, canvas, threshold) for canvas in enlarged(small, scale)]
        found += [self.faces(raw, area, pyramid, threshold=threshold) for area in areas if area not in small]
        return suppressed(together(found), iou=centerface.OVERLAP)

    def _faces_on(self, raw: RawFrame, canvas: Canvas, threshold: float) -> Scored:
        shown = blank(canvas.size_wh)
        for piece in canvas.pieces:
            view = rgb_view(raw, piece.area, (piece.width, piece.height))
            shown[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width] = view
        boxes = centerface.decode(self._network(FACES).infer(shown), threshold=threshold)[0]
        return together([_of_piece(boxes, piece, (raw.width, raw.height)) for piece in canvas.pieces])

    def persons(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        """Persons in one part of a frame, in picture pixels."""
        found = []
        for window in self._person_sizes.windows(area, scale):
            answer = self._network(PERSONS).infer(_boxed(raw, window, scale))
            input_hw = (window.size_wh[1], window.size_wh[0])
            boxes = yolox.decode(answer, input_hw=input_hw, threshold=threshold)
            found.append(_in_picture(boxes, window, scale))
        return suppressed(together(found), iou=yolox.OVERLAP)

    def persons_passing(
        self, parts: Sequence[tuple[RawFrame, Area]], *, scale: float, threshold: float
    ) -> list[Scored]:
        """Persons in parts of several frames of one size, in picture pixels, an answer for each part.

        Parts share canvases of the size that a whole frame is shown at; what does not fit on one gets its frame whole.
        """
        if not parts:
            return []
        raw = parts[0][0]
        whole = (0, 0, raw.width, raw.height)
        size_wh = next(iter(self._person_sizes.windows(whole, scale))).size_wh
        shown_as = [_around(area, whole) for _, area in parts]
        sides = [(max(1, round((a[2] - a[0]) * scale)), max(1, round((a[3] - a[1]) * scale))) for a in shown_as]
        fitting = [index for index, (w, h) in enumerate(sides) if w <= size_wh[0] and h <= size_wh[1]]
        found: dict[int, Scored] = {}
        for places in shelved([sides[index] for index in fitting], size_wh):
            pieces = [(fitting[at], Piece(shown_as[fitting[at]], x, y, *sides[fitting[at]])) for at, x, y in places]
            canvas = blank(size_wh)
            for index, piece in pieces:
                view = rgb_view(parts[index][0], piece.area, (piece.width, piece.height))
                canvas[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width] = view
            answer = self._network(PERSONS).infer(canvas)
            boxes = yolox.decode(answer, input_hw=(size_wh[1], size_wh[0]), threshold=threshold)
            found |= {index: _on_piece(boxes, piece) for index, piece in pieces}
        for index in range(len(parts)):
            if index not in found:
                found[index] = self.persons(parts[index][0], whole, scale=scale, threshold=threshold)
        return [found[index] for index in range(len(parts))]

    def plates(self, raw: RawFrame, area: Area, *, scale: float, threshold: float) -> Scored:
        """What may be a number plate in one part of a frame: text, in picture pixels.

        Looked for at `scale` and at half of it, where the letters of plates that are near are of a size that it knows.
        """
        found = []
        for shown_at in (scale, scale / 2):
            for window in self._sizes.windows(area, shown_at):
                # Beside grey, whole vehicles are text to the network.
                view = edged(_part(raw, window, shown_at), window.size_wh)
                answer = self._network(TEXT).infer(view)
                found.append(_in_picture(text.decode(answer, threshold=threshold), window, shown_at))
        return merged(together(found), overlap=0.5)

    def _network(self, use: Use) -> Network:
        if use.entry.name not in self._open:
            shapes: Shapes = "fixed" if use is PERSONS else self._shapes
            self._open[use.entry.name] = use.open(self._paths, shapes=shapes, precision=self._precision)
        return self._open[use.entry.name]


def _boxed(raw: RawFrame, window: Window, scale: float) -> Rgb:
    """What a window shows, with grey beside it where it is smaller than the window's size."""
    return letterboxed(_part(raw, window, scale), window.size_wh)


def _part(raw: RawFrame, window: Window, scale: float) -> Rgb:
    """What a window shows, at most as large as it is."""
    x1, y1, x2, y2 = window.xyxy
    size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    return rgb_view(raw, window.xyxy, (min(size[0], window.size_wh[0]), min(size[1], window.size_wh[1])))


def _of_piece(boxes: Scored, piece: Piece, picture_wh: tuple[int, int]) -> Scored:
    """The boxes whose centre lies well inside this piece of a canvas, in picture pixels.

    At the edge of a piece the grey beside it makes shapes that are not there. The picture's own edge is no such edge:
    what is there is seen whole by no other piece.
    """
    x, y = (boxes.xyxy[:, 0] + boxes.xyxy[:, 2]) / 2 - piece.left, (boxes.xyxy[:, 1] + boxes.xyxy[:, 3]) / 2 - piece.top
    left, top = (EDGE_PX if start > 0 else 0 for start in piece.area[:2])
    right, bottom = (EDGE_PX if end < side else 0 for end, side in zip(piece.area[2:], picture_wh, strict=True))
    well_inside = (x >= left) & (x < piece.width - right) & (y >= top) & (y < piece.height - bottom)
    return _on_piece(boxes.only(well_inside), piece)


def _on_piece(boxes: Scored, piece: Piece) -> Scored:
    """The boxes whose centre lies in this piece of a canvas, in picture pixels."""
    x, y = (boxes.xyxy[:, 0] + boxes.xyxy[:, 2]) / 2 - piece.left, (boxes.xyxy[:, 1] + boxes.xyxy[:, 3]) / 2 - piece.top
    here = boxes.only((x >= 0) & (x < piece.width) & (y >= 0) & (y < piece.height))
    x1, y1, x2, y2 = piece.area
    factor = (x2 - x1) / piece.width, (y2 - y1) / piece.height
    return here.moved(scale_xy=factor, offset_xy=(x1 - piece.left * factor[0], y1 - piece.top * factor[1]))


def _around(area: Area, whole: Area) -> Area:
    """A part with what surrounds it, once its own sides on every side, as far as the picture goes; even corners."""
    x1, y1, x2, y2 = area
    wide, high = round(_AROUND * (x2 - x1)), round(_AROUND * (y2 - y1))
    left, top = max(0, x1 - wide) // 2 * 2, max(0, y1 - high) // 2 * 2
    return left, top, min(whole[2], x2 + wide), min(whole[3], y2 + high)


def _turned_back(boxes: Scored, size_wh: tuple[int, int], quarters: int) -> Scored:
    """The boxes of a view of `size_wh` that was shown turned so many quarters against the clock, in the view."""
    x1, y1, x2, y2 = boxes.xyxy.T
    width, height = size_wh
    places = (
        (x1, y1, x2, y2),
        (width - y2, x1, width - y1, x2),
        (width - x2, height - y2, width - x1, height - y1),
        (y1, height - x2, y2, height - x1),
    )
    return Scored(np.stack(places[quarters % 4], axis=1).astype(np.float32), boxes.score)


def _answered(boxes: Scored, level: Level) -> Scored:
    """The boxes of the sizes that this level answers for."""
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    mean_px = np.sqrt(sides[:, 0] * sides[:, 1])
    return boxes.only((mean_px >= level.least_px) & (mean_px < level.most_px))


def _in_picture(boxes: Scored, window: Window, scale: float) -> Scored:
    """Boxes of a window in picture pixels; those whose centre lies in the grey beside the picture are dropped."""
    x1, y1, x2, y2 = window.xyxy
    size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    factor = (x2 - x1) / size[0], (y2 - y1) / size[1]
    moved = boxes.moved(scale_xy=factor, offset_xy=(x1, y1))
    centre = (moved.xyxy[:, :2] + moved.xyxy[:, 2:]) / 2
    return moved.only((centre[:, 0] < x2) & (centre[:, 1] < y2))
