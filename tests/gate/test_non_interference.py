"""The promise: videos that differ only inside the regions leave the gate byte for byte alike, packets included."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.core.settings import FillName
from skyveil.gate.fill import make_fill
from skyveil.gate.redact import redact
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions
from tests.gate.pictures import (
    FORMATS,
    PLANAR,
    TIME_BASE,
    int_boxes,
    name,
    noise,
    planes_of,
    polygon,
    raw_frame,
    rows_and_padding,
)

TWO_SPANS = 8
"""Two spans of the background as they are here, so that short videos have a scene to draw."""
FILLS: tuple[FillName, ...] = ("solid", "background", "mosaic")
TILE_PX = 16
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """One frame of a made-up video: what is to be hidden in it."""

    boxes: list[tuple[int, int, int, int]]
    triangles: list[tuple[tuple[float, float], ...]]
    undecided: list[bool]
    nobody_looked: bool


@dataclass(frozen=True)
class Video:
    pixel_format: str
    width: int
    height: int
    shots: list[Shot]

    @property
    def tiles(self) -> tuple[int, int]:
        return -(-self.height // TILE_PX), -(-self.width // TILE_PX)

    def why(self, shot: Shot) -> NDArray[np.uint8]:
        count = self.tiles[0] * self.tiles[1]
        holes = np.resize(np.array(shot.undecided, bool), count)
        return np.where(holes, Why.UNDECIDED, Why.LOOKED).astype(np.uint8).reshape(self.tiles)

    def regions(self, shot: Shot, index: int) -> Regions:
        looked = Looked(name(index), TILE_PX, self.why(shot), np.zeros(self.tiles, np.float32), ("net@0",))
        return Regions(
            name(index),
            int_boxes(shot.boxes),
            tuple(polygon(*corners) for corners in shot.triangles),
            None if shot.nobody_looked else looked,
        )

    def inside(self, shot: Shot) -> Mask:
        """The pixels that the regions hold, found one by one and not with the gate's arithmetic."""
        mask = np.zeros((self.height, self.width), bool)
        ys, xs = np.mgrid[: self.height, : self.width]
        for x1, y1, x2, y2 in shot.boxes:
            mask |= (xs >= x1) & (xs < x2) & (ys >= y1) & (ys < y2)
        for corners in shot.triangles:
            mask |= touched_by_triangle(np.array(corners, np.float32).astype(np.float64), xs, ys)
        holes = self.why(shot) == Why.UNDECIDED
        mask |= holes.repeat(TILE_PX, axis=0).repeat(TILE_PX, axis=1)[: self.height, : self.width]
        return mask | shot.nobody_looked


def touched_by_triangle(corners: NDArray[np.float64], xs: NDArray[np.int64], ys: NDArray[np.int64]) -> Mask:
    """Pixels of which one of 49 points lies in the triangle (a, b, c)."""
    touched = np.zeros(xs.shape, bool)
    for dx in np.linspace(0, 1, 7):
        for dy in np.linspace(0, 1, 7):
            sides = []
            for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                sides.append((bx - ax) * (ys + dy - ay) - (by - ay) * (xs + dx - ax))
            touched |= np.all([side > 0 for side in sides], axis=0) | np.all([side < 0 for side in sides], axis=0)
    return touched


def other_inside(picture: av.VideoFrame, inside: Mask, seed: int) -> av.VideoFrame:
    """A picture with other samples wherever a sample describes a pixel inside, and the same samples elsewhere."""
    other = noise(picture.format.name, picture.width, picture.height, seed)
    tall = np.pad(inside, ((0, inside.shape[0] % 2), (0, inside.shape[1] % 2)))
    halved = tall.reshape(tall.shape[0] // 2, 2, tall.shape[1] // 2, 2).any(axis=(1, 3))
    for kept, replaced in zip(planes_of(picture), planes_of(other), strict=True):
        here = inside if kept.shape[:2] == inside.shape else halved
        replaced[~here] = kept[~here]
    return other


def outputs(video: Video, pictures: list[av.VideoFrame], fill_name: FillName) -> list[av.VideoFrame]:
    fill = make_fill(fill_name)
    return [
        redact(raw_frame(picture, index), video.regions(shot, index), fill, max_look_age_s=1.0).picture
        for index, (shot, picture) in enumerate(zip(video.shots, pictures, strict=True))
    ]


def two_videos(video: Video) -> tuple[list[av.VideoFrame], list[av.VideoFrame]]:
    one = [noise(video.pixel_format, video.width, video.height, index) for index in range(len(video.shots))]
    two = [other_inside(one[index], video.inside(shot), 1000 + index) for index, shot in enumerate(video.shots)]
    return one, two


def packets(frames: list[av.VideoFrame]) -> list[bytes]:
    """The frames through libx264."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
    encoder.time_base, encoder.thread_count = TIME_BASE, 1
    encoder.options = {"preset": "ultrafast", "crf": "20"}
    made = [bytes(packet) for frame in frames for packet in encoder.encode(frame)]
    return made + [bytes(packet) for packet in encoder.encode(None)]


@pytest.fixture(autouse=True, scope="module")
def short_spans() -> Iterator[None]:
    """Two turns and two lessons make a span of four frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skyveil.gate.fill._TURNS", 2)
        patch.setattr("skyveil.gate.fill._LESSON_BITS", 1)
        yield


edges = st.integers(-12, 60)
corners = st.tuples(st.floats(-30, 80, width=32), st.floats(-30, 80, width=32))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    (x1, x2), (y1, y2) = sorted((draw(edges), draw(edges))), sorted((draw(edges), draw(edges)))
    return x1, y1, x2, y2


shots = st.builds(
    Shot,
    boxes=st.lists(boxes(), max_size=4),
    triangles=st.lists(st.tuples(corners, corners, corners), max_size=2),
    undecided=st.lists(st.sampled_from([False, False, True]), min_size=1, max_size=5),
    nobody_looked=st.sampled_from([False, False, False, True]),
)
videos = st.builds(
    Video,
    pixel_format=st.sampled_from(FORMATS),
    width=st.integers(1, 49),
    height=st.integers(1, 49),
    shots=st.lists(shots, min_size=1, max_size=12),
)
even_videos = st.builds(
    Video,
    pixel_format=st.sampled_from(PLANAR),
    width=st.integers(8, 24).map(lambda half: 2 * half),
    height=st.integers(8, 24).map(lambda half: 2 * half),
    shots=st.lists(shots, min_size=2, max_size=8),
)
thorough = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("fill_name", FILLS)
@given(video=videos)
@settings(thorough, max_examples=100)
def test_videos_that_differ_only_inside_the_regions_give_equal_planes(fill_name: FillName, video: Video) -> None:
    one, two = two_videos(video)
    for left, right in zip(outputs(video, one, fill_name), outputs(video, two, fill_name), strict=True):
        assert rows_and_padding(left) == rows_and_padding(right)


@pytest.mark.parametrize("fill_name", FILLS)
@given(video=even_videos)
@settings(thorough, max_examples=30)
def test_videos_that_differ_only_inside_the_regions_give_equal_packets(fill_name: FillName, video: Video) -> None:
    one, two = two_videos(video)
    assert packets(outputs(video, one, fill_name)) == packets(outputs(video, two, fill_name))


def test_a_scene_that_was_learned_is_drawn_and_says_nothing_of_what_is_hidden() -> None:
    empty, covered = (
        Shot([], [], [False], nobody_looked=False),
        Shot([(4, 4, 20, 20)], [], [False], nobody_looked=False),
    )
    video = Video("yuv420p", 32, 32, [*[empty] * TWO_SPANS, covered, covered])
    one, two = two_videos(video)
    for fill_name in FILLS[1:]:
        left, right = outputs(video, one, fill_name), outputs(video, two, fill_name)
        assert [rows_and_padding(frame) for frame in left] == [rows_and_padding(frame) for frame in right]
        assert rows_and_padding(outputs(video, one, "solid")[-1]) != rows_and_padding(left[-1])


def test_the_property_can_fail() -> None:
    """The same comparison finds the difference when the regions are not handed to the gate."""
    video = Video("yuv420p", 32, 32, [Shot([(4, 4, 20, 20)], [], [False], nobody_looked=False)])
    one, two = two_videos(video)
    careless = Video("yuv420p", 32, 32, [Shot([], [], [False], nobody_looked=False)])
    left, right = outputs(careless, one, "solid"), outputs(careless, two, "solid")
    assert rows_and_padding(left[0]) != rows_and_padding(right[0])
    assert packets(left) != packets(right)
