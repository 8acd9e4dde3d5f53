"""What a worker does with one file: opens it, redacts it, answers with messages. App, behind the wall."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from skyveil.app.pipeline import Door, redacted
from skyveil.app.tally import FileTally
from skyveil.app.task import Task
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import SourceId
from skyveil.core.settings import Mask, RedactSettings
from skyveil.core.stills import StillFormat
from skyveil.gate.fill import make_fill
from skyveil.private.capture.source import Source, SourceInfo, open_media
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.finder import Finder
from skyveil.private.still_watch import StillWatch
from skyveil.private.watch import VideoWatch, Watch
from skyveil.public.encode.header import AudioHeader, AudioPacket, EncodeSettings, StillImage
from skyveil.public.types import RedactedFrame, RedactedPacket
from skyveil.public.wire import Message, Progress

if TYPE_CHECKING:
    from skyveil.app.inspecting import Inspecting

_SOURCE: Final = SourceId("file")
_PROGRESS_S: Final = 0.5


@final
class Product:
    """Serves file after file. The networks stay open from one file to the next of the same kind."""

    def __init__(self, models: Mapping[str, Path]) -> None:
        self._models = models
        self._finders: dict[tuple[str, str], Finder] = {}
        self._inspecting: Inspecting | None = None

    def __call__(self, task: Task) -> Iterator[Message]:
        """The messages of one file, the last of which is `Finished`; raises SkyveilError when it can not be done."""
        if task.action == "verify":
            yield from self._verified(task)
            return
        if task.action == "calibrate":
            yield from self._calibrated(task)
            return
        settings = task.settings
        with closing(open_media(task.source, _SOURCE, ten_bit=settings.codec != "h264")) as source:
            _refuse_masks_beside(settings.masks, source.info)
            finder = self._finder(source.info, settings)
            tally = FileTally()
            messages = self._messages(task, source, finder, tally)
            yield from _with_progress(messages, tally, source.info.expected_frames)
            yield tally.finished(source, finder.models, finder.computed)

    def _verified(self, task: Task) -> Iterator[Message]:
        # Imported here: redaction does not need it, and start-up is paid for every file.
        from skyveil.app.inspecting import Inspecting

        if self._inspecting is None:
            self._inspecting = Inspecting(self._models)
        return self._inspecting(task)

    def _calibrated(self, task: Task) -> Iterator[Message]:
        from skyveil.app.calibrating import calibrated  # scipy: nothing else here needs it

        return calibrated(task, Finder(self._models, precision=task.settings.precision, shapes="fixed"))

    def _finder(self, info: SourceInfo, settings: RedactSettings) -> Finder:
        key = info.kind, settings.precision
        if key not in self._finders:
            # Pictures of a folder come in every size, the frames of a video in one.
            shapes: Shapes = "any" if info.kind == "still" else "fixed"
            self._finders[key] = Finder(self._models, precision=settings.precision, shapes=shapes)
        return self._finders[key]

    def _messages(self, task: Task, source: Source, finder: Finder, tally: FileTally) -> Iterator[Message]:
        info, settings, fill = source.info, task.settings, make_fill(task.settings.fill)
        if info.kind == "still":
            still = StillWatch(finder, settings, width=info.stream.width, height=info.stream.height)
            door = Door(fill, _StillEncoder(info.still_format or "png"), tally, settings)
            yield from redacted(source, still, door)
            return
        # Imported here: a worker that serves pictures needs no video encoder.
        from skyveil.public.encode.video import VideoEncoder

        encoder = VideoEncoder(EncodeSettings(settings.codec, settings.preset, settings.crf), info.stream)
        stream = info.stream
        watch: Watch = VideoWatch(finder, settings, width=stream.width, height=stream.height, fps=stream.fps)
        messages = redacted(source, watch, Door(fill, encoder, tally, settings))
        yield encoder.header
        yield from _with_sound(messages, task, tally) if settings.keep_audio else messages


def _refuse_masks_beside(masks: Sequence[Mask], info: SourceInfo) -> None:
    """Raise SettingsRefused for a mask that lies beside the picture: who drew it believes that something is covered."""
    width, height = info.stream.width, info.stream.height
    for mask in masks:
        x, y = zip(*mask.points, strict=True)
        if min(x) >= width or min(y) >= height or max(x) <= 0 or max(y) <= 0:
            place = f"{min(x):g},{min(y):g} to {max(x):g},{max(y):g}"
            raise SettingsRefused(f"a mask ({place}) lies outside of the picture of {width}x{height}; give its pixels")


@final
class _StillEncoder:
    """Encodes the one frame of a picture."""

    def __init__(self, format: StillFormat) -> None:
        self._format: StillFormat = format

    def encode(self, frame: RedactedFrame) -> list[Message]:
        """The picture as one message."""
        # Imported here: Pillow and its plug-ins cost a video worker 60 ms.
        from skyveil.public.encode.still import encode_still

        return [StillImage(self._format, frame.width, frame.height, encode_still(frame, format=self._format))]

    def end(self) -> list[Message]:
        """Nothing is held."""
        return []


def _with_progress(messages: Iterator[Message], tally: FileTally, expected: int | None) -> Iterator[Message]:
    """The messages, and between them every half second how many frames have passed."""
    told_s = time.monotonic()
    for message in messages:
        yield message
        if time.monotonic() - told_s >= _PROGRESS_S:
            told_s = time.monotonic()
            yield Progress(tally.frames, expected)


def _with_sound(messages: Iterator[Message], task: Task, tally: FileTally) -> Iterator[Message]:
    """The messages with the sound between them, a packet of sound never before the picture it belongs to."""
    sound = _sound(task)
    first = next(sound, None)
    if first is None:
        yield from messages
        return
    tally.sound = True
    yield first
    waiting = next(sound, None)
    for message in messages:
        yield message
        if isinstance(message, RedactedPacket):
            shown_s = message.pts * message.time_base
            while isinstance(waiting, AudioPacket) and waiting.pts * waiting.time_base <= shown_s:
                yield waiting
                waiting = next(sound, None)
    while isinstance(waiting, AudioPacket):
        yield waiting
        waiting = next(sound, None)


def _sound(task: Task) -> Iterator[AudioHeader | AudioPacket]:
    """The header of the sound and its packets, encoded anew; nothing when the file has none."""
    from skyveil.private.capture.audio import decoded_audio
    from skyveil.public.encode.audio import AudioEncoder

    encoder: AudioEncoder | None = None
    for frame in decoded_audio(task.source):
        if encoder is None:
            encoder = AudioEncoder(task.sound, channels=frame.layout.nb_channels)
            yield encoder.header
        yield from encoder.encode(frame)
    if encoder is not None:
        yield from encoder.end()
