"""What a worker counts about one file: numbers about the media, none about people in it. App."""

import time
from typing import final

from skyveil.core.manifest import ModelEntry
from skyveil.private.capture.source import Source
from skyveil.public.types import RedactedFrame
from skyveil.public.wire import Finished, ModelUsed
from skyveil.public.wire.documents import MOST_SECONDS


@final
class FileTally:
    """Counts the frames of one file as they pass the gate."""

    def __init__(self) -> None:
        self.frames = 0
        self.sound = False
        """Whether the first sound of the file goes along, encoded anew."""
        self._damaged = 0
        self._whole = 0
        self._first_s: float | None = None
        self._last_s = 0.0
        self._covered: list[float] = []
        self._counted: list[int] = []
        self._began_s = time.process_time()

    def count(self, frame: RedactedFrame, *, damaged: bool) -> None:
        """Take a frame that passed the gate."""
        self.frames += 1
        self._damaged += damaged
        self._whole += frame.whole
        self._first_s = frame.time.seconds if self._first_s is None else self._first_s
        self._last_s = frame.time.seconds
        second = min(int(self._last_s - self._first_s), MOST_SECONDS - 1)
        while len(self._covered) <= second:
            # A second without a frame shows what the second before it showed: the picture stands.
            self._covered.append(0.0)
            self._counted.append(0)
        self._covered[second] += frame.covered_share
        self._counted[second] += 1

    def finished(self, source: Source, models: tuple[ModelEntry, ...], precision: str) -> Finished:
        """The last message of the file."""
        info = source.info
        rate = info.stream.fps
        span_s = self._last_s - (self._first_s or 0.0) + (1 / rate if rate else 0.0)
        return Finished(
            frames=self.frames,
            damaged=self._damaged,
            whole=self._whole,
            duration_s=span_s if info.kind == "video" else 0.0,
            source_fps=rate,
            covered_share_per_s=self._shares(),
            gaps=source.gaps,
            models=tuple(ModelUsed(entry.name, entry.sha256) for entry in models),
            precision=precision,
            dropped=_without_sound(info.dropped) if self.sound else info.dropped,
            timings_s=(("cpu", round(time.process_time() - self._began_s, 3)),),
        )

    def _shares(self) -> tuple[float, ...]:
        shares: list[float] = []
        for covered, counted in zip(self._covered, self._counted, strict=True):
            shares.append(covered / counted if counted else shares[-1])
        return tuple(shares)


def _without_sound(dropped: tuple[str, ...]) -> tuple[str, ...]:
    """All but the first sound."""
    first = next((index for index, word in enumerate(dropped) if word.startswith("audio ")), len(dropped))
    return dropped[:first] + dropped[first + 1 :]
