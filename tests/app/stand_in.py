"""A worker with the real wall, source, gate and encoder, and a watch that covers everything or fails as it is told.

Run as `python -m tests.app.stand_in`. The fault is in the name of the input: `raises.mp4`, `hangs.mp4`, `dies.mp4` ...
"""

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from skyveil.app import worker
from skyveil.app.task import Task
from skyveil.core.errors import DetectorFailed
from skyveil.core.ids import SourceId
from skyveil.core.kinds import Kind
from skyveil.gate.fill import make_fill
from skyveil.gate.redact import redact
from skyveil.private.capture.source import Source, open_media
from skyveil.private.regions import whole_frame
from skyveil.public.encode.header import EncodeSettings, StillImage
from skyveil.public.encode.still import encode_still
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.wire import Finished, Message, Progress, Suspect, Suspects

FAULTY_AT = 10
"""Faults come after this many frames, when packets are under way."""


def serving(_: Mapping[str, Path]) -> worker.Serve:
    return serve


def serve(task: Task) -> Iterator[Message]:
    source = open_media(task.source, SourceId("input"))
    try:
        if task.action == "verify":
            yield from _verified(task, source)
            return
        yield from _video(task, source) if source.info.kind == "video" else _still(task, source)
    finally:
        source.close()


def _video(task: Task, source: Source) -> Iterator[Message]:
    info = source.info
    encoder = VideoEncoder(EncodeSettings(task.settings.codec, "ultrafast"), info.stream)
    yield encoder.header
    fill, frames, damaged, last_s = make_fill(task.settings.fill), 0, 0, 0.0
    for raw in source.frames():
        if frames == FAULTY_AT:
            fail(task.source.stem)
        damaged, last_s = damaged + raw.damaged, raw.time.seconds
        yield from encoder.encode(redact(raw, whole_frame(raw.id), fill, max_look_age_s=1.0))
        frames += 1
        yield Progress(frames, info.expected_frames)
    yield from encoder.end()
    yield _finished(source, frames, damaged, last_s)


def _still(task: Task, source: Source) -> Iterator[Message]:
    frame = next(iter(source.frames()))
    fail(task.source.stem)
    damaged = int(frame.damaged)
    red = redact(frame, whole_frame(frame.id), make_fill("solid"), max_look_age_s=1.0)
    still_format = source.info.still_format or "png"
    yield StillImage(still_format, red.width, red.height, encode_still(red, format=still_format))
    yield _finished(source, 1, damaged, 0.0)


def _verified(task: Task, source: Source) -> Iterator[Message]:
    """Files named `suspect` always have one, whatever was covered; those named `unverifiable` can not be looked at."""
    if task.source.stem.startswith("unverifiable"):
        raise DetectorFailed("the second look failed on purpose")
    frames = sum(1 for _ in source.frames())
    if task.source.stem.startswith("suspect"):
        yield Suspects((Suspect(0.0, 0.2, (4, 4, 12, 12), Kind.FACE),))
    yield _finished(source, frames, 0, 0.0)


def fail(name: str) -> None:
    """Do what the name of the file says."""
    if name.startswith("raises"):
        raise DetectorFailed("the network raised on purpose")
    if name.startswith("bug"):
        raise ValueError(f"pixels: {np.full(9, 77)}")
    if name.startswith("hangs"):
        threading.Event().wait()
    if name.startswith("dies"):
        ctypes.string_at(0)
    if name.startswith("speaks"):
        logging.getLogger("stand-in").warning("seen %s", np.full(9, 77))
        print(np.full(9, 77), file=sys.stdout)
        os.abort()


def _finished(source: Source, frames: int, damaged: int, duration_s: float) -> Finished:
    return Finished(
        frames=frames,
        damaged=damaged,
        whole=frames,
        duration_s=duration_s,
        source_fps=None,
        covered_share_per_s=(1.0,) * max(1, int(duration_s)),
        gaps=source.gaps,
        models=(),
        precision="f32",
        dropped=source.info.dropped,
        timings_s=(),
    )


if __name__ == "__main__":
    sys.exit(worker.main(serving))
