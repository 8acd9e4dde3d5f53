"""Damaged files: what can be read comes out, what was guessed is flagged, and nothing is lost in silence."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from skyveil.core.errors import InputRefused
from skyveil.private.capture.source import open_media
from tests.private.capture.clips import (
    CAMERA,
    Clip,
    cut,
    frames_of,
    overwritten,
    planes_of,
    same_planes,
    scene,
    ticks_of,
)

FRAMES = 40


def clip(path: Path, codec: str = "libx264", **options: str) -> Clip:
    pictures = [scene(index, 160, 128) for index in range(FRAMES)]
    return Clip(path, codec, pictures, options={"g": "10", **options}, time_base=Fraction(1, 25))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_overwritten_bytes_flag_frames_until_the_next_key_frame(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / name, qp="0", bf="0", sc_threshold="0").write()
    intact = ticks_of(frames_of(path)[1])
    overwritten(path, start=0.4, length=300)
    _, frames = frames_of(path)
    damaged = [frame.id.index for frame in frames if frame.damaged]
    assert ticks_of(frames) == intact
    assert damaged
    assert damaged == list(range(damaged[0], damaged[-1] + 1))
    assert (damaged[-1] + 1) % 10 == 0  # a key frame every 10
    for frame in frames:
        assert frame.damaged or same_planes(frame, planes_of(scene(frame.id.index, 160, 128)))


def test_a_packet_that_does_not_decode_is_a_black_damaged_frame_at_its_time(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "libvpx-vp9", deadline="realtime", **{"cpu-used": "8"}).write()
    data = path.read_bytes()
    at = data.index(b"\x49\x83\x42")  # the sync code of a key frame's header (VP9 specification, 7.2)
    at = data.index(b"\x49\x83\x42", at + 1)
    path.write_bytes(data[:at] + b"\x00\x00\x00" + data[at + 3 :])
    source, frames = frames_of(path)
    assert ticks_of(frames) == [index * 40 for index in range(FRAMES)]
    damaged = [frame for frame in frames if frame.damaged]
    assert damaged[0].id.index == 10
    assert same_planes(
        damaged[0],
        [plane * 0 + value for plane, value in zip(planes_of(scene(0, 160, 128)), (16, 128, 128), strict=True)],
    )
    assert {(frame.width, frame.height) for frame in frames} == {(source.info.stream.width, source.info.stream.height)}


def test_an_unreadable_beginning_is_black_frames_before_the_first_picture(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "libvpx-vp9", deadline="realtime", **{"cpu-used": "8"}).write()
    data = path.read_bytes()
    at = data.index(b"\x49\x83\x42")
    path.write_bytes(data[:at] + b"\x00\x00\x00" + data[at + 3 :])
    _, frames = frames_of(path)
    assert ticks_of(frames) == [index * 40 for index in range(FRAMES)]
    assert [frame.id.index for frame in frames if frame.damaged] == list(range(10))


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.avi", "fast.mp4"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_of_a_cut_file_the_readable_part_comes_out(tmp_path: Path, name: str, share: float) -> None:
    writing = clip(tmp_path / name, qp="20")
    if name == "fast.mp4":
        writing.container_options = {"movflags": "faststart"}
    path = writing.write()
    intact = ticks_of(frames_of(path)[1])
    source, frames = frames_of(cut(path, share))
    assert 0 < len(frames) < FRAMES
    assert ticks_of(frames)[:-2] == intact[: len(frames) - 2]  # a picture may be there and the ones before it cut off
    assert set(ticks_of(frames)) <= set(intact)
    if name != "a.ts":  # a transport stream has no header that promises a length
        assert source.truncated
        assert source.gaps[-1][1] == pytest.approx(FRAMES / 25, abs=0.05)


def test_an_intact_file_is_not_called_truncated(tmp_path: Path) -> None:
    source, frames = frames_of(clip(tmp_path / "a.mp4").write())
    assert (source.truncated, source.gaps, len(frames)) == (False, (), FRAMES)


def late(path: Path, codec: str) -> Path:
    """40 frames from second 5 on, whole."""
    pictures = [scene(index, 160, 128) for index in range(FRAMES)]
    times = [5000 + 40 * index for index in range(FRAMES)]
    return Clip(path, codec, pictures, times=times, options={"g": "10"}).write()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.nut", "ffv1"), ("a.wmv", "wmv2")]
)
def test_an_intact_file_that_begins_late_is_not_called_truncated(tmp_path: Path, name: str, codec: str) -> None:
    source, frames = frames_of(late(tmp_path / name, codec))
    assert (source.truncated, source.gaps, len(frames)) == (False, (), FRAMES)
    assert frames[0].time.seconds == 5


def test_a_file_that_begins_late_and_is_cut_ends_where_it_should_have(tmp_path: Path) -> None:
    source, frames = frames_of(cut(late(tmp_path / "a.mkv", "libx264"), 0.6))
    assert source.truncated
    assert len(frames) < FRAMES
    assert source.gaps[-1][1] == pytest.approx(6.6, abs=0.05)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_mkvmerge_counts_from_the_first_frame(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.mkv"
    pictures = [scene(index, 160, 128) for index in range(FRAMES)]

    def sign(stream: av.VideoStream) -> None:
        stream.metadata["_STATISTICS_WRITING_APP"] = "mkvmerge"

    Clip(path, "ffv1", pictures, times=[5000 + 40 * index for index in range(FRAMES)], prepare=sign).write()
    path.write_bytes(path.read_bytes().replace(b"00:00:06.6", b"00:00:01.6"))
    source, _ = frames_of(cut(path, share))
    assert source.truncated == (share < 1)
    if source.truncated:
        assert source.gaps[-1][1] == pytest.approx(6.6, abs=0.05)


def test_a_stream_that_begins_between_key_frames_is_flagged_until_the_first_one(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", qp="20", bf="0", sc_threshold="0").write()
    data = path.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 7) :])
    _, frames = frames_of(path)
    damaged = [frame.id.index for frame in frames if frame.damaged]
    assert damaged == list(range(len(damaged)))
    assert 0 < len(frames) - len(damaged) <= 30


# Decoders of these say nothing when what a picture was predicted from is not there; they draw it on grey.
@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "avi"), ("flv", "flv"), ("mpeg2video", "ts"), ("wmv2", "avi")])
def test_a_stream_without_its_first_key_frame_is_flagged_whatever_its_decoder_says(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    pictures = [scene(index, 96, 64, "yuv420p") for index in range(30)]
    whole = Clip(
        tmp_path / f"whole.{suffix}", codec, pictures, options={"g": "10", "bf": "0"}, time_base=Fraction(1, 25)
    ).write()
    headless = tmp_path / f"headless.{suffix}"
    with av.open(whole) as reader, av.open(headless, "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for number, packet in enumerate(reader.demux(reader.streams.video[0])):
            if number and packet.size:
                packet.stream = stream
                writer.mux(packet)
    _, frames = frames_of(headless)
    assert [frame.damaged for frame in frames] == [True] * 9 + [False] * (len(frames) - 9)
    assert len(frames) == 29


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9", "ffv1", "mjpeg"])
@pytest.mark.parametrize("seed", range(4))
def test_noise_anywhere_is_either_read_or_refused(tmp_path: Path, codec: str, seed: int) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    pictures = [scene(index, 96, 64, pixels) for index in range(20)]
    path = Clip(tmp_path / "a.mkv", codec, pictures, options={"g": "5"}, time_base=Fraction(1, 25)).write()
    for part in range(6):
        overwritten(path, start=(part + 0.1 * seed) / 6.5, length=24, seed=seed * 10 + part)
    try:
        source, frames = frames_of(path)
    except InputRefused as refusal:
        assert "\n" not in str(refusal)
        return
    assert ticks_of(frames) == sorted(set(ticks_of(frames)))
    assert {(frame.width, frame.height) for frame in frames} <= {(source.info.stream.width, source.info.stream.height)}


def test_zero_decodable_frames_are_refused(tmp_path: Path) -> None:
    path = Clip(tmp_path / "a.mkv", "libvpx-vp9", [scene(0)], options={"deadline": "realtime"}).write()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x49\x83\x42", b"\x00\x00\x00"))
    with pytest.raises(InputRefused, match="no frame could be decoded"):
        open_media(path, CAMERA)
