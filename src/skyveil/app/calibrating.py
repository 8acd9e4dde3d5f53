"""What a worker does with one video of `calibrate`: finds people as rulers, answers with the camera. App, walled."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from skyveil.app.task import Task
from skyveil.core.errors import InputRefused
from skyveil.core.ids import SourceId
from skyveil.measure.calibration_text import calibration_text
from skyveil.private.capture.source import open_media
from skyveil.private.detect.finder import Finder
from skyveil.private.observe.ruler_people import RulerPeople
from skyveil.public.wire import Calibrated, Finished, Message, ModelUsed, Progress

EVERY_S: Final = 0.5
"""Seconds between two frames that are looked at: people must have moved on."""
_LONG_PX: Final = 1280
_LEAST: Final = 0.3


def calibrated(task: Task, finder: Finder) -> Iterator[Message]:
    """The messages of one video, the last of which is `Finished`; raises SkyveilError when it shows too few people."""
    began_s = time.process_time()
    with closing(open_media(task.source, SourceId("file"))) as source:
        if source.info.kind == "still":
            raise InputRefused("people as rulers need a video, in which people come near and go far")
        width, height = source.info.stream.width, source.info.stream.height
        scale = min(1.0, _LONG_PX / max(width, height))
        people, due_s, frames, last_s = RulerPeople(size_wh=(width, height)), float("-inf"), 0, 0.0
        for raw in source.frames():
            frames, last_s = frames + 1, raw.time.seconds
            if last_s < due_s or raw.damaged:
                continue
            due_s = last_s + EVERY_S
            people.add(finder.persons(raw, (0, 0, width, height), scale=scale, threshold=_LEAST))
            yield Progress(frames, source.info.expected_frames)
        yield Calibrated(calibration_text(people.calibration(view_deg=task.view_deg)))
        yield Finished(
            frames=frames,
            damaged=0,
            whole=0,
            duration_s=last_s,
            source_fps=source.info.stream.fps,
            covered_share_per_s=(),
            gaps=source.gaps,
            models=tuple(ModelUsed(entry.name, entry.sha256) for entry in finder.models),
            precision=finder.computed,
            dropped=source.info.dropped,
            timings_s=(("cpu", round(time.process_time() - began_s, 3)),),
        )
