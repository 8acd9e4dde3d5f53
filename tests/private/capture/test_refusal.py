import os
from fractions import Fraction
from pathlib import Path

import av
import av.error
import pytest

from skyveil.core.errors import InputRefused
from skyveil.private.capture.audio import decoded_audio
from skyveil.private.capture.containers import CONTAINERS
from skyveil.private.capture.refusal import shown, translated
from skyveil.private.capture.source import open_media
from skyveil.private.capture.still import open_still
from skyveil.private.capture.video import open_video
from tests.private.capture.clips import CAMERA, Clip


def refusal(path: Path) -> str:
    with pytest.raises(InputRefused) as caught:
        open_media(path, CAMERA)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.parent) not in message
    return message


def test_every_error_of_ffmpeg_becomes_ours() -> None:
    classes = [kind for kind in vars(av.error).values() if isinstance(kind, type) and kind.__module__ == "av.error"]
    raised = [kind for kind in classes if issubclass(kind, BaseException)]
    assert len(raised) > 40
    for kind in raised:
        assert issubclass(kind, av.error.FFmpegError)
        with pytest.raises(InputRefused), translated(Path("a.mp4"), doing="decoding"):
            raise kind(1, "words")


def test_errors_of_the_file_system_become_ours_and_bugs_do_not() -> None:
    with (
        pytest.raises(InputRefused, match=r"^a\.mp4: reading failed \(no space"),
        translated(Path("/x/a.mp4"), doing="reading"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(AssertionError), translated(Path("a.mp4"), doing="reading"):
        raise AssertionError


def test_missing_empty_folder_and_device_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "no such file" in refusal(tmp_path / "missing.mp4")
    assert "is empty" in refusal(tmp_path / "empty.mp4")
    assert "is a folder" in refusal(tmp_path)
    assert "device, pipe or socket" in refusal(tmp_path / "pipe.mp4")


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")
    assert "a.mp4" in refusal(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "content", [b"hello world\n" * 500, bytes(4096), bytes(range(256)) * 40, b"\x1a\x45\xdf\xa3" + bytes(99)]
)
def test_what_is_not_media_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert "a.mp4" in refusal(tmp_path / "a.mp4")


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as output:
        sound = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=800)
        frame.rate, frame.pts = 8000, 0
        output.mux(sound.encode(frame))
    assert "no video stream" in refusal(tmp_path / "a.mka")


REFERRING = [
    # kinds of file that name other files or hosts
    ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"),
    ("a.ffconcat", "ffconcat version 1.0\nfile secret.mkv\n"),
    ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
    ("a.mpd", '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>'),
]


@pytest.mark.parametrize(("name", "text"), REFERRING)
def test_what_refers_to_other_files_is_refused(tmp_path: Path, name: str, text: str) -> None:
    Clip(tmp_path / "secret.mkv").write()
    (tmp_path / name).write_text(text)
    assert name in refusal(tmp_path / name)


@pytest.mark.parametrize(("name", "text"), REFERRING)
def test_the_sound_of_other_files_is_refused_too(tmp_path: Path, name: str, text: str) -> None:
    """With --keep-audio the file is opened a second time; it must go through the same door."""
    with av.open(str(tmp_path / "secret.ts"), "w", format="mpegts") as output:
        sound = output.add_stream("mp2", rate=48_000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=4608)
        frame.rate, frame.pts = 48_000, 0
        output.mux([*sound.encode(frame), *sound.encode(None)])
    (tmp_path / "secret.mkv").write_bytes((tmp_path / "secret.ts").read_bytes())
    assert list(decoded_audio(tmp_path / "secret.ts"))
    (tmp_path / name).write_text(text)
    with pytest.raises(InputRefused, match=r"name the media itself|check that the file plays"):
        list(decoded_audio(tmp_path / name))


def test_no_container_refers_to_other_files() -> None:
    assert not {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "sap", "image2", "lavfi", "imf", "vobsub"} & set(
        CONTAINERS
    )
    assert set(CONTAINERS) <= {name for names in av.formats_available for name in names.split(",")}


def test_names_fit_on_one_line() -> None:
    assert shown(Path("/private/folder/a\nb\x1b[31m\u202egnp.mp4")) == "a?b?[31m?gnp.mp4"


def test_the_wrong_door_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="not a picture"):
        open_still(Clip(tmp_path / "a.mkv", time_base=Fraction(1, 1000)).write(), CAMERA)
    with pytest.raises(InputRefused, match="empty"):
        (tmp_path / "b.mkv").touch()
        open_video(tmp_path / "b.mkv", CAMERA)
