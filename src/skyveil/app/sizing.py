"""What cameras need of a machine: from what one picture costs on this one, or on that of the published figures. App.

A picture of a live camera of 1280x720 costs its share of a look and, beside that, what grows with the codecs. Both are
timed here for a moment: the networks on grey pictures, the codecs on a clip that is made for it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final, final

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from skyveil.app.models import ensure_for
from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing
from skyveil.core.settings import RedactSettings
from skyveil.public.encode.header import CRF

FPS: Final = 10
PUBLISHED_MS: Final = 14.2
"""CPU of one 1280x720 picture at 10 a second with people in it, on the machine of docs/reference/live.md."""
RSS_MB_PER_CAMERA: Final = 410.0
MBIT_PER_CAMERA: Final = 2.0
_SPARE: Final = 1.5
"""What is left free for moments when everybody moves, for the server and for other programs."""
_FRAMES_A_LOOK: Final = 3
_PERSON_HW: Final = (256, 416)
_FACE_HW: Final = (192, 320)
_FACES_A_LOOK: Final = 3.3
"""What a look of bench/live.py's cameras costs in the face network, in looks of `_FACE_HW`: 72 ms a look, of which the
person network took 18 and such a look 16.4 (two AVX2 cores, f32, 100 pictures)."""
_BESIDE: Final = 2.2
"""What a picture costs beside networks, in times that its decoding and encoding cost: 18.1 ms to 8.2 on that machine,
17.7 to 8.2 on one with bf16 (docs/reference/live.md). On the clip that is made here the codecs cost the same within a
tenth."""
_TIMED_S: Final = 0.4
_LEAST_RUNS: Final = 3
_PICTURES: Final = 24
_WH: Final = (1280, 720)


@final
@dataclass(frozen=True, slots=True)
class Machine:
    """What one picture of 1280x720 with people in it costs here, in ms of CPU.

    networks_ms: its share of a look; beside_ms: codecs and all else; precision: what the networks compute in.
    """

    networks_ms: float
    beside_ms: float
    precision: str

    @property
    def picture_ms(self) -> float:
        """Both together."""
        return self.networks_ms + self.beside_ms


@final
@dataclass(frozen=True, slots=True)
class Sizing:
    """What a number of cameras at 1280x720 and 10 pictures a second needs.

    cores: like those of this machine where `measured`, else like those of the published figures; cpu_ms_per_picture:
    what they are taken from; carries: how many such cameras the processors of this machine carry, None where that was
    not measured.
    """

    cameras: int
    cores: float
    memory_gb: float
    disk_gb_per_day: float
    network_in_mbit: float
    cpu_ms_per_picture: float = PUBLISHED_MS
    measured: bool = False
    carries: int | None = None


def plan(cameras: int, machine: Machine | None = None) -> Sizing:
    """The machine for so many cameras; half as much again is left free for moments when everybody moves."""
    picture_ms = PUBLISHED_MS if machine is None else machine.picture_ms
    cores_each = FPS * picture_ms / 1000 * _SPARE
    return Sizing(
        cameras,
        round(cameras * cores_each, 1),
        round(1 + cameras * RSS_MB_PER_CAMERA / 1000, 1),
        round(cameras * MBIT_PER_CAMERA / 8 * 86400 / 1000, 1),
        round(cameras * 4.0, 1),
        round(picture_ms, 1),
        machine is not None,
        None if machine is None else int(processors() / cores_each),
    )


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def measured() -> Machine | None:
    """What a picture costs on this machine, in about two seconds of CPU; None when the networks are not here."""
    try:
        networks_ms, precision = _networks()
    except (ModelMissing, ModelCorrupt, DetectorFailed):
        return None
    return Machine(networks_ms, _BESIDE * _codecs(), precision)


def _networks() -> tuple[float, str]:
    """CPU of a picture's share of a look, in ms, and what the networks compute in; raises where there are none."""
    from skyveil.private.detect.networks import FACES, PERSONS

    paths = ensure_for(RedactSettings(), verify=False)
    persons, faces = PERSONS.open(paths), FACES.open(paths)
    grey = {hw: np.full((*hw, 3), 114, np.uint8) for hw in (_PERSON_HW, _FACE_HW)}
    look_ms = _timed(lambda: persons.infer(grey[_PERSON_HW]))
    look_ms += _FACES_A_LOOK * _timed(lambda: faces.infer(grey[_FACE_HW]))
    return look_ms / _FRAMES_A_LOOK, faces.precision


def _codecs() -> float:
    """CPU of decoding and encoding one picture of a made clip, in ms."""
    packets = _encoded(_made(), {"preset": "veryfast", "crf": "23"})
    decoder = av.CodecContext.create("h264", "r")
    if not isinstance(decoder, VideoCodecContext):
        raise DetectorFailed("this PyAV decodes no H.264")
    decoder.thread_count = 1
    began_s = time.thread_time()
    pictures = [picture for packet in packets for picture in decoder.decode(packet)]
    decoding_s = time.thread_time() - began_s
    options = {"preset": "ultrafast", "tune": "zerolatency", "qp": str(CRF["h264"][0])}
    began_s = time.thread_time()
    _encoded(pictures, options)
    encoding_s = time.thread_time() - began_s
    return 1000 * (decoding_s + encoding_s) / max(1, len(pictures))


def _encoded(pictures: list[av.VideoFrame], options: dict[str, str]) -> "list[av.Packet[av.VideoStream]]":
    encoder = av.CodecContext.create("libx264", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise DetectorFailed("this PyAV encodes no H.264")
    encoder.width, encoder.height, encoder.pix_fmt = *_WH, "yuv420p"
    encoder.framerate, encoder.gop_size, encoder.max_b_frames = FPS, 2 * FPS, 0  # type: ignore[assignment]  # an int is one
    encoder.thread_count, encoder.options = 1, options
    packets = [packet for picture in pictures for packet in encoder.encode(picture)]
    return [*packets, *encoder.encode(None)]


def _made() -> list[av.VideoFrame]:
    """Pictures of a street that is none: coarse and fine texture that stays, a little noise, and parts that move."""
    random = np.random.default_rng(1)
    width, height = _WH
    wide = _texture(random, width + 16 * _PICTURES, height)
    made = []
    for number in range(_PICTURES):
        luma = wide[:, :width].astype(np.int16)
        for part in range(12):
            top, left = 40 + 50 * part, (97 * part + 9 * number * (1 if part % 2 else -1)) % (width - 80)
            luma[top : top + 120, left : left + 50] = wide[top : top + 120, 50 * part : 50 * part + 50] // 2 + 20
        noisy = luma + random.normal(0, 1.5, luma.shape).round().astype(np.int16)
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = np.clip(noisy, 16, 235)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts = number
        made.append(picture)
    return made


def _texture(random: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    coarse, fine = (
        cv2.resize(random.integers(40, 200, (height // step, width // step)).astype(np.uint8), (width, height))
        for step in (40, 4)
    )
    return np.asarray(cv2.addWeighted(coarse, 0.8, fine, 0.2, 0), np.uint8)


def _timed(look: Callable[[], object]) -> float:
    """The median CPU of one call after a first one, in ms."""
    look()
    took_s: list[float] = []
    while len(took_s) < _LEAST_RUNS or sum(took_s) < _TIMED_S:
        began_s = time.thread_time()
        look()
        took_s.append(time.thread_time() - began_s)
    return 1000 * median(took_s)
