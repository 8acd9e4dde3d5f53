"""What a worker does with one file of `verify`: opens it, inspects frames, answers with suspects. App, walled."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, final

from skyveil.app.task import Task
from skyveil.core.ids import SourceId
from skyveil.core.kinds import WITH_FACES
from skyveil.private.capture.source import Source, open_media
from skyveil.private.detect.boxes import nothing
from skyveil.private.detect.engine import Shapes
from skyveil.private.inspect import EVERY_S, STILL, VIDEO, Inspector, Spot, Suspicion, still_spots
from skyveil.public.wire import Finished, Message, ModelUsed, Progress, Suspect, Suspects

_JITTER_S: Final = 0.005
"""Times that a container rounds to milliseconds must not put an inspection off by one frame."""


@final
class Inspecting:
    """Serves verify jobs. The networks stay open from one file to the next of the same kind."""

    def __init__(self, models: Mapping[str, Path]) -> None:
        self._models = models
        self._inspectors: dict[tuple[str, str], Inspector] = {}

    def __call__(self, task: Task) -> Iterator[Message]:
        """The messages of one file, the last of which is `Finished`; raises SkyveilError when it can not be done.

        Where no target shows faces there is nothing to look for: the answer names no network.
        """
        began_s = time.process_time()
        with closing(open_media(task.source, SourceId("file"))) as source:
            inspector = self._inspector(source, task) if task.settings.targets & WITH_FACES else None
            walk = _Walk(source, inspector)
            for frames in walk.frames():
                yield Progress(frames, source.info.expected_frames)
            found = tuple(Suspect(spot.start_s, spot.end_s, spot.xyxy, spot.kind) for spot in walk.spots)
            yield Suspects(found)
            yield walk.finished(time.process_time() - began_s)

    def _inspector(self, source: Source, task: Task) -> Inspector:
        key = source.info.kind, task.settings.precision
        if key not in self._inspectors:
            still = source.info.kind == "still"
            # Pictures of a folder come in every size, the frames of a video in one.
            shapes: Shapes = "any" if still else "fixed"
            manner = STILL if still else VIDEO
            self._inspectors[key] = Inspector(self._models, manner, precision=task.settings.precision, shapes=shapes)
        return self._inspectors[key]


@final
class _Walk:
    """One pass through one file."""

    def __init__(self, source: Source, inspector: Inspector | None) -> None:
        self._source = source
        self._inspector = inspector
        self._count = 0
        self._first_s: float | None = None
        self._last_s = 0.0
        self.spots: tuple[Spot, ...] = ()

    def frames(self) -> Iterator[int]:
        """Inspect a frame of every `EVERY_S` of media; gives how many frames have passed, now and then."""
        suspicion, due_s = Suspicion(), float("-inf")
        still = self._source.info.kind == "still"
        for raw in self._source.frames():
            self._count += 1
            self._first_s = raw.time.seconds if self._first_s is None else self._first_s
            self._last_s = raw.time.seconds
            time_s = self._last_s - self._first_s
            if self._inspector is None or time_s < due_s:
                continue
            due_s = time_s + EVERY_S - _JITTER_S
            places = self._inspector.suspicious(raw)
            self.spots += still_spots(places) if still else ()
            suspicion.add(time_s, nothing() if still else places)
            yield self._count
        self.spots += suspicion.spots()

    def finished(self, cpu_s: float) -> Finished:
        """The last message of the file."""
        info, models = self._source.info, self._inspector.models if self._inspector else ()
        return Finished(
            frames=self._count,
            damaged=0,
            whole=0,
            duration_s=self._last_s - (self._first_s or 0.0),
            source_fps=info.stream.fps,
            covered_share_per_s=(),
            gaps=self._source.gaps,
            models=tuple(ModelUsed(entry.name, entry.sha256) for entry in models),
            precision=self._inspector.computed if self._inspector else "",
            dropped=info.dropped,
            timings_s=(("cpu", round(cpu_s, 3)),),
        )
