"""What a worker does with one file: messages in their order, covers where the networks found something."""

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from skyveil.app.serve import Product
from skyveil.app.task import Task
from skyveil.core.errors import DetectorFailed, InputRefused, ModelMissing, SettingsRefused
from skyveil.core.kinds import Kind
from skyveil.core.manifest import CENTERFACE, YOLOX_NANO
from skyveil.core.settings import Mask, Precision, RedactSettings
from skyveil.private.detect.engine import Shapes
from skyveil.private.detect.finder import Finder
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Finished, Message, Progress
from tests.conftest import ClipMaker, Picture
from tests.private.detect.blobs import Blobs
from tests.public.moving import recorded

FACES = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast", crf=10)
COVER_RGB = np.array([64, 56, 160])


class Factory:
    """Stands where the product makes its finders, and notes what it was asked for."""

    def __init__(self, face_fails_at: int | None = None) -> None:
        self.made: list[tuple[Precision, Shapes]] = []
        self._face_fails_at = face_fails_at

    def __call__(self, paths: Mapping[str, Path], *, precision: Precision, shapes: Shapes) -> Finder:
        self.made.append((precision, shapes))
        return Blobs(shapes=shapes, precision=precision, face_fails_at=self._face_fails_at).finder


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> Factory:
    made = Factory()
    monkeypatch.setattr("skyveil.app.serve.Finder", made)
    return made


def face_at(index: int) -> tuple[int, int]:
    return 40 + 2 * index, 60


def picture(index: int = 0, *, size: tuple[int, int] = (320, 240)) -> Picture:
    """A bright square on grey, which the networks of these tests take for a face."""
    made = np.full((size[1], size[0], 3), 60, np.uint8)
    x, y = face_at(index)
    made[y : y + 24, x : x + 24] = 230
    return made


def clip(make_clip: ClipMaker, count: int = 40, name: str = "clip.mp4") -> Path:
    return make_clip((picture(index) for index in range(count)), name=name)


def still(folder: Path, name: str = "still.png") -> Path:
    path = folder / name
    Image.fromarray(picture()).save(path)
    return path


def hides_the_face(shown: NDArray[np.uint8], index: int) -> bool:
    x, y = face_at(index)
    return bool((np.abs(shown[y : y + 24, x : x + 24].astype(int) - COVER_RGB) < 40).all())


def decoded(path: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(path) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


@pytest.mark.usefixtures("factory")
def test_a_video_is_a_header_its_packets_and_what_was_done(make_clip: ClipMaker, tmp_path: Path) -> None:
    header, *between, last = list(Product({})(Task(clip(make_clip), FACES)))
    assert isinstance(header, StreamHeader)
    assert isinstance(last, Finished)
    assert {type(message) for message in between} <= {RedactedPacket, Progress}
    packets = [message for message in between if isinstance(message, RedactedPacket)]
    assert len(packets) == last.frames == 40
    assert (last.damaged, last.whole, last.precision) == (0, 0, "f32")
    assert all(0 < share < 0.2 for share in last.covered_share_per_s)
    out = tmp_path / "out.mp4"
    recorded(out, header, packets)
    assert [hides_the_face(shown, index) for index, shown in enumerate(decoded(out))] == [True] * 40


@pytest.mark.usefixtures("factory")
def test_a_picture_is_one_image_and_what_was_done(tmp_path: Path) -> None:
    said = Product({})(Task(still(tmp_path), FACES))
    image, last = [message for message in said if not isinstance(message, Progress)]  # said when it takes long
    assert isinstance(image, StillImage)
    assert isinstance(last, Finished)
    assert (last.frames, last.duration_s) == (1, 0.0)
    shown = np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"), np.uint8)
    assert shown.shape == (240, 320, 3)
    assert hides_the_face(shown, 0)
    assert shown[-1, -1].tolist() == [60, 60, 60]


def test_networks_stay_open_from_file_to_file_of_one_kind(
    factory: Factory, make_clip: ClipMaker, tmp_path: Path
) -> None:
    product = Product({})
    for source in (clip(make_clip, 5), clip(make_clip, 5, "b.mp4"), still(tmp_path), still(tmp_path, "b.png")):
        list(product(Task(source, FACES)))
    assert factory.made == [("auto", "fixed"), ("auto", "any")]


def test_another_precision_opens_them_anew(factory: Factory, tmp_path: Path) -> None:
    product = Product({})
    for precision in ("auto", "f32", "auto"):
        chosen: Precision = "f32" if precision == "f32" else "auto"
        list(product(Task(still(tmp_path), RedactSettings(frozenset({Kind.FACE}), precision=chosen))))
    assert factory.made == [("auto", "any"), ("f32", "any")]


@pytest.mark.usefixtures("factory")
def test_one_file_says_nothing_of_the_one_before(make_clip: ClipMaker) -> None:
    product = Product({})
    long, short = clip(make_clip, 30), clip(make_clip, 8, "b.mp4")
    alone = list(Product({})(Task(short, FACES)))
    list(product(Task(long, FACES)))
    after = list(product(Task(short, FACES)))
    assert [m for m in after if isinstance(m, RedactedPacket)] == [m for m in alone if isinstance(m, RedactedPacket)]


@pytest.mark.usefixtures("factory")
def test_the_networks_that_looked_are_told(tmp_path: Path) -> None:
    last = list(Product({})(Task(still(tmp_path), RedactSettings())))[-1]
    assert isinstance(last, Finished)
    assert {CENTERFACE.name, YOLOX_NANO.name} <= {used.name for used in last.models}


def test_a_look_that_fails_ends_the_file_without_being_finished(
    monkeypatch: pytest.MonkeyPatch, make_clip: ClipMaker
) -> None:
    monkeypatch.setattr("skyveil.app.serve.Finder", Factory(face_fails_at=3))
    told: list[Message] = []
    with pytest.raises(DetectorFailed, match="failed as it was told"):
        for message in Product({})(Task(clip(make_clip, 80), FACES)):
            told.append(message)  # noqa: PERF402 (what came before the error counts)
    assert not any(isinstance(message, Finished) for message in told)


def test_without_weights_nothing_is_done(make_clip: ClipMaker, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="skyveil models pull"):
        list(Product({})(Task(still(tmp_path), FACES)))
    with pytest.raises(ModelMissing, match="skyveil models pull"):
        list(Product({})(Task(clip(make_clip, 3), FACES)))


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    with pytest.raises(InputRefused):
        list(Product({})(Task(path, FACES)))


@pytest.fixture
def talking(tmp_path: Path) -> Path:
    """Two seconds of video with a tone beside it."""
    path = tmp_path / "talking.mkv"
    with av.open(path, "w") as container:
        video, audio = container.add_stream("libx264", 25), container.add_stream("flac", 48_000)
        assert isinstance(video, av.VideoStream)
        assert isinstance(audio, av.AudioStream)
        video.width, video.height, audio.codec_context.layout = 320, 240, "mono"
        tone = (8000 * np.sin(np.arange(1920) / 20)).astype(np.int16)[None]
        for index in range(50):
            shown = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            heard = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 48_000, 1920 * index, Fraction(1, 48_000)
            container.mux([*video.encode(shown), *audio.encode(heard)])
        container.mux([*video.encode(None), *audio.encode(None)])
    return path


@pytest.mark.usefixtures("factory")
@pytest.mark.parametrize(
    "points", [((64, 0), (90, 0), (90, 40)), ((0, 48), (9, 48), (9, 60)), ((-9, 0), (0, 0), (0, 40))]
)
def test_a_mask_beside_the_picture_is_refused(make_clip: ClipMaker, points: tuple[tuple[float, float], ...]) -> None:
    """Who drew it on a larger picture believes that something is covered."""
    path = make_clip([np.zeros((48, 64, 3), np.uint8)] * 3)
    beside = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast", masks=(Mask(points),))
    with pytest.raises(SettingsRefused, match="lies outside of the picture of 64x48"):
        list(Product({})(Task(path, beside)))
    touching = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast", masks=(Mask(((63, 47), (90, 47), (90, 90))),))
    assert isinstance(list(Product({})(Task(path, touching)))[-1], Finished)


@pytest.mark.usefixtures("factory")
def test_sound_is_dropped_unless_it_is_asked_for(talking: Path) -> None:
    messages = list(Product({})(Task(talking, FACES)))
    assert not any(isinstance(message, (AudioHeader, AudioPacket)) for message in messages)
    last = messages[-1]
    assert isinstance(last, Finished)
    assert any("audio" in what for what in last.dropped)


@pytest.mark.usefixtures("factory")
def test_sound_that_is_kept_comes_after_the_picture_it_belongs_to(talking: Path) -> None:
    settings = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast", keep_audio=True)
    messages = [m for m in Product({})(Task(talking, settings)) if not isinstance(m, Progress)]
    assert [type(message) for message in messages[:2]] == [StreamHeader, AudioHeader]
    assert isinstance(messages[-1], Finished) and messages[-1].dropped == ()
    shown_s, heard_s = Fraction(0), []
    video_ended = max(i for i, message in enumerate(messages) if isinstance(message, RedactedPacket))
    for index, message in enumerate(messages):
        if isinstance(message, RedactedPacket):
            shown_s = max(shown_s, message.pts * message.time_base)
        if isinstance(message, AudioPacket):
            heard_s.append(message.pts * message.time_base)
            assert heard_s[-1] <= shown_s or index > video_ended
    assert heard_s == sorted(heard_s)
    assert heard_s[-1] > Fraction(18, 10)


@pytest.mark.usefixtures("factory")
def test_a_video_without_sound_can_be_asked_to_keep_it(make_clip: ClipMaker) -> None:
    settings = RedactSettings(frozenset({Kind.FACE}), preset="ultrafast", keep_audio=True)
    messages = list(Product({})(Task(clip(make_clip, 5), settings)))
    assert not any(isinstance(message, (AudioHeader, AudioPacket)) for message in messages)
    assert isinstance(messages[-1], Finished)
