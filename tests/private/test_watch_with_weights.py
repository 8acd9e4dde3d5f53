"""The watch with the real networks: one real face is found and covered, upright from every orientation, and moving."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from skyveil.app.models import ensure
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.kinds import Kind
from skyveil.core.manifest import MODELS
from skyveil.core.settings import Mode, RedactSettings
from skyveil.core.time import MediaTime
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import Plane, plane_array
from skyveil.private.capture.source import open_media
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.finder import Finder
from skyveil.private.frame import RawFrame
from skyveil.private.still_watch import StillWatch
from skyveil.private.watch import VideoWatch, Watch
from skyveil.public.types import RedactedFrame
from tests.conftest import Picture

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("models")]

FACE: Final = np.array([185, 80, 270, 178])
"""xyxy of the astronaut's face: from the brows to the chin, from ear to ear."""
COVER_RGB: Final = np.array([64, 56, 160])
COVER_CB: Final = 172
"""Of the same colour in limited range."""
MODES: Final[tuple[Mode, ...]] = ("balanced", "strict")
FACES: Final = frozenset({Kind.FACE})
HEADS: Final = frozenset({Kind.FACE, Kind.HEAD})
SOURCE: Final = SourceId("made")


def finder(shapes: Shapes) -> Finder:
    paths = ensure([entry.name for entry in MODELS.values() if entry.required])
    return Finder(paths, precision="auto", shapes=shapes)


@pytest.fixture(scope="module")
def for_stills() -> Finder:
    return finder("any")


@pytest.fixture(scope="module")
def for_video() -> Finder:
    return finder("fixed")


def through(watch: Watch, frames: list[RawFrame]) -> list[RedactedFrame]:
    """The frames as they leave the gate."""
    decided = [one for raw in frames for one in watch.see(raw)]
    decided += watch.end()
    return [redact(raw, regions, Solid(), max_look_age_s=1.0) for raw, regions in decided]


def still_of(picture: Picture) -> RawFrame:
    made = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return RawFrame(made, FrameId(SOURCE, 0), MediaTime(0, Fraction(1)))


def covered_share(frame: RedactedFrame, face: Picture | tuple[int, ...]) -> float:
    """How much of a box is covered with the fill, in an RGB picture."""
    x1, y1, x2, y2 = (int(edge) for edge in face)
    part: Plane = plane_array(frame.picture, 0)[y1:y2, x1:x2]
    return float((part == COVER_RGB).all(axis=2).mean())


ORIENTATIONS: Final = {0: 1, 1: 6, 2: 3, 3: 8}
"""Quarter turns, against the clock, that a camera stored a picture with, and the EXIF orientation that says so."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("turns", ORIENTATIONS)
def test_the_face_is_covered_from_every_stored_orientation(
    for_stills: Finder, astronaut: Picture, tmp_path: Path, turns: int, mode: Mode
) -> None:
    path, exif = tmp_path / "stored.png", Image.Exif()
    exif[0x0112] = ORIENTATIONS[turns]
    Image.fromarray(np.rot90(astronaut, turns)).save(path, exif=exif)
    source = open_media(path, SOURCE)
    watch = StillWatch(
        for_stills, RedactSettings(HEADS, mode), width=source.info.stream.width, height=source.info.stream.height
    )
    (frame,) = through(watch, list(source.frames()))
    source.close()
    assert covered_share(frame, tuple(FACE.tolist())) == 1.0
    assert frame.covered_share < 0.35


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("face_px", [40, 80, 160])
def test_the_face_is_covered_in_a_picture_that_lies_or_stands_on_its_head(
    for_stills: Finder, astronaut: Picture, face_px: int, quarters: int, mode: Mode
) -> None:
    canvas, face = shrunk_into(astronaut, face_px)
    turned = np.ascontiguousarray(np.rot90(canvas, quarters))
    height, width = canvas.shape[:2]
    for _ in range(quarters):  # a quarter against the clock: x is y, y is what was right of it
        x1, y1, x2, y2 = face
        face, width, height = (y1, width - x2, y2, width - x1), height, width
    watch = StillWatch(for_stills, RedactSettings(FACES, mode), width=width, height=height)
    (frame,) = through(watch, [still_of(turned)])
    assert covered_share(frame, face) > 0.9
    assert frame.covered_share < 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("face_px", [14, 24, 40, 80, 160, 400])
def test_the_face_is_covered_at_every_size(for_stills: Finder, astronaut: Picture, face_px: int, mode: Mode) -> None:
    canvas, face = shrunk_into(astronaut, face_px)
    watch = StillWatch(for_stills, RedactSettings(FACES, mode), width=canvas.shape[1], height=canvas.shape[0])
    (frame,) = through(watch, [still_of(canvas)])
    assert covered_share(frame, face) > 0.9


def shrunk_into(astronaut: Picture, face_px: int) -> tuple[Picture, tuple[int, int, int, int]]:
    """The portrait on a larger canvas, its face so many pixels high, and where that is."""
    scale = face_px / float(FACE[3] - FACE[1])
    side = round(512 * scale)
    shrunk = np.asarray(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    canvas = np.full((max(480, side), max(640, side), 3), 90, np.uint8)
    y, x = (canvas.shape[0] - side) // 3, (canvas.shape[1] - side) // 3
    canvas[y : y + side, x : x + side] = shrunk
    x1, y1, x2, y2 = np.rint(FACE * scale + [x, y, x, y]).astype(int).tolist()
    return canvas, (x1, y1, x2, y2)


def test_a_picture_without_people_is_left_as_it_is(for_stills: Finder) -> None:
    y, x = np.mgrid[0:360, 0:480]
    canvas = np.stack([x // 2, y // 2, (x + y) // 4], axis=2).astype(np.uint8)
    (frame,) = through(StillWatch(for_stills, RedactSettings(), width=480, height=360), [still_of(canvas)])
    assert frame.covered_share == 0.0


WIDTH, HEIGHT = 640, 360
HEAD_PX = 72
"""Height of the cut-out that moves: the face in it is 45 px high."""


def walk(count: int, astronaut: Picture, *, step_px: float) -> list[tuple[Picture, tuple[int, ...]]]:
    """Pictures of the astronaut's head and shoulders walking over a still scene, and where the face is."""
    random = np.random.default_rng(4)
    coarse = random.integers(60, 130, (HEIGHT // 20, WIDTH // 20, 3), np.uint8)
    scenery = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    x1, y1, x2, y2 = 140, 20, 310, 250
    scale = HEAD_PX / (y2 - y1) * 2
    size = round((x2 - x1) * scale), round((y2 - y1) * scale)
    cut_out = np.asarray(cv2.resize(astronaut[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA), np.uint8)
    made = []
    for index in range(count):
        left, top = round(20 + step_px * index), 90 + round(8 * np.sin(index / 9))
        canvas = scenery.copy()
        canvas[top : top + size[1], left : left + size[0]] = cut_out
        face = (FACE - [x1, y1, x1, y1]) * scale + [left, top, left, top]
        made.append((canvas, tuple(np.rint(face).astype(int).tolist())))
    return made


def video_frame(picture: Picture, index: int) -> RawFrame:
    made = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    return RawFrame(made, FrameId(SOURCE, index), MediaTime(index, Fraction(1, 25)))


@pytest.mark.parametrize("targets", [FACES, HEADS])
@pytest.mark.parametrize("step_px", [0, 1, 4])
def test_a_face_that_walks_is_covered_in_every_frame(
    for_video: Finder, astronaut: Picture, step_px: float, targets: frozenset[Kind]
) -> None:
    scenes = walk(75, astronaut, step_px=step_px)
    watch = VideoWatch(for_video, RedactSettings(targets), width=WIDTH, height=HEIGHT, fps=25.0)
    frames = through(watch, [video_frame(picture, index) for index, (picture, _) in enumerate(scenes)])
    assert [frame.id.index for frame in frames] == list(range(75))
    shares = []
    for frame, (_, face) in zip(frames, scenes, strict=True):
        assert not frame.whole
        x1, y1, x2, y2 = face
        shares.append(float((plane_array(frame.picture, 1)[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2] == COVER_CB).mean()))
    assert min(shares) > 0.95, [index for index, share in enumerate(shares) if share <= 0.95]
    assert float(np.mean([frame.covered_share for frame in frames])) < 0.3
