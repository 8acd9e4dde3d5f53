from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from skyveil.core.errors import InputRefused, SettingsRefused
from skyveil.private.capture.audio import decoded_audio
from skyveil.public.encode.audio import RATE, AudioEncoder
from skyveil.public.encode.header import AudioCodec

EVERY: tuple[AudioCodec, ...] = ("aac", "opus")


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """One second of a tone in 44,100 samples, with a tag."""
    path = tmp_path / "tone.mka"
    wave = (12_000 * np.sin(np.arange(44_100) / 20)).astype(np.int16)
    with av.open(path, "w", format="matroska") as container:
        container.metadata["title"] = "canary-7f3a"
        stream = container.add_stream("flac", rate=44_100)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        for start in range(0, len(wave), 4410):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 4410], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("codec", EVERY)
def test_sound_is_encoded_anew_without_gaps_or_tags(tone: Path, codec: AudioCodec, channels: int) -> None:
    encoder = AudioEncoder(codec, channels=channels)
    packets = [packet for frame in decoded_audio(tone) for packet in encoder.encode(frame)] + encoder.end()
    ends = [packet.pts + packet.duration for packet in packets]
    assert ends[:-1] == [packet.pts for packet in packets[1:]]
    assert abs(ends[-1] - RATE) <= 2048
    assert encoder.header.channels == channels
    assert b"canary" not in encoder.header.extradata + b"".join(packet.data for packet in packets)


@pytest.mark.parametrize("codec", EVERY)
def test_two_runs_give_equal_bytes(tone: Path, codec: AudioCodec) -> None:
    runs = []
    for _ in range(2):
        encoder = AudioEncoder(codec, channels=2)
        runs.append([packet for frame in decoded_audio(tone) for packet in encoder.encode(frame)] + encoder.end())
    assert runs[0] == runs[1]


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="mp3"):
        AudioEncoder("mp3", channels=2)  # type: ignore[arg-type]  # the mistake


def test_damaged_packets_of_sound_are_left_out(tone: Path) -> None:
    data = bytearray(tone.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    tone.write_bytes(data)
    frames = list(decoded_audio(tone))
    assert 0 < sum(frame.samples for frame in frames) <= 44_100


def test_a_file_that_is_not_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no media")
    with pytest.raises(InputRefused, match=r"a\.mp4"):
        list(decoded_audio(tmp_path / "a.mp4"))


@pytest.mark.parametrize("name", ["a.webm", "a.ts", "a.mkv"])
def test_sound_that_needs_no_resampling_keeps_its_times(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(path, "w") as container:
        codec = "libopus" if name == "a.webm" else "aac"
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "stereo"
        for start in range(0, RATE, 960):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 960), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    encoder = AudioEncoder("aac", channels=2)
    packets = [packet for frame in decoded_audio(path) for packet in encoder.encode(frame)] + encoder.end()
    steps = {after.pts - before.pts for before, after in pairwise(packets)}
    assert steps == {1024}
    assert abs(packets[-1].pts - packets[0].pts - RATE) <= 2 * 2048


def test_sound_that_changes_in_the_middle_goes_on() -> None:
    encoder = AudioEncoder("aac", channels=2)
    packets = []
    for index in range(40):
        layout, count = ("stereo", 2) if index < 20 else ("mono", 1)
        frame = av.AudioFrame.from_ndarray(np.zeros((count, 2400), np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, index * 2400, Fraction(1, RATE)
        packets += encoder.encode(frame)
    packets += encoder.end()
    ends = [packet.pts + packet.duration for packet in packets]
    assert all(0 <= packet.pts - end <= 1024 for end, packet in zip(ends, packets[1:], strict=False))
    assert abs(ends[-1] - 2 * RATE) <= 2048
