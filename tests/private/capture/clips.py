"""Small generated clips, and what a source makes of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from skyveil.core.ids import SourceId
from skyveil.private._pixels import Plane, look, plane_array
from skyveil.private.capture.source import Source, open_media
from skyveil.private.frame import RawFrame

CAMERA = SourceId("camera")
MILLISECOND = Fraction(1, 1000)


def scene(index: int, width: int = 64, height: int = 48, pixels: str = "yuv420p") -> av.VideoFrame:
    """A planar picture without any symmetry, another one for every index."""
    picture = av.VideoFrame(width, height, pixels)
    top = 1 << (picture.format.components[0].bits - 8)
    for number in range(len(picture.planes)):
        plane = plane_array(picture, number)
        rows, columns = np.indices(plane.shape)
        plane[:] = (16 + (rows * 3 + columns * (2 + number) + index * 5 + number * 40) % 200) * top
    return picture


def planes_of(picture: av.VideoFrame) -> list[Plane]:
    return [plane_array(picture, number).copy() for number in range(len(picture.planes))]


@dataclass
class Clip:
    """A video file to be written: one codec, frames at times, and what else a file may hold."""

    path: Path
    codec: str = "ffv1"
    frames: Sequence[av.VideoFrame] = ()
    times: Sequence[int] | None = None
    time_base: Fraction = MILLISECOND
    rate: int = 25
    options: dict[str, str] | None = None
    container_options: dict[str, str] | None = None
    matrix: Sequence[int] | None = None
    aspect: Fraction | None = None
    full_range: bool = False
    with_sound: bool = False
    with_second_video: bool = False
    with_chapters: bool = False
    prepare: Callable[[av.VideoStream], None] | None = None

    def write(self) -> Path:
        frames = self.frames or [scene(index) for index in range(10)]
        step = round(1 / (self.rate * self.time_base))
        times = self.times or [index * step for index in range(len(frames))]
        with av.open(str(self.path), "w", container_options=self.container_options or {}) as output:
            stream = self._stream(output, frames[0])
            sound = output.add_stream("aac", rate=48000) if self.with_sound else None
            second = self._stream(output, frames[0]) if self.with_second_video else None
            for frame, time in zip(frames, times, strict=True):
                frame.pts, frame.time_base = time, self.time_base
                output.mux(stream.encode(frame))
                if second is not None:
                    output.mux(second.encode(frame))
            output.mux(stream.encode(None))
            if second is not None:
                output.mux(second.encode(None))
            if sound is not None:
                silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
                silence.rate, silence.pts = 48000, 0
                output.mux(sound.encode(silence))
                output.mux(sound.encode(None))
        return self.path

    def _stream(self, output: av.container.OutputContainer, first: av.VideoFrame) -> av.VideoStream:
        stream = output.add_stream(self.codec, rate=self.rate, options=self.options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        stream.codec_context.time_base = self.time_base
        if self.full_range:
            stream.color_range = 2
        if self.aspect is not None:
            stream.codec_context.sample_aspect_ratio = self.aspect
        if self.matrix is not None:
            stream.set_display_matrix(self.matrix)
        if self.with_chapters:
            chapter = {"id": 1, "start": 0, "end": 100, "time_base": MILLISECOND, "metadata": {"title": "one"}}
            output.set_chapters([chapter])  # type: ignore[list-item]  # PyAV wants its own TypedDict
        if self.prepare is not None:
            self.prepare(stream)
        return stream


def frames_of(path: Path, *, ten_bit: bool = False) -> tuple[Source, list[RawFrame]]:
    """The source of a file, closed, and all its frames."""
    source = open_media(path, CAMERA, ten_bit=ten_bit)
    frames = list(source.frames())
    source.close()
    return source, frames


def ticks_of(frames: Iterable[RawFrame]) -> list[int]:
    return [frame.time.ticks for frame in frames]


def same_planes(frame: RawFrame, expected: Sequence[Plane]) -> bool:
    return all(np.array_equal(plane, other) for plane, other in zip(look(frame), expected, strict=True))


def overwritten(path: Path, *, start: float, length: int, seed: int = 1) -> Path:
    """The file with `length` bytes of noise at a share of its length."""
    data = bytearray(path.read_bytes())
    at = int(len(data) * start)
    data[at : at + length] = np.random.default_rng(seed).integers(0, 256, length, np.uint8).tobytes()
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def rgb(width: int, height: int) -> NDArray[np.uint8]:
    """A colourful picture without symmetry, (height, width, 3)."""
    rows, columns = np.indices((height, width))
    return np.stack([rows * 5 % 256, columns * 3 % 256, (rows + columns * 2) % 256], axis=2).astype(np.uint8)
