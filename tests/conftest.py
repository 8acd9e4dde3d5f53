"""What tests of several folders share: where weights and evaluation data lie, one real face, and small clips.

A test that needs weights asks for `models`, one that needs the evaluation data for `eval_data`; both are skipped, with
the reason, where these are absent. Clips are made, never stored.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from skyveil.app.models import locate
from skyveil.core.manifest import MODELS

Picture: TypeAlias = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _no_real_time() -> Iterator[None]:
    """The AV1 encoder makes a thread of root's real-time; browsers that are started from it then starve the machine.

    Workers refuse it that (`app.seccomp`); tests encode in their own process.
    """
    yield
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(scope="session")
def models() -> None:
    """Skip unless every required network is on this machine."""
    missing = [entry.name for entry in MODELS.values() if entry.required and locate(entry) is None]
    if missing:
        pytest.skip(f"weights are missing: {', '.join(missing)}; run `skyveil models pull`")


@pytest.fixture(scope="session")
def eval_data() -> Path:
    """The folder of labelled pictures and videos; skip unless SKYVEIL_EVAL_DATA names one."""
    folder = os.environ.get("SKYVEIL_EVAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SKYVEIL_EVAL_DATA does not name a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """A real face that the detectors find: RGB (512, 512, 3); the face lies within x 170..285, y 70..190."""
    pixels = skimage.data.astronaut()  # type: ignore[no-untyped-call]  # scikit-image types it only in part
    picture = np.asarray(pixels, np.uint8)
    picture.flags.writeable = False
    return picture


@dataclass(frozen=True)
class ClipMaker:
    """Encodes RGB pictures as a small video in `folder`."""

    folder: Path

    def __call__(
        self,
        pictures: Iterable[Picture],
        *,
        name: str = "clip.mp4",
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        rate_fps: int = 25,
        times_ms: Iterable[int] | None = None,
    ) -> Path:
        """The path of the video; `times_ms` are presentation times, for a variable rate."""
        path = self.folder / name
        ticks = iter(times_ms) if times_ms is not None else None
        with av.open(path, "w") as container:
            stream = container.add_stream(codec, rate_fps)
            assert isinstance(stream, av.VideoStream)
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = Fraction(1, rate_fps if ticks is None else 1000)
            for index, picture in enumerate(pictures):
                if index == 0:
                    stream.height, stream.width = picture.shape[:2]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts = index if ticks is None else next(ticks)
                frame.time_base = stream.codec_context.time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path


@pytest.fixture
def make_clip(tmp_path: Path) -> ClipMaker:
    """A function from RGB pictures to the path of a video made of them."""
    return ClipMaker(tmp_path)
