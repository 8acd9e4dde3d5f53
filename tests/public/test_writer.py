import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from skyveil.core.errors import OutputRefused, OutputWrong, SettingsRefused
from skyveil.core.settings import Codec
from skyveil.public.encode.audio import AudioEncoder
from skyveil.public.encode.header import AudioCodec, EncodeSettings, StillImage
from skyveil.public.record import writer as writing
from skyveil.public.record.output import OutputFile
from skyveil.public.record.writer import MediaWriter, container_for, write_still
from tests.public.moving import CANARY, encoded, info, recorded, times_in

UNEVEN_MS = (0, 40, 41, 300, 301, 302, 900, 2000, 2033, 2034)
STEADY_MS = tuple(range(0, 1000, 40))
FAST = EncodeSettings(preset="ultrafast")
EVERY_PAIR = [(suffix, codec) for suffix, kind in writing.CONTAINERS.items() for codec in sorted(kind.codecs)]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(("suffix", "codec"), EVERY_PAIR)
def test_every_container_keeps_the_times_of_every_codec_it_holds(tmp_path: Path, suffix: str, codec: Codec) -> None:
    path = tmp_path / f"a{suffix}"
    preset = "fast" if codec == "h264" else "veryfast"
    written = recorded(path, *encoded(UNEVEN_MS, info(), EncodeSettings(codec=codec, preset=preset)))
    assert times_in(path) == [Fraction(ms, 1000) for ms in UNEVEN_MS]
    assert written.frames == len(UNEVEN_MS)
    assert written.size == path.stat().st_size
    assert written.duration_s == 2.035
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "time_base",
    [
        Fraction(1, 90_000),  # transport streams
        Fraction(1001, 30_000),  # a tick that is not one over a whole number
        Fraction(1, 10_000_000),
        Fraction(1, 1),
    ],
)
@pytest.mark.parametrize("start", [0, 7, 90_007])
def test_mp4_keeps_the_clock_of_the_input_to_the_tick(tmp_path: Path, time_base: Fraction, start: int) -> None:
    ticks = [start + tick for tick in (0, 1, 2, 5, 6, 7, 8, 9, 30)]
    recorded(tmp_path / "a.mp4", *encoded(ticks, info(time_base=time_base), EncodeSettings()))
    assert times_in(tmp_path / "a.mp4") == [tick * time_base for tick in ticks]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("start", [-5000, -100, -1])
def test_a_stream_that_starts_before_zero_is_moved_to_zero_and_loses_nothing(
    tmp_path: Path, suffix: str, start: int
) -> None:
    recorded(tmp_path / f"a{suffix}", *encoded([start + ms for ms in UNEVEN_MS], info(), EncodeSettings()))
    assert times_in(tmp_path / f"a{suffix}") == [Fraction(ms, 1000) for ms in UNEVEN_MS]


def test_matroska_keeps_times_to_the_millisecond(tmp_path: Path) -> None:
    ticks = [11, 3611, 7207, 10811, 14411]
    recorded(tmp_path / "a.mkv", *encoded(ticks, info(time_base=Fraction(1, 90_000)), EncodeSettings()))
    for ticked, got in zip(ticks, times_in(tmp_path / "a.mkv"), strict=True):
        assert abs(got - Fraction(ticked, 90_000)) <= Fraction(1, 2000)


def test_the_last_frame_is_shown_as_long_as_the_one_before(tmp_path: Path) -> None:
    recorded(tmp_path / "a.mp4", *encoded((0, 40, 100), info(), EncodeSettings()))
    with av.open(tmp_path / "a.mp4") as container:
        video = container.streams.video[0]
        assert video.duration is not None
        assert video.time_base is not None
        assert video.duration * video.time_base == Fraction(160, 1000)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "h264"), (".mp4", "h265"), (".mp4", "av1"), (".mkv", "h264"), (".mkv", "h265")]
)
def test_shape_range_and_colour_are_those_of_the_input(tmp_path: Path, suffix: str, codec: Codec) -> None:
    of = info(sample_aspect=Fraction(4, 3), full_range=True)
    path = tmp_path / f"a{suffix}"
    recorded(path, *encoded((0, 40), of, EncodeSettings(codec=codec, preset="ultrafast")))
    with av.open(path) as container:
        video = container.streams.video[0]
        context = video.codec_context
        frame = next(container.decode(video))
        assert (frame.width, frame.height) == (96, 64)
        assert video.sample_aspect_ratio == Fraction(4, 3)
        assert context.color_range == frame.color_range == 2
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_av1_with_oblong_pixels_is_refused_where_the_container_would_forget_them(tmp_path: Path, suffix: str) -> None:
    header, _ = encoded((0,), info(sample_aspect=Fraction(4, 3)), EncodeSettings(codec="av1", preset="ultrafast"))
    with pytest.raises(SettingsRefused, match=r"choose \.mp4"):
        MediaWriter(tmp_path / f"a{suffix}", header, audio=None, overwrite=False)
    assert names(tmp_path) == []


def test_ten_bits_are_still_ten_in_the_file(tmp_path: Path) -> None:
    of = info(bit_depth=10)
    header, packets = encoded((0, 40), of, EncodeSettings(codec="h265", preset="ultrafast"), "yuv420p10le")
    recorded(tmp_path / "a.mp4", header, packets)
    with av.open(tmp_path / "a.mp4") as container:
        assert next(container.decode(video=0)).format.name == "yuv420p10le"


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_index_comes_before_the_pictures(tmp_path: Path, suffix: str) -> None:
    recorded(tmp_path / f"a{suffix}", *encoded(STEADY_MS, info(), FAST))
    data = (tmp_path / f"a{suffix}").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("suffix", "codec"), EVERY_PAIR)
def test_a_file_says_nothing_of_the_input_or_the_host(tmp_path: Path, suffix: str, codec: Codec) -> None:
    settings = EncodeSettings(codec=codec, preset="ultrafast")
    recorded(tmp_path / f"a{suffix}", *encoded(STEADY_MS, info(), settings))
    data = (tmp_path / f"a{suffix}").read_bytes()
    for word in (CANARY, "clip", "x264", "x265", "SVT", "Lavc", "Lavf6", os.uname().release, tmp_path.name):
        assert word.encode() not in data, word
    with av.open(tmp_path / f"a{suffix}") as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
    assert not {"creation_time", "comment", "title", "timecode"} & {tag.lower() for tag in tags}


@pytest.mark.parametrize(("suffix", "codec"), EVERY_PAIR)
def test_two_runs_write_equal_bytes(tmp_path: Path, suffix: str, codec: Codec) -> None:
    settings = EncodeSettings(codec=codec, preset="ultrafast")
    first = recorded(tmp_path / f"a{suffix}", *encoded(STEADY_MS, info(), settings))
    second = recorded(tmp_path / f"b{suffix}", *encoded(STEADY_MS, info(), settings))
    assert first == second
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "h264"), ("a.mov", "av1"), ("a.avi", "h264"), ("a", "h264")])
def test_a_container_that_can_not_hold_the_codec_is_refused(tmp_path: Path, name: str, codec: Codec) -> None:
    with pytest.raises(SettingsRefused, match="choose one of"):
        container_for(tmp_path / name, codec)


def test_a_suffix_in_capitals_is_the_same_suffix(tmp_path: Path) -> None:
    assert container_for(tmp_path / "A.MP4", "h264").muxer == "mp4"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_writer_that_is_interrupted_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    header, packets = encoded(STEADY_MS, info(), FAST)
    with pytest.raises(error), MediaWriter(tmp_path / "a.mp4", header, audio=None, overwrite=False) as writer:
        writer.write(packets[0])
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("finished", [False, True])
def test_a_writer_that_is_not_committed_leaves_nothing(tmp_path: Path, finished: bool) -> None:
    header, packets = encoded(STEADY_MS, info(), FAST)
    with MediaWriter(tmp_path / "a.mp4", header, audio=None, overwrite=False) as writer:
        for packet in packets:
            writer.write(packet)
        if finished:
            writer.finish()
            assert names(tmp_path) == ["a.mp4.skyveil.part"]
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_output_without_a_frame_is_wrong(tmp_path: Path, suffix: str) -> None:
    header, _ = encoded((0,), info(), FAST)
    with pytest.raises((OutputWrong, OutputRefused)):
        recorded(tmp_path / f"a{suffix}", header, [])
    assert names(tmp_path) == []


_KILLED = """
import sys
from pathlib import Path
from skyveil.public.record.output import OutputFile
from skyveil.public.record.writer import MediaWriter
from tests.public.moving import encoded, info
from skyveil.public.encode.header import EncodeSettings
header, packets = encoded(range(0, 4000, 40), info(), EncodeSettings(preset="ultrafast"))
with MediaWriter(Path(sys.argv[1]), header, audio=None, overwrite=False) as writer:
    for packet in packets:
        writer.write(packet)
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_writer_killed_on_the_spot_leaves_only_its_part_and_the_next_run_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert names(tmp_path) == ["a.mp4.skyveil.part"]
    recorded(path, *encoded(STEADY_MS, info(), FAST))
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("limit", [200, 6000, 20_000])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_disk_that_fills_up_refuses_and_leaves_nothing(tmp_path: Path, suffix: str, limit: int) -> None:
    header, packets = encoded(STEADY_MS, info(320, 240), EncodeSettings(preset="ultrafast", crf=5))
    assert sum(len(packet.data) for packet in packets) > limit
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # EFBIG from write(), as ENOSPC on a full disk
    try:
        with pytest.raises(OutputRefused, match="can not be written"):
            recorded(tmp_path / f"a{suffix}", header, packets)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


def test_a_read_only_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        target = Path("/proc/a.mp4")  # where root can not write either
    else:
        tmp_path.chmod(0o500)
        target = tmp_path / "a.mp4"
    header, _ = encoded((0,), info(), FAST)
    with pytest.raises(OutputRefused, match="can not be written") as caught:
        MediaWriter(target, header, audio=None, overwrite=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "opus"), (".webm", "opus")])
def test_kept_sound_stays_in_step_with_the_picture(tmp_path: Path, suffix: str, codec: AudioCodec) -> None:
    encoder = AudioEncoder(codec, channels=2)
    sound = [packet for frame in _click_at_half_a_second() for packet in encoder.encode(frame)] + encoder.end()
    video: Codec = "av1" if suffix == ".webm" else "h264"
    header, packets = encoded(STEADY_MS, info(), EncodeSettings(codec=video, preset="ultrafast"))
    path = tmp_path / f"a{suffix}"
    with MediaWriter(path, header, audio=encoder.header, overwrite=False) as writer:
        for packet in packets:
            writer.write(packet)
        for piece in sound:
            writer.write_audio(piece)
        writer.finish()
        writer.output.commit()
    with av.open(path) as container:
        assert not {"title", "comment"} & set(container.streams.audio[0].metadata)
        assert abs(_first_loud_s(container.decode(audio=0)) - 0.5) < 0.003


def test_sound_of_the_wrong_codec_or_for_a_silent_file_is_refused(tmp_path: Path) -> None:
    header, _ = encoded((0,), info(), FAST)
    encoder = AudioEncoder("opus", channels=1)
    assert encoder.header.channels == 1
    with pytest.raises(SettingsRefused, match="aac"):
        MediaWriter(tmp_path / "a.mp4", header, audio=encoder.header, overwrite=False)
    pieces = [piece for frame in _click_at_half_a_second() for piece in encoder.encode(frame)]
    with (
        pytest.raises(SettingsRefused, match="before the first picture"),
        MediaWriter(tmp_path / "a.mkv", header, audio=encoder.header, overwrite=False) as writer,
    ):
        writer.write_audio(pieces[0])
    with (
        pytest.raises(SettingsRefused, match="without sound"),
        MediaWriter(tmp_path / "a.mp4", header, audio=None, overwrite=False) as writer,
    ):
        writer.write_audio(pieces[0])
    assert names(tmp_path) == []


def test_a_still_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputWrong, match="can not be read"),
        OutputFile(tmp_path / "a.png", overwrite=False) as output,
    ):
        write_still(output, StillImage("png", 4, 4, b"no picture"))
    assert names(tmp_path) == []


def _click_at_half_a_second() -> list[av.AudioFrame]:
    rate = 44_100
    samples = np.zeros((1, 2 * rate), np.int16)
    samples[0, rate : rate + 200] = 20_000  # interleaved stereo: sample rate / 2
    frames = []
    for start in range(0, rate, 4410):
        frame = av.AudioFrame.from_ndarray(samples[:, 2 * start : 2 * (start + 4410)], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frame.metadata["title"] = CANARY
        frames.append(frame)
    return frames


def _first_loud_s(frames: Iterable[av.AudioFrame]) -> float:
    for frame in frames:
        loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
        if len(loud) and frame.pts is not None and frame.time_base is not None:
            return float(frame.pts * frame.time_base) + int(loud[0]) / frame.sample_rate
    raise AssertionError("silence")
