"""Whatever a network does, and at whichever look: no packet ever holds a pixel of a face that it should have found."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from skyveil.app.serve import Product
from skyveil.app.task import Task
from skyveil.core.errors import DetectorFailed, ModelCorrupt
from skyveil.core.kinds import Kind
from skyveil.core.manifest import MODELS
from skyveil.core.settings import Precision, RedactSettings
from skyveil.private.detect.engine import Outputs, Pending, Pictures, Shapes, checked
from skyveil.private.detect.finder import Finder
from skyveil.private.watch import VideoWatch
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Finished, Message
from tests.app.piping import COVER_LUMA, Run, luma_of
from tests.conftest import ClipMaker, Picture
from tests.private.detect.blobs import Answer, Blobs
from tests.private.made import HEIGHT, WIDTH, Box, scene

FACES = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast")
EVERYTHING = RedactSettings(frozenset(Kind), preset="ultrafast")
CANARY = 200
"""Luma of the face; nothing else in the scene is as bright."""


def walker(index: int) -> list[Box]:
    return [(40.0 + 2 * index, 60, 64.0 + 2 * index, 84)]


def run_with(blobs: Blobs, *, damaged: range = range(0), settings: RedactSettings = FACES) -> Run:
    watch = VideoWatch(blobs.finder, settings, width=WIDTH, height=HEIGHT, fps=25.0)
    return Run(watch, scene(100, walker, damaged=damaged), settings)


def shows_the_canary(run: Run) -> list[int]:
    """The frames that left with a pixel of the face."""
    return [frame.id.index for frame in run.encoder.kept if (luma_of(frame) > (CANARY + COVER_LUMA) // 2).any()]


def test_a_working_engine_shows_no_pixel_of_the_face() -> None:
    run = run_with(Blobs()).to_the_end()
    assert len(run.encoder.kept) == 100
    assert shows_the_canary(run) == []


@pytest.mark.parametrize("network", ["face", "person", "text"])
@pytest.mark.parametrize("look", [0, 1, 2, 5, 9])
def test_no_pixel_of_the_face_leaves_before_a_look_that_fails(network: str, look: int) -> None:
    blobs = Blobs()
    for engine in (blobs.face, blobs.person, blobs.text):
        engine.fails_at = look if engine is getattr(blobs, network) else None
    run = run_with(blobs, settings=EVERYTHING)
    with pytest.raises(DetectorFailed, match="failed as it was told"):
        run.to_the_end()
    assert shows_the_canary(run) == []
    assert not run.encoder.ended
    assert len(run.encoder.kept) < 100


class NotFinite:
    """An engine whose answers turn into NaN at one look, as overflowing bf16 would; checked as every engine checks."""

    def __init__(self, blobs: Blobs, *, at_look: int) -> None:
        self._engine = blobs.face
        self._at_look = at_look
        self._start = blobs.face.start

    def start(self, pictures: Pictures) -> Pending:
        broken = len(self._engine.shown_wh) == self._at_look
        outputs: Outputs = self._start(pictures).wait()
        if broken:
            outputs = tuple(output * np.float32("nan") for output in outputs)
        return Answer(checked("centerface", len(pictures), outputs))


@pytest.mark.parametrize("look", [0, 3, 8])
def test_no_pixel_of_the_face_leaves_when_a_network_answers_with_no_numbers(
    monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    blobs = Blobs()
    monkeypatch.setattr(blobs.face, "start", NotFinite(blobs, at_look=look).start)
    run = run_with(blobs)
    with pytest.raises(DetectorFailed, match="not finite"):
        run.to_the_end()
    assert shows_the_canary(run) == []
    assert not run.encoder.ended


@pytest.mark.parametrize("damaged", [range(7), range(20, 60), range(93, 100), range(0, 100, 3), range(100)])
def test_no_pixel_of_the_face_leaves_around_damage(damaged: range) -> None:
    run = run_with(Blobs(), damaged=damaged).to_the_end()
    assert run.encoder.indices == list(range(100))
    assert shows_the_canary(run) == []
    assert [frame.id.index for frame in run.encoder.kept if frame.whole] == list(damaged)


# Through the whole worker.


class Serving:
    """Makes finders with blob engines in place of networks."""

    def __init__(self, face_fails_at: int | None = None) -> None:
        self._face_fails_at = face_fails_at

    def __call__(self, paths: Mapping[str, Path], *, precision: Precision, shapes: Shapes) -> Finder:
        return Blobs(shapes=shapes, precision=precision, face_fails_at=self._face_fails_at).finder


def faced(index: int, face: Picture) -> Picture:
    """A face with a dark rim that is the same in all videos, so that they differ inside of its cover only."""
    made = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    x = 40 + 2 * index
    made[60:84, x : x + 24] = face
    return made


def packets_of(source: Path) -> list[RedactedPacket]:
    return [message for message in Product({})(Task(source, FACES)) if isinstance(message, RedactedPacket)]


def test_two_videos_that_differ_in_a_face_alone_give_equal_packets(
    monkeypatch: pytest.MonkeyPatch, make_clip: ClipMaker
) -> None:
    monkeypatch.setattr("skyveil.app.serve.Finder", Serving())
    random = np.random.default_rng(11)
    one, other = (random.integers(215, 250, (24, 24, 3), np.uint8) for _ in range(2))
    # FFV1 is lossless: what differs in the file differs inside of the face.
    first, second = (
        make_clip((faced(i, face) for i in range(60)), name=f"{name}.mkv", codec="ffv1")
        for name, face in (("one", one), ("other", other))
    )
    assert hashlib.sha256(first.read_bytes()).digest() != hashlib.sha256(second.read_bytes()).digest()
    assert packets_of(first) == packets_of(second)


@pytest.mark.parametrize("look", [0, 2, 7])
def test_a_failing_look_gives_no_end_so_that_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, make_clip: ClipMaker, look: int
) -> None:
    monkeypatch.setattr("skyveil.app.serve.Finder", Serving(face_fails_at=look))
    face = np.full((24, 24, 3), 230, np.uint8)
    source = make_clip(faced(index, face) for index in range(80))
    told: list[Message] = []
    with pytest.raises(DetectorFailed):
        for message in Product({})(Task(source, FACES)):
            told.append(message)  # noqa: PERF402 (what came before the error counts)
    assert not any(isinstance(message, Finished) for message in told)


def test_a_corrupt_network_lets_no_frame_through(make_clip: ClipMaker, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"one byte off")
    face = np.full((24, 24, 3), 230, np.uint8)
    told: list[Message] = []
    with pytest.raises(ModelCorrupt):
        for message in Product(dict.fromkeys(MODELS, wrong))(
            Task(make_clip(faced(index, face) for index in range(10)), RedactSettings())
        ):
            told.append(message)  # noqa: PERF402 (what came before the error counts)
    assert not any(isinstance(message, (RedactedPacket, Finished)) for message in told)
